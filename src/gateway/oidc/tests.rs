//! Tokens from their text to their rights, with keys that no provider was asked for.

use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Value, json};

use super::{
    signer::{Signer, unsigned, with_secret},
    *,
};
use crate::{
    http::Rejected,
    model::{Digest, FunctionPattern, Problem, TokenRole},
};

const ISSUER: &str = "http://127.0.0.1:1";
/// 2027-01-15T08:00:00Z
const NOW: i64 = 1_800_000_000;

fn oidc(keys: Option<Vec<Value>>) -> Arc<Oidc> {
    oidc_at(Clock::new(|| Timestamp::from_second(NOW).unwrap()), keys)
}

#[test]
fn a_text_may_be_a_token_of_the_provider_if_it_names_it() {
    let (signer, oidc) = (Signer::p256("k"), oidc(None));
    assert!(oidc.may_be_token(&signer.token(&claims("ann"))), "no key is needed");
    let mut others = claims("ann");
    others["iss"] = json!("https://other.example");
    assert!(!oidc.may_be_token(&signer.token(&others)));
    for text in ["a.b.c", "..", "", "a.e30.c"] {
        assert!(!oidc.may_be_token(text), "{text}");
    }
}

fn oidc_at(clock: Clock, keys: Option<Vec<Value>>) -> Arc<Oidc> {
    let settings = settings::Oidc {
        issuer: ISSUER.parse().unwrap(),
        audience: "cloudfunc".to_owned(),
        roles: "deploy@team_*=groups:team,admin=sub:ann".parse().unwrap(),
        ca_file: None,
    };
    let oidc = Oidc::new(&settings, clock).unwrap();
    if let Some(keys) = keys {
        read(&oidc, keys);
    }
    oidc
}

/// Has the provider answer with these keys.
fn read(oidc: &Oidc, keys: Vec<Value>) {
    let document = json!({ "keys": keys }).to_string();
    oidc.shared.keys.begin();
    oidc.shared.keys.end(Some(KeySet::read(document.as_bytes()).unwrap()));
}

fn claims(subject: &str) -> Value {
    json!({ "iss": ISSUER, "aud": "cloudfunc", "sub": subject, "exp": NOW + 300, "groups": ["team"] })
}

/// The answer to a token, which is there at once.
fn verdict(oidc: &Oidc, token: &str) -> Result<Arc<Caller>, Rejected> {
    match oidc.authenticate(token) {
        Authentication::Known(answer) => Ok(answer?),
        Authentication::Rejected(rejected) => Err(rejected),
        Authentication::Asking(_) => panic!("it has to be asked for"),
    }
}

fn at_once(oidc: &Oidc, token: &str) -> Result<Caller, Box<Problem>> {
    verdict(oidc, token).map(|caller| caller.as_ref().clone()).map_err(|rejected| rejected.failure.0)
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
    let (shown, digest) = ("x".repeat(123), Digest::of(odd.as_bytes()));
    assert_eq!(caller.name, format!("oidc bob\u{fffd}\u{fffd}{shown} (sha256 {})", digest.short()));
    assert_eq!(caller.role, TokenRole::Deploy);
    assert_eq!(caller.functions, ["team_*".parse::<FunctionPattern>().unwrap()]);
    // Other roles can read it.
    let header = crate::http::caller_header(&caller);
    assert_eq!(serde_json::from_slice::<Caller>(header.as_bytes()).unwrap(), caller);
}

#[test]
fn a_token_without_a_rule_is_forbidden_with_its_callers_name_and_the_names_of_its_claims() {
    let signer = Signer::p256("k");
    let oidc = oidc(Some(vec![signer.jwk()]));
    let mut claims = claims("bob");
    claims["groups"] = json!(["secret"]);
    let expected = "no rule of --oidc-roles gives the OIDC token a role; it has the claims aud, exp, groups, iss and sub";
    assert_eq!(refused(&oidc, &signer.token(&claims)), (403, expected.to_owned()));
    let rejected = verdict(&oidc, &signer.token(&claims)).unwrap_err();
    assert_eq!(rejected.caller.as_deref(), Some("oidc bob"));
    // Without the right signature, anybody can write that name.
    let forged = verdict(&oidc, &Signer::p256("k").token(&claims)).unwrap_err();
    assert_eq!((forged.failure.0.status, forged.caller), (401, None));
}

