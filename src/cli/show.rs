//! `cloudfunc show`

mod secrets;

use serde::Serialize;
use url::Url;

use self::secrets::Places;
use super::{
    Error, Exit, Output,
    addresses::{self, Addresses, by_name},
    target::{Target, all, permitted},
    text::{count, setting},
};
use crate::{
    client::Client,
    model::{
        BuildCommand, Code, FunctionName, FunctionSpec, InstanceId, Interface, Network, Package,
        PackageVersion,
        api::{FunctionInfo, InstanceInfo, Packages, RevisionInfo, Unusable},
        code,
    },
    units::show_bytes,
};

/// Show a function: its settings, revisions and live instances
///
/// An instance is shown by the end of its container's name, which for one that was started in advance is
/// …-prewarmed-…. Revisions, instances, and where secrets are set are for tokens with the role deploy; others see the
/// rest.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The function
    name: FunctionName,
    /// Show the settings and packages of this revision instead of the active one's
    #[arg(long, value_name = "NUMBER")]
    revision: Option<u32>,
}

#[derive(Serialize)]
struct Document {
    function: FunctionInfo,
    /// `None` where the token may not list them.
    revisions: Option<Vec<RevisionInfo>>,
    /// `None` where the token may not list them.
    instances: Option<Vec<InstanceInfo>>,
}

/// Where a function answers.
struct Bases {
    by_name: Url,
    by_address: Url,
}

impl Bases {
    async fn of(client: &Client, spec: &FunctionSpec) -> Self {
        let by_name = client.base().clone();
        let by_address = match spec.http {
            Some(_) => addresses::base(client).await,
            None => by_name.clone(),
        };
        Self { by_name, by_address }
    }
}

impl Args {
    pub async fn run(self, target: &Target, out: &Output) -> Result<(), Error> {
        let (client, name) = (target.client(out)?, &self.name);
        let function = client.function(name).await?;
        let revisions = all(async |cursor| client.revisions(name, cursor.as_deref()).await).await;
        let instances = all(async |cursor| client.instances(name, cursor.as_deref()).await).await;
        if let Some(number) = self.revision {
            return show_revision(&client, function, revisions?, &instances?, number, out).await;
        }
        let (revisions, instances) = (permitted(revisions)?, permitted(instances)?);
        let is_whole = revisions.is_some() && instances.is_some();
        let document = Document { function, revisions, instances };
        if out.json() {
            return out.document(&document);
        }
        let places = Places::of(&client, name, &document.function.spec).await?;
        let bases = Bases::of(&client, &document.function.spec).await;
        document.print(&places, &bases, out)?;
        if is_whole {
            out.next(&format!("cloudfunc logs {name}"));
        } else {
            out.note("revisions and instances are for tokens with the role deploy, and left out here");
            out.next(&format!("cloudfunc invoke {name}"));
        }
        Ok(())
    }
}

async fn show_revision(
    client: &Client,
    function: FunctionInfo,
    revisions: Vec<RevisionInfo>,
    instances: &[InstanceInfo],
    number: u32,
    out: &Output,
) -> Result<(), Error> {
    let name = function.name.clone();
    let Some(revision) = revisions.into_iter().find(|one| one.number.0 == number) else {
        let none = anyhow::Error::msg(format!("'{name}' has no revision {number}"));
        let hint = format!("`cloudfunc show {name}` lists its revisions");
        return Err(Error::new(Exit::Caller, none).code(code::REVISION_NOT_FOUND.code).hint(hint));
    };
    if out.json() {
        return out.document(&revision);
    }
    let unusable = if revision.active { function.unusable } else { Vec::new() };
    let not_kept = function.not_kept.filter(|one| one.revision == revision.number);
    let live = instances.iter().filter(|one| one.revision == revision.number).count();
    let shown = FunctionInfo {
        active_revision: revision.number,
        deployed_at: revision.created_at,
        installed: revision.installed,
        spec: revision.spec,
        is_warm: live > 0 || (revision.active && function.is_warm),
        instances: u32::try_from(live).unwrap_or(u32::MAX),
        unusable,
        not_kept,
        ..function
    };
    let places = Places::of(client, &name, &shown.spec).await?;
    print_settings(&shown, &places, &Bases::of(client, &shown.spec).await, out)?;
    out.next(&format!("cloudfunc logs {name} --build {number}"));
    Ok(())
}

