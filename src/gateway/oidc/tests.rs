//! Tokens from their text to their rights, with keys that no provider was asked for.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    signer::{Signer, unsigned, with_secret},
    *,
};
use crate::model::{FunctionPattern, Problem, TokenRole};

const ISSUER: &str = "http://127.0.0.1:1";
/// 2027-01-15T08:00:00Z
const NOW: i64 = 1_800_000_000;

fn oidc(keys: Option<Vec<Value>>) -> Arc<Oidc> {
    let settings = settings::Oidc {
        issuer: ISSUER.parse().unwrap(),
        audience: "cloudfunc".to_owned(),
        roles: "deploy@team_*=groups:team,admin=sub:ann".parse().unwrap(),
        ca_file: None,
    };
    let clock = Clock::new(|| Timestamp::from_second(NOW).unwrap());
    let oidc = Oidc::new(&settings, clock).unwrap();
    if let Some(keys) = keys {
        let document = json!({ "keys": keys }).to_string();
        oidc.shared.keys.begin();
        oidc.shared.keys.end(Some(KeySet::read(document.as_bytes()).unwrap()));
    }
    oidc
}

fn claims(subject: &str) -> Value {
    json!({ "iss": ISSUER, "aud": "cloudfunc", "sub": subject, "exp": NOW + 300, "groups": ["team"] })
}

/// The answer to a token, which is there at once.
fn at_once(oidc: &Oidc, token: &str) -> Result<Caller, Problem> {
    match oidc.authenticate(token) {
        Authentication::Known(Ok(caller)) => Ok(caller.as_ref().clone()),
        Authentication::Known(Err(failure)) => Err(*failure.0),
        Authentication::Asking(_) => panic!("it has to be asked for"),
    }
}

fn refused(oidc: &Oidc, token: &str) -> (u16, String) {
    let problem = at_once(oidc, token).unwrap_err();
    (problem.status, problem.detail)
}

#[test]
fn a_token_has_the_role_of_its_claims_and_the_name_of_its_subject() {
    let signer = Signer::p256("k");
    let oidc = oidc(Some(vec![signer.jwk()]));
    let caller = at_once(&oidc, &signer.token(&claims("ann"))).unwrap();
    let expected = Caller {
        name: "oidc ann".to_owned(),
        role: TokenRole::Admin,
        functions: Vec::new(),
        from: None,
    };
    assert_eq!(caller, expected);
    let odd = format!("bob\u{7f}\n{}", "x".repeat(200));
    let caller = at_once(&oidc, &signer.token(&claims(&odd))).unwrap();
    assert_eq!(caller.name, format!("oidc bob\u{fffd}\u{fffd}{}", "x".repeat(123)));
    assert_eq!(caller.role, TokenRole::Deploy);
    assert_eq!(caller.functions, ["team_*".parse::<FunctionPattern>().unwrap()]);
    // It is fit to be told to other roles.
    let told = crate::http::caller_header(&caller);
    assert_eq!(serde_json::from_slice::<Caller>(told.as_bytes()).unwrap(), caller);
}

#[test]
fn a_token_without_a_rule_is_forbidden_and_told_the_names_of_its_claims() {
    let signer = Signer::p256("k");
    let oidc = oidc(Some(vec![signer.jwk()]));
    let mut claims = claims("bob");
    claims["groups"] = json!(["secret"]);
    let expected = "no rule of --oidc-roles gives the token of OIDC a role; it has the claims aud, exp, groups, iss and sub";
    assert_eq!(refused(&oidc, &signer.token(&claims)), (403, expected.to_owned()));
}

#[test]
fn a_token_without_a_signature_and_one_whose_secret_is_the_public_key_are_refused() {
    let signer = Signer::rsa("k");
    let oidc = oidc(Some(vec![signer.jwk()]));
    let none = unsigned(&json!({ "alg": "none", "kid": "k" }), &claims("ann"));
    let accepted = "accepted are RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 and EdDSA";
    let expected = format!("the token of OIDC is signed with the algorithm 'none'; {accepted}");
    assert_eq!(refused(&oidc, &none), (401, expected));
    // As a set of keys has it, and as bytes.
    let modulus = signer.jwk()["n"].as_str().unwrap().to_owned();
    for secret in [modulus.as_bytes(), signer.jwk().to_string().as_bytes(), b""] {
        let confused = with_secret(&json!({ "alg": "HS256", "kid": "k" }), &claims("ann"), secret);
        let expected = format!("the token of OIDC is signed with the algorithm 'HS256'; {accepted}");
        assert_eq!(refused(&oidc, &confused), (401, expected));
        let renamed = with_secret(&json!({ "alg": "RS256", "kid": "k" }), &claims("ann"), secret);
        assert_eq!(
            refused(&oidc, &renamed),
            (401, "the signature of the token of OIDC is wrong".to_owned())
        );
    }
    let other = with_secret(&json!({ "alg": "ES256", "kid": "k" }), &claims("ann"), b"x");
    let expected = "the token of OIDC is signed with an algorithm that its key is not for";
    assert_eq!(refused(&oidc, &other), (401, expected.to_owned()));
}

#[test]
fn claims_are_looked_at_only_once_the_signature_is_right() {
    let (signer, other) = (Signer::p256("k"), Signer::p256("k"));
    let oidc = oidc(Some(vec![signer.jwk()]));
    let mut late = claims("ann");
    late["exp"] = json!(NOW - 3600);
    let expected = "the signature of the token of OIDC is wrong";
    assert_eq!(refused(&oidc, &other.token(&late)), (401, expected.to_owned()));
    let expected = "the token of OIDC expired at 2027-01-15T07:00:00Z, and this host's clock says 2027-01-15T08:00:00Z";
    assert_eq!(refused(&oidc, &signer.token(&late)), (401, expected.to_owned()));
}

#[tokio::test]
async fn a_key_that_is_not_known_is_waited_for_and_found_after_the_next_reading() {
    let (old, new) = (Signer::p256("old"), Signer::p256("new"));
    let oidc = oidc(Some(vec![old.jwk()]));
    let Authentication::Asking(asking) = oidc.authenticate(&new.token(&claims("ann"))) else {
        panic!("it is answered at once")
    };
    // Nobody else waits.
    assert!(at_once(&oidc, &old.token(&claims("ann"))).is_ok());
    oidc.shared.keys.begin();
    let both = json!({ "keys": [old.jwk(), new.jwk()] }).to_string();
    oidc.shared.keys.end(Some(KeySet::read(both.as_bytes()).unwrap()));
    assert_eq!(asking.await.unwrap().name, "oidc ann");
    let unknown = Signer::p256("unknown").token(&claims("ann"));
    let expected =
        "the token of OIDC is signed with the key 'unknown', which the provider does not have";
    assert_eq!(refused(&oidc, &unknown), (401, expected.to_owned()));
}

#[tokio::test]
async fn a_provider_that_is_away_is_503_for_keys_that_are_not_known() {
    let signer = Signer::p256("k");
    let oidc = oidc(None);
    let Authentication::Asking(asking) = oidc.authenticate(&signer.token(&claims("ann"))) else {
        panic!("it is answered at once")
    };
    oidc.shared.keys.begin();
    oidc.shared.keys.end(None);
    let problem = *asking.await.unwrap_err().0;
    assert_eq!((problem.status, problem.retry_after), (503, Some(10)));
    assert_eq!(problem.detail, "the keys of the OIDC provider are not known: they cannot be read");
    // It is not asked again at once.
    assert_eq!(refused(&oidc, &signer.token(&claims("ann"))).0, 503);
}
