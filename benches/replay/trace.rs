//! A recorded arrival trace: a CSV file with a line for each invocation, in any order.
//!
//! ```csv
//! function,time,duration,memory
//! mailer,12.5,35,128
//! ```
//!
//! `time` is seconds from the start of the recording, `duration` milliseconds that the function ran, `memory`
//! MiB. A function's instances are as large as the largest of its lines.

use std::{collections::HashMap, fmt::Write as _, time::Duration};

use cloudfunc::model::FunctionName;

pub const HEADER: &str = "function,time,duration,memory";

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    pub functions: Vec<Function>,
    /// By time.
    pub calls: Vec<Call>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    pub name: FunctionName,
    pub memory_mib: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Call {
    /// In [`Trace::functions`].
    pub function: usize,
    pub at: Duration,
    pub run: Duration,
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct BadLine {
    /// From 1.
    pub line: usize,
    pub problem: String,
}

impl Trace {
    pub fn parse(text: &str) -> Result<Self, BadLine> {
        let mut lines = (1..).zip(text.lines());
        let bad = |line, problem| BadLine { line, problem };
        match lines.next() {
            Some((_, header)) if header.trim_end() == HEADER => {}
            Some((line, other)) => {
                return Err(bad(line, format!("'{other}' is not the header, which is '{HEADER}'")));
            }
            None => return Err(bad(1, format!("the file is empty; the header is '{HEADER}'"))),
        }
        let mut trace = Self::default();
        let mut known = HashMap::new();
        for (number, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
            let (name, memory_mib, call) = row(line).map_err(|problem| bad(number, problem))?;
            let function = *known.entry(name.clone()).or_insert_with(|| {
                trace.functions.push(Function { name, memory_mib });
                trace.functions.len() - 1
            });
            let largest = &mut trace.functions[function].memory_mib;
            *largest = memory_mib.max(*largest);
            trace.calls.push(Call { function, ..call });
        }
        if trace.calls.is_empty() {
            return Err(bad(2, "no invocation follows the header".to_owned()));
        }
        trace.calls.sort_by_key(|call| call.at);
        Ok(trace)
    }

    pub fn to_csv(&self) -> String {
        let mut text = format!("{HEADER}\n");
        for call in &self.calls {
            let Function { name, memory_mib } = &self.functions[call.function];
            let (at, run) = (call.at.as_secs_f64(), call.run.as_millis());
            let _ = writeln!(text, "{name},{at:.2},{run},{memory_mib}");
        }
        text
    }

    /// The same arrivals in less time; runs keep theirs, as starts do.
    pub fn faster(&self, speed: f64) -> Self {
        let calls = self.calls.iter().map(|call| Call { at: call.at.div_f64(speed), ..*call });
        Self { calls: calls.collect(), functions: self.functions.clone() }
    }

    /// Only what happens before that time.
    pub fn first(&self, length: Duration) -> Self {
        let calls = self.calls.iter().copied().filter(|call| call.at < length);
        Self { calls: calls.collect(), functions: self.functions.clone() }
    }

    /// From the start to the last arrival.
    pub fn length(&self) -> Duration {
        self.calls.last().map_or(Duration::ZERO, |call| call.at)
    }
}

fn row(line: &str) -> Result<(FunctionName, u64, Call), String> {
    let fields: Vec<&str> = line.split(',').map(str::trim).collect();
    let [name, time, duration, memory] = fields[..] else {
        return Err(format!("{} values; expected are the 4 of '{HEADER}'", fields.len()));
    };
    let name = name.parse().map_err(|error| format!("`function`: {error}"))?;
    let seconds = time.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let at = seconds.ok_or_else(|| {
        format!("`time` is '{time}'; it must be seconds from the start, for example 12.5")
    })?;
    let ms: Option<f64> = duration.parse().ok().filter(|ms| (0.001..=86_400_000.0).contains(ms));
    let run = ms.map(|ms| Duration::from_secs_f64(ms / 1000.0)).ok_or_else(|| {
        format!("`duration` is '{duration}'; it must be milliseconds above 0, for example 35")
    })?;
    let memory_mib = memory.parse().ok().filter(|mib| (1..=1 << 20).contains(mib)).ok_or_else(|| {
        format!("`memory` is '{memory}'; it must be a whole number of MiB from 1, for example 128")
    })?;
    Ok((name, memory_mib, Call { function: 0, at, run }))
}
