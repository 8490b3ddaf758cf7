//! What of a function shapes its sandbox before its code is there: functions of one shape can be given the
//! same prewarmed instances.

use std::sync::Arc;

use super::super::pool::Class;
use crate::{
    manifest::environment,
    model::{Code, FunctionSpec, Language, Network, Package},
    runtime::Entry,
};

/// Everything of [`runtime::Spec`](crate::runtime::Spec) that is not an instance's own.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    pub language: Language,
    /// Never empty.
    pub version: String,
    /// The first program, which is there before the function's.
    pub entry: Entry,
    pub memory_bytes: u64,
    pub cpus: f64,
    pub network: Network,
}

impl Shape {
    /// None for a function that is not prewarmed: it has an image of its own, or its environment has
    /// a variable that is read at the interpreter's start.
    pub fn of(spec: &FunctionSpec) -> Option<Self> {
        let Code::Language { language, version, package: Package::Bundle } = &spec.code else {
            return None;
        };
        if !environment::of_start(spec).is_empty() {
            return None;
        }
        Some(Self {
            language: *language,
            version: version.clone(),
            entry: Entry::of(spec.interface),
            memory_bytes: spec.memory_bytes,
            cpus: spec.cpus,
            network: spec.network,
        })
    }
}

/// The shapes that were seen here, by their class. It only grows: by one for each combination
/// that some revision has asked for.
#[derive(Default)]
pub struct Shapes(Vec<Arc<Shape>>);

impl Shapes {
    /// Asked once for a revision, not for each invocation.
    pub fn class(&mut self, shape: Shape) -> Class {
        let known = self.0.iter().position(|known| **known == shape);
        let place = known.unwrap_or_else(|| {
            self.0.push(Arc::new(shape));
            self.0.len() - 1
        });
        Class(u32::try_from(place).expect("fewer shapes than that"))
    }

    pub fn get(&self, class: Class) -> Option<Arc<Shape>> {
        self.0.get(class.0 as usize).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{self, Defaults};

    fn shape(manifest: &str) -> Option<Shape> {
        let defaults = Defaults::default();
        Shape::of(&manifest::parse(manifest, manifest::FILE, &defaults).unwrap().spec)
    }

    #[test]
    fn what_shapes_a_sandbox_makes_a_class_and_nothing_else_does() {
        let mut shapes = Shapes::default();
        let mut class = |manifest| shapes.class(shape(manifest).unwrap());
        let usual = class("");
        for same in [
            "handler = \"a.b\"\ntimeout = \"1s\"\nversion = \"3.12\"\nmemory = \"128MiB\"",
            "[env]\nGREETING = \"Hello\"\nMYTZ = \"x\"\n[scaling]\nmax_instances = 1",
        ] {
            assert_eq!(class(same), usual, "{same}");
        }
        // Behind all interfaces the same program waits, and it starts the function's with any variables.
        let helped = class("interface = 'command'\ncommand = ['x']");
        for same in [
            "interface = 'lambda'",
            "interface = 'http'\nport = 3000\ncommand = ['x']\n[env]\nLD_PRELOAD = 'x.so'\nTZ = 'UTC'",
        ] {
            assert_eq!(class(same), helped, "{same}");
        }
        assert_ne!(helped, usual);
        let native = class("language = 'native'");
        assert_eq!(class("language = 'native'\ninterface = 'command'\ncommand = ['x']"), native);
        assert_ne!(native, helped);
        let others = [
            "memory = \"64MiB\"",
            "cpus = 0.5",
            "network = \"egress\"",
            "version = \"3.11\"",
            "memory = \"64MiB\"\ncpus = 0.5",
        ];
        let classes: std::collections::BTreeSet<Class> = others.map(&mut class).into_iter().collect();
        assert_eq!(classes.len(), others.len());
        assert!(!classes.contains(&usual));
        assert_eq!(shapes.get(usual).as_deref(), shape("").as_ref());
        assert_eq!(shapes.get(Class(99)), None);
    }

    #[test]
    fn images_of_ones_own_and_variables_of_the_start_are_not_prewarmed() {
        for manifest in [
            "image = \"mine:1\"",
            "image = \"mine:1\"\ninterface = \"http\"",
            "package = \"image\"",
            "[env]\nPYTHONHASHSEED = \"0\"",
            "[env]\nLD_PRELOAD = \"x.so\"",
            "[env]\nMALLOC_ARENA_MAX = \"2\"",
            "[env]\nGLIBC_TUNABLES = \"x\"",
            "[env]\nTZ = \"Europe/Berlin\"",
            "[env]\nLC_ALL = \"C\"",
            "[env]\nLANG = \"C\"",
        ] {
            assert_eq!(shape(manifest), None, "{manifest}");
        }
    }
}
