//! What is printed, and the files beside it.

use std::path::Path;

use plotters::{
    backend::SVGBackend,
    chart::ChartBuilder,
    drawing::IntoDrawingArea as _,
    element::PathElement,
    series::LineSeries,
    style::{Color as _, IntoFont as _, Palette as _, Palette99, WHITE},
};
use serde_json::json;

use crate::series::{Rates, Series, Times};

/// A quotient of two measured values, with what it is.
pub struct Ratio {
    pub what: String,
    pub value: f64,
}

#[derive(Default)]
pub struct Report {
    pub warm: Times,
    pub cold: Times,
    pub rates: Rates,
    /// Name, resident MiB, private MiB.
    pub memory: Vec<(String, f64, f64)>,
    pub loads: Vec<String>,
}

impl Report {
    pub fn print(&self) {
        println!("load of the machine, by round: {}", self.loads.join(" · "));
        table("warm, one client", &self.warm);
        if self.rates.medians().next().is_some() {
            println!("\n{:<58} {:>8} {:>10}", "throughput", "clients", "per second");
            for (name, clients, rate) in self.rates.medians() {
                println!("{name:<58} {clients:>8} {rate:>10.0}");
            }
        }
        table("cold", &self.cold);
        if !self.memory.is_empty() {
            println!("\n{:<58} {:>8} {:>10}", "memory, idle", "MiB", "private");
            for (name, all, own) in &self.memory {
                println!("{name:<58} {all:>8.1} {own:>10.1}");
            }
        }
        println!();
        for Ratio { what, value } in self.ratios() {
            println!("{value:>8.2} × {what}");
        }
    }

    /// Each against its floors, where both were measured.
    fn ratios(&self) -> Vec<Ratio> {
        let mut ratios = Vec::new();
        let mut add = |what: String, value: Option<f64>| {
            ratios.extend(value.map(|value| Ratio { what, value }));
        };
        let quotient = |times: &Times, one: &str, other: &str, of: fn(&Series) -> f64| {
            Some(of(times.get(one)?) / of(times.get(other)?))
        };
        for (one, other) in crate::WARM_PAIRS {
            let value = quotient(&self.warm, one, other, Series::p50);
            add(format!("{one} / {other}, p50"), value);
        }
        for (one, other) in crate::RATE_PAIRS {
            let rate = |name| self.rates.get(name, crate::CLIENTS);
            let value = rate(one).zip(rate(other)).map(|(one, other)| one / other);
            add(format!("{one} / {other}, per second with {} clients", crate::CLIENTS), value);
        }
        for (one, other) in crate::COLD_PAIRS {
            add(format!("{one} / {other}, p50"), quotient(&self.cold, one, other, Series::p50));
        }
        ratios
    }

    /// `figures.json` and a picture of every kind.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(folder)?;
        let all = |times: &Times| times.all().iter().map(Series::json).collect::<Vec<_>>();
        let ratios: Vec<_> = self
            .ratios()
            .iter()
            .map(|ratio| json!({ "what": ratio.what, "value": ratio.value }))
            .collect();
        let document = json!({
            "loads": self.loads, "warm": all(&self.warm), "cold": all(&self.cold),
            "throughput": self.rates.json(), "ratios": ratios,
            "memory": self.memory.iter().map(|(name, all, own)| {
                json!({ "name": name, "resident_mib": all, "private_mib": own })
            }).collect::<Vec<_>>(),
        });
        std::fs::write(folder.join("figures.json"), serde_json::to_vec_pretty(&document)?)?;
        distribution(
            &folder.join("warm.svg"),
            "warm, one client: share of answers within ms",
            &self.warm,
        )?;
        distribution(&folder.join("cold.svg"), "cold: share of answers within ms", &self.cold)?;
        println!("\nwritten: {}/figures.json, warm.svg, cold.svg", folder.display());
        Ok(())
    }
}

fn table(title: &str, times: &Times) {
    if times.all().is_empty() {
        return;
    }
    println!("\n{title:<58} {:>8} {:>8} {:>8}", "p50 ms", "p99 ms", "count");
    for series in times.all() {
        println!(
            "{:<58} {:>8.3} {:>8.3} {:>8}",
            series.name,
            series.p50(),
            series.p99(),
            series.count()
        );
    }
}

/// Cumulative: how large a share of the answers came within so many milliseconds (logarithmic).
fn distribution(path: &Path, title: &str, times: &Times) -> anyhow::Result<()> {
    if times.all().is_empty() {
        return Ok(());
    }
    let lowest = times.all().iter().map(|series| series.quantile_ms(0.0)).fold(f64::MAX, f64::min);
    let highest = times.all().iter().map(Series::p99).fold(0.0, f64::max);
    let area = SVGBackend::new(path, (1000, 600)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 20).into_font())
        .margin(15)
        .x_label_area_size(35)
        .y_label_area_size(45)
        .build_cartesian_2d(
            plotters::coord::combinators::IntoLogRange::log_scale(lowest * 0.9..highest * 1.1),
            0.0..1.0,
        )?;
    chart.configure_mesh().x_desc("ms").draw()?;
    for (index, series) in times.all().iter().enumerate() {
        let color = Palette99::pick(index).to_rgba();
        let points = (0..=99).map(|percent| f64::from(percent) / 100.0);
        let line = points.map(|share| (series.quantile_ms(share), share));
        chart
            .draw_series(LineSeries::new(line, color.stroke_width(2)))?
            .label(series.name.clone())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], color.stroke_width(2)));
    }
    chart.configure_series_labels().background_style(WHITE.mix(0.8)).draw()?;
    area.present()?;
    Ok(())
}
