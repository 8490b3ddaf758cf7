//! The addresses of functions as a table: by host, and by path segment by segment.
//!
//! The most specific address that takes a request gets it: one of its host before one of every host; at the first segment that
//! is different, plain text before `{x}` before `{rest+}`; a method that is named before all methods. One that does not take
//! the method leaves it to the next.
//!
//! Segments are compared percent-decoded, each on its own: an encoded `/` does not divide them. So the paths of a router for
//! whole texts would not do.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use percent_encoding::percent_decode_str;

use crate::model::{
    FunctionName, PathPattern,
    api::HttpFunction,
    http_spec::ALL_METHODS,
    path_pattern::{RESERVED, Segment},
};

/// The addresses of all functions.
#[derive(Default)]
pub struct Table {
    of_every_host: Node,
    of_host: HashMap<String, Node>,
    functions: HashMap<FunctionName, Own>,
}

/// A function, and its addresses without their host.
struct Own {
    function: Arc<HttpFunction>,
    addresses: Node,
}

/// An address of a function.
pub struct Target {
    pub function: Arc<HttpFunction>,
    /// Its method and its pattern, such as `POST /users/{id}`; `ANY` for all methods.
    pub route: String,
    /// [`HttpSpec::rules`](crate::model::HttpSpec::rules) of its function.
    pub rules: u64,
    pattern: PathPattern,
}

/// The end of a pattern: methods, each with its address.
type Entries = Vec<(String, Arc<Target>)>;

/// The patterns that begin with the same segments.
#[derive(Default)]
struct Node {
    literals: HashMap<String, Node>,
    one: Option<Box<Node>>,
    here: Entries,
    rest: Entries,
}

/// The answer of a table for a request.
pub enum Found<'t> {
    /// The address that takes it.
    Target(&'t Arc<Target>),
    /// Addresses of the path, none of which takes the method.
    NotTaken(Allow),
    Nothing,
}

/// The methods that a path takes.
#[derive(Debug, PartialEq, Eq)]
pub struct Allow(BTreeSet<String>);

impl Allow {
    /// Returns them as the header `Allow` has them.
    pub fn text(&self) -> String {
        self.0.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

/// The segments of a request's path, percent-decoded; none for the root. The last one is empty after a `/` at the end.
#[derive(Debug)]
pub struct RequestPath<'p>(Vec<Cow<'p, str>>);

/// The reason why a path cannot lead to a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnfitPath {
    /// A segment other than the last one is empty.
    #[error("the path has an empty segment, as in `//`")]
    EmptySegment,
    /// A segment is `.` or `..`, encoded or not.
    #[error("the path has a segment `.` or `..`")]
    Dots,
}

impl<'p> RequestPath<'p> {
    /// Reads a path that begins with `/`.
    pub fn read(path: &'p str) -> Result<Self, UnfitPath> {
        let Some(parts) = path.strip_prefix('/').filter(|rest| !rest.is_empty()) else {
            return Ok(Self(Vec::new()));
        };
        let segments: Vec<_> =
            parts.split('/').map(|part| percent_decode_str(part).decode_utf8_lossy()).collect();
        if segments[..segments.len() - 1].iter().any(|segment| segment.is_empty()) {
            return Err(UnfitPath::EmptySegment);
        }
        match segments.iter().any(|segment| matches!(&**segment, "." | "..")) {
            true => Err(UnfitPath::Dots),
            false => Ok(Self(segments)),
        }
    }

    fn is_of_platform(&self) -> bool {
        self.0.first().is_some_and(|first| RESERVED.contains(&&**first))
    }
}

impl Target {
    /// Returns the parameters of a path that has led to it.
    pub fn parameters(&self, path: &RequestPath<'_>) -> BTreeMap<String, String> {
        let named = |(index, segment): (usize, Segment<'_>)| match segment {
            Segment::Literal(_) => None,
            Segment::One(name) => Some((name.to_owned(), path.0[index].clone().into_owned())),
            Segment::Rest(name) => Some((name.to_owned(), path.0[index..].join("/"))),
        };
        self.pattern.segments().enumerate().filter_map(named).collect()
    }
}

impl Table {
    /// Makes the table of these functions. Of two with the same address, the older one has it.
    pub fn of(functions: Vec<HttpFunction>) -> Self {
        let mut table = Self::default();
        let mut functions: Vec<_> = functions.into_iter().map(Arc::new).collect();
        functions.sort_by(|one, other| {
            one.created_at.cmp(&other.created_at).then_with(|| one.name.cmp(&other.name))
        });
        for function in functions {
            let tree = match &function.http.host {
                None => &mut table.of_every_host,
                Some(host) => table.of_host.entry(host.clone()).or_default(),
            };
            tree.add(&function);
            let mut addresses = Node::default();
            addresses.add(&function);
            table.functions.insert(function.name.clone(), Own { function, addresses });
        }
        table
    }

    /// Returns all functions, by name.
    pub fn listed(&self) -> Arc<[HttpFunction]> {
        let mut all: Vec<HttpFunction> =
            self.functions.values().map(|own| HttpFunction::clone(&own.function)).collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all.into()
    }

