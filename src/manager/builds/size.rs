//! What is too large to start on this machine.

use crate::{model::FunctionSpec, runtime::Machine, units};

/// Answers what is too large about it, with the figures and what to set; none when it fits.
pub(super) fn too_large(spec: &FunctionSpec, machine: Machine, budget: u64) -> Option<String> {
    let (memory, cpus) = (spec.memory_bytes, spec.cpus);
    if let Some(has) = machine.cpus.filter(|has| cpus > f64::from(*has)) {
        return Some(format!(
            "`cpus` is {cpus}, and the machine has {has}; set `cpus` to at most {has}"
        ));
    }
    if let Some(has) = machine.memory_bytes.filter(|has| memory > *has) {
        let (memory, has) = (units::show_bytes(memory), units::show_bytes(has));
        return Some(format!(
            "`memory` is {memory}, and the machine has {has}; set `memory` to at most {has}"
        ));
    }
    (memory > budget).then(|| {
        format!(
            "`memory` is {}, and all functions together may have {budget} here; set `memory` to at most {budget}, or \
             start the platform with a larger --memory-budget",
            units::show_bytes(memory),
            budget = units::show_bytes(budget)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        manifest::{self, Defaults},
        model::Language,
    };

    #[test]
    fn what_is_larger_than_the_machine_is_refused_with_its_figures() {
        let spec = |manifest: &str| {
            let defaults = Defaults::of(Language::Python, "3.11");
            manifest::parse(manifest, "cloudfunc.toml", &defaults).unwrap().spec
        };
        let machine = Machine { cpus: Some(2), memory_bytes: Some(4 << 30) };
        let refused = |manifest| too_large(&spec(manifest), machine, 3 << 30);
        assert_eq!(refused("cpus = 2\nmemory = \"3GiB\""), None);
        assert_eq!(
            refused("cpus = 2.5").as_deref(),
            Some("`cpus` is 2.5, and the machine has 2; set `cpus` to at most 2")
        );
        assert_eq!(
            refused("memory = \"5GiB\"").as_deref(),
            Some("`memory` is 5 GiB, and the machine has 4 GiB; set `memory` to at most 4 GiB")
        );
        assert_eq!(
            refused("memory = \"3500MiB\"").as_deref(),
            Some(
                "`memory` is 3.4 GiB, and all functions together may have 3 GiB here; set `memory` to at most \
                 3 GiB, or start the platform with a larger --memory-budget"
            )
        );
        let unknown = Machine::default();
        assert_eq!(too_large(&spec("cpus = 2.5"), unknown, 8 << 30), None);
    }
}