fn print_settings(
    function: &FunctionInfo,
    places: &Places,
    bases: &Bases,
    out: &Output,
) -> Result<(), Error> {
    for (key, value) in settings(function, places, bases, out) {
        out.line(&format!("{key:<13} {}", out.foreign(&value)))?;
    }
    Ok(())
}

impl Document {
    fn print(&self, places: &Places, bases: &Bases, out: &Output) -> Result<(), Error> {
        print_settings(&self.function, places, bases, out)?;
        if let Some(revisions) = &self.revisions {
            out.line("")?;
            let rows: Vec<_> = revisions.iter().map(|one| revision(one, out)).collect();
            out.table(["REVISION", "ACTIVE", "CREATED", "SOURCE", "IMAGE"], &rows)?;
        }
        if let Some(instances) = self.instances.as_ref().filter(|instances| !instances.is_empty()) {
            out.line("")?;
            let rows: Vec<_> = instances.iter().map(|one| instance(one, out)).collect();
            out.table(["INSTANCE", "REVISION", "CONTAINER", "STARTED"], &rows)?;
        }
        Ok(())
    }
}

fn settings(
    function: &FunctionInfo,
    places: &Places,
    bases: &Bases,
    out: &Output,
) -> Vec<(&'static str, String)> {
    let FunctionSpec {
        description,
        code,
        handler,
        interface,
        command,
        timeout,
        load_timeout: _,
        memory_bytes,
        cpus,
        network,
        env,
        secrets,
        rate_limit,
        http,
        build_command,
        scaling,
        from_source,
    } = &function.spec;
    let state = if function.is_warm { "warm" } else { "cold" };
    let runs_on = match code {
        Code::Language { language, version, package: Package::Bundle } => {
            format!("{language} {version}")
        }
        Code::Language { language, version, package: Package::Image } => {
            format!("{language} {version}, in an image of its own")
        }
        Code::Image { image } => format!("image {image}"),
        Code::Dockerfile { dockerfile, .. } => dockerfile.clone(),
    };
    let named = |network: &Network| match network {
        Network::None => "none",
        Network::Egress => "egress",
    };
    let mut settings = vec![
        ("name", function.name.to_string()),
        ("state", format!("{state}, {}", count(function.instances as usize, "instance"))),
        (
            "revision",
            format!("{}, deployed {}", function.active_revision, out.moment(function.deployed_at)),
        ),
        ("runs on", runs_on),
    ];
    settings.extend(program(*interface, command, handler));
    settings.extend([
        ("timeout", setting(*timeout)),
        ("load timeout", setting(function.spec.load_limit())),
        ("memory", show_bytes(*memory_bytes)),
        ("cpus", cpus.to_string()),
        ("network", named(network).to_owned()),
        ("idle timeout", setting(scaling.idle_timeout)),
        ("max instances", scaling.max_instances.to_string()),
    ]);
    if scaling.concurrency > 1 {
        settings.push(("concurrency", scaling.concurrency.to_string()));
    }
    if scaling.min_instances > 0 {
        settings.push(("min instances", scaling.min_instances.to_string()));
    }
    if let Some(rate_limit) = rate_limit {
        settings.push(("rate limit", format!("{rate_limit} on each host")));
    }
    if let Some(http) = http {
        settings.extend(Addresses { http, base: &bases.by_address }.settings());
    }
    settings.push(("by name", by_name(&function.name, &bases.by_name)));
    if let Some(not_kept) = &function.not_kept {
        let (since, reason) = (out.moment(not_kept.since), &not_kept.reason);
        let first = format!("since {since}, on this host: {reason}");
        // A table has one line for each.
        settings.push(("not kept", first.replace('\n', "; ")));
    }
    if let Some(description) = description {
        settings.insert(1, ("description", description.clone()));
    }
    if let Some(installed) = &function.installed {
        settings.push(("packages", packages(installed)));
    }
    if let Some(BuildCommand { command, network }) = build_command {
        settings.push(("built by", format!("{} (network {})", command.join(" "), named(network))));
    }
    // It gets no work that it could only fail at.
    for Unusable { manager, reason } in &function.unusable {
        settings.push(("not on", format!("manager {}: {reason}", end_of(&manager.to_string()))));
    }
    if *from_source {
        settings.push(("from source", "yes".to_owned()));
    }
    if !env.is_empty() {
        // Only the names are shown: values are often secrets, and --json has them.
        settings.push(("environment", env.keys().cloned().collect::<Vec<_>>().join(", ")));
    }
    if !secrets.is_empty() {
        // The platform does not tell their values to anybody.
        settings.push(("secrets", places.told(secrets, &function.name)));
    }
    settings
}

