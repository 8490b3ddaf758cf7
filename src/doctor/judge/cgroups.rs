//! Control groups: what limits the memory, processes and cpus of containers.

use super::{Finding, list};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    #[default]
    None,
    V1,
    /// The v1 hierarchies, and an empty v2 one in addition.
    Hybrid,
    V2,
}

/// A controller that sandboxes need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Controller {
    pub name: &'static str,
    pub is_there: bool,
    /// The reason why no group could be created; `None` if one was created and removed.
    pub refused: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub layout: Layout,
    pub controllers: Vec<Controller>,
    /// Memory and swap can be limited together.
    pub limits_swap: bool,
}

const DELEGATE: &str = "Run as root, or in a group of your own (`systemd-run --user --scope -p Delegate=yes \
                        cloudfunc …`); Docker sets its limits itself.";

pub fn judge(facts: &Facts) -> Vec<Finding> {
    let version = match facts.layout {
        Layout::None => {
            let advice =
                "Mount /sys/fs/cgroup; until then only limits of single processes hold without Docker.";
            return vec![Finding::warning("cgroups", "there are no control groups", advice)];
        }
        Layout::V1 => "version 1",
        Layout::Hybrid => "version 1, with an empty version 2 beside it (hybrid)",
        Layout::V2 => "version 2",
    };
    vec![Finding::ok("cgroups", version), controllers(facts), writable(facts), swap(facts)]
}

fn controllers(facts: &Facts) -> Finding {
    let names = |is_there: bool| -> Vec<&str> {
        let some = facts.controllers.iter().filter(|controller| controller.is_there == is_there);
        some.map(|controller| controller.name).collect()
    };
    let missing = names(false);
    if missing.is_empty() {
        return Finding::ok("controllers", list(&names(true)));
    }
    let found = format!("no controller for {} in the group of this process", list(&missing));
    Finding::warning("controllers", found, DELEGATE)
}

fn writable(facts: &Facts) -> Finding {
    let refused = facts.controllers.iter().filter(|controller| controller.is_there);
    let refused = refused.filter_map(|controller| Some((controller.name, controller.refused.as_ref()?)));
    match refused.collect::<Vec<_>>().as_slice() {
        [] => Finding::ok("groups", "a group was made and removed"),
        all @ [(_, why), ..] => {
            let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
            let found = format!("no group can be made for {}: {why}", list(&names));
            Finding::note("groups", found, DELEGATE)
        }
    }
}

fn swap(facts: &Facts) -> Finding {
    if facts.limits_swap {
        return Finding::ok("swap", "counted and limited with the memory");
    }
    let advice = "Add `swapaccount=1` to the kernel's command line, or turn swap off; else a function may use \
                  swap beyond its memory.";
    Finding::note("swap", "swap is not limited", advice)
}

#[cfg(test)]
mod tests {
    use super::{super::shown, *};

    fn controller(name: &'static str, is_there: bool, refused: Option<&str>) -> Controller {
        Controller { name, is_there, refused: refused.map(str::to_owned) }
    }

    #[test]
    fn groups_that_can_be_made_are_fine() {
        let controllers = ["memory", "cpu", "pids"].map(|name| controller(name, true, None)).to_vec();
        let facts = Facts { layout: Layout::Hybrid, controllers, limits_swap: true };
        assert_eq!(
            shown(&judge(&facts)),
            [
                "ok cgroups: version 1, with an empty version 2 beside it (hybrid)",
                "ok controllers: memory, cpu and pids",
                "ok groups: a group was made and removed",
                "ok swap: counted and limited with the memory",
            ]
        );
    }

    #[test]
    fn none_at_all_is_a_warning() {
        assert_eq!(
            shown(&judge(&Facts::default())),
            [
                "warning cgroups: there are no control groups | Mount /sys/fs/cgroup; until then only limits of \
              single processes hold without Docker."
            ]
        );
    }

    #[test]
    fn what_may_not_be_limited_is_named() {
        let controllers =
            vec![controller("memory", true, Some("Permission denied")), controller("cpu", false, None)];
        let facts = Facts { layout: Layout::V2, controllers, limits_swap: false };
        let findings = shown(&judge(&facts));
        assert_eq!(
            findings[1],
            format!(
                "warning controllers: no controller for cpu in the group of this process | {DELEGATE}"
            )
        );
        assert_eq!(
            findings[2],
            format!("note groups: no group can be made for memory: Permission denied | {DELEGATE}")
        );
        assert!(findings[3].starts_with("note swap: swap is not limited | Add `swapaccount=1`"));
    }
}
