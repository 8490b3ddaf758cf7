//! Tokens of a provider of OpenID Connect, at the gateway's door.

use std::{sync::Arc, time::Duration};

use cloudfunc::{
    app::Role,
    clock::Clock,
    gateway::Oidc,
    http::{Authentication, Rejected},
    model::{Caller, Problem},
    settings,
};
use futures_util::future::join_all;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    provider::{Mood, Provider},
    signer::{Signer, unsigned, with_secret},
    tls_provider,
};
use crate::support::{
    eventually,
    platform::{Stack, TestPlatform},
};

const ROLES: &str =
    "invoke=scope:functions,deploy@team_*=groups:team,deploy@shared=groups:team,admin=sub:ann";
const ACCEPTED: &str = "accepted are RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 and EdDSA";
/// Less than a request waits for a provider that hangs.
const AT_ONCE: Duration = Duration::from_secs(3);

fn settings_of(provider: &Provider) -> settings::Oidc {
    settings::Oidc {
        issuer: provider.issuer().parse().unwrap(),
        audience: "cloudfunc".to_owned(),
        roles: ROLES.parse().unwrap(),
        ca_file: None,
    }
}

/// Claims of a token that is valid for five minutes; more are laid over them.
fn claims(provider: &Provider, more: Value) -> Value {
    let now = now();
    let mut claims = json!({ "iss": provider.issuer(), "aud": "cloudfunc", "sub": "bob", "iat": now, "exp": now + 300 });
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    claims
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

async fn start(provider: &Provider, test: &str) -> Option<TestPlatform> {
    let oidc = settings_of(provider);
    TestPlatform::start_with(Stack::LIGHT, test, |platform| platform.oidc = Some(oidc)).await
}

/// A request to the gateway with this token.
fn request(platform: &TestPlatform, token: &str, path: &str) -> RequestBuilder {
    let client = cloudfunc::http::client().unwrap();
    let url = format!("http://{}{path}", platform.address(Role::Gateway));
    client.request(Method::GET, url).bearer_auth(token)
}

async fn status(platform: &TestPlatform, token: &str, path: &str) -> u16 {
    request(platform, token, path).send().await.unwrap().status().as_u16()
}

async fn problem(platform: &TestPlatform, token: &str) -> Problem {
    request(platform, token, "/v1/functions").send().await.unwrap().json().await.unwrap()
}

/// Waits until the platform has the provider's keys, without sending a token that names one.
async fn has_keys(platform: &TestPlatform, provider: &Provider, token: &str) {
    eventually("the provider's keys are read", || async { (provider.asked() > 0).then_some(()) }).await;
    assert_eq!(status(platform, token, "/v1/functions").await, 200);
}

#[tokio::test]
async fn claims_give_roles_and_functions() {
    let signer = Signer::rsa("k");
    let provider = Provider::serve(&[&signer], Mood::Well).await;
    let Some(platform) = start(&provider, "claims_give_roles_and_functions").await else { return };
    let token = |more: Value| signer.token(&claims(&provider, more));
    let admin = token(json!({ "sub": "ann", "groups": ["team"] }));
    has_keys(&platform, &provider, &admin).await;
    let caller = token(json!({ "scope": "openid functions" }));
    let team = token(json!({ "groups": ["staff", "team"], "scope": "functions" }));
    for (token, path, expected) in [
        (&admin, "/v1/tokens", 200),
        (&admin, "/v1/functions/other", 404),
        (&caller, "/v1/functions", 200),
        (&caller, "/v1/functions/other", 404),
        (&caller, "/v1/functions/other/revisions", 403),
        (&caller, "/v1/tokens", 403),
        (&team, "/v1/functions/team_a/revisions", 404),
        (&team, "/v1/functions/shared/revisions", 404),
        (&team, "/v1/functions/other/revisions", 403),
        (&team, "/v1/functions/other", 403),
        (&team, "/v1/tokens", 403),
    ] {
        assert_eq!(status(&platform, token, path).await, expected, "{path}");
    }
    platform.stop().await;
}

#[tokio::test]
async fn a_token_that_is_not_for_here_and_now_is_refused_with_the_reason() {
    let signer = Signer::rsa("k");
    let provider = Provider::serve(&[&signer], Mood::Well).await;
    let Some(platform) =
        start(&provider, "a_token_that_is_not_for_here_and_now_is_refused_with_the_reason").await
    else {
        return;
    };
    let with = |more: Value| claims(&provider, more);
    has_keys(&platform, &provider, &signer.token(&with(json!({ "sub": "ann" })))).await;
    let ann = with(json!({ "sub": "ann" }));
    let modulus = signer.jwk()["n"].as_str().unwrap().to_owned();
    let named = |algorithm: &str| json!({ "alg": algorithm, "kid": "k" });
    let algorithm =
        |name: &str| format!("the OIDC token is signed with the algorithm '{name}'; {ACCEPTED}");
    let issuer = provider.issuer();
    for (token, expected) in [
        (
            signer.token(&with(json!({ "aud": "other" }))),
            "the OIDC token is not for the audience of this platform, 'cloudfunc'".to_owned(),
        ),
        (
            signer.token(&with(json!({ "iss": "https://id.example" }))),
            format!(
                "the OIDC token was issued by 'https://id.example', and this platform accepts '{issuer}'"
            ),
        ),
        (
            signer.token(&with(json!({ "exp": "9999999999" }))),
            "the claim `exp` of the OIDC token is not a number".to_owned(),
        ),
        (unsigned(&named("none"), &ann), algorithm("none")),
        (with_secret(&named("HS256"), &ann, modulus.as_bytes()), algorithm("HS256")),
        (
            with_secret(&named("RS256"), &ann, modulus.as_bytes()),
            "the signature of the OIDC token is wrong".to_owned(),
        ),
        (
            with_secret(&named("ES256"), &ann, b"x"),
            "the OIDC token is signed with an algorithm that its key is not for".to_owned(),
        ),
        (
            signer
                .token_with(&json!({ "alg": "RS256", "kid": "k", "crit": ["b64"], "b64": true }), &ann),
            "the OIDC token has the header `crit`, and no extension of JWTs is supported".to_owned(),
        ),
    ] {
        let problem = problem(&platform, &token).await;
        assert_eq!((problem.status, problem.detail), (401, expected));
    }
    // Those with a time in them.
    let expired = problem(&platform, &signer.token(&with(json!({ "exp": 1_700_000_000 })))).await;
    let begins = "the OIDC token expired at 2023-11-14T22:13:20Z, and this host's clock says 20";
    assert_eq!(expired.status, 401);
    assert!(expired.detail.starts_with(begins), "{}", expired.detail);
    let early = problem(&platform, &signer.token(&with(json!({ "nbf": now() + 3600 })))).await;
    assert_eq!(early.status, 401);
    assert!(early.detail.starts_with("the OIDC token is valid from 20"), "{}", early.detail);
    assert!(early.detail.ends_with(": check the clocks"), "{}", early.detail);
    // Known, and without rights.
    let nobody = problem(&platform, &signer.token(&with(json!({ "groups": ["secret"] })))).await;
    let expected = "no rule of --oidc-roles gives the OIDC token a role; it has the claims aud, exp, groups, iat, iss and sub";
    assert_eq!((nobody.status, nobody.detail.as_str()), (403, expected));
    platform.stop().await;
}

#[tokio::test]
async fn a_provider_that_comes_after_the_platform_is_found_and_other_tokens_work_before() {
    let signer = Signer::ed25519("k");
    let provider = Provider::serve(&[&signer], Mood::Away).await;
    let test = "a_provider_that_comes_after_the_platform_is_found_and_other_tokens_work_before";
    let Some(platform) = start(&provider, test).await else { return };
    let token = signer.token(&claims(&provider, json!({ "sub": "ann" })));
    let answer = request(&platform, &token, "/v1/functions").send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.headers()["retry-after"].as_bytes()),
        (503, &b"10"[..])
    );
    let problem: Problem = answer.json().await.unwrap();
    assert_eq!(problem.detail, "the keys of the OIDC provider are not known: they cannot be read");
    assert_eq!(platform.get("/v1/functions").send().await.unwrap().status(), 200);
    provider.becomes(Mood::Well);
    eventually("the token is accepted", || async {
        (status(&platform, &token, "/v1/functions").await == 200).then_some(())
    })
    .await;
    platform.stop().await;
}

