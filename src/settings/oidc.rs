//! The provider of OpenID Connect whose tokens the gateway accepts, and the roles that they have.

use std::{fmt, path::PathBuf, str::FromStr};

use url::{Host, Url};

use crate::model::{FunctionPattern, TokenRole, access::InvalidRole};

/// A provider, and the roles of its tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oidc {
    /// The provider.
    pub issuer: Issuer,
    /// The audience that a token has to name, alone or among others.
    pub audience: String,
    /// The roles of its tokens.
    pub roles: RoleRules,
    /// A file with certificates of authorities, in place of the system's.
    pub ca_file: Option<PathBuf>,
}

/// The address of a provider, exactly as its tokens name it: with a slash at the end, or without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer(String);

impl Issuer {
    /// Returns the address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether it is asked without TLS, which only one on this host is.
    pub fn is_plain(&self) -> bool {
        self.0.starts_with("http://")
    }

    /// Returns whether its address is one of this host alone.
    pub fn is_on_this_host(&self) -> bool {
        Url::parse(&self.0).is_ok_and(|url| is_on_this_host(&url))
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Issuer {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_bare = |url: &Url| {
            let has_user = !url.username().is_empty() || url.password().is_some();
            !has_user && url.query().is_none() && url.fragment().is_none()
        };
        // What is compared with tokens has to be the address that is asked: a URL parser drops and changes other characters.
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        let has_scheme = text.starts_with("https://") || text.starts_with("http://");
        let url = Url::parse(text).ok().filter(|url| is_bare(url) && is_safe_address(url));
        url.filter(|_| is_plain && has_scheme).map(|_| Self(text.to_owned())).ok_or(
            "not an issuer; accepted are an address such as https://id.example without a user and a query, and http:// \
             only for a provider on this host",
        )
    }
}

/// Returns whether what is read from this address comes from its host and from nowhere else: over TLS, or from this host.
pub fn is_safe_address(url: &Url) -> bool {
    match url.scheme() {
        "https" => url.has_host(),
        "http" => is_on_this_host(url),
        _ => false,
    }
}

fn is_on_this_host(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Reads an audience.
pub(super) fn audience(text: &str) -> Result<String, String> {
    match text.is_empty() || text.chars().any(char::is_control) {
        true => Err("must have a character at least, and no control characters".to_owned()),
        false => Ok(text.to_owned()),
    }
}

/// The rules by which tokens have roles; at least one, and at most [`RoleRules::MOST`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleRules(Vec<RoleRule>);

/// A rule: tokens that have a claim with a value that matches have a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleRule {
    /// The role.
    pub role: TokenRole,
    /// The functions that it is for; none for all of them, as for the role admin.
    pub functions: Option<FunctionPattern>,
    /// The name of the claim, or of one inside of others, joined by `.`.
    pub claim: String,
    /// The value, in which each `*` stands for any characters, or none.
    pub value: String,
}

impl RoleRules {
    /// The most rules.
    pub const MOST: usize = 100;

    /// Returns all of them, in their order.
    pub fn all(&self) -> &[RoleRule] {
        &self.0
    }

    /// Returns the form that is parsed: one rule on each line.
    pub fn show(&self) -> String {
        self.0.iter().map(|rule| format!("{rule}\n")).collect()
    }
}

impl fmt::Display for RoleRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.role)?;
        if let Some(functions) = &self.functions {
            write!(f, "@{functions}")?;
        }
        match self.claim.contains(':') {
            true => write!(f, "=\"{}\":{}", self.claim, self.value),
            false => write!(f, "={}:{}", self.claim, self.value),
        }
    }
}

/// Reads rules, separated by commas; where there is more than one line, one on each.
impl FromStr for RoleRules {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let separator = if text.contains('\n') { '\n' } else { ',' };
        let entries = text.split(separator).map(str::trim).filter(|entry| !entry.is_empty());
        let rules = entries.map(str::parse::<RoleRule>).collect::<Result<Vec<_>, _>>()?;
        match rules.len() {
            0 => Err(format!("no rule is given; {HOW}")),
            count if count > Self::MOST => {
                Err(format!("{count} rules are given, and at most {} are accepted", Self::MOST))
            }
            _ => Ok(Self(rules)),
        }
    }
}

const HOW: &str = "write ROLE=CLAIM:VALUE or ROLE@FUNCTIONS=CLAIM:VALUE, for example deploy@team_*=groups:team, separated by \
                   commas, or one on each line where values have commas";

impl FromStr for RoleRule {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || format!("'{}' is not a rule; {HOW}", text.escape_debug());
        let (rights, condition) = text.split_once('=').ok_or_else(invalid)?;
        let (claim, value) = condition_of(condition).ok_or_else(invalid)?;
        let is_empty = claim.is_empty() || value.is_empty();
        if is_empty || text.chars().any(char::is_control) {
            return Err(invalid());
        }
        let (role, functions) = match rights.split_once('@') {
            None => (rights, None),
            Some((role, functions)) => (role, Some(functions)),
        };
        let role = role.parse().map_err(|problem: InvalidRole| problem.to_string())?;
        let functions = functions.map(str::parse::<FunctionPattern>).transpose();
        let functions = functions.map_err(|problem| problem.to_string())?;
        // It could give itself all other functions.
        if role == TokenRole::Admin && functions.is_some() {
            let shown = text.escape_debug();
            return Err(format!(
                "'{shown}': the role admin is for all functions; leave the @ and the functions out"
            ));
        }
        Ok(Self { role, functions, claim: claim.to_owned(), value: value.to_owned() })
    }
}