/// Returns the settings that say what runs: a handler, or a program and the way to speak to it.
fn program(interface: Interface, command: &[String], handler: &str) -> Vec<(&'static str, String)> {
    let mut settings = Vec::new();
    match interface {
        Interface::Protocol => {}
        Interface::Http { port } => settings.push(("interface", format!("http, port {port}"))),
        Interface::Command | Interface::Lambda => {
            settings.push(("interface", interface.name().to_owned()));
        }
    }
    if !interface.is_protocol() {
        let command = match command {
            [] => "the image's own".to_owned(),
            words => words.iter().map(|word| shown_word(word)).collect::<Vec<_>>().join(" "),
        };
        settings.push(("command", command));
    }
    if !handler.is_empty() {
        settings.push(("handler", handler.to_owned()));
    }
    settings
}

/// Returns a word of a command, in quotes where one could not see where it ends.
fn shown_word(word: &str) -> String {
    match word.is_empty() || word.contains(|c: char| c.is_whitespace() || c == '"') {
        true => format!("{word:?}"),
        false => word.to_owned(),
    }
}

/// Returns the installed packages, with what they take and what they were installed for.
fn packages(dependencies: &Packages) -> String {
    let names: Vec<String> = dependencies.packages.iter().map(PackageVersion::to_string).collect();
    let target = &dependencies.target;
    format!(
        "{} ({}, {}; for {} on {} with {})",
        if names.is_empty() { "none".to_owned() } else { names.join(", ") },
        count(usize::try_from(dependencies.files).unwrap_or(usize::MAX), "file"),
        show_bytes(dependencies.bytes),
        target.interpreter,
        target.architecture,
        target.c_library
    )
}

fn revision(revision: &RevisionInfo, out: &Output) -> [String; 5] {
    [
        revision.number.to_string(),
        if revision.active { "yes" } else { "" }.to_owned(),
        out.moment(revision.created_at),
        revision.source.short().to_owned(),
        revision.image.clone(),
    ]
}

/// Returns the end of an instance's id, which is also the end of its container's name.
pub fn short(id: InstanceId) -> String {
    end_of(&id.to_string())
}

fn end_of(id: &str) -> String {
    id[id.len().saturating_sub(12)..].to_owned()
}

/// Shortens a container's id: Docker's to its beginning, as Docker does; ours, which begins with the time, to
/// its end.
pub fn container(id: &str) -> String {
    let digits = id.chars().count();
    let is_ours = id.contains('-');
    id.chars().skip(if is_ours { digits.saturating_sub(12) } else { 0 }).take(12).collect()
}

fn instance(instance: &InstanceInfo, out: &Output) -> [String; 4] {
    [
        short(instance.id),
        instance.revision.to_string(),
        container(&instance.sandbox),
        out.moment(instance.started_at),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_is_a_handler_or_a_program() {
        let shown = |interface, command: &[&str], handler: &str| {
            let command: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
            let lines = program(interface, &command, handler);
            lines.iter().map(|(key, value)| format!("{key}: {value}")).collect::<Vec<_>>()
        };
        assert_eq!(shown(Interface::Protocol, &[], "function.handler"), ["handler: function.handler"]);
        assert_eq!(
            shown(Interface::Http { port: 8080 }, &["gunicorn", "app:app"], ""),
            ["interface: http, port 8080", "command: gunicorn app:app"]
        );
        assert_eq!(
            shown(Interface::Command, &["sh", "-c", "echo \"a\"", ""], ""),
            ["interface: command", "command: sh -c \"echo \\\"a\\\"\" \"\""]
        );
        assert_eq!(
            shown(Interface::Lambda, &[], "app.handler"),
            ["interface: lambda", "command: the image's own", "handler: app.handler"]
        );
    }
}
