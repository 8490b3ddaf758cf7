//! `cloudfunc ps`

use serde::Serialize;

use super::{
    Error, Output,
    show::{container, short},
    target::{Target, all},
};
use crate::model::{
    FunctionName,
    api::{InstanceInfo, Page},
};

/// List the live instances of all functions, with their containers
///
/// An instance is shown by the end of its container's name, which for one that was started in advance is
/// …-prewarmed-….
#[derive(Debug, clap::Args)]
pub struct Args {}

#[derive(Serialize)]
struct Item {
    function: FunctionName,
    #[serde(flatten)]
    instance: InstanceInfo,
}

impl Args {
    pub async fn run(self, target: &Target, out: &Output) -> Result<(), Error> {
        let client = target.client(out)?;
        let functions = all(async |cursor| client.functions(cursor.as_deref()).await).await?;
        let mut items = Vec::new();
        for function in functions.into_iter().filter(|function| function.instances > 0) {
            let name = &function.name;
            let instances = all(async |cursor| client.instances(name, cursor.as_deref()).await).await?;
            items
                .extend(instances.into_iter().map(|instance| Item { function: name.clone(), instance }));
        }
        if out.json() {
            return out.document(&Page { items, next: None });
        }
        if items.is_empty() {
            out.note("no live instances: a function has one from an invocation on, until it has been idle for a while");
            out.next("cloudfunc list");
            return Ok(());
        }
        let rows: Vec<_> = items.iter().map(|item| row(item, out)).collect();
        out.table(["FUNCTION", "REVISION", "INSTANCE", "CONTAINER", "STARTED"], &rows)?;
        out.next("cloudfunc invocation list --state running");
        Ok(())
    }
}

fn row(Item { function, instance }: &Item, out: &Output) -> [String; 5] {
    [
        function.to_string(),
        instance.revision.to_string(),
        short(instance.id),
        container(&instance.sandbox),
        out.moment(instance.started_at),
    ]
}
