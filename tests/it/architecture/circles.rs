//! No circle between files. A `mod.rs` and what is in its own folder count as one thought: arrows between them do not
//! count; a name that a `mod.rs` only hands on is looked for where it comes from.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::source::{Name, Source, sources, tokens};

#[test]
fn no_two_files_need_each_other() {
    let sources = sources();
    let circles = circles(&sources);
    assert!(
        circles.is_empty(),
        "files that need each other; move what they share:\n{}",
        circles.join("\n")
    );
}

#[test]
fn a_circle_is_found() {
    let source = |path: &str, text: &str| Source { path: path.to_owned(), tokens: tokens(text) };
    let with = |text: &str| {
        circles(&[
            source("a/mod.rs", "mod one; mod two; pub use two::Two; use one::One;"),
            source("a/one.rs", "use super::Two; pub struct One;"),
            source("a/two.rs", "use super::one; pub struct Two;"),
            source("b.rs", text),
            source("c.rs", "use crate::b; #[cfg(test)] mod tests { use crate::d; }"),
            source("d.rs", "use crate::c;"),
        ])
    };
    let planted = "src/a/one.rs:1 -> src/a/two.rs:1 -> src/a/one.rs";
    assert_eq!(with("struct B;"), [planted]);
    assert_eq!(with("fn f() { crate::c::g() }"), [planted, "src/b.rs:1 -> src/c.rs:1 -> src/b.rs"]);
}

/// Which file names which other ones, each with the line where it first does.
type Arrows<'s> = BTreeMap<&'s str, BTreeMap<&'s str, usize>>;

/// One line per circle; each file is in one at most.
fn circles(sources: &[Source]) -> Vec<String> {
    let mut arrows = arrows(sources);
    let mut found = Vec::new();
    loop {
        // What needs only files that need nobody in turn is in no circle.
        loop {
            let left: BTreeSet<&str> = arrows.keys().copied().collect();
            arrows.values_mut().for_each(|to| to.retain(|file, _| left.contains(file)));
            let before = arrows.len();
            arrows.retain(|_, to| !to.is_empty());
            if arrows.len() == before {
                break;
            }
        }
        let Some(&start) = arrows.keys().next() else { return found };
        let mut way: Vec<&str> = vec![start];
        let circle = loop {
            let here = *way.last().expect("it begins with one");
            let next = *arrows[here].keys().next().expect("those without are gone");
            match way.iter().position(|file| *file == next) {
                Some(at) => break way.split_off(at),
                None => way.push(next),
            }
        };
        let mut line = String::new();
        for (index, file) in circle.iter().enumerate() {
            let next = circle[(index + 1) % circle.len()];
            line.push_str(&format!("src/{file}:{} -> ", arrows[file][next]));
        }
        found.push(format!("{line}src/{}", circle[0]));
        circle.iter().for_each(|file| drop(arrows.remove(file)));
    }
}

fn arrows(sources: &[Source]) -> Arrows<'_> {
    let files: HashMap<Vec<&str>, &str> =
        sources.iter().map(|source| (source.module_path(), source.path.as_str())).collect();
    let is_module = |path: &[&str]| files.contains_key(path);
    let names: Vec<(&str, Vec<Name<'_>>)> = sources
        .iter()
        .map(|source| (source.path.as_str(), source.names(&is_module)))
        .filter(|(path, _)| !matches!(*path, "main.rs" | "lib.rs"))
        .collect();
    let mut handed_on = HashMap::new();
    for (file, names) in &names {
        for name in names.iter().filter(|name| name.is_public) {
            if let Some(last) = name.path.last() {
                handed_on.insert((*file, *last), name.path.as_slice());
            }
        }
    }
    let mut arrows: Arrows<'_> = BTreeMap::new();
    for (file, names) in &names {
        for name in names.iter().filter(|name| !name.is_test) {
            let Some(other) = home(&name.path, &files, &handed_on) else { continue };
            if other != *file && !is_own(file, other) && !is_own(other, file) {
                arrows.entry(file).or_default().entry(other).or_insert(name.line);
            }
        }
    }
    arrows
}

/// The file that a path leads to.
fn home<'s>(
    path: &[&'s str],
    files: &HashMap<Vec<&'s str>, &'s str>,
    handed_on: &HashMap<(&'s str, &'s str), &[&'s str]>,
) -> Option<&'s str> {
    let length = (1..=path.len()).rev().find(|length| files.contains_key(&path[..*length]))?;
    let file = files[&path[..length]];
    let further = path.get(length).and_then(|name| handed_on.get(&(file, *name)));
    match further {
        Some(further) if *further != path => home(further, files, handed_on),
        _ => Some(file),
    }
}

/// Whether a file is the root of the folder that another one is in.
fn is_own(root: &str, file: &str) -> bool {
    let folder = root.strip_suffix("mod.rs").map(str::to_owned);
    let folder = folder.or_else(|| Some(format!("{}/", root.strip_suffix(".rs")?)));
    folder.is_some_and(|folder| file.starts_with(&folder))
}
