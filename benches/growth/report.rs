//! Tables, figures as JSON, and a picture of each curve.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use plotters::{
    backend::SVGBackend,
    chart::{ChartBuilder, SeriesLabelPosition},
    coord::combinators::IntoLogRange as _,
    drawing::IntoDrawingArea as _,
    element::{Circle, PathElement},
    series::LineSeries,
    style::{Color as _, IntoFont as _, Palette as _, Palette99, WHITE},
};
use serde_json::json;

use crate::{ms, options::Stack};

/// All values at one size, on one stack.
pub struct Point {
    stack: Stack,
    axis: &'static str,
    pub size: u64,
    values: Vec<Value>,
}

struct Value {
    name: String,
    unit: String,
    value: f64,
}

impl Point {
    pub fn new(stack: Stack, axis: &'static str, size: u64) -> Self {
        Self { stack, axis, size, values: Vec::new() }
    }

    /// The median.
    pub fn add(&mut self, name: &str, times: &[Duration]) {
        let mut times = times.to_vec();
        times.sort_unstable();
        let median = times.get(times.len() / 2).copied().unwrap_or_default();
        self.value(name, "ms", ms(median));
    }

    pub fn value(&mut self, name: &str, unit: &str, value: f64) {
        let (name, unit) = (self.full_name(name), unit.to_owned());
        eprintln!("{} · {} {} · {name}: {value:.2} {unit}", self.stack, self.size, self.axis);
        self.values.push(Value { name, unit, value });
    }

    /// A `…` stands for the beginning of the last name that has none.
    fn full_name(&self, name: &str) -> String {
        let Some(rest) = name.strip_prefix('…') else { return name.to_owned() };
        let begins = ["invocation list", "logs --tail 100"];
        let before = self.values.iter().rev().find(|value| begins.contains(&value.name.as_str()));
        format!("{}{rest}", before.map_or("", |value| &value.name))
    }
}

#[derive(Default)]
pub struct Report {
    points: Vec<Point>,
}

/// A curve: values by size.
type Curve<'a> = Vec<(u64, &'a Value)>;

impl Report {
    pub fn add(&mut self, point: Point) {
        self.points.push(point);
    }

    fn curves(&self) -> BTreeMap<(&str, String, &str), Curve<'_>> {
        let mut curves: BTreeMap<_, Curve> = BTreeMap::new();
        for point in &self.points {
            for value in &point.values {
                let key = (point.axis, point.stack.to_string(), value.name.as_str());
                curves.entry(key).or_default().push((point.size, value));
            }
        }
        curves
    }

    pub fn print(&self) {
        let mut table = String::new();
        for ((axis, stack, name), curve) in self.curves() {
            table += &format!("{axis:<9} {stack:<8} {name:<46}");
            for (size, value) in &curve {
                table += &format!("  {size}: {:.2}", value.value);
            }
            let unit = curve.first().map_or("", |(_, value)| &value.unit);
            table += &format!(" {unit}");
            if let ([(_, first), .., (_, last)], true) = (curve.as_slice(), axis != "deletion") {
                table += &format!("  (last / first {:.2})", last.value / first.value);
            }
            table.push('\n');
        }
        println!("{table}");
    }

    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(folder)?;
        let figures: Vec<_> = self
            .curves()
            .into_iter()
            .map(|((axis, stack, name), curve)| {
                let unit = curve.first().map_or("", |(_, value)| &value.unit);
                let points: Vec<_> = curve.iter().map(|(size, value)| (size, value.value)).collect();
                json!({ "axis": axis, "stack": stack, "name": name, "unit": unit, "points": points })
            })
            .collect();
        let program = crate::program().display().to_string();
        let all = json!({ "program": program, "figures": figures });
        fs::write(folder.join("growth.json"), serde_json::to_string_pretty(&all)?)?;
        let mut pictures: BTreeMap<(&str, &str), Vec<(String, Curve)>> = BTreeMap::new();
        for ((axis, stack, name), curve) in self.curves() {
            pictures.entry((axis, name)).or_default().push((stack, curve));
        }
        for ((axis, name), curves) in pictures {
            if curves.iter().any(|(_, curve)| curve.len() > 1) {
                draw(&folder.join(file_name(axis, name)), axis, name, &curves)?;
            }
        }
        println!("written to {}", folder.display());
        Ok(())
    }
}

fn file_name(axis: &str, name: &str) -> String {
    let words: Vec<_> = name
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    format!("{axis}-{}.svg", words.join("-"))
}

/// Sizes are logarithmic, values are not: what does not grow is a level line.
fn draw(path: &Path, axis: &str, name: &str, curves: &[(String, Curve)]) -> anyhow::Result<()> {
    let points = || curves.iter().flat_map(|(_, curve)| curve.iter());
    let first = points().map(|(size, _)| *size).min().unwrap_or(1);
    let last = points().map(|(size, _)| *size).max().unwrap_or(1);
    let highest = points().map(|(_, value)| value.value).fold(0.0, f64::max);
    let unit = points().next().map_or("", |(_, value)| &value.unit);
    let area = SVGBackend::new(path, (800, 450)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(format!("{name}, by {axis}"), ("sans-serif", 20).into_font())
        .margin(15)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d((float(first)..float(last)).log_scale(), 0.0..highest * 1.2)?;
    chart.configure_mesh().x_desc(axis).y_desc(unit).draw()?;
    for (index, (stack, curve)) in curves.iter().enumerate() {
        let style = Palette99::pick(index).stroke_width(2);
        let line: Vec<_> = curve.iter().map(|(size, value)| (float(*size), value.value)).collect();
        chart
            .draw_series(LineSeries::new(line.clone(), style))?
            .label(stack.clone())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], style));
        chart.draw_series(line.into_iter().map(|point| Circle::new(point, 3, style.filled())))?;
    }
    let mut labels = chart.configure_series_labels();
    labels.position(SeriesLabelPosition::UpperLeft).background_style(WHITE.mix(0.8)).draw()?;
    area.present()?;
    Ok(())
}

#[expect(clippy::cast_precision_loss)]
fn float(number: u64) -> f64 {
    number as f64
}
