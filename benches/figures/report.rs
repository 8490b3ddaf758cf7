//! What is printed, and `figures.json`.

use std::path::Path;

use serde_json::{Value, json};

use crate::{
    goals::{Goal, goals, short},
    machine, pictures,
    rows::{PHASES, Run},
    series::Figures,
};

const NAME: usize = 76;

/// To standard output.
pub fn print(run: &Run) {
    let machine = machine::description();
    println!("machine: {}", line(&machine));
    for program in &run.programs {
        println!("program: {} ({})", program.path.display(), program.build);
    }
    let loads: Vec<_> = run.loads.iter().map(|load| format!("{load:.2}")).collect();
    println!("load of the machine before each round, and at the end: {}", loads.join(" · "));
    times(&run.figures);
    values(&run.figures);
    let goals = goals(&run.figures, &run.options.others);
    if !goals.is_empty() {
        println!("\n{:<112} {:>7} {:>8}", "goals", "ratio", "goal");
        for goal in &goals {
            println!(
                "{:<112} {:>7} {:>8}  {}",
                goal.what,
                short(goal.value),
                goal.bound(),
                goal.verdict()
            );
        }
        let met = goals.iter().filter(|goal| goal.is_met()).count();
        println!("{met} of {} met", goals.len());
    }
}

fn line(object: &Value) -> String {
    let fields = object.as_object().into_iter().flatten();
    let said = fields.map(|(key, value)| match value {
        Value::String(text) => format!("{key} {text}"),
        other => format!("{key} {other}"),
    });
    said.collect::<Vec<_>>().join(" · ")
}

fn times(figures: &Figures) {
    let mut group = "";
    for row in figures.series.iter().filter(|row| row.group != PHASES) {
        if row.group != group {
            group = row.group;
            println!("\n{group:<NAME$} {:>8} {:>8} {:>8}  build", "p50 ms", "p99 ms", "count");
        }
        let (p50, p99) = (short(row.p50()), short(row.p99()));
        println!("{:<NAME$} {p50:>8} {p99:>8} {:>8}  {}", row.name, row.count(), row.build);
    }
}

fn values(figures: &Figures) {
    let mut group = "";
    for row in &figures.values {
        if row.group != group {
            group = row.group;
            println!("\n{group}");
        }
        let unit = row.unit;
        println!("{:<NAME$} {:>8} {unit:<11} {}", row.name, short(row.median()), row.build);
    }
}

/// What the programs were built from, in one line.
fn builds(run: &Run) -> String {
    run.programs.iter().map(|program| program.build.as_str()).collect::<Vec<_>>().join(" · ")
}

/// `figures.json` and the pictures.
pub fn write(run: &Run, folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    let document = json!({
        "machine": machine::description(),
        "programs": run.programs.iter().map(|program| json!({
            "name": program.name, "path": program.path.display().to_string(), "build": program.build,
        })).collect::<Vec<_>>(),
        "loads": run.loads,
        "rounds": run.options.rounds,
        "figures": run.figures.json(),
        "goals": goals(&run.figures, &run.options.others).iter().map(Goal::json).collect::<Vec<_>>(),
    });
    let mut written = vec!["figures.json".to_owned()];
    std::fs::write(folder.join("figures.json"), serde_json::to_vec_pretty(&document)?)?;
    written.extend(pictures::draw(&run.figures, &builds(run), folder)?);
    println!("\nwritten in {}: {}", folder.display(), written.join(", "));
    Ok(())
}
