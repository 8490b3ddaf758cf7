//! What a run shows, for people: figures per kind of fault, violations, and a picture of the answers over time.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use cloudfunc::model::Mode;
use plotters::{
    backend::SVGBackend,
    chart::{ChartBuilder, SeriesLabelPosition},
    drawing::IntoDrawingArea as _,
    element::{PathElement, Rectangle},
    series::LineSeries,
    style::{BLUE, Color as _, IntoFont as _, RED, RGBColor, WHITE},
};

use super::{
    history::{Answer, Finding, Happened, History, Violation},
    plan::{Kind, Stack},
};

const GREEN: RGBColor = RGBColor(0, 130, 60);
const ORANGE: RGBColor = RGBColor(230, 120, 0);

/// What was run.
pub struct Title<'a> {
    pub stack: Stack,
    pub seed: u64,
    pub program: &'a Path,
}

/// Writes `report.md`, `answers.svg` and `history.json` into a folder.
pub fn write(
    folder: &Path,
    title: &Title,
    history: &History,
    findings: &[Finding],
) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("history.json"), serde_json::to_string(history)?)?;
    fs::write(folder.join("report.md"), markdown(title, history, findings)?)?;
    draw(&folder.join("answers.svg"), title, history)
}

fn markdown(title: &Title, history: &History, findings: &[Finding]) -> anyhow::Result<String> {
    let mut text = String::new();
    let Title { stack, seed, program } = title;
    writeln!(text, "# {} with seed {seed}\n", stack.name())?;
    writeln!(text, "Program: `{}`. {}\n", program.display(), summary(history, findings))?;
    writeln!(text, "![answers over time](answers.svg)\n\n## Violations\n")?;
    writeln!(text, "| violation | count |\n|---|---|")?;
    for kind in Violation::ALL {
        writeln!(text, "| {kind:?} | {} |", findings.iter().filter(|(one, _)| *one == kind).count())?;
    }
    writeln!(text)?;
    for (kind, what) in findings {
        writeln!(text, "- {kind:?}: {what}")?;
    }
    writeln!(text, "\n## Faults\n")?;
    writeln!(
        text,
        "Served: how long after its end a new call was answered with its value, in seconds; of two that overlapped, after \
         the end of both.\n"
    )?;
    writeln!(
        text,
        "| fault | count | served, median | served, longest | bound |\n|---|---|---|---|---|"
    )?;
    for (kind, faults) in by_kind(history) {
        let mut served: Vec<f64> =
            faults.iter().filter_map(|fault| Some(fault.served? - fault.healed)).collect();
        served.sort_by(f64::total_cmp);
        let at =
            |place: usize| served.get(place).map_or("never".to_owned(), |time| format!("{time:.2}"));
        let (median, longest) = (at(served.len() / 2), at(served.len().saturating_sub(1)));
        let bound = kind.facts().bound().as_secs();
        writeln!(text, "| {kind} | {} | {median} | {longest} | {bound} |", faults.len())?;
    }
    writeln!(text, "\n## Answers\n\n| mode | answer | count |\n|---|---|---|")?;
    let mut answers: BTreeMap<(&str, String), usize> = BTreeMap::new();
    for call in &history.calls {
        *answers.entry((call.mode.as_str(), name(&call.answer))).or_default() += 1;
    }
    for ((mode, answer), count) in answers {
        writeln!(text, "| {mode} | {answer} | {count} |")?;
    }
    writeln!(text, "\n## Order of the faults\n\n| at | healed | served | fault |\n|---|---|---|---|")?;
    for fault in &history.faults {
        let Happened { begun, healed, served, .. } = fault;
        let served = served.map_or("never".to_owned(), |served| format!("{served:.3}"));
        writeln!(text, "| {begun:.3} | {healed:.3} | {served} | {} |", fault.name())?;
    }
    Ok(text)
}