/// Splits `CLAIM:VALUE`. A claim that has a `:` itself stands between quotes.
fn condition_of(text: &str) -> Option<(&str, &str)> {
    match text.strip_prefix('"') {
        None => text.split_once(':'),
        Some(quoted) => {
            let (claim, rest) = quoted.split_once('"')?;
            Some((claim, rest.strip_prefix(':')?))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_kept_as_it_is_written_and_has_tls_unless_it_is_on_this_host() {
        for text in [
            "https://id.example",
            "https://id.example/",
            "https://id.example:8443/realms/team",
            "http://127.0.0.1:8080/realms/team",
            "http://[::1]:8080",
            "http://localhost",
        ] {
            let issuer: Issuer = text.parse().unwrap();
            assert_eq!((issuer.as_str(), issuer.is_plain()), (text, text.starts_with("http:")));
        }
        for (text, expected) in [
            ("https://id.example", false),
            ("https://127.0.0.1.example", false),
            ("https://10.0.0.7", false),
            ("https://localhost:8443/realms/team", true),
            ("https://127.0.0.1", true),
            ("http://[::1]:8080", true),
        ] {
            assert_eq!(text.parse::<Issuer>().unwrap().is_on_this_host(), expected, "{text}");
        }
        for text in [
            "",
            "id.example",
            "http://id.example",
            "http://10.0.0.7",
            "http://localhost.example",
            "HTTPS://id.example",
            "https://",
            "https://user:hunter2@id.example",
            "https://id.example?tenant=a",
            "https://id.example#a",
            " https://id.example",
            "https://id.example/a b",
            "file:///etc/passwd",
        ] {
            let refused = text.parse::<Issuer>().unwrap_err();
            assert!(refused.starts_with("not an issuer; accepted are"), "{text}");
        }
    }

    #[test]
    fn rules_are_separated_by_commas_or_one_on_each_line() {
        let two: RoleRules = "admin=sub:ann, deploy@team_*=groups:team*".parse().unwrap();
        let [admin, deploy] = two.all() else { panic!("{two:?}") };
        assert_eq!(
            (admin.role, &admin.functions, admin.claim.as_str()),
            (TokenRole::Admin, &None, "sub")
        );
        assert_eq!(deploy.functions, Some("team_*".parse().unwrap()));
        assert_eq!((deploy.claim.as_str(), deploy.value.as_str()), ("groups", "team*"));
        assert_eq!(two.show(), "admin=sub:ann\ndeploy@team_*=groups:team*\n");
        assert_eq!(two.show().parse::<RoleRules>().unwrap(), two);

        let lines: RoleRules =
            "invoke=sub:repo:octo/app:ref:refs/heads/a=b,c\ninvoke=\"https://app.example/roles\":x\n"
                .parse()
                .unwrap();
        let [subject, named] = lines.all() else { panic!("{lines:?}") };
        assert_eq!(subject.value, "repo:octo/app:ref:refs/heads/a=b,c");
        assert_eq!((named.claim.as_str(), named.value.as_str()), ("https://app.example/roles", "x"));
        assert_eq!(lines.show().parse::<RoleRules>().unwrap(), lines);
    }

    #[test]
    fn a_wrong_rule_is_explained() {
        let problem = |text: &str| text.parse::<RoleRules>().unwrap_err();
        for text in [
            "deploy",
            "deploy=groups",
            "deploy=:x",
            "deploy=groups:",
            "deploy=\"a:x",
            "deploy=\"a\"x",
            "=a:b\u{7}",
        ] {
            let expected = format!(
                "'{}' is not a rule; write ROLE=CLAIM:VALUE or ROLE@FUNCTIONS=CLAIM:VALUE, for example \
                 deploy@team_*=groups:team, separated by commas, or one on each line where values have commas",
                text.escape_debug()
            );
            assert_eq!(problem(text), expected);
        }
        assert!(problem(" ,").starts_with("no rule is given; write ROLE=CLAIM:VALUE"));
        assert_eq!(
            problem("owner=sub:x"),
            "'owner' is not a role of a token; accepted are invoke, deploy and admin"
        );
        assert_eq!(
            problem("admin@team_*=sub:x"),
            "'admin@team_*=sub:x': the role admin is for all functions; leave the @ and the functions out"
        );
        assert!(problem("deploy@Team=sub:x").starts_with("'Team' is not a pattern for functions"));
        let many = "admin=sub:x,".repeat(101);
        assert_eq!(problem(&many), "101 rules are given, and at most 100 are accepted");
    }

    #[test]
    fn an_audience_is_any_text_but_an_empty_one() {
        assert_eq!(audience("https://faas.example/ a"), Ok("https://faas.example/ a".to_owned()));
        for text in ["", "a\n"] {
            let refused = audience(text).unwrap_err();
            assert_eq!(refused, "must have a character at least, and no control characters");
        }
    }
}
