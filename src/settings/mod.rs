//! Settings before they are resolved: the values of one source (flags with the environment, or the file).
//!
//! Precedence: flag > `CLOUDFUNC_…` > `config.toml` > default. A [`Settings`] holds the values that a source
//! gives, [`Settings::or`] lays one over another, [`Settings::platform`] adds the defaults.

mod build_variables;
mod builds;
mod file;
mod form;
mod front;
mod keep_alive_policy;
mod languages;
mod oidc;
mod platform;
mod proxy;
mod stack;
mod store_place;
mod table;

use std::{io, net::SocketAddr, path::PathBuf};

pub use build_variables::BuildVariables;
pub use builds::{Builds, PackageIndex, ServerSetting};
pub use front::TlsFiles;
pub use keep_alive_policy::KeepAlivePolicy;
pub use languages::{Languages, OfLanguage};
pub use oidc::{Issuer, Oidc, RoleRule, RoleRules, is_safe_address};
pub use platform::Platform;
pub use proxy::BuildProxy;
pub use store_place::StorePlace;
pub use table::{Group, Limits, Setting, Settings, settings};

use crate::{
    model::PlatformName,
    place::{Addresses, Dirs, Stack, Unread},
    runtime,
    toml_document::LocatedError,
};

const DEFAULT_NAME: &str = "default";

#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("{given} is given without {missing}")]
    OnlyOne { given: &'static str, missing: &'static str },
    #[error("no store and no queue are given")]
    NoBackends,
    #[error("the embedded queue cannot be used with Postgres: other processes may use it, too")]
    EmbeddedElsewhere,
    #[error("--embedded and {flag} contradict each other: --embedded means {means}")]
    NotEmbedded { flag: &'static str, means: &'static str },
    #[error(
        "{what} would listen on {address}, which other hosts reach, without TLS: everyone on the way could read tokens and \
         payloads"
    )]
    Insecure { what: &'static str, address: SocketAddr },
    #[error("{one} and {other} both have port {port}")]
    SamePort { one: &'static str, other: &'static str, port: u16 },
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Refused(Unread),
    #[error(transparent)]
    File(#[from] LocatedError),
}

impl SettingsError {
    /// Returns advice about the next step, where the error alone does not say it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Insecure { .. } => Some(
                "give a certificate with --tls-cert FILE and --tls-key FILE; or, where a proxy in front of it speaks TLS or the \
                 network is trusted, pass --insecure",
            ),
            Self::OnlyOne { .. } => Some("give both, or neither"),
            _ => None,
        }
    }
}

impl Settings {
    pub fn name(&self) -> PlatformName {
        self.name.clone().unwrap_or_else(|| DEFAULT_NAME.parse().expect("a valid name"))
    }

    /// Returns the settings of all languages with the defaults. The version is looked up on this host if the
    /// runtime uses the host's own interpreters.
    pub fn languages(&self) -> Languages {
        let runtime = self.runtime.unwrap_or(runtime::Kind::Docker);
        self.languages.clone().with_defaults(runtime)
    }

    /// Like [`Self::languages`], but for Docker, whatever the runtime is.
    pub fn docker_languages(&self) -> Languages {
        self.languages.clone().with_defaults(runtime::Kind::Docker)
    }

    /// Returns the data folder: `$XDG_STATE_HOME/cloudfunc/<stack>`, followed by `-<name>` for a platform with
    /// a name of its own, so that two platforms of one user do not share tokens and credentials.
    pub fn data_dir(&self, dirs: &Dirs, stack: Stack) -> PathBuf {
        if let Some(given) = &self.data_dir {
            return std::path::absolute(given).unwrap_or_else(|_| given.clone());
        }
        let name = self.name();
        match name.as_str() {
            DEFAULT_NAME => dirs.state.join(stack.as_str()),
            name => dirs.state.join(format!("{}-{name}", stack.as_str())),
        }
    }