#[tokio::test]
async fn nothing_but_a_token_with_an_unknown_key_waits_for_a_provider_that_hangs() {
    let (signer, unknown) = (Signer::p256("k"), Signer::p256("unknown"));
    let provider = Provider::serve(&[&signer], Mood::Well).await;
    let test = "nothing_but_a_token_with_an_unknown_key_waits_for_a_provider_that_hangs";
    let Some(platform) = start(&provider, test).await else { return };
    let known = signer.token(&claims(&provider, json!({ "sub": "ann" })));
    has_keys(&platform, &provider, &known).await;
    let wanted = json!({ "name": "beside", "role": "invoke" });
    let made = platform.post("/v1/tokens").json(&wanted).send().await.unwrap();
    let made: Value = made.error_for_status().unwrap().json().await.unwrap();
    let stored = made["token"].as_str().unwrap().to_owned();

    provider.becomes(Mood::Hangs);
    let before = provider.asked();
    let waits = unknown.token(&claims(&provider, json!({ "sub": "ann" })));
    let waiting = tokio::spawn(request(&platform, &waits, "/v1/functions").send());
    eventually("the provider is asked", || async { (provider.asked() > before).then_some(()) }).await;
    let others = async {
        for _ in 0..20 {
            assert_eq!(status(&platform, &known, "/v1/functions").await, 200);
            assert_eq!(status(&platform, &stored, "/v1/functions").await, 200);
            assert_eq!(platform.get("/v1/functions").send().await.unwrap().status(), 200);
        }
    };
    tokio::time::timeout(AT_ONCE, others).await.expect("nobody else waits");
    assert!(!waiting.is_finished());
    assert_eq!(provider.asked(), before + 1);
    let problem: Problem = waiting.await.unwrap().unwrap().json().await.unwrap();
    assert_eq!((problem.status, problem.retry_after), (503, Some(10)));
    let expected = "the OIDC token is signed with a key that is not known yet, and the keys of the OIDC provider cannot be read";
    assert_eq!(problem.detail, expected);
    platform.stop().await;
}

