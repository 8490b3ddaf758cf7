//! `cloudfunc show`

use serde::Serialize;

use super::{
    Error, Output,
    target::{Target, all},
    text::{count, moment, setting},
};
use crate::{
    config::units::show_bytes,
    model::{
        Code, FunctionName, FunctionSpec, Network, Package,
        api::{FunctionInfo, InstanceInfo, RevisionInfo},
    },
};

/// Show a function: its settings, revisions and live instances
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The function
    name: FunctionName,
}

#[derive(Serialize)]
struct Document {
    function: FunctionInfo,
    revisions: Vec<RevisionInfo>,
    instances: Vec<InstanceInfo>,
}

impl Args {
    pub async fn run(self, target: &Target, out: &Output) -> Result<(), Error> {
        let (client, name) = (target.client(out)?, &self.name);
        let function = client.function(name).await?;
        let revisions = all(async |cursor| client.revisions(name, cursor.as_deref()).await).await?;
        let instances = all(async |cursor| client.instances(name, cursor.as_deref()).await).await?;
        let document = Document { function, revisions, instances };
        if out.json() { out.document(&document) } else { document.print(out) }
    }
}

impl Document {
    fn print(&self, out: &Output) -> Result<(), Error> {
        for (key, value) in settings(&self.function) {
            out.line(&format!("{key:<13} {}", out.foreign(&value)))?;
        }
        out.line("")?;
        let rows: Vec<_> = self.revisions.iter().map(revision).collect();
        out.table(["REVISION", "ACTIVE", "CREATED", "SOURCE", "IMAGE"], &rows)?;
        if !self.instances.is_empty() {
            out.line("")?;
            let rows: Vec<_> = self.instances.iter().map(instance).collect();
            out.table(["INSTANCE", "REVISION", "SANDBOX", "STARTED"], &rows)?;
        }
        Ok(())
    }
}

fn settings(function: &FunctionInfo) -> Vec<(&'static str, String)> {
    let FunctionSpec { description, code, handler, timeout, memory_bytes, cpus, network, env, scaling } =
        &function.spec;
    let state = if function.is_warm { "warm" } else { "cold" };
    let runs_on = match code {
        Code::Language { language, version, package: Package::Bundle } => {
            format!("{language} {version}")
        }
        Code::Language { language, version, package: Package::Image } => {
            format!("{language} {version}, in an image of its own")
        }
        Code::Image { image } => format!("image {image}"),
    };
    let network = match network {
        Network::None => "none",
        Network::Egress => "egress",
    };
    let mut settings = vec![
        ("name", function.name.to_string()),
        ("state", format!("{state}, {}", count(function.instances as usize, "instance"))),
        ("revision", format!("{}, deployed {}", function.active_revision, moment(function.deployed_at))),
        ("runs on", runs_on),
        ("handler", handler.clone()),
        ("timeout", setting(*timeout)),
        ("memory", show_bytes(*memory_bytes)),
        ("cpus", cpus.to_string()),
        ("network", network.to_owned()),
        ("idle timeout", setting(scaling.idle_timeout)),
        ("max instances", scaling.max_instances.to_string()),
    ];
    if let Some(description) = description {
        settings.insert(1, ("description", description.clone()));
    }
    if !env.is_empty() {
        // Only the names: values are often secrets, and --json has them.
        settings.push(("environment", env.keys().cloned().collect::<Vec<_>>().join(", ")));
    }
    settings
}

fn revision(revision: &RevisionInfo) -> [String; 5] {
    [
        revision.number.to_string(),
        if revision.active { "yes" } else { "" }.to_owned(),
        moment(revision.created_at),
        revision.source.short().to_owned(),
        revision.image.clone(),
    ]
}

fn instance(instance: &InstanceInfo) -> [String; 4] {
    [
        instance.id.to_string(),
        instance.revision.to_string(),
        instance.sandbox.chars().take(12).collect(),
        moment(instance.started_at),
    ]
}