    /// Returns the addresses. Internal roles always listen on loopback.
    pub fn addresses(&self) -> Result<Addresses, SettingsError> {
        let port = |default: SocketAddr, port: Option<u16>| {
            SocketAddr::new(default.ip(), port.unwrap_or(default.port()))
        };
        let default = Addresses::default();
        let mut gateway = port(default.gateway, self.gateway_port);
        gateway.set_ip(self.gateway_host.unwrap_or(gateway.ip()));
        let addresses = Addresses {
            gateway,
            registry: port(default.registry, self.registry_port),
            scheduler: port(default.scheduler, self.scheduler_port),
            manager: port(default.manager, self.manager_port),
            public: self.public_listen,
            is_tls: self.tls_cert.is_some(),
        };
        let ports = [
            ("--gateway-port", addresses.gateway.port()),
            ("--registry-port", addresses.registry.port()),
            ("--scheduler-port", addresses.scheduler.port()),
            ("--manager-port", addresses.manager.port()),
            // Port 0 is never the same.
            ("--public-listen", addresses.public.map_or(0, |address| address.port())),
        ];
        for (index, (one, port)) in ports.into_iter().enumerate() {
            if let Some((other, _)) = ports[index + 1..].iter().find(|(_, p)| *p == port && port != 0) {
                return Err(SettingsError::SamePort { one, other, port });
            }
        }
        Ok(addresses)
    }

    /// Returns where builds get packages from.
    pub fn builds(&self) -> Result<Builds, SettingsError> {
        let no_proxy = self.build_no_proxy.clone().unwrap_or_default();
        if self.build_proxy.is_none() && !no_proxy.is_empty() {
            return Err(SettingsError::OnlyOne { given: "--build-no-proxy", missing: "--build-proxy" });
        }
        Ok(Builds {
            index: self.build_index.clone(),
            npm_registry: self.build_npm_registry.clone(),
            ca_file: self.build_ca_file.clone().map(absolute),
            find_links: self.build_find_links.clone().map(absolute),
            proxy: self.build_proxy.clone(),
            no_proxy,
            variables: self.build_env.clone().unwrap_or_default(),
        })
    }

    /// Returns the provider whose tokens are accepted; none where none is given.
    pub fn oidc(&self) -> Result<Option<Oidc>, SettingsError> {
        const ISSUER: &str = "--oidc-issuer";
        let only = |given, missing| Err(SettingsError::OnlyOne { given, missing });
        match (&self.oidc_issuer, &self.oidc_audience, &self.oidc_roles) {
            (Some(issuer), Some(audience), Some(roles)) => Ok(Some(Oidc {
                issuer: issuer.clone(),
                audience: audience.clone(),
                roles: roles.clone(),
                ca_file: self.oidc_ca_file.clone().map(absolute),
            })),
            (Some(_), None, _) => only(ISSUER, "--oidc-audience"),
            (Some(_), _, None) => only(ISSUER, "--oidc-roles"),
            (None, Some(_), _) => only("--oidc-audience", ISSUER),
            (None, _, Some(_)) => only("--oidc-roles", ISSUER),
            (None, None, None) if self.oidc_ca_file.is_some() => only("--oidc-ca-file", ISSUER),
            (None, None, None) => Ok(None),
        }
    }

    /// Fills in the defaults; the store and the queue must be given by now.
    pub fn platform(self, dirs: &Dirs) -> Result<Platform, SettingsError> {
        let data_dir = self.data_dir(dirs, self.stack()?);
        let (name, addresses, limits) = (self.name(), self.addresses()?, self.limits());
        let (languages, builds, oidc) = (self.languages(), self.builds()?, self.oidc()?);
        let tls = self.tls()?;
        let (Some(store), Some(queue)) = (self.store, self.queue) else {
            return Err(SettingsError::NoBackends);
        };
        let runtime = self.runtime.unwrap_or(runtime::Kind::Docker);
        Ok(Platform {
            name,
            store: store.within(&data_dir),
            data_dir,
            queue,
            secret_key_file: self.secret_key_file.map(absolute),
            runtime,
            program: runtime::THIS_PROGRAM.into(),
            addresses,
            gateway_hosts: self.gateway_hosts.unwrap_or_default(),
            tls,
            trusted_proxies: self.trusted_proxies.unwrap_or_default(),
            is_insecure: self.insecure.unwrap_or(false),
            languages,
            builds,
            oidc,
            limits,
        })
    }
}

