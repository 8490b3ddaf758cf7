//! The pictures: latency by path, throughput by clients, cold starts with their phases.

use std::path::Path;

use plotters::{
    backend::SVGBackend,
    chart::{ChartBuilder, ChartContext, SeriesLabelPosition},
    coord::{CoordTranslate, Shift, combinators::IntoLogRange as _},
    drawing::{DrawingArea, IntoDrawingArea as _},
    element::{PathElement, Rectangle, Text},
    series::LineSeries,
    style::{BLACK, Color as _, IntoFont as _, Palette as _, Palette99, RGBAColor, WHITE},
};

use crate::{
    names::{COLD, THROUGHPUT, TOGETHER, WARM},
    rows::PHASES,
    series::{Figures, Series, count},
};

const FONT: &str = "sans-serif";
const SIZE: (u32, u32) = (1000, 600);

/// Draws what was measured, with what the programs were built from; answers the files' names.
pub fn draw(figures: &Figures, builds: &str, folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut written = Vec::new();
    for (file, group) in [("warm.svg", WARM), ("together.svg", TOGETHER)] {
        let rows: Vec<&Series> = figures.group(group).collect();
        if !rows.is_empty() {
            distribution(&folder.join(file), group, builds, &rows)?;
            written.push(file.to_owned());
        }
    }
    if figures.values.iter().any(|row| row.group == THROUGHPUT) {
        throughput(&folder.join("throughput.svg"), builds, figures)?;
        written.push("throughput.svg".to_owned());
    }
    let cold: Vec<&Series> = figures.group(COLD).collect();
    if !cold.is_empty() {
        phases(&folder.join("cold.svg"), builds, figures, &cold)?;
        written.push("cold.svg".to_owned());
    }
    Ok(written)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn area(path: &Path) -> anyhow::Result<Area<'_>> {
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    Ok(area)
}

fn builder<'a, 'b>(area: &'b Area<'a>, title: &str) -> ChartBuilder<'b, 'b, SVGBackend<'a>>
where
    'a: 'b,
{
    let mut builder = ChartBuilder::on(area);
    builder.caption(title, (FONT, 20).into_font()).margin(15);
    builder.x_label_area_size(35).y_label_area_size(60);
    builder
}

fn color(index: usize) -> RGBAColor {
    Palette99::pick(index).to_rgba()
}

type Chart<'a, 'b, C> = ChartContext<'b, SVGBackend<'a>, C>;

fn draw_line<'a, C: CoordTranslate<From = (f64, f64)>>(
    chart: &mut Chart<'a, '_, C>,
    index: usize,
    name: &str,
    points: impl Iterator<Item = (f64, f64)>,
) -> anyhow::Result<()> {
    let style = color(index).stroke_width(2);
    chart
        .draw_series(LineSeries::new(points, style))?
        .label(name)
        .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], style));
    Ok(())
}

fn legend<'a: 'b, 'b, C: CoordTranslate>(
    chart: &mut Chart<'a, 'b, C>,
    position: SeriesLabelPosition,
) -> anyhow::Result<()> {
    chart.configure_series_labels().position(position).background_style(WHITE.mix(0.8)).draw()?;
    Ok(())
}

/// Cumulative: how large a share of the answers came within so many milliseconds (logarithmic).
fn distribution(path: &Path, group: &str, builds: &str, rows: &[&Series]) -> anyhow::Result<()> {
    let lowest = rows.iter().map(|row| row.at(0.0)).fold(f64::MAX, f64::min);
    let highest = rows.iter().map(|row| row.at(0.999)).fold(0.0, f64::max);
    let area = area(path)?;
    let mut chart = builder(&area, &format!("{group}: share of answers within ms ({builds})"))
        .build_cartesian_2d((lowest * 0.9..highest * 1.1).log_scale(), 0.0..1.0)?;
    chart.configure_mesh().x_desc("ms").draw()?;
    for (index, row) in rows.iter().enumerate() {
        let line = (0..=999).map(|share| f64::from(share) / 1000.0).map(|share| (row.at(share), share));
        draw_line(&mut chart, index, &row.name, line)?;
    }
    legend(&mut chart, SeriesLabelPosition::LowerRight)?;
    area.present()?;
    Ok(())
}

