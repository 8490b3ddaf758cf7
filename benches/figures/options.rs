//! The command line: `cargo bench --bench figures -- --quick --only cold`.

use std::time::Duration;

use crate::load::Endpoint;

const USAGE: &str = "options: --quick (one short round) · --rounds N · --only PATTERN (of a row's name, such as \
                     'cold' or 'burst: 30'; may be repeated) · --url NAME=http://HOST:PORT/PATH (may be repeated)";

pub struct Options {
    pub rounds: usize,
    pub quick: bool,
    only: Vec<String>,
    /// Other servers for the same tables; each must answer a POST with 200.
    pub others: Vec<(String, Endpoint)>,
}

impl Options {
    /// `--bench` comes from cargo.
    pub fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self { rounds: 3, quick: false, only: Vec::new(), others: Vec::new() };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value =
                || arguments.next().ok_or_else(|| format!("{argument} needs a value; {USAGE}"));
            match argument.as_str() {
                "--bench" => {}
                "--quick" => (options.quick, options.rounds) = (true, 1),
                "--rounds" => {
                    let rounds = value()?.parse().ok().filter(|rounds| *rounds > 0);
                    options.rounds = rounds.ok_or_else(|| format!("--rounds takes a count; {USAGE}"))?;
                }
                "--only" => options.only.push(value()?.to_lowercase()),
                "--url" => options.others.push(other(value()?)?),
                _ => return Err(format!("what is {argument}? {USAGE}")),
            }
        }
        Ok(options)
    }

    /// Whether a row, or a whole group of rows (with an empty name), is to be measured.
    pub fn wants(&self, group: &str, name: &str) -> bool {
        let row = format!("{group}: {name}").to_lowercase();
        self.only.is_empty() || self.only.iter().any(|pattern| row.contains(pattern))
    }

    /// So many samples in a round, a quarter of them when it has to be quick.
    pub fn samples(&self, count: usize) -> usize {
        if self.quick { count.div_ceil(4) } else { count }
    }

    pub fn length(&self, length: Duration) -> Duration {
        if self.quick { length / 4 } else { length }
    }
}

fn other(text: &str) -> Result<(String, Endpoint), String> {
    let (name, url) = text.split_once('=').ok_or("--url takes NAME=http://HOST:PORT/PATH")?;
    let url: url::Url = url.parse().map_err(|error| format!("--url {text}: {error}"))?;
    let addresses = url.socket_addrs(|| None).map_err(|error| format!("--url {text}: {error}"))?;
    let address = *addresses.first().ok_or_else(|| format!("--url {text}: no address"))?;
    Ok((name.to_owned(), Endpoint::new(address, url.path())))
}