/// What reads the keys, without a platform.
struct Reader {
    oidc: Arc<Oidc>,
    _stop: DropGuard,
}

impl Reader {
    fn of(provider: &Provider) -> Self {
        Self::with(&settings_of(provider))
    }

    fn with(settings: &settings::Oidc) -> Self {
        let oidc = Oidc::new(settings, Clock::system()).unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(oidc.clone().run(stop.clone()));
        Self { oidc, _stop: stop.drop_guard() }
    }

    async fn caller(&self, token: &str) -> Result<Caller, Problem> {
        let answer = match self.oidc.authenticate(token) {
            Authentication::Known(answer) => answer.map_err(Rejected::from),
            Authentication::Rejected(rejected) => Err(rejected),
            Authentication::Asking(asking) => asking.await,
        };
        answer.map(|caller| caller.as_ref().clone()).map_err(|rejected| *rejected.failure.0)
    }
}

#[tokio::test]
async fn a_crowd_with_a_new_key_has_the_keys_read_once_and_the_old_key_is_gone() {
    let (old, new) = (Signer::p256("old"), Signer::p384("new"));
    let provider = Provider::serve(&[&old], Mood::Well).await;
    let reader = Reader::of(&provider);
    eventually("the provider is asked", || async { (provider.asked() > 0).then_some(()) }).await;
    let ann = claims(&provider, json!({ "sub": "ann" }));
    assert_eq!(reader.caller(&old.token(&ann)).await.unwrap().name, "oidc ann");
    assert_eq!(provider.asked(), 1);

    provider.rotate(&[&new]);
    assert!(reader.caller(&old.token(&ann)).await.is_ok(), "nothing was read since");
    let token = new.token(&ann);
    for answer in join_all((0..30).map(|_| reader.caller(&token))).await {
        assert_eq!(answer.unwrap().name, "oidc ann");
    }
    assert_eq!(provider.asked(), 2);
    for (signer, name) in [(&old, "old"), (&Signer::ed25519("odd"), "odd")] {
        let refused = reader.caller(&signer.token(&ann)).await.unwrap_err();
        let wait = refused.retry_after.unwrap();
        let expected = format!(
            "the OIDC token is signed with the key '{name}', which the provider did not have when its keys were last read; \
             they are read again in {wait} s at the earliest"
        );
        assert_eq!((refused.status, refused.detail), (503, expected));
    }
    assert_eq!(provider.asked(), 2, "not again within ten seconds");
}