/// In one line.
pub fn summary(history: &History, findings: &[Finding]) -> String {
    let accepted =
        history.calls.iter().filter(|call| matches!(call.answer, Answer::Accepted(_))).count();
    let sync = history.calls.iter().filter(|call| call.mode == Mode::Sync).count();
    let overlapped = history.faults.iter().filter(|fault| fault.with.is_some()).count();
    let again = history.records.values().filter(|told| told.attempts.len() > 1).count();
    format!(
        "{} faults ({overlapped} of them two at a time), {accepted} accepted, {sync} synchronous calls, {} runs witnessed, {again} ran again and say so, {} violations",
        history.faults.len(),
        history.runs.len(),
        findings.len()
    )
}

fn by_kind(history: &History) -> BTreeMap<Kind, Vec<&Happened>> {
    let mut kinds: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for fault in &history.faults {
        kinds.entry(fault.kind).or_default().push(fault);
    }
    kinds
}

fn name(answer: &Answer) -> String {
    match answer {
        Answer::Accepted(_) => "accepted".to_owned(),
        Answer::Value(_) => "value".to_owned(),
        Answer::Refused { status, code, .. } => format!("{status} {code}"),
        Answer::NotReachable => "no connection".to_owned(),
        Answer::Lost => "connection lost".to_owned(),
        Answer::Silence => "silence".to_owned(),
        Answer::Strange(_) => "strange".to_owned(),
    }
}

/// Answers per second: what was asked for, refusals, and broken connections; each fault as a bar over its time.
fn draw(path: &Path, title: &Title, history: &History) -> anyhow::Result<()> {
    let end = history.calls.iter().map(|call| call.answered).fold(1.0, f64::max);
    let good =
        per_second(history, end, |answer| matches!(answer, Answer::Accepted(_) | Answer::Value(_)));
    let refused = per_second(history, end, |answer| matches!(answer, Answer::Refused { .. }));
    let lost = per_second(history, end, |answer| {
        matches!(answer, Answer::NotReachable | Answer::Lost | Answer::Silence | Answer::Strange(_))
    });
    let highest =
        [&good, &refused, &lost].into_iter().flatten().map(|(_, count)| *count).fold(1.0, f64::max);
    // Wide enough to tell the faults apart.
    let width = 1200 + history.faults.len() as u32 * 8;
    let area = SVGBackend::new(path, (width, 500)).into_drawing_area();
    area.fill(&WHITE)?;
    let caption =
        format!("{}, seed {}: answers per second, faults in grey", title.stack.name(), title.seed);
    let mut chart = ChartBuilder::on(&area)
        .caption(caption, ("sans-serif", 18).into_font())
        .margin(10)
        .x_label_area_size(40)
        .y_label_area_size(50)
        .build_cartesian_2d(0.0..end, 0.0..highest * 1.3)?;
    chart.configure_mesh().x_desc("seconds").y_desc("answers per second").draw()?;
    chart.draw_series(history.faults.iter().map(|fault| {
        // One that takes no time is seen, too.
        let until = fault.served.unwrap_or(fault.healed).max(fault.begun + end / 1000.0);
        Rectangle::new(
            [(fault.begun, 0.0), (until, highest * 1.3)],
            RGBColor(120, 120, 120).mix(0.2).filled(),
        )
    }))?;
    for (row, fault) in history.faults.iter().enumerate() {
        let at = (fault.begun, highest * (1.27 - (row % 6) as f64 * 0.05));
        let style = ("sans-serif", 11).into_font();
        chart.draw_series(std::iter::once(plotters::element::Text::new(
            fault.kind.to_string(),
            at,
            style,
        )))?;
    }
    for (label, colour, line) in
        [("value or 202", GREEN, good), ("refused", ORANGE, refused), ("no answer", RED, lost)]
    {
        chart
            .draw_series(LineSeries::new(line, colour.stroke_width(2)))?
            .label(label)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], colour.stroke_width(2)));
    }
    let mut labels = chart.configure_series_labels();
    labels
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLUE.mix(0.2));
    labels.draw()?;
    area.present()?;
    Ok(())
}

fn per_second(history: &History, end: f64, is_meant: impl Fn(&Answer) -> bool) -> Vec<(f64, f64)> {
    let mut counts = vec![0.0; end as usize + 1];
    for call in history.calls.iter().filter(|call| is_meant(&call.answer)) {
        counts[call.answered as usize] += 1.0;
    }
    counts.into_iter().enumerate().map(|(second, count)| (second as f64, count)).collect()
}