/// Answers per second against clients, both logarithmic.
fn throughput(path: &Path, builds: &str, figures: &Figures) -> anyhow::Result<()> {
    let mut lines: Vec<(&str, Vec<(f64, f64)>)> = Vec::new();
    for row in figures.values.iter().filter(|row| row.group == THROUGHPUT) {
        let Some((clients, name)) = row.name.split_once(" clients: ") else { continue };
        let point = (clients.parse()?, row.median());
        match lines.iter_mut().find(|(known, _)| *known == name) {
            Some((_, points)) => points.push(point),
            None => lines.push((name, vec![point])),
        }
    }
    let rates = || lines.iter().flat_map(|(_, points)| points.iter().map(|(_, rate)| *rate));
    let (lowest, highest) = (rates().fold(f64::MAX, f64::min), rates().fold(0.0, f64::max));
    let area = area(path)?;
    let mut chart = builder(&area, &format!("throughput: answers per second, by clients ({builds})"))
        .build_cartesian_2d(
            (0.9..70.0).log_scale().base(2.0),
            (lowest * 0.8..highest * 2.0).log_scale(),
        )?;
    chart.configure_mesh().x_desc("clients").y_desc("per second").draw()?;
    for (index, (name, points)) in lines.iter().enumerate() {
        draw_line(&mut chart, index, name, points.iter().copied())?;
    }
    legend(&mut chart, SeriesLabelPosition::UpperLeft)?;
    area.present()?;
    Ok(())
}

/// A bar per row as long as its median; where the platform tells phases, the bar is made of them, and the rest
/// is the way to the platform and back.
fn phases(path: &Path, builds: &str, figures: &Figures, rows: &[&Series]) -> anyhow::Result<()> {
    let longest = rows.iter().map(|row| row.p50()).fold(0.0, f64::max);
    let area = area(path)?;
    let mut chart = builder(&area, &format!("cold starts: median, in ms ({builds})"))
        .build_cartesian_2d(0.0..longest * 1.05, 0.0..count(rows.len()))?;
    chart.configure_mesh().x_desc("ms").disable_y_mesh().disable_y_axis().draw()?;
    let mut kinds: Vec<String> = Vec::new();
    let mut bars: Vec<(usize, f64, f64, f64)> = Vec::new();
    let mut labels = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        // The first row on top.
        let bottom = count(rows.len() - 1 - index);
        let mut begin = 0.0;
        for (kind, length) in parts(figures, row) {
            let place = kinds.iter().position(|known| *known == kind).unwrap_or_else(|| {
                kinds.push(kind);
                kinds.len() - 1
            });
            bars.push((place, begin, begin + length, bottom));
            begin += length;
        }
        let text = format!("{}: {:.1} ms", row.name, row.p50());
        labels.push(Text::new(
            text,
            (longest * 0.005, bottom + 0.95),
            (FONT, 14).into_font().color(&BLACK),
        ));
    }
    for (place, kind) in kinds.iter().enumerate() {
        let of_kind = bars.iter().filter(|(bar, ..)| *bar == place).map(|(_, begin, end, bottom)| {
            let corners = [(*begin, bottom + 0.15), (*end, bottom + 0.6)];
            Rectangle::new(corners, color(place).filled())
        });
        chart
            .draw_series(of_kind.collect::<Vec<_>>())?
            .label(kind.clone())
            .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 15, y + 5)], color(place).filled()));
    }
    chart.draw_series(labels)?;
    legend(&mut chart, SeriesLabelPosition::LowerRight)?;
    area.present()?;
    Ok(())
}

/// The medians of a row's phases, and what is left of its own.
fn parts(figures: &Figures, row: &Series) -> Vec<(String, f64)> {
    let of_row = |phase: &Series| {
        let name = phase.name.strip_prefix(&row.name)?.strip_prefix(": ")?;
        Some((name.to_owned(), phase.p50()))
    };
    let mut parts: Vec<_> = figures.group(PHASES).filter_map(of_row).collect();
    let told: f64 = parts.iter().map(|(_, length)| length).sum();
    let rest = if parts.is_empty() { "whole" } else { "way there and back" };
    parts.push((rest.to_owned(), (row.p50() - told).max(0.0)));
    parts
}
