//! Tokens, secrets and the audit log.

use futures_util::future::join_all;

use super::*;
use crate::{
    model::{AuditOutcome, TokenRole, audit::action},
    store::MAX_AUDIT_ENTRIES,
};

fn digest(number: usize) -> Digest {
    Digest::of(number.to_string().as_bytes())
}

fn token(number: usize) -> AddToken {
    AddToken {
        name: format!("t_{number}").parse().unwrap(),
        digest: digest(number),
        role: TokenRole::Invoke,
        functions: Vec::new(),
        rate_limit: None,
        created_by: "token file".to_owned(),
        expires_in: Some(Duration::from_secs(3600)),
    }
}

fn secret(number: usize) -> SealedSecret {
    SealedSecret {
        place: SecretPlace { function: Some(name(&format!("f_{number}"))), name: secret_name() },
        version: SecretVersion::new(),
        key: KeyId("0123456789abcdef".to_owned()),
        sealed: vec![7; 40],
        set_by: "token file".to_owned(),
    }
}

fn secret_name() -> SecretName {
    "API_KEY".parse().unwrap()
}

fn entry() -> NewAuditEntry {
    NewAuditEntry {
        caller: "token file".to_owned(),
        role: Some(TokenRole::Admin),
        from: None,
        action: action::DEPLOY.to_owned(),
        target: Some("f_0".to_owned()),
        outcome: AuditOutcome::Done,
        detail: None,
        count: 1,
        age_ms: 0,
    }
}

/// Adds a token and a secret for each of this number of functions, and ten entries of the audit log.
pub(super) async fn fill(store: &Sqlite, functions: usize) {
    let tokens: Vec<_> = (0..functions).map(token).collect();
    for added in join_all(tokens.iter().map(|token| store.add_token(token))).await {
        added.unwrap().unwrap();
    }
    let secrets: Vec<_> = (0..functions).map(secret).collect();
    for put in join_all(secrets.iter().map(|secret| store.put_secret(secret, false))).await {
        put.unwrap().unwrap();
    }
    store.append_audit(&vec![entry(); functions * 10]).await.unwrap();
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// Reads the entries that such a filter lets through: none of them.
fn of_nobody(choose: fn(&mut AuditFilter)) -> Box<Work> {
    work(move |store| {
        let mut filter = AuditFilter { limit: LIMIT, ..AuditFilter::default() };
        choose(&mut filter);
        Box::pin(async move {
            assert_eq!(reads::audit_log(&store.pool, &filter).await.unwrap(), []);
        })
    })
}

pub(super) fn hot_paths() -> Vec<(&'static str, Box<Work>)> {
    vec![
        (
            "a token is looked up",
            work(|store| {
                Box::pin(async move {
                    assert!(reads::token_of(&store.pool, &digest(7)).await.unwrap().is_some());
                    assert_eq!(reads::token_of(&store.pool, &digest(1_000_000)).await.unwrap(), None);
                })
            }),
        ),
        (
            "a token's use is noted",
            work(|store| {
                Box::pin(async move {
                    tokens::note_uses(&store.writer, &[token(7).name]).await.unwrap();
                })
            }),
        ),
        (
            "a token is looked up by its name",
            work(|store| {
                Box::pin(async move {
                    assert!(reads::token(&store.pool, &token(7).name).await.unwrap().is_some());
                })
            }),
        ),
        (
            "a page of tokens",
            work(|store| {
                Box::pin(async move {
                    let page = reads::tokens(&store.pool, Some(&token(1).name), LIMIT).await.unwrap();
                    assert_eq!(page.len(), LIMIT as usize);
                })
            }),
        ),
        (
            "a deletion of expired tokens that finds nothing",
            work(|store| {
                Box::pin(async move {
                    assert_eq!(tokens::prune_tokens(&store.writer, LIMIT).await.unwrap(), 0);
                })
            }),
        ),
        (
            "the secrets of a function",
            work(|store| {
                Box::pin(async move {
                    let names = [secret_name(), "OTHER".parse().unwrap()];
                    let secrets = reads::secrets_of(&store.pool, &name("f_7"), &names).await.unwrap();
                    assert_eq!(secrets.len(), 1);
                })
            }),
        ),
        (
            "a secret is set",
            work(|store| {
                Box::pin(async move {
                    let put = secrets::put_secret(&store.writer, &secret(7), false).await.unwrap();
                    assert_eq!(put, Some(true));
                })
            }),
        ),
        (
            "an entry of the audit log is added",
            work(|store| {
                Box::pin(async move {
                    audit_log::append_audit(&store.writer, &[entry()]).await.unwrap();
                })
            }),
        ),
        (
            "a page of the audit log",
            work(|store| {
                let filter = AuditFilter { before: Some(500), limit: LIMIT, ..AuditFilter::default() };
                Box::pin(async move {
                    let page = reads::audit_log(&store.pool, &filter).await.unwrap();
                    assert_eq!(page.len(), LIMIT as usize);
                })
            }),
        ),
        ("entries of a caller that has none", of_nobody(|filter| filter.caller = some("nobody"))),
        ("entries about a function that has none", of_nobody(|filter| filter.target = some("none"))),
        (
            "entries with an action that nobody has done",
            of_nobody(|filter| filter.action = some(action::PRUNE)),
        ),
        (
            "entries with an outcome that none had",
            of_nobody(|filter| filter.outcome = Some(AuditOutcome::Refused)),
        ),
        (
            "entries since a moment after the last one",
            of_nobody(|filter| filter.since = Some(Timestamp::now() + SignedDuration::from_hours(1))),
        ),
        (
            "a page of the entries of a caller about one function",
            work(|store| {
                let (caller, target) = (some("token file"), some("f_0"));
                let filter = AuditFilter { caller, target, limit: LIMIT, ..AuditFilter::default() };
                Box::pin(async move {
                    let page = reads::audit_log(&store.pool, &filter).await.unwrap();
                    assert_eq!(page.len(), LIMIT as usize);
                })
            }),
        ),
        (
            "a piece of a deletion of entries that finds nothing",
            work(|store| {
                Box::pin(async move {
                    let hour = Duration::from_secs(3600);
                    let pruning = audit_log::prune_audit(&store.writer, hour, MAX_AUDIT_ENTRIES, LIMIT);
                    assert_eq!(pruning.await.unwrap(), 0);
                })
            }),
        ),
    ]
}
