//! The command line: `cargo bench --bench figures -- --quick --only cold`. Also compiled into the tests (`tests/it`).

use std::{net::SocketAddr, path::PathBuf, time::Duration};

const USAGE: &str = "options: --quick (one short round) · --rounds N · --only PATTERN (of a row's name, such as \
                     'cold' or 'burst: 30'; may be repeated) · --program NAME=PATH (to measure instead of the \
                     build; several take turns) · --url NAME=http://HOST:PORT/PATH (may be repeated) · \
                     --header 'NAME: VALUE' (for the --url before it; may be repeated)";

#[derive(Debug)]
pub struct Options {
    pub rounds: usize,
    pub quick: bool,
    only: Vec<String>,
    /// Programs to measure, by name; none means the one that cargo has built.
    pub programs: Vec<(String, PathBuf)>,
    /// Other servers for the same tables; each should answer a POST with 200.
    pub others: Vec<Other>,
}

/// A server that is not ours.
#[derive(Clone, Debug, PartialEq)]
pub struct Other {
    pub name: String,
    pub address: SocketAddr,
    pub path: String,
    pub headers: Vec<(String, String)>,
}

impl Options {
    /// `--bench` comes from cargo.
    pub fn parse(arguments: &[String]) -> Result<Self, String> {
        let (only, programs, others) = (Vec::new(), Vec::new(), Vec::new());
        let mut options = Self { rounds: 3, quick: false, only, programs, others };
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
                "--program" => {
                    let (name, path) = value()?.split_once('=').ok_or("--program takes NAME=PATH")?;
                    options.programs.push((name.to_owned(), path.into()));
                }
                "--url" => options.others.push(other(value()?)?),
                "--header" => {
                    let (name, content) =
                        value()?.split_once(':').ok_or("--header takes 'NAME: VALUE'")?;
                    let other = options.others.last_mut();
                    let other = other.ok_or("--header belongs to the --url before it: there is none")?;
                    other.headers.push((name.trim().to_owned(), content.trim().to_owned()));
                }
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

fn other(text: &str) -> Result<Other, String> {
    let (name, url) = text.split_once('=').ok_or("--url takes NAME=http://HOST:PORT/PATH")?;
    let url: url::Url = url.parse().map_err(|error| format!("--url {text}: {error}"))?;
    let addresses = url.socket_addrs(|| None).map_err(|error| format!("--url {text}: {error}"))?;
    let address = *addresses.first().ok_or_else(|| format!("--url {text}: no address"))?;
    let host = url.host_str().map(|host| ("Host".to_owned(), host.to_owned()));
    let headers = host.into_iter().collect();
    Ok(Other { name: name.to_owned(), address, path: url.path().to_owned(), headers })
}

#[cfg(test)]
#[allow(dead_code, reason = "in the benchmark, which has no test harness")]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Options, String> {
        Options::parse(&arguments.iter().map(|&text| text.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_header_belongs_to_the_url_before_it() {
        let header = ["--header", "Authorization: Bearer a:b", "--header", "X-A:1"];
        let one = ["--bench", "--url", "one=http://127.0.0.1:1/a", "--url", "two=http://127.0.0.1:2/b"];
        let options = parse(&[&one[..], &header].concat()).unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let host = pair("Host", "127.0.0.1");
        assert_eq!(options.others[0].headers, std::slice::from_ref(&host));
        let two = &options.others[1];
        assert_eq!((two.name.as_str(), two.path.as_str()), ("two", "/b"));
        assert_eq!(two.address, "127.0.0.1:2".parse().unwrap());
        assert_eq!(two.headers, [host, pair("Authorization", "Bearer a:b"), pair("X-A", "1")]);
    }

    #[test]
    fn several_programs_may_be_named() {
        let options = parse(&["--program", "old=/a", "--program", "new=/b", "--quick"]).unwrap();
        let named = |name: &str, path: &str| (name.to_owned(), PathBuf::from(path));
        assert_eq!(options.programs, [named("old", "/a"), named("new", "/b")]);
        assert_eq!((options.rounds, options.samples(1000)), (1, 250));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_what_can() {
        for (arguments, expected) in [
            (&["--header", "A: b"][..], "--header belongs to the --url before it: there is none"),
            (&["--url", "http://127.0.0.1/"], "--url takes NAME=http://HOST:PORT/PATH"),
            (&["--url", "a=http://127.0.0.1/", "--header", "A"], "--header takes 'NAME: VALUE'"),
            (&["--program", "/a"], "--program takes NAME=PATH"),
        ] {
            assert_eq!(parse(arguments).unwrap_err(), expected);
        }
        assert!(parse(&["--rounds", "0"]).unwrap_err().starts_with("--rounds takes a count; options: "));
        assert!(parse(&["--runds"]).unwrap_err().starts_with("what is --runds? options: "));
        assert!(parse(&["--only"]).unwrap_err().starts_with("--only needs a value; options: "));
    }

    #[test]
    fn a_row_is_wanted_by_a_part_of_its_name_or_group() {
        let options = parse(&["--only", "COLD", "--only", "burst: 30"]).unwrap();
        assert!(options.wants("cold", "x") && options.wants("burst", "30 bare starts"));
        assert!(!options.wants("burst", "x") && parse(&[]).unwrap().wants("burst", "x"));
    }
}
