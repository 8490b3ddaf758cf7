//! The settings of a platform's roles, resolved: flag, environment and file have been looked at.

use std::{collections::BTreeMap, path::PathBuf};

use super::{Builds, Languages, Limits, Oidc, Setting, Settings, StorePlace, TlsFiles, settings};
use crate::{
    model::{Language, ManagerId, PlatformName, TrustedProxies},
    place::Addresses,
    queue, runtime, store,
};

/// The settings that a role needs to start. They are the same for all roles of one host.
#[derive(Clone, Debug)]
pub struct Platform {
    pub name: PlatformName,
    /// The folder of tokens, bundle cache, instance folders and role logs: `$XDG_STATE_HOME/cloudfunc/<stack>`.
    pub data_dir: PathBuf,
    pub store: store::Config,
    pub queue: queue::Config,
    /// The file of the keys of secrets; none for the one in the data folder.
    pub secret_key_file: Option<PathBuf>,
    pub runtime: runtime::Kind,
    /// The path of this program, for a runtime that runs it again. Not a setting: tests are another program.
    pub program: PathBuf,
    pub addresses: Addresses,
    /// The names by which the gateway may be called, besides IP addresses and `localhost`.
    pub gateway_hosts: Vec<String>,
    /// The certificate and the key of the gateway's ports; none where they do not speak TLS.
    pub tls: Option<TlsFiles>,
    /// The proxies in front of the gateway that are believed.
    pub trusted_proxies: TrustedProxies,
    /// The gateway may listen beyond this host without TLS.
    pub is_insecure: bool,
    /// The base image and default version of each language.
    pub languages: Languages,
    /// The sources of packages.
    pub builds: Builds,
    /// The provider whose tokens the gateway accepts in addition to the platform's own; none where none is given.
    pub oidc: Option<Oidc>,
    pub limits: Limits,
}

impl Platform {
    /// Returns the same settings as environment variables, for a role that is started as a process. Store and
    /// queue may hold passwords, which other users could read in its arguments.
    pub fn environment(&self) -> Vec<(String, String)> {
        let resolved = self.settings();
        let known = |setting: Setting| match setting.show(&resolved) {
            Some(value) => Some((setting.variable(), value)),
            None if setting.is_optional() => None,
            None => panic!("every setting with a default is resolved"),
        };
        settings().filter_map(known).collect()
    }

    /// Returns these settings in the form of a source.
    fn settings(&self) -> Settings {
        let addresses = &self.addresses;
        let settings = Settings {
            name: Some(self.name.clone()),
            data_dir: Some(self.data_dir.clone()),
            store: Some(StorePlace::At(self.store.clone())),
            queue: Some(self.queue.clone()),
            secret_key_file: self.secret_key_file.clone(),
            runtime: Some(self.runtime),
            gateway_host: Some(addresses.gateway.ip()),
            gateway_port: Some(addresses.gateway.port()),
            gateway_hosts: Some(self.gateway_hosts.clone()),
            public_listen: addresses.public,
            tls_cert: self.tls.as_ref().map(|files| files.cert.clone()),
            tls_key: self.tls.as_ref().map(|files| files.key.clone()),
            trusted_proxies: Some(self.trusted_proxies.clone()).filter(|proxies| !proxies.is_empty()),
            insecure: Some(self.is_insecure),
            registry_port: Some(addresses.registry.port()),
            scheduler_port: Some(addresses.scheduler.port()),
            manager_port: Some(addresses.manager.port()),
            languages: self.languages.clone(),
            build_index: self.builds.index.clone(),
            build_npm_registry: self.builds.npm_registry.clone(),
            build_ca_file: self.builds.ca_file.clone(),
            build_find_links: self.builds.find_links.clone(),
            build_proxy: self.builds.proxy.clone(),
            build_no_proxy: Some(self.builds.no_proxy.clone()).filter(|names| !names.is_empty()),
            build_env: Some(self.builds.variables.clone()).filter(|all| !all.all().is_empty()),
            oidc_issuer: self.oidc.as_ref().map(|oidc| oidc.issuer.clone()),
            oidc_audience: self.oidc.as_ref().map(|oidc| oidc.audience.clone()),
            oidc_roles: self.oidc.as_ref().map(|oidc| oidc.roles.clone()),
            oidc_ca_file: self.oidc.as_ref().and_then(|oidc| oidc.ca_file.clone()),
            ..Settings::default()
        };
        settings.with_limits(&self.limits)
    }

    /// Returns the version of each language for functions that name none.
    pub fn versions(&self) -> BTreeMap<Language, String> {
        let version = |language: &Language| (*language, self.languages.version(*language).to_owned());
        Language::ALL.iter().map(version).collect()
    }

    /// Returns the base images of functions, by language.
    pub fn base_images(&self) -> runtime::BaseImages {
        let image = |language: &Language| (*language, self.languages.image(*language).to_owned());
        runtime::BaseImages(Language::ALL.iter().map(image).collect())
    }

    /// Returns the configuration of the runtime for the manager of this data folder: with its labels.
    pub fn runtime_config(&self, manager: ManagerId) -> runtime::Config {
        let owner = runtime::Owner { platform: self.name.clone(), manager };
        let program = self.program.clone();
        runtime::Config::new(
            self.runtime,
            owner,
            self.base_images(),
            self.data_dir.join("runtime"),
            program,
        )
    }
}