    /// Returns a function that has addresses.
    pub fn function(&self, name: &FunctionName) -> Option<&Arc<HttpFunction>> {
        self.functions.get(name).map(|own| &own.function)
    }

    /// Returns which of its own addresses a function would get a request at, whatever its host, with the parameters of the path;
    /// none and no parameters if it is at none of them.
    pub fn own(
        &self,
        name: &FunctionName,
        method: &str,
        path: &str,
    ) -> (Option<String>, BTreeMap<String, String>) {
        let own = self.functions.get(name).zip(RequestPath::read(path).ok());
        let target = own.and_then(|(own, path)| {
            let mut found = None;
            own.addresses.walk(&path.0, &mut |entries| {
                found = taker(entries, method);
                found.is_some()
            });
            found.map(|target| (Some(target.route.clone()), target.parameters(&path)))
        });
        target.unwrap_or_default()
    }

    /// Returns whether a host, in lower case and without a port, has addresses of its own.
    pub fn has_host(&self, host: &str) -> bool {
        self.of_host.contains_key(host)
    }

    /// Returns what there is for a request to this host, which is written as [`Self::has_host`] takes it.
    pub fn find(&self, host: &str, path: &RequestPath<'_>, method: &str) -> Found<'_> {
        if path.is_of_platform() {
            return Found::Nothing;
        }
        let (mut found, mut others) = (None, Vec::new());
        for tree in self.of_host.get(host).into_iter().chain([&self.of_every_host]) {
            let is_found = tree.walk(&path.0, &mut |entries| {
                found = taker(entries, method);
                if found.is_none() {
                    others.push(entries);
                }
                found.is_some()
            });
            if is_found {
                break;
            }
        }
        match found {
            Some(target) => Found::Target(target),
            None if others.is_empty() => Found::Nothing,
            None => Found::NotTaken(allow(others.into_iter().flatten())),
        }
    }
}

/// Returns the address that takes a method.
fn taker<'t>(entries: &'t Entries, method: &str) -> Option<&'t Arc<Target>> {
    let of =
        |wanted: &str| entries.iter().find(|(method, _)| method == wanted).map(|(_, target)| target);
    let as_get = || if method == "HEAD" { of("GET") } else { None };
    of(method).or_else(as_get).or_else(|| of(ALL_METHODS))
}

/// Returns the methods that addresses take, and those that follow from them. None of them takes all methods.
fn allow<'t>(entries: impl Iterator<Item = &'t (String, Arc<Target>)>) -> Allow {
    let mut methods: BTreeSet<String> = entries.map(|(method, _)| method.clone()).collect();
    if methods.contains("GET") {
        methods.insert("HEAD".to_owned());
    }
    // Where no function answers it, the gateway does.
    methods.insert("OPTIONS".to_owned());
    Allow(methods)
}

impl Node {
    /// Adds the addresses of a function; those that are there already stay.
    fn add(&mut self, function: &Arc<HttpFunction>) {
        let spec = &function.http;
        let all = [ALL_METHODS.to_owned()];
        let methods = if spec.methods.is_empty() { &all[..] } else { &spec.methods[..] };
        let rules = spec.rules();
        for pattern in &spec.paths {
            let entries = self.entries(pattern);
            for method in methods {
                if entries.iter().any(|(taken, _)| taken == method) {
                    continue;
                }
                let shown = if method == ALL_METHODS { "ANY" } else { method };
                let route = format!("{shown} {pattern}");
                let target =
                    Target { function: function.clone(), route, rules, pattern: pattern.clone() };
                entries.push((method.clone(), Arc::new(target)));
            }
        }
    }

    /// Returns the entries of a pattern, whose node is made if it is not there yet.
    fn entries(&mut self, pattern: &PathPattern) -> &mut Entries {
        let mut node = self;
        for segment in pattern.segments() {
            node = match segment {
                Segment::Literal(text) => node.literals.entry(text.to_owned()).or_default(),
                Segment::One(_) => node.one.get_or_insert_default(),
                Segment::Rest(_) => return &mut node.rest,
            };
        }
        &mut node.here
    }

    /// Shows what stands at patterns that match, the most specific one first, until `is_enough`. Each node is entered once at
    /// most, however long a path is.
    fn walk<'n, F: FnMut(&'n Entries) -> bool>(
        &'n self,
        segments: &[Cow<'_, str>],
        is_enough: &mut F,
    ) -> bool {
        let Some((first, rest)) = segments.split_first() else {
            return !self.here.is_empty() && is_enough(&self.here);
        };
        if let Some(next) = self.literals.get(&**first)
            && next.walk(rest, is_enough)
        {
            return true;
        }
        if let Some(next) = &self.one
            && !first.is_empty()
            && next.walk(rest, is_enough)
        {
            return true;
        }
        !self.rest.is_empty() && is_enough(&self.rest)
    }
}

#[cfg(test)]
#[path = "addresses_tests.rs"]
mod tests;