#[tokio::test]
async fn a_key_that_the_provider_does_not_have_is_refused_once_it_was_asked() {
    let (known, odd) = (Signer::p256("k"), Signer::p256("odd"));
    let provider = Provider::serve(&[&known], Mood::Well).await;
    let reader = Reader::of(&provider);
    let ann = claims(&provider, json!({ "sub": "ann" }));
    // Its key comes with the reading at the start, which no request has asked for.
    eventually("the provider is asked", || async { (provider.asked() > 0).then_some(()) }).await;
    assert!(reader.caller(&known.token(&ann)).await.is_ok());
    let expected = "the OIDC token is signed with the key 'odd', which the provider does not have";
    let refused = eventually("the provider is asked again", || async {
        let refused = reader.caller(&odd.token(&ann)).await.unwrap_err();
        (refused.status == 401).then_some(refused)
    });
    assert_eq!(refused.await.detail, expected);
}

#[tokio::test]
async fn keys_are_read_over_tls_from_a_server_that_the_given_authority_has_signed() {
    let signer = Signer::p256("k");
    let issuer = tls_provider::serve(&signer);
    let now = now();
    let ann = json!({ "iss": issuer, "aud": "cloudfunc", "sub": "ann", "exp": now + 300 });
    let reader = |ca_file| {
        Reader::with(&settings::Oidc {
            issuer: issuer.parse().unwrap(),
            audience: "cloudfunc".to_owned(),
            roles: ROLES.parse().unwrap(),
            ca_file: Some(ca_file),
        })
    };
    let trusted = reader(tls_provider::authority());
    assert_eq!(trusted.caller(&signer.token(&ann)).await.unwrap().name, "oidc ann");
    let other = reader(tls_provider::other_authority());
    let refused = other.caller(&signer.token(&ann)).await.unwrap_err();
    assert_eq!(refused.status, 503);
    assert_eq!(refused.detail, "the keys of the OIDC provider are not known: they cannot be read");
}

#[tokio::test]
async fn the_audit_log_names_a_caller_whose_token_is_genuine_and_gives_no_role() {
    let (signer, forger) = (Signer::p256("k"), Signer::p256("k"));
    let provider = Provider::serve(&[&signer], Mood::Well).await;
    let test = "the_audit_log_names_a_caller_whose_token_is_genuine_and_gives_no_role";
    let Some(platform) = start(&provider, test).await else { return };
    let ann = signer.token(&claims(&provider, json!({ "sub": "ann" })));
    has_keys(&platform, &provider, &ann).await;
    let bob = claims(&provider, json!({}));
    assert_eq!(status(&platform, &signer.token(&bob), "/v1/functions").await, 403);
    assert_eq!(status(&platform, &forger.token(&bob), "/v1/functions").await, 401);
    let callers = eventually("both refusals are in the audit log", || async {
        let page = platform.get("/v1/audit-log?outcome=refused").send().await.unwrap();
        let page: Value = page.error_for_status().unwrap().json().await.unwrap();
        let items = page["items"].as_array().unwrap().iter();
        let callers: Vec<String> =
            items.map(|entry| entry["caller"].as_str().unwrap().to_owned()).collect();
        (callers.len() == 2).then_some(callers)
    });
    let mut callers = callers.await;
    callers.sort();
    assert_eq!(callers, ["oidc bob", "unknown"]);
    platform.stop().await;
}

#[tokio::test]
async fn keys_that_are_not_clearly_the_providers_are_not_taken() {
    let signer = Signer::p256("k");
    for mood in [Mood::Redirects, Mood::Floods, Mood::IsAnother, Mood::PointsAway] {
        let provider = Provider::serve(&[&signer], mood).await;
        let reader = Reader::of(&provider);
        let token = signer.token(&claims(&provider, json!({ "sub": "ann" })));
        let refused = reader.caller(&token).await.unwrap_err();
        assert_eq!(refused.status, 503, "{mood:?}");
        assert_eq!(refused.detail, "the keys of the OIDC provider are not known: they cannot be read");
        assert!(provider.asked() > 0 && provider.redirected() == 0, "{mood:?}");
        provider.becomes(Mood::Well);
        eventually("the token is accepted", || async { reader.caller(&token).await.ok() }).await;
    }
}
