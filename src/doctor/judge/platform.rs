//! The platform itself if it is running, and leftovers of platforms that have died.

use super::{Finding, list};
use crate::model::api::Dropped;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is ready. Includes what it has dropped since it began.
    Ready(Dropped),
    /// It waits for this.
    Waiting(String),
    Down,
    /// This other program answers instead.
    Stranger(String),
}

#[derive(Clone, Debug)]
pub struct Role {
    pub name: &'static str,
    pub url: String,
    pub answer: Answer,
}

/// Containers of one manager that was not found alive.
#[derive(Clone, Debug)]
pub struct Orphans {
    pub platform: String,
    pub containers: Vec<String>,
}

#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The data folder of the platform that was asked about.
    pub data_dir: String,
    /// `up` is running on it.
    pub is_running: bool,
    pub roles: Vec<Role>,
    /// Role processes of an `up` that was killed.
    pub abandoned_roles: Vec<i32>,
    pub orphans: Vec<Orphans>,
    /// Data folders without a process, each with its number of instance folders.
    pub instance_folders: Vec<(String, usize)>,
    /// Control groups without a process.
    pub empty_groups: Vec<String>,
}

/// The maximum number of items that are named; more would hide the rest.
const NAMED: usize = 3;

pub fn judge(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    if facts.is_running {
        findings.extend(facts.roles.iter().map(role));
    } else {
        findings.push(Finding::ok("up", format!("no platform runs on {}", facts.data_dir)));
    }
    findings.extend(abandoned(facts));
    findings.extend(facts.orphans.iter().map(orphans));
    findings.extend(facts.instance_folders.iter().map(folders));
    findings.extend(groups(facts));
    let is_tidy = findings.iter().all(|finding| finding.name != ORPHANS);
    if is_tidy {
        findings
            .push(Finding::ok(ORPHANS, "no containers, folders or control groups of dead platforms"));
    }
    findings
}

const ORPHANS: &str = "orphans";

fn role(role: &Role) -> Finding {
    let Role { name, url, answer } = role;
    let (found, advice) = match answer {
        Answer::Ready(dropped) if *dropped == Dropped::default() => {
            return Finding::ok(name, format!("the {name} at {url} is ready"));
        }
        Answer::Ready(dropped) => (
            format!(
                "the {name} at {url} is ready, but has dropped {} since it began: the store was too slow or away",
                counts(*dropped)
            ),
            format!(
                "See that the store keeps up; `cloudfunc logs --role {name}` says when that was. Async invocations are \
                 never dropped."
            ),
        ),
        Answer::Waiting(what) => (
            format!("the {name} at {url} waits for {what}"),
            format!("Read why with `cloudfunc logs --role {name}`."),
        ),
        Answer::Down => (
            format!("the {name} at {url} does not answer, although `cloudfunc up` runs"),
            format!("Read why with `cloudfunc logs --role {name}`; `cloudfunc up` starts it again."),
        ),
        Answer::Stranger(who) => (
            format!("{who} answers at {url}, where the {name} should"),
            "Stop it, or give the role another port.".to_owned(),
        ),
    };
    Finding::warning(name, found, advice)
}

fn counts(Dropped { results, lines, records, refused, audit }: Dropped) -> String {
    let all = [
        (results, "result", "results"),
        (lines, "line of logs", "lines of logs"),
        (records, "record of sync invocations", "records of sync invocations"),
        (refused, "write that the disk refused", "writes that the disk refused"),
        (audit, "entry of the audit log", "entries of the audit log"),
    ];
    let some = all.into_iter().filter(|(count, ..)| *count > 0);
    let some = some.map(|(count, one, more)| format!("{count} {}", if count == 1 { one } else { more }));
    list(&some.collect::<Vec<_>>())
}

fn abandoned(facts: &Facts) -> Option<Finding> {
    if facts.abandoned_roles.is_empty() {
        return None;
    }
    let pids: Vec<String> = facts.abandoned_roles.iter().map(ToString::to_string).collect();
    let found = format!("roles of a killed `cloudfunc up` still run (process {})", list(&pids));
    Some(Finding::warning(
        ORPHANS,
        found,
        "Wait: they end by themselves within seconds, and the next `cloudfunc up` ends what does not.",
    ))
}

fn orphans(orphans: &Orphans) -> Finding {
    let Orphans { platform, containers } = orphans;
    let found = match containers.as_slice() {
        [one] => format!("container {one} of platform '{platform}' has no living manager here"),
        all => format!(
            "{} containers of platform '{platform}' have no living manager here: {}",
            all.len(),
            named(all)
        ),
    };
    let advice = format!(
        "Start that platform again, which removes them; or, unless another host, another user or `cloudfunc run` uses \
         this engine, run `docker rm --force {}`.",
        containers.join(" ")
    );
    Finding::warning(ORPHANS, found, advice)
}

fn folders((folder, count): &(String, usize)) -> Finding {
    let what = if *count == 1 {
        "an instance has left its folder"
    } else {
        "instances have left their folders"
    };
    let found =
        if *count == 1 { format!("{what} in {folder}") } else { format!("{count} {what} in {folder}") };
    let advice = format!("Start that platform again, or run `rm -r {folder}/*` while it does not run.");
    Finding::note(ORPHANS, found, advice)
}

