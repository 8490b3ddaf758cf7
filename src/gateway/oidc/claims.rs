//! Whether the claims of a token, whose signature was verified, make it valid here and now.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::refusal::{Refusal, shown};

/// The seconds by which the clocks of provider and host may differ.
const LEEWAY: i64 = 60;

/// The claims of a token that is valid.
#[derive(Debug, PartialEq, Eq)]
pub struct Valid<'c> {
    /// Its subject.
    pub subject: &'c str,
    /// The last second, since 1970, at which it is accepted.
    pub until: i64,
}

/// Checks issuer, audience and times. A claim of another type than the standard's is refused, and not passed over.
pub fn check<'c>(
    claims: &'c Map<String, Value>,
    issuer: &str,
    audience: &str,
    now: Timestamp,
) -> Result<Valid<'c>, Refusal> {
    let issued_by = text(claims, "iss")?;
    if issued_by != issuer {
        return Err(Refusal::Issuer { issuer: shown(issued_by), accepted: issuer.to_owned() });
    }
    if !audiences(claims)?.contains(&audience) {
        return Err(Refusal::Audience { accepted: audience.to_owned() });
    }
    let until = check_times(claims, now)?;
    match text(claims, "sub")? {
        "" => Err(Refusal::ClaimType { name: "sub", expected: "a name" }),
        subject => Ok(Valid { subject, until }),
    }
}

/// Returns the last second at which the token is accepted.
fn check_times(claims: &Map<String, Value>, now: Timestamp) -> Result<i64, Refusal> {
    let clock = now.as_second();
    let expires = seconds(claims, "exp")?.ok_or(Refusal::NoClaim("exp"))?;
    let now = Timestamp::from_second(clock).unwrap_or(now);
    let until = expires.saturating_add(LEEWAY);
    if until < clock {
        return Err(Refusal::Expired { at: moment(expires), now });
    }
    match seconds(claims, "nbf")? {
        Some(from) if from.saturating_sub(LEEWAY) > clock => {
            Err(Refusal::TooEarly { from: moment(from), now })
        }
        _ => Ok(until),
    }
}

fn text<'c>(claims: &'c Map<String, Value>, name: &'static str) -> Result<&'c str, Refusal> {
    match claims.get(name) {
        None => Err(Refusal::NoClaim(name)),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(Refusal::ClaimType { name, expected: "a text" }),
    }
}

fn audiences(claims: &Map<String, Value>) -> Result<Vec<&str>, Refusal> {
    const ODD: Refusal = Refusal::ClaimType { name: "aud", expected: "a text or a list of texts" };
    match claims.get("aud") {
        None => Err(Refusal::NoClaim("aud")),
        Some(Value::String(one)) => Ok(vec![one.as_str()]),
        Some(Value::Array(several)) => several.iter().map(|one| one.as_str().ok_or(ODD)).collect(),
        Some(_) => Err(ODD),
    }
}

/// Returns the seconds since 1970 that a claim has, which may have decimals; none without the claim.
fn seconds(claims: &Map<String, Value>, name: &'static str) -> Result<Option<i64>, Refusal> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    // A number beyond all times becomes the last one.
    let whole = value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds.floor() as i64));
    whole.map(Some).ok_or(Refusal::ClaimType { name, expected: "a number" })
}

/// Returns a time as messages show it.
fn moment(seconds: i64) -> String {
    match Timestamp::from_second(seconds) {
        Ok(moment) => moment.to_string(),
        Err(_) => format!("{seconds} s after 1970"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ISSUER: &str = "https://id.example";
    /// 2027-01-15T08:00:00Z
    const NOW: i64 = 1_800_000_000;

    fn check_with(changes: Value) -> Result<String, Refusal> {
        let claims =
            json!({ "iss": ISSUER, "aud": "cloudfunc", "sub": "ann", "exp": NOW + 300, "nbf": NOW - 1 });
        let Value::Object(mut claims) = claims else { panic!("an object") };
        let Value::Object(changes) = changes else { panic!("an object") };
        for (name, value) in changes {
            // Null stands for a claim that is not there.
            if value.is_null() {
                claims.remove(&name)
            } else {
                claims.insert(name, value)
            };
        }
        let now = Timestamp::from_second(NOW).unwrap();
        check(&claims, ISSUER, "cloudfunc", now).map(|valid| valid.subject.to_owned())
    }

    fn problem(changes: Value) -> String {
        check_with(changes).unwrap_err().to_string()
    }

    #[test]
    fn a_token_for_this_platform_and_this_moment_is_valid() {
        for changes in [
            json!({}),
            json!({ "aud": ["other", "cloudfunc"] }),
            json!({ "nbf": null }),
            json!({ "exp": NOW as f64 + 0.5 }),
            // The clocks differ by a minute.
            json!({ "exp": NOW - 60 }),
            json!({ "nbf": NOW + 60 }),
            json!({ "exp": u64::MAX }),
            json!({ "exp": 1e300 }),
        ] {
            assert_eq!(check_with(changes.clone()).as_deref(), Ok("ann"), "{changes}");
        }
    }

    #[test]
    fn a_token_of_another_time_is_refused_with_both_times() {
        assert_eq!(
            problem(json!({ "exp": NOW - 61 })),
            "the OIDC token expired at 2027-01-15T07:58:59Z, and this host's clock says 2027-01-15T08:00:00Z"
        );
        assert_eq!(
            problem(json!({ "nbf": NOW + 61 })),
            "the OIDC token is valid from 2027-01-15T08:01:01Z, and this host's clock says 2027-01-15T08:00:00Z: \
             check the clocks"
        );
        assert!(problem(json!({ "exp": -1e300 })).contains("s after 1970"));
        assert!(problem(json!({ "exp": 0 })).contains("expired at 1970-01-01T00:00:00Z"));
    }

    #[test]
    fn a_token_of_another_issuer_or_for_another_audience_is_refused() {
        for issuer in ["https://id.example/", "https://ID.example", "https://id.example.evil"] {
            assert_eq!(
                problem(json!({ "iss": issuer })),
                format!(
                    "the OIDC token was issued by '{issuer}', and this platform accepts 'https://id.example'"
                )
            );
        }
        for audience in [json!("other"), json!(["other", "cloudfunc2"]), json!([]), json!("")] {
            let refused = problem(json!({ "aud": audience }));
            assert_eq!(refused, "the OIDC token is not for the audience of this platform, 'cloudfunc'");
        }
    }

    #[test]
    fn a_claim_that_is_missing_or_of_another_type_is_refused() {
        for name in ["iss", "aud", "exp", "sub"] {
            assert_eq!(problem(json!({ name: null })), format!("the OIDC token has no claim `{name}`"));
        }
        for (changes, expected) in [
            (json!({ "exp": (NOW + 300).to_string() }), "`exp` of the OIDC token is not a number"),
            (json!({ "nbf": "0" }), "`nbf` of the OIDC token is not a number"),
            (json!({ "exp": [NOW + 300] }), "`exp` of the OIDC token is not a number"),
            (json!({ "iss": [ISSUER] }), "`iss` of the OIDC token is not a text"),
            (json!({ "aud": 1 }), "`aud` of the OIDC token is not a text or a list of texts"),
            (
                json!({ "aud": ["cloudfunc", 1] }),
                "`aud` of the OIDC token is not a text or a list of texts",
            ),
            (json!({ "sub": 1 }), "`sub` of the OIDC token is not a text"),
            (json!({ "sub": "" }), "`sub` of the OIDC token is not a name"),
        ] {
            assert_eq!(problem(changes), format!("the claim {expected}"));
        }
    }
}
