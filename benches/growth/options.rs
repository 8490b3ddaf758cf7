//! The command line: `cargo bench --bench growth -- --functions 10,1000 --rows 10000 --stack embedded`.

use std::fmt;

const USAGE: &str = "options: --functions LIST (10,100,1000,5000) · --rows LIST (10000,100000,1000000) · --stack \
                     embedded|servers (both) · --quick (fewer functions, rows and samples)";

/// What the platform stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stack {
    /// One process, with SQLite and the queue in memory.
    Embedded,
    /// Four processes with PostgreSQL and RabbitMQ.
    Servers,
}

impl fmt::Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Embedded => "embedded",
            Self::Servers => "servers",
        })
    }
}

pub struct Options {
    pub functions: Vec<u64>,
    pub rows: Vec<u64>,
    pub stacks: Vec<Stack>,
    pub quick: bool,
}

impl Options {
    /// `--bench` comes from cargo.
    pub fn parse(arguments: &[String]) -> Result<Self, String> {
        let quick = arguments.iter().any(|argument| argument == "--quick");
        let (functions, rows) = match quick {
            true => (vec![10, 1000], vec![10_000, 100_000]),
            false => (vec![10, 100, 1000, 5000], vec![10_000, 100_000, 1_000_000]),
        };
        let stacks = vec![Stack::Embedded, Stack::Servers];
        let mut options = Self { functions, rows, stacks, quick };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value =
                || arguments.next().ok_or_else(|| format!("{argument} needs a value; {USAGE}"));
            match argument.as_str() {
                "--bench" | "--quick" => {}
                "--functions" => options.functions = numbers(value()?)?,
                "--rows" => options.rows = numbers(value()?)?,
                "--stack" => {
                    options.stacks = match value()?.as_str() {
                        "embedded" => vec![Stack::Embedded],
                        "servers" => vec![Stack::Servers],
                        other => return Err(format!("--stack {other}? {USAGE}")),
                    }
                }
                _ => return Err(format!("what is {argument}? {USAGE}")),
            }
        }
        Ok(options)
    }

    /// So many samples, fewer when it has to be quick.
    pub fn samples(&self, count: usize) -> usize {
        if self.quick { count.div_ceil(4) } else { count }
    }
}

/// In growing order: what is filled in stays. `-` is none.
fn numbers(text: &str) -> Result<Vec<u64>, String> {
    if text == "-" {
        return Ok(Vec::new());
    }
    let numbers: Result<Vec<u64>, _> = text.split(',').map(|number| number.trim().parse()).collect();
    let mut numbers = numbers.map_err(|_| format!("'{text}' is not a list of numbers; {USAGE}"))?;
    numbers.sort_unstable();
    Ok(numbers)
}
