//! `[http]` of a manifest: the addresses at which a function answers HTTP requests, and who may send them.

use serde::{Deserialize, Serialize};

use super::{FunctionName, PathPattern, message::MAX_BODY};

/// The addresses of a function. Every function also answers below `/f/NAME/` on the gateway's own port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HttpSpec {
    /// The paths, at least one.
    pub paths: Vec<PathPattern>,
    /// The methods, in capitals; all where it is empty. `GET` lets `HEAD` in, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// The host that the paths belong to, in lower case and without a port; none for every host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The callers that may send requests.
    #[serde(default)]
    pub auth: HttpAuth,
    /// The origins of web pages that may send requests, such as `https://app.example`; `*` alone for all. Pages of the
    /// function's own origin may in any case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cors: Vec<String>,
    /// The size limit of a request's body, in bytes.
    #[serde(default = "max_body", skip_serializing_if = "is_max_body")]
    pub max_body: u64,
}

/// The callers that may send requests to the addresses of a function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum HttpAuth {
    /// Holders of a token that may invoke the function.
    #[default]
    Token,
    /// Everybody who reaches the port.
    None,
}

fn max_body() -> u64 {
    MAX_BODY as u64
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
fn is_max_body(bytes: &u64) -> bool {
    *bytes == max_body()
}

/// The method of an [`Address`] that stands for all methods that no other address names.
pub const ALL_METHODS: &str = "*";

/// An address as the store keeps it: no two functions have the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Address {
    /// The host; empty for every host.
    pub host: String,
    /// The method, or [`ALL_METHODS`].
    pub method: String,
    /// [`PathPattern::key`] of its path.
    pub path: String,
}

impl HttpSpec {
    /// Returns a number that is another one for other callers: the first 8 bytes of the SHA-256 of `auth` and `cors` as JSON. It is
    /// the same for other addresses and limits, which let nobody in.
    pub fn rules(&self) -> u64 {
        use sha2::Digest as _;
        let json = serde_json::to_vec(&(self.auth, &self.cors)).expect("it is plain data");
        let digest: [u8; 32] = sha2::Sha256::digest(&json).into();
        u64::from_be_bytes(std::array::from_fn(|index| digest[index]))
    }

    /// Returns its addresses in order, each once.
    pub fn addresses(&self) -> Vec<Address> {
        let all = [ALL_METHODS.to_owned()];
        let methods = if self.methods.is_empty() { &all[..] } else { &self.methods[..] };
        let host = self.host.clone().unwrap_or_default();
        let of = |path: &PathPattern| {
            let (host, path) = (host.clone(), path.key());
            let address = move |method: &String| Address {
                host: host.clone(),
                method: method.clone(),
                path: path.clone(),
            };
            methods.iter().map(address).collect::<Vec<_>>()
        };
        let mut addresses: Vec<Address> = self.paths.iter().flat_map(of).collect();
        addresses.sort();
        addresses.dedup();
        addresses
    }

    /// Returns one of its addresses in words, with the path as its manifest has it: `POST at /users/{id} of host api.example`,
    /// `every method at /`.
    pub fn in_words(&self, Address { host, method, path }: &Address) -> String {
        let method = if method == ALL_METHODS { "every method" } else { method };
        let written = self.paths.iter().find(|written| written.key() == *path);
        let path = written.map_or(path.as_str(), PathPattern::as_str);
        let of_host = if host.is_empty() { String::new() } else { format!(" of host {host}") };
        format!("{method} at {path}{of_host}")
    }
}

/// The reason why a revision cannot become active: another function has one of its addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{address} belongs to the function '{function}'")]
pub struct AddressTaken {
    /// The function that has the address.
    pub function: FunctionName,
    /// The address in words, as the revision that cannot become active has it: [`HttpSpec::in_words`].
    pub address: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(paths: &[&str], methods: &[&str], host: Option<&str>) -> HttpSpec {
        HttpSpec {
            paths: paths.iter().map(|path| path.parse().unwrap()).collect(),
            methods: methods.iter().map(|method| (*method).to_owned()).collect(),
            host: host.map(str::to_owned),
            auth: HttpAuth::Token,
            cors: Vec::new(),
            max_body: max_body(),
        }
    }

    #[test]
    fn an_address_is_a_host_a_method_and_a_path_without_names() {
        let of = |spec: HttpSpec| {
            let addresses = spec.addresses().into_iter();
            addresses
                .map(|Address { host, method, path }| [host, method, path].join(" "))
                .collect::<Vec<_>>()
        };
        assert_eq!(of(spec(&["/a/{id}", "/a/{name}"], &[], None)), [" * /a/{}"]);
        assert_eq!(
            of(spec(&["/b", "/a"], &["POST", "GET"], Some("h.example"))),
            ["h.example GET /a", "h.example GET /b", "h.example POST /a", "h.example POST /b"]
        );
    }

    #[test]
    fn an_address_that_is_taken_is_named_as_the_manifest_has_it_and_with_its_function() {
        let of = |spec: HttpSpec| {
            let taken = spec.addresses().into_iter().map(|address| AddressTaken {
                function: "other".parse().unwrap(),
                address: spec.in_words(&address),
            });
            taken.map(|taken| taken.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(
            of(spec(&["/a/{id}", "/files/{rest+}"], &[], None)),
            [
                "every method at /a/{id} belongs to the function 'other'",
                "every method at /files/{rest+} belongs to the function 'other'"
            ]
        );
        assert_eq!(
            of(spec(&["/"], &["POST"], Some("h.example"))),
            ["POST at / of host h.example belongs to the function 'other'"]
        );
    }

    #[test]
    fn rules_are_told_apart_by_who_may_call() {
        let usual = spec(&["/a"], &[], None);
        // Of `["token",[]]`; gateway and scheduler may be two processes.
        assert_eq!(usual.rules(), 0x279b_2441_282c_6287);
        for same in
            [spec(&["/b"], &["GET"], Some("h.example")), HttpSpec { max_body: 1, ..usual.clone() }]
        {
            assert_eq!(same.rules(), usual.rules(), "{same:?}");
        }
        for other in [
            HttpSpec { auth: HttpAuth::None, ..usual.clone() },
            HttpSpec { cors: vec!["*".to_owned()], ..usual.clone() },
        ] {
            assert_ne!(other.rules(), usual.rules(), "{other:?}");
        }
    }

    #[test]
    fn what_is_usual_is_not_written_down() {
        let usual = spec(&["/a"], &[], None);
        let text = serde_json::to_string(&usual).unwrap();
        assert_eq!(text, r#"{"paths":["/a"],"auth":"token"}"#);
        assert_eq!(serde_json::from_str::<HttpSpec>(&text).unwrap(), usual);
    }
}
