//! The settings of what the world sees of a gateway: its public port, TLS, and the proxies in front of it.

use std::path::PathBuf;

use super::{Settings, SettingsError, absolute};

/// The files of a server's certificate and its private key, in PEM form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    pub cert: PathBuf,
    pub key: PathBuf,
}

impl Settings {
    /// Returns the files of the gateway's certificate and key, if it speaks TLS. An error if only one of them is given, or if
    /// the gateway would listen beyond this host without TLS, and that is not allowed.
    pub fn tls(&self) -> Result<Option<TlsFiles>, SettingsError> {
        const FLAGS: [&str; 2] = ["--tls-cert", "--tls-key"];
        match (self.tls_cert.clone(), self.tls_key.clone()) {
            (Some(cert), Some(key)) => Ok(Some(TlsFiles { cert: absolute(cert), key: absolute(key) })),
            (Some(_), None) => Err(SettingsError::OnlyOne { given: FLAGS[0], missing: FLAGS[1] }),
            (None, Some(_)) => Err(SettingsError::OnlyOne { given: FLAGS[1], missing: FLAGS[0] }),
            (None, None) => self.check_not_open().map(|()| None),
        }
    }

    /// Refuses a gateway without TLS that other hosts reach.
    fn check_not_open(&self) -> Result<(), SettingsError> {
        if self.insecure.unwrap_or(false) {
            return Ok(());
        }
        match self.addresses()?.in_clear() {
            Some((what, address)) => Err(SettingsError::Insecure { what, address }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::tests::{dirs, error, from};

    fn settings(keys: &str) -> Settings {
        from(&format!("[platform]\nstore = \"sqlite\"\nqueue = \"embedded\"\n{keys}"))
    }

    #[test]
    fn a_certificate_comes_with_its_key_and_roles_are_told_of_everything() {
        let platform = settings(
            "public_listen = \"0.0.0.0:8443\"\ntls_cert = \"/c.pem\"\ntls_key = \"/k.pem\"\n\
             trusted_proxies = \"10.0.0.7, 192.0.2.0/24\"\ngateway_host = \"::\"",
        );
        let platform = platform.platform(&dirs()).unwrap();
        let files = TlsFiles { cert: "/c.pem".into(), key: "/k.pem".into() };
        assert_eq!(platform.tls, Some(files));
        assert_eq!(platform.addresses.public, Some("0.0.0.0:8443".parse().unwrap()));
        assert!(platform.addresses.is_tls);
        let told = platform.environment();
        let value = |name: &str| told.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str());
        assert_eq!(value("CLOUDFUNC_PUBLIC_LISTEN"), Some("0.0.0.0:8443"));
        assert_eq!(value("CLOUDFUNC_TLS_CERT"), Some("/c.pem"));
        assert_eq!(value("CLOUDFUNC_TLS_KEY"), Some("/k.pem"));
        assert_eq!(value("CLOUDFUNC_TRUSTED_PROXIES"), Some("10.0.0.7/32,192.0.2.0/24"));
        assert_eq!(value("CLOUDFUNC_INSECURE"), Some("false"));

        let plain = settings("").platform(&dirs()).unwrap();
        assert_eq!((plain.tls.clone(), plain.addresses.public), (None, None));
        let told = plain.environment();
        for name in ["PUBLIC_LISTEN", "TLS_CERT", "TLS_KEY", "TRUSTED_PROXIES"] {
            assert!(told.iter().all(|(of, _)| *of != format!("CLOUDFUNC_{name}")), "{name}");
        }
    }

    #[test]
    fn one_of_certificate_and_key_is_refused_and_both_or_neither_are_asked_for() {
        for (keys, refusal) in [
            ("tls_cert = \"/c.pem\"", "--tls-cert is given without --tls-key"),
            ("tls_key = \"/k.pem\"", "--tls-key is given without --tls-cert"),
        ] {
            let alone = settings(keys).tls().unwrap_err();
            assert_eq!((&*alone.to_string(), alone.hint()), (refusal, Some("give both, or neither")));
        }
    }

    #[test]
    fn other_hosts_reach_a_gateway_with_tls_or_one_that_may_be_insecure() {
        for (keys, what) in [
            ("gateway_host = \"0.0.0.0\"", "the gateway would listen on 0.0.0.0:8000"),
            ("gateway_host = \"::\"", "the gateway would listen on [::]:8000"),
            ("gateway_host = \"10.0.0.7\"", "the gateway would listen on 10.0.0.7:8000"),
            ("public_listen = \"10.0.0.7:80\"", "the public port would listen on 10.0.0.7:80"),
        ] {
            let refused = settings(keys).platform(&dirs()).unwrap_err();
            assert_eq!(
                refused.to_string(),
                format!(
                    "{what}, which other hosts reach, without TLS: everyone on the way could read tokens and payloads"
                )
            );
            assert_eq!(
                refused.hint(),
                Some(
                    "give a certificate with --tls-cert FILE and --tls-key FILE; or, where a proxy in front of it speaks TLS or \
                     the network is trusted, pass --insecure"
                )
            );
            let with = |more: &str| settings(&format!("{keys}\n{more}")).platform(&dirs());
            assert!(with("insecure = true").unwrap().is_insecure);
            assert!(with("insecure = false").is_err());
            with("tls_cert = \"/c.pem\"\ntls_key = \"/k.pem\"").unwrap();
        }
        for keys in ["gateway_host = \"::1\"", "public_listen = \"127.0.0.9:8443\"", "insecure = true"] {
            settings(keys).platform(&dirs()).unwrap();
        }
    }

    #[test]
    fn the_public_port_is_no_port_of_a_role() {
        let same = settings("public_listen = \"127.0.0.1:9001\"").addresses().unwrap_err().to_string();
        assert_eq!(same, "--manager-port and --public-listen both have port 9001");
        assert_eq!(
            error("[platform]\npublic_listen = \"8443\""),
            "config.toml:2:17: `platform.public_listen`: not an IP address with a port; write one such as 0.0.0.0:8443 or \
             [::]:8443"
        );
        assert_eq!(
            error("[platform]\ninsecure = \"yes\""),
            "config.toml:2:12: `platform.insecure` is \"yes\"; it must be true or false"
        );
    }
}