/// A role may run in another folder than the command that it was given to.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

/// Parses host names separated by commas: as in a URL, without a port. An empty text gives none.
pub fn host_names(text: &str) -> Result<Vec<String>, String> {
    text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(host_name).collect()
}

fn host_name(name: &str) -> Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if name.bytes().all(fits) {
        Ok(name.to_ascii_lowercase())
    } else {
        Err(format!("'{name}' is not a host name; write names without ports, separated by commas"))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::Language;

    pub fn dirs() -> Dirs {
        Dirs { config: "/c".into(), state: "/s".into() }
    }

    pub fn from(text: &str) -> Settings {
        Settings::parse(text, "config.toml").unwrap()
    }

    pub fn error(text: &str) -> String {
        Settings::parse(text, "config.toml").unwrap_err().to_string()
    }

    #[test]
    fn one_source_lies_over_another_and_defaults_are_below() {
        let flags = Settings { gateway_port: Some(8001), ..Settings::default() };
        let file = from(
            "[platform]\ngateway_port = 1\nregistry_port = 7001\nqueue_wait = \"2s\"\n\
             store = \"postgres://u:p@db/x\"\nqueue = \"amqp://u:p@mq/%2f\"\nmemory_budget = \"1GiB\"\n\
             keep_alive = \"adaptive\"",
        );
        let platform = flags.or(file).platform(&dirs()).unwrap();
        assert_eq!(platform.addresses.gateway.port(), 8001);
        assert_eq!(platform.addresses.registry.port(), 7001);
        assert_eq!(platform.addresses.scheduler.port(), 9000);
        assert_eq!(platform.limits.queue_wait, Duration::from_secs(2));
        assert_eq!(platform.limits.memory_budget, 1 << 30);
        assert_eq!(platform.limits.keep_alive, KeepAlivePolicy::Adaptive);
        assert_eq!(platform.languages.version(Language::Python), "3.12");
        assert_eq!(platform.data_dir, PathBuf::from("/s/external"));
    }

    #[test]
    fn host_names_are_separated_by_commas_and_have_no_port() {
        assert_eq!(host_names(" Faas.example, b-2 ,").unwrap(), ["faas.example", "b-2"]);
        assert!(host_names("").unwrap().is_empty());
        assert_eq!(
            error("[platform]\ngateway_hosts = \"faas.example:8000\""),
            "config.toml:2:17: `platform.gateway_hosts`: 'faas.example:8000' is not a host name; write names \
             without ports, separated by commas"
        );
    }

    #[test]
    fn builds_have_a_proxy_and_variables_and_roles_are_told_of_them() {
        let file = "[platform]\nstore = \"sqlite\"\nqueue = \"embedded\"\nbuild_proxy = \"http://u:p@proxy:3128\"\n\
                    build_no_proxy = \"corp.example\"\nbuild_env = \"A=1,B=2\"";
        let platform = from(file).platform(&dirs()).unwrap();
        assert_eq!(platform.builds.proxy_for("h").unwrap().show(), "http://u:p@proxy:3128");
        assert_eq!(platform.builds.proxy_for("a.corp.example"), None);
        let told = platform.environment();
        let value = |name: &str| told.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str());
        assert_eq!(value("CLOUDFUNC_BUILD_PROXY"), Some("http://u:p@proxy:3128"));
        assert_eq!(value("CLOUDFUNC_BUILD_NO_PROXY"), Some("corp.example"));
        assert_eq!(value("CLOUDFUNC_BUILD_ENV"), Some("A=1\nB=2\n"));

        let alone = from("[platform]\nbuild_no_proxy = \"corp.example\"");
        let problem = alone.builds().unwrap_err().to_string();
        assert_eq!(problem, "--build-no-proxy is given without --build-proxy");
        assert_eq!(
            error("[platform]\nbuild_proxy = \"socks5://u:hunter2@proxy\""),
            "config.toml:2:15: `platform.build_proxy`: not a proxy; accepted is an address such as \
             http://proxy.example:3128"
        );
    }

    #[test]
    fn a_provider_comes_with_an_audience_and_roles_and_roles_are_told_of_it() {
        let file = "[platform]\nstore = \"sqlite\"\nqueue = \"embedded\"\noidc_issuer = \"https://id.example\"\n\
                    oidc_audience = \"cloudfunc\"\noidc_roles = \"admin=sub:ann,deploy@team_*=groups:team\"";
        let platform = from(file).platform(&dirs()).unwrap();
        let oidc = platform.oidc.clone().unwrap();
        assert_eq!((oidc.issuer.as_str(), oidc.audience.as_str()), ("https://id.example", "cloudfunc"));
        assert_eq!(oidc.roles.all().len(), 2);
        let told = platform.environment();
        let value = |name: &str| told.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str());
        assert_eq!(value("CLOUDFUNC_OIDC_ISSUER"), Some("https://id.example"));
        assert_eq!(value("CLOUDFUNC_OIDC_ROLES"), Some("admin=sub:ann\ndeploy@team_*=groups:team\n"));
        assert_eq!(value("CLOUDFUNC_OIDC_CA_FILE"), None);
        assert_eq!(Settings::default().oidc().unwrap(), None);

        let issuer = "oidc_issuer = \"https://id.example\"";
        for (keys, expected) in [
            (issuer.to_owned(), "--oidc-issuer is given without --oidc-audience"),
            (format!("{issuer}\noidc_audience = \"x\""), "--oidc-issuer is given without --oidc-roles"),
            ("oidc_audience = \"x\"".to_owned(), "--oidc-audience is given without --oidc-issuer"),
            ("oidc_roles = \"admin=sub:x\"".to_owned(), "--oidc-roles is given without --oidc-issuer"),
            ("oidc_ca_file = \"/ca.pem\"".to_owned(), "--oidc-ca-file is given without --oidc-issuer"),
        ] {
            let refused = from(&format!("[platform]\n{keys}")).oidc().unwrap_err().to_string();
            assert_eq!(refused, expected);
        }
        assert_eq!(
            error("[platform]\noidc_issuer = \"http://id.example\""),
            "config.toml:2:15: `platform.oidc_issuer`: not an issuer; accepted are an address such as https://id.example \
             without a user and a query, and http:// only for a provider on this host"
        );
    }

    #[test]
    fn a_platform_with_a_name_of_its_own_has_its_own_folder() {
        let named = Settings { name: Some("team".parse().unwrap()), ..Settings::default() };
        assert_eq!(named.data_dir(&dirs(), Stack::Compose), PathBuf::from("/s/compose-team"));
    }

    #[test]
    fn two_roles_on_one_port_are_refused() {
        let same = Settings { scheduler_port: Some(8000), ..Settings::default() };
        assert_eq!(
            same.addresses().unwrap_err().to_string(),
            "--gateway-port and --scheduler-port both have port 8000"
        );
        let free = Settings { gateway_port: Some(0), manager_port: Some(0), ..Settings::default() };
        assert_eq!(free.addresses().unwrap().gateway.port(), 0);
    }

    #[test]
    fn a_wrong_file_is_explained_without_its_passwords() {
        assert_eq!(
            error("[platform]\nregistry_prot = 7001"),
            "config.toml:2:1: unknown key `platform.registry_prot`; did you mean `platform.registry_port`?"
        );
        let store = error("[platform]\nstore = \"mysql://u:hunter2@db\"");
        assert!(
            store.starts_with("config.toml:2:9: `platform.store`: not a store; accepted are"),
            "{store}"
        );
        assert!(!store.contains("hunter2"));
        assert_eq!(
            error("[platform]\nkeep_alive = \"lru\""),
            "config.toml:2:14: `platform.keep_alive`: not a keep-alive policy; accepted are fixed and adaptive"
        );
        assert!(error("[platform]\ngateway_port = 65536").contains("from 0 to 65535"));
        assert!(error("[platform]\nstop_grace = \"30\"").contains("'30' is not a duration"));
    }
}