#[test]
fn a_token_that_was_verified_is_the_same_caller_until_it_expires_or_the_keys_change() {
    let now = Arc::new(AtomicI64::new(NOW));
    let shown = now.clone();
    let clock = Clock::new(move || Timestamp::from_second(shown.load(Ordering::SeqCst)).unwrap());
    let (signer, other) = (Signer::p256("k"), Signer::p256("k"));
    let oidc = oidc_at(clock, Some(vec![signer.jwk()]));
    let token = signer.token(&claims("ann"));
    let first = verdict(&oidc, &token).unwrap();
    assert!(Arc::ptr_eq(&first, &verdict(&oidc, &token).unwrap()));
    // A signature counts for what it has signed.
    let (signed, _) = token.rsplit_once('.').unwrap();
    let wrong = (401, "the signature of the OIDC token is wrong".to_owned());
    assert_eq!(refused(&oidc, &format!("{signed}.AAAA")), wrong);

    now.store(NOW + 61, Ordering::SeqCst);
    let later = verdict(&oidc, &token).unwrap();
    assert!(!Arc::ptr_eq(&first, &later) && later == first);
    // A minute after its end, as clocks differ, and not beyond.
    now.store(NOW + 360, Ordering::SeqCst);
    assert!(verdict(&oidc, &token).is_ok());
    now.store(NOW + 361, Ordering::SeqCst);
    assert_eq!(refused(&oidc, &token).0, 401);

    now.store(NOW + 61, Ordering::SeqCst);
    assert!(verdict(&oidc, &token).is_ok());
    read(&oidc, vec![other.jwk()]);
    assert_eq!(refused(&oidc, &token), wrong);
}

#[test]
fn a_token_without_a_signature_and_one_whose_secret_is_the_public_key_are_refused() {
    let signer = Signer::rsa("k");
    let oidc = oidc(Some(vec![signer.jwk()]));
    let none = unsigned(&json!({ "alg": "none", "kid": "k" }), &claims("ann"));
    let accepted = "accepted are RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 and EdDSA";
    let expected = format!("the OIDC token is signed with the algorithm 'none'; {accepted}");
    assert_eq!(refused(&oidc, &none), (401, expected));
    // As a set of keys has it, and as bytes.
    let modulus = signer.jwk()["n"].as_str().unwrap().to_owned();
    for secret in [modulus.as_bytes(), signer.jwk().to_string().as_bytes(), b""] {
        let confused = with_secret(&json!({ "alg": "HS256", "kid": "k" }), &claims("ann"), secret);
        let expected = format!("the OIDC token is signed with the algorithm 'HS256'; {accepted}");
        assert_eq!(refused(&oidc, &confused), (401, expected));
        let renamed = with_secret(&json!({ "alg": "RS256", "kid": "k" }), &claims("ann"), secret);
        assert_eq!(
            refused(&oidc, &renamed),
            (401, "the signature of the OIDC token is wrong".to_owned())
        );
    }
    let other = with_secret(&json!({ "alg": "ES256", "kid": "k" }), &claims("ann"), b"x");
    let expected = "the OIDC token is signed with an algorithm that its key is not for";
    assert_eq!(refused(&oidc, &other), (401, expected.to_owned()));
}

#[test]
fn claims_are_looked_at_only_once_the_signature_is_right() {
    let (signer, other) = (Signer::p256("k"), Signer::p256("k"));
    let oidc = oidc(Some(vec![signer.jwk()]));
    let mut late = claims("ann");
    late["exp"] = json!(NOW - 3600);
    let expected = "the signature of the OIDC token is wrong";
    assert_eq!(refused(&oidc, &other.token(&late)), (401, expected.to_owned()));
    let expected = "the OIDC token expired at 2027-01-15T07:00:00Z, and this host's clock says 2027-01-15T08:00:00Z";
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
    read(&oidc, vec![old.jwk(), new.jwk()]);
    assert_eq!(asking.await.unwrap().name, "oidc ann");
}

#[tokio::test]
async fn a_key_is_unknown_to_the_provider_only_if_it_was_asked_after_the_token_came() {
    let (old, new) = (Signer::p256("old"), Signer::p256("new"));
    let oidc = oidc(Some(vec![old.jwk()]));
    let token = new.token(&claims("ann"));
    let Authentication::Asking(asking) = oidc.authenticate(&token) else {
        panic!("it is answered at once")
    };
    read(&oidc, vec![old.jwk()]);
    let problem = *asking.await.unwrap_err().failure.0;
    let expected = "the OIDC token is signed with the key 'new', which the provider does not have";
    assert_eq!((problem.status, problem.detail.as_str()), (401, expected));
    // The provider gets the key now, and is not asked again within ten seconds of that stranger's token.
    let problem = at_once(&oidc, &token).unwrap_err();
    let wait = problem.retry_after.unwrap();
    let expected = format!(
        "the OIDC token is signed with the key 'new', which the provider did not have when its keys were last read; they \
         are read again in {wait} s at the earliest"
    );
    assert_eq!((problem.status, problem.detail), (503, expected));
    assert!((1..=10).contains(&wait), "{wait}");
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
    let problem = *asking.await.unwrap_err().failure.0;
    assert_eq!((problem.status, problem.retry_after), (503, Some(10)));
    assert_eq!(problem.detail, "the keys of the OIDC provider are not known: they cannot be read");
    // It is not asked again at once.
    assert_eq!(refused(&oidc, &signer.token(&claims("ann"))).0, 503);
}