fn groups(facts: &Facts) -> Option<Finding> {
    let groups = &facts.empty_groups;
    if groups.is_empty() {
        return None;
    }
    let found = match groups.as_slice() {
        [one] => format!("control group {one} has no process"),
        all => format!("{} control groups have no process: {}", all.len(), named(all)),
    };
    let advice = if groups.len() <= NAMED {
        format!("Run `sudo find {} -depth -type d -exec rmdir {{}} +`.", groups.join(" "))
    } else {
        // Each control group is named once; groups with processes or groups in them stay.
        let parents: std::collections::BTreeSet<&str> =
            groups.iter().filter_map(|group| Some(group.rsplit_once('/')?.0)).collect();
        let parents: Vec<&str> = parents.into_iter().collect();
        format!(
            "While no platform runs: `sudo find {} -depth -type d -path '*/cloudfunc-*' -exec rmdir {{}} +`.",
            parents.join(" ")
        )
    };
    Some(Finding::note(ORPHANS, found, advice))
}

fn named(all: &[String]) -> String {
    let first = &all[..all.len().min(NAMED)];
    if first.len() < all.len() { format!("{}, …", first.join(", ")) } else { list(first) }
}

#[cfg(test)]
mod tests {
    use super::{super::shown, *};

    #[test]
    fn where_nothing_runs_and_nothing_is_left_all_is_well() {
        let facts = Facts { data_dir: "/s/compose".to_owned(), ..Facts::default() };
        assert_eq!(
            shown(&judge(&facts)),
            [
                "ok up: no platform runs on /s/compose",
                "ok orphans: no containers, folders or control groups of dead platforms",
            ]
        );
    }

    #[test]
    fn roles_that_are_not_ready_are_named() {
        let role = |name, answer| Role { name, url: "http://127.0.0.1:1".to_owned(), answer };
        let roles = vec![
            role("gateway", Answer::Ready(Dropped::default())),
            role("registry", Answer::Waiting("the store".to_owned())),
            role("scheduler", Answer::Down),
            role("manager", Answer::Stranger("another program".to_owned())),
        ];
        let facts = Facts { is_running: true, roles, ..Facts::default() };
        assert_eq!(
            shown(&judge(&facts))[..4],
            [
                "ok gateway: the gateway at http://127.0.0.1:1 is ready",
                "warning registry: the registry at http://127.0.0.1:1 waits for the store | Read why with `cloudfunc logs \
                 --role registry`.",
                "warning scheduler: the scheduler at http://127.0.0.1:1 does not answer, although `cloudfunc up` runs | \
                 Read why with `cloudfunc logs --role scheduler`; `cloudfunc up` starts it again.",
                "warning manager: another program answers at http://127.0.0.1:1, where the manager should | Stop it, or \
                 give the role another port.",
            ]
        );
    }

    #[test]
    fn what_a_role_has_dropped_is_counted() {
        let role = |name, dropped| {
            let url = "http://127.0.0.1:1".to_owned();
            Role { name, url, answer: Answer::Ready(dropped) }
        };
        let dropped =
            |results, lines, records| Dropped { results, lines, records, ..Dropped::default() };
        let roles = vec![
            role("scheduler", dropped(1200, 0, 30)),
            role("manager", dropped(0, 1, 0)),
            role("manager", dropped(1, 2, 1)),
        ];
        let facts = Facts { is_running: true, roles, ..Facts::default() };
        let text = |name: &str, counts: &str| {
            format!(
                "warning {name}: the {name} at http://127.0.0.1:1 is ready, but has dropped {counts} since it began: the \
                 store was too slow or away | See that the store keeps up; `cloudfunc logs --role {name}` says when that \
                 was. Async invocations are never dropped."
            )
        };
        assert_eq!(
            shown(&judge(&facts))[..3],
            [
                text("scheduler", "1200 results and 30 records of sync invocations"),
                text("manager", "1 line of logs"),
                text("manager", "1 result, 2 lines of logs and 1 record of sync invocations"),
            ]
        );
    }

    #[test]
    fn what_dead_platforms_have_left_is_named_with_how_to_remove_it() {
        let orphans = |containers: &[&str]| Orphans {
            platform: "team".to_owned(),
            containers: containers.iter().map(|one| (*one).to_owned()).collect(),
        };
        let facts = Facts {
            data_dir: "/s/compose".to_owned(),
            abandoned_roles: vec![11, 12],
            orphans: vec![orphans(&["aa"]), orphans(&["a", "b", "c", "d", "e", "f"])],
            instance_folders: vec![
                ("/s/compose/instances".to_owned(), 1),
                ("/s/x/instances".to_owned(), 3),
            ],
            empty_groups: vec!["/sys/fs/cgroup/cloudfunc-x".to_owned()],
            ..Facts::default()
        };
        let unless = "Start that platform again, which removes them; or, unless another host, another user or \
                      `cloudfunc run` uses this engine, run `docker rm --force";
        assert_eq!(
            shown(&judge(&facts))[1..],
            [
                "warning orphans: roles of a killed `cloudfunc up` still run (process 11 and 12) | Wait: they end by \
                 themselves within seconds, and the next `cloudfunc up` ends what does not."
                    .to_owned(),
                format!("warning orphans: container aa of platform 'team' has no living manager here | {unless} aa`."),
                format!(
                    "warning orphans: 6 containers of platform 'team' have no living manager here: a, b, c, … | \
                     {unless} a b c d e f`."
                ),
                "note orphans: an instance has left its folder in /s/compose/instances | Start that platform again, or \
                 run `rm -r /s/compose/instances/*` while it does not run."
                    .to_owned(),
                "note orphans: 3 instances have left their folders in /s/x/instances | Start that platform again, or run \
                 `rm -r /s/x/instances/*` while it does not run."
                    .to_owned(),
                "note orphans: control group /sys/fs/cgroup/cloudfunc-x has no process | Run `sudo find \
                 /sys/fs/cgroup/cloudfunc-x -depth -type d -exec rmdir {} +`."
                    .to_owned(),
            ]
        );
    }
}
