//! `cloudfunc status`: shows what runs on this machine and what it waits for.

use std::{path::PathBuf, time::Duration};

use jiff::Timestamp;
use serde::Serialize;
use tokio::time::Instant;
use url::Url;

use super::{
    Error, Exit, Output,
    settings::{AddressArgs, PlaceArgs, SettingsArgs},
    target::Target,
    text,
};
use crate::{
    app::Role,
    client::{self, Client},
    compose::Service,
    local::{
        LocalPlatform,
        probe::{self, Answer, Prober},
    },
    model::{
        FunctionName, PlatformName,
        api::{Health, NotKept},
    },
    place::{
        Addresses, Dirs, Stack,
        platforms::{Platforms, shown},
    },
    settings::Settings,
    units,
};

/// The pause between two checks of `--wait`.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Show whether the platform's roles and services on this machine are ready
///
/// With --url: show whether the gateway at that address is ready.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    addresses: AddressArgs,
    /// Wait until the platform is ready, for up to this long [default: 1m]
    #[arg(long, value_name = "DURATION", num_args = 0..=1, default_missing_value = "1m")]
    #[arg(value_parser = units::parse_duration)]
    wait: Option<Duration>,
}

/// The document of `status --json`.
#[derive(Serialize)]
struct Status {
    ready: bool,
    platform: PlatformName,
    /// `None` for a gateway elsewhere, or if it is not known.
    stack: Option<Stack>,
    /// URL of the gateway.
    url: String,
    /// `None` for a gateway elsewhere.
    data_dir: Option<PathBuf>,
    /// The process id of `cloudfunc up`; `None` if it is not running.
    up_pid: Option<u32>,
    roles: Vec<RoleStatus>,
    /// The URL of the gateway's port for the addresses of functions alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    public_url: Option<String>,
    #[serde(skip)]
    public_listening: Option<String>,
    /// The certificate that the gateway shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<CertificateStatus>,
    services: Vec<ServiceStatus>,
    /// Functions with `min_instances` of which this host's manager cannot start an instance.
    not_kept: Vec<NotKept>,
    /// Describes the faults of the certificate, for standard error.
    #[serde(skip)]
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct CertificateStatus {
    ends_at: Timestamp,
    /// Negative once it has ended.
    days_left: i64,
    /// The reason why the gateway cannot read it anew, and uses this one although its files have changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

#[derive(Serialize)]
struct RoleStatus {
    role: &'static str,
    url: String,
    /// The URL of the address on which it listens, which may stand for all addresses of the host.
    #[serde(skip)]
    listening: String,
    /// `ready`, `waiting`, `down` or `foreign`.
    state: &'static str,
    /// The reason why the role waits, or the program that answers instead.
    detail: Option<String>,
    backends: Vec<String>,
}

#[derive(Serialize)]
struct ServiceStatus {
    service: String,
    state: String,
    healthy: bool,
}

impl Args {
    /// Ends with exit code 3 unless every role is ready.
    pub async fn run(self, target: &Target, out: &Output) -> Result<(), Error> {
        let deadline = self.wait.map(|wait| Instant::now() + wait);
        let progress = deadline.map(|_| out.waiting("waiting for the platform"));
        let (status, verdict) = loop {
            let looked = self.look(target, out).await;
            let is_over = deadline.is_none_or(|deadline| Instant::now() + LOOK_EVERY > deadline);
            match looked {
                Ok((status, verdict)) if verdict.is_ok() || is_over => break (status, verdict),
                // Invalid settings will not become valid by waiting.
                Err(error) if is_over || error.exit == Exit::Caller => return Err(error),
                _ => tokio::time::sleep(LOOK_EVERY).await,
            }
        };
        drop(progress);
        status.show(out)?;
        status.warnings.iter().for_each(|warning| out.warn(warning));
        match (verdict, self.wait) {
            (Err(error), Some(wait)) => {
                Err(error.context(format!("not ready within {}", units::show_duration(wait))))
            }
            (verdict, _) => verdict,
        }
    }

    /// Returns the state of the platform, and an error unless everything is ready.
    async fn look(&self, target: &Target, out: &Output) -> Result<(Status, Result<(), Error>), Error> {
        let dirs = self.place.dirs();
        let url = target.url(&self.place)?;
        let known = |url: &Url| {
            let dirs = dirs.as_ref().ok()?;
            Platforms::look(&dirs.state).at_url(url).cloned()
        };
        match url {
            Some(url) => match known(&url) {
                Some(known) => self.here(LocalPlatform::of(known), target, out).await,
                None => elsewhere(&url, target).await,
            },
            None => {
                let dirs = dirs?;
                // A platform whose addresses are given may consist of roles that were started one by one; one
                // that is waited for may be about to start.
                if self.addresses.is_empty() && self.wait.is_none() {
                    LocalPlatform::refuse_unknown(&self.place.0, &dirs)?;
                }
                let settings = self.settings(&dirs)?;
                self.here(LocalPlatform::find(&self.place.0, &settings, &dirs)?, target, out).await
            }
        }
    }

    fn settings(&self, dirs: &Dirs) -> Result<Settings, Error> {
        let place = self.place.clone().settings()?;
        SettingsArgs::from(place.or(self.addresses.clone().settings()?)).load(dirs)
    }

    async fn here(
        &self,
        place: LocalPlatform,
        target: &Target,
        out: &Output,
    ) -> Result<(Status, Result<(), Error>), Error> {
        let addresses = match &place.holder {
            Some(holder) if place.running || self.addresses.is_empty() => holder.addresses(),
            _ => {
                let settings = self.settings(&self.place.dirs()?)?;
                settings.addresses().map_err(|error| Error::new(Exit::Caller, error))?
            }
        };
        let prober = Prober::of(place.platform.clone(), addresses, &place.folder);
        let prober = prober.with_tokens_of(&place.folder, place.running);
        let mut roles = Vec::new();
        for role in Role::ALL.into_iter().rev() {
            roles.push(role_status(role, &addresses, prober.ask(role).await));
        }
        let is_ready =
            roles.iter().any(|role| role.role == Role::Manager.as_str() && role.state == "ready");
        let not_kept = if is_ready { prober.not_kept().await } else { Vec::new() };
        let services = match place.project() {
            Some(project) => project.services().await.unwrap_or_else(|error| {
                out.note(&format!("the compose services cannot be seen: {}", error.chain().join(": ")));
                Vec::new()
            }),
            None => Vec::new(),
        };
        let certificate = certificate(&place, &addresses);
        let warnings = if addresses.is_tls { place.certificate_warnings() } else { Vec::new() };
        let ready = roles.iter().all(|role| role.state == "ready");
        let described = place.describe();
        let verdict = match (ready, place.running) {
            (true, _) => Ok(()),
            (false, true) => Err(Error::platform(format!("{described} is not ready"))),
            (false, false) if roles.iter().all(|role| role.state == "down") => {
                let state = target.state_dir();
                let up = place.up(state.as_deref());
                Err(Error::platform(format!("{described} is not running"))
                    .hint(format!("start it with {up}")))
            }
            (false, false) => {
                let hint = "another user or program answers there: `cloudfunc platform list` shows yours, \
                            --url and --token-file reach another";
                Err(Error::platform(format!("{described} is not running, and its ports are not free"))
                    .hint(hint))
            }
        };
        let status = Status {
            ready,
            url: roles.first().map(|gateway| gateway.url.clone()).unwrap_or_default(),
            platform: place.platform,
            stack: place.stack,
            data_dir: Some(place.folder),
            up_pid: place.holder.filter(|_| place.running).map(|holder| holder.pid),
            roles,
            public_url: probe::public_url(&addresses),
            public_listening: probe::public_listening(&addresses),
            certificate,
            services: services.iter().map(service_status).collect(),
            not_kept,
            warnings,
        };
        Ok((status, verdict))
    }
}

/// Returns the end of the certificate that the gateway of a platform with TLS shows.
fn certificate(place: &LocalPlatform, addresses: &Addresses) -> Option<CertificateStatus> {
    let validity = place.certificate().filter(|_| addresses.is_tls)?;
    let (ends_at, days_left) = (validity.ends_at, validity.days_left(Timestamp::now()));
    let problem = place.kept_certificate().map(|problem| problem.told());
    Some(CertificateStatus { ends_at, days_left, problem })
}

/// Returns the state of a gateway that is not one of this user's platforms on this machine.
async fn elsewhere(url: &Url, target: &Target) -> Result<(Status, Result<(), Error>), Error> {
    let settings = target.settings()?;
    let client = Client::trusting(settings.url, settings.token, &settings.trust)?;
    let Health { platform, ready, waiting_for, backends, .. } = client.health().await?;
    let refused = is_refused(&client).await;
    let detail = match (&waiting_for, refused) {
        (Some(what), _) => Some(format!("for {what}")),
        (None, true) => Some("but the token that commands send is not its own".to_owned()),
        (None, false) => None,
    };
    let state = if ready { "ready" } else { "waiting" };
    let url = shown(url).to_owned();
    let verdict = match (ready, refused) {
        (true, false) => Ok(()),
        (true, true) => Err(Error::new(
            Exit::NotAuthorised,
            anyhow::anyhow!(
                "the gateway at {url} is ready, and does not take the token that commands send"
            ),
        )
        .hint("name the file with its token: --token-file FILE or CLOUDFUNC_TOKEN_FILE")),
        (false, _) => Err(Error::platform(format!("the platform '{platform}' at {url} is not ready"))),
    };
    let (role, listening) = (Role::Gateway.as_str(), url.clone());
    let role = RoleStatus { role, url: url.clone(), listening, state, detail, backends };
    let status = Status {
        ready,
        platform,
        stack: None,
        url,
        data_dir: None,
        up_pid: None,
        roles: vec![role],
        public_url: None,
        public_listening: None,
        certificate: None,
        services: Vec::new(),
        not_kept: Vec::new(),
        warnings: Vec::new(),
    };
    Ok((status, verdict))
}

/// Returns whether the gateway rejects the token that commands send. Asks for a function, which need not exist.
async fn is_refused(client: &Client) -> bool {
    let any: FunctionName = "status".parse().expect("a valid name");
    match client.function(&any).await {
        Err(client::Error::Problem(problem)) => matches!(problem.status, 401 | 403),
        _ => false,
    }
}

impl Status {
    fn show(&self, out: &Output) -> Result<(), Error> {
        if out.json() {
            return out.document(self);
        }
        let stack = self.stack.map_or_else(String::new, |stack| format!("  {}", stack.as_str()));
        let folder = self.data_dir.as_ref();
        let folder = folder.map_or_else(String::new, |folder| format!("  {}", folder.display()));
        out.line(&format!("{:<10} {}{stack}  {}{folder}", "platform", self.platform, self.url))?;
        for role in &self.roles {
            let detail = role.detail.as_ref().map_or_else(String::new, |detail| format!(": {detail}"));
            let backends = role.backends.join(", ");
            let line =
                format!("{:<10} {:<22} {}{detail}  {backends}", role.role, role.listening, role.state);
            out.line(&out.foreign(line.trim_end()))?;
        }
        if let Some(url) = &self.public_listening {
            out.line(&format!("{:<10} {url:<22} for the addresses of functions alone", "public"))?;
        }
        if let Some(CertificateStatus { ends_at, days_left, .. }) = &self.certificate {
            let left = match usize::try_from(*days_left) {
                Err(_) => "the certificate has expired".to_owned(),
                Ok(days) => format!("the certificate ends in {}", text::count(days, "day")),
            };
            out.line(&format!("{:<10} {left}, at {}", "tls", text::moment(*ends_at)))?;
        }
        for service in &self.services {
            out.line(&format!("{:<10} {:<22} {}", service.service, "compose", service.state))?;
        }
        for NotKept { function, revision, since, reason } in &self.not_kept {
            let since = out.moment(*since);
            let reason = reason.replace('\n', "; ");
            let line =
                format!("{:<10} {function}, revision {revision}, since {since}: {reason}", "not kept");
            out.line(&out.foreign(&line))?;
        }
        Ok(())
    }
}

fn role_status(role: Role, addresses: &Addresses, answer: Answer) -> RoleStatus {
    let (state, detail, backends) = match answer {
        Answer::Ready(health) => ("ready", None, health.backends),
        Answer::Waiting(what) => ("waiting", Some(format!("for {what}")), Vec::new()),
        Answer::Down => ("down", None, Vec::new()),
        Answer::Stranger(who) => ("foreign", Some(format!("{who} answers")), Vec::new()),
    };
    let (url, listening) = (probe::url(addresses, role), probe::listening(addresses, role));
    RoleStatus { role: role.as_str(), url, listening, state, detail, backends }
}

fn service_status(service: &Service) -> ServiceStatus {
    ServiceStatus {
        service: service.name.clone(),
        state: service.describe().to_owned(),
        healthy: service.is_healthy(),
    }
}
