//! The memory of instances that are kept by `min_instances`.

use super::Registry;
use crate::{
    http::Answer,
    model::{FunctionName, FunctionSpec, Problem, code},
    units::show_bytes,
};

/// Functions read at once.
const PAGE: u32 = 500;

impl Registry {
    /// Refuses a revision to be activated if each manager would keep instances of all functions in more than half of its
    /// memory budget: the other half is for those that are called. Two deploys at the same moment may pass together.
    pub async fn check_kept_memory(&self, name: &FunctionName, spec: &FunctionSpec) -> Answer<()> {
        let own = kept(spec);
        if own == 0 {
            return Ok(());
        }
        let (mut others, mut after) = (0_u64, None);
        loop {
            let page = self.store.active_functions(after.as_ref(), PAGE).await?;
            let of_others = page.iter().filter(|found| found.function.name != *name);
            others = of_others.fold(others, |sum, found| sum.saturating_add(kept(&found.revision.spec)));
            after = page.last().map(|found| found.function.name.clone());
            if page.len() < PAGE as usize {
                break;
            }
        }
        let (sum, budget) = (own.saturating_add(others), self.limits.memory_budget);
        if sum <= budget / 2 {
            return Ok(());
        }
        let own = format!("`scaling.min_instances` of '{name}' keeps {}", show_bytes(own));
        let all = match others {
            0 => format!("{own}, which"),
            _ => {
                let (others, sum) = (show_bytes(others), show_bytes(sum));
                format!("{own}, and those of other functions keep {others}: together {sum}, which")
            }
        };
        let budget = show_bytes(budget);
        let detail = format!("{all} is more than half of the memory budget, which is {budget}");
        let hint = "lower `min_instances` or `memory`, or start `up` with a larger `--memory-budget`";
        Err(Problem::new(code::INVALID_MANIFEST, detail).hint(hint).into())
    }
}

/// Returns the memory of a function's kept instances on each manager, in bytes.
fn kept(spec: &FunctionSpec) -> u64 {
    u64::from(spec.scaling.min_instances).saturating_mul(spec.memory_bytes)
}
