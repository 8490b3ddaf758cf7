use std::{sync::Arc, time::Duration};

use cloudfunc::{
    model::{Digest, StoredToken, TokenName, TokenRole},
    store::{AddToken, Config, FoundToken, KEEP_EXPIRED, Store},
};
use jiff::SignedDuration;

use super::{execute, now, open};

const HOUR: Duration = Duration::from_secs(3600);

fn token(text: &str) -> TokenName {
    text.parse().unwrap()
}

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

/// A token that does not expire; its text is that of the name, with `cf_` before it.
fn new(name: &str) -> AddToken {
    AddToken {
        name: token(name),
        digest: digest(&format!("cf_{name}")),
        role: TokenRole::Invoke,
        functions: Vec::new(),
        rate_limit: None,
        created_by: "token file".to_owned(),
        expires_in: None,
    }
}

async fn add(store: &Arc<dyn Store>, new: AddToken) -> StoredToken {
    store.add_token(&new).await.unwrap().expect("the name is free")
}

async fn found(store: &Arc<dyn Store>, text: &str) -> Option<FoundToken> {
    store.token_of(&digest(text)).await.unwrap()
}

async fn names(store: &Arc<dyn Store>, after: Option<&str>, limit: u32) -> String {
    let after = after.map(token);
    let page = store.tokens(after.as_ref(), limit).await.unwrap();
    page.iter().map(|token| token.name.to_string()).collect::<Vec<_>>().join(" ")
}

/// Whether so much is left, but for the time that a test takes.
fn is_about(left: Option<Duration>, expected: Duration) -> bool {
    left.is_some_and(|left| left <= expected && left + Duration::from_secs(60) > expected)
}

pub async fn a_token_is_found_by_the_digest_of_its_text(config: Config) {
    let store = open(config).await;
    let before = now();
    let full = AddToken {
        role: TokenRole::Deploy,
        functions: vec!["team_*".parse().unwrap(), "hello".parse().unwrap()],
        rate_limit: Some("100/m".parse().unwrap()),
        created_by: "oidc \0ü".to_owned(),
        expires_in: Some(HOUR),
        ..new("full")
    };
    let added = add(&store, full.clone()).await;
    assert_eq!((&added.name, &added.digest, added.role), (&full.name, &full.digest, full.role));
    assert_eq!((&added.functions, added.rate_limit), (&full.functions, full.rate_limit));
    assert_eq!((&*added.created_by, added.last_used_at), ("oidc \u{fffd}ü", None));
    assert!(added.created_at >= before - SignedDuration::from_secs(1), "{added:?}");
    assert_eq!(added.expires_at, Some(added.created_at + SignedDuration::from_hours(1)));
    let plain = add(&store, new("plain")).await;

    let one = found(&store, "cf_full").await.unwrap();
    assert_eq!((&one.token, one.is_old, one.expires_at), (&added, false, added.expires_at));
    let found_plain = FoundToken { token: plain.clone(), is_old: false, expires_at: None, left: None };
    assert_eq!(found(&store, "cf_plain").await, Some(found_plain));
    assert_eq!(found(&store, "cf_other").await, None);
    assert_eq!(store.tokens(None, 10).await.unwrap(), [added, plain]);
}

pub async fn a_name_is_given_to_one_token(config: Config) {
    let store = open(config).await;
    let first = add(&store, new("one")).await;
    let second = AddToken { digest: digest("cf_second"), role: TokenRole::Admin, ..new("one") };
    assert_eq!(store.add_token(&second).await.unwrap(), None);
    assert_eq!(store.tokens(None, 10).await.unwrap(), [first]);
    assert_eq!(found(&store, "cf_second").await, None);
}

pub async fn of_tokens_added_at_once_one_gets_the_name(config: Config) {
    let store = open(config).await;
    let adding: Vec<_> = (0..16)
        .map(|number| {
            let store = Arc::clone(&store);
            let new = AddToken { digest: digest(&format!("cf_{number}")), ..new("one") };
            tokio::spawn(async move { store.add_token(&new).await })
        })
        .collect();
    let mut added = Vec::new();
    for task in adding {
        added.extend(task.await.unwrap().unwrap());
    }
    assert_eq!(added.len(), 1, "{added:?}");
    assert_eq!(store.tokens(None, 10).await.unwrap(), added);
}

pub async fn tokens_are_paged_by_name(config: Config) {
    let store = open(config).await;
    for name in ["b", "d", "a_1", "c", "a"] {
        add(&store, new(name)).await;
    }
    assert_eq!(names(&store, None, 2).await, "a a_1");
    assert_eq!(names(&store, Some("a_1"), 2).await, "b c");
    assert_eq!(names(&store, Some("c"), 2).await, "d");
    assert_eq!(names(&store, Some("d"), 2).await, "");
    // The cursor need not be there any more.
    store.revoke_token(&token("b")).await.unwrap();
    assert_eq!(names(&store, Some("b"), 10).await, "c d");
}

pub async fn a_token_has_a_time_left_until_it_has_expired(config: Config) {
    let store = open(config.clone()).await;
    add(&store, AddToken { expires_in: Some(HOUR), ..new("soon") }).await;
    assert!(is_about(found(&store, "cf_soon").await.unwrap().left, HOUR));
    execute(&config, "UPDATE tokens SET expires_at = expires_at - 3600000");
    let expired = found(&store, "cf_soon").await.unwrap();
    assert_eq!((expired.left, expired.is_old), (Some(Duration::ZERO), false));
    assert_eq!(expired.expires_at, expired.token.expires_at);
    assert!(expired.token.expired);
    assert_eq!(store.tokens(None, 10).await.unwrap(), [expired.token]);
    // It is there until it is deleted, with its name.
    assert_eq!(names(&store, None, 10).await, "soon");
    let again = AddToken { digest: digest("cf_again"), ..new("soon") };
    assert_eq!(store.add_token(&again).await.unwrap(), None);
    // A time that no calendar has is cut off.
    add(&store, AddToken { expires_in: Some(Duration::MAX), ..new("late") }).await;
    let late = found(&store, "cf_late").await.unwrap();
    assert!(late.left.is_some_and(|left| left > 24 * 365 * 900 * HOUR), "{late:?}");
}

pub async fn a_rotated_token_is_found_by_the_text_before_and_by_no_older_one(config: Config) {
    let store = open(config).await;
    let first = add(&store, new("one")).await;
    let rotate = async |text: &str, keep_old| {
        store.rotate_token(&token("one"), &digest(text), keep_old).await.unwrap()
    };
    let second = StoredToken { digest: digest("cf_second"), ..first };
    assert_eq!(rotate("cf_second", HOUR).await.as_ref(), Some(&second));
    let (old, new) = (found(&store, "cf_one").await.unwrap(), found(&store, "cf_second").await.unwrap());
    assert!(old.is_old && is_about(old.left, HOUR) && old.expires_at.is_some(), "{old:?}");
    assert_eq!((&old.token, &new.token), (&second, &second));
    assert_eq!((new.is_old, new.expires_at, new.left), (false, None, None));

    // The text of the first rotation is not accepted from then on, but known as one that was.
    let third = rotate("cf_third", Duration::ZERO).await.unwrap();
    assert_eq!(found(&store, "cf_one").await, None);
    let old = found(&store, "cf_second").await.unwrap();
    assert_eq!((&old.token, old.is_old, old.left), (&third, true, Some(Duration::ZERO)));
    assert!(!found(&store, "cf_third").await.unwrap().is_old);
    assert_eq!(store.tokens(None, 10).await.unwrap(), [third]);

    let unknown = store.rotate_token(&token("other"), &digest("cf_other"), HOUR).await.unwrap();
    assert_eq!(unknown, None);
    assert_eq!(found(&store, "cf_other").await, None);
}

pub async fn an_old_text_ends_with_its_token_at_the_latest(config: Config) {
    let store = open(config).await;
    let added = add(&store, AddToken { expires_in: Some(HOUR), ..new("one") }).await;
    let rotated = store.rotate_token(&added.name, &digest("cf_second"), 2 * HOUR).await.unwrap();
    assert_eq!(rotated.unwrap().expires_at, added.expires_at, "a rotation puts nothing off");
    for text in ["cf_one", "cf_second"] {
        let found = found(&store, text).await.unwrap();
        assert_eq!((found.is_old, found.expires_at), (text == "cf_one", added.expires_at));
        assert!(is_about(found.left, HOUR), "{found:?}");
    }
    store.rotate_token(&added.name, &digest("cf_third"), HOUR / 2).await.unwrap().unwrap();
    assert!(is_about(found(&store, "cf_second").await.unwrap().left, HOUR / 2));
    assert!(is_about(found(&store, "cf_third").await.unwrap().left, HOUR));
}

pub async fn a_revoked_token_is_gone_with_both_texts(config: Config) {
    let store = open(config).await;
    let (one, other) = (add(&store, new("one")).await, add(&store, new("other")).await);
    store.rotate_token(&one.name, &digest("cf_second"), HOUR).await.unwrap().unwrap();
    assert!(store.revoke_token(&one.name).await.unwrap());
    assert!(!store.revoke_token(&one.name).await.unwrap(), "it is gone");
    for text in ["cf_one", "cf_second"] {
        assert_eq!(found(&store, text).await, None, "{text}");
    }
    assert_eq!(store.tokens(None, 10).await.unwrap(), [other]);
    add(&store, new("one")).await;
    assert!(found(&store, "cf_one").await.is_some(), "the name is free again");
}

pub async fn the_use_of_a_token_is_noted_once_a_minute(config: Config) {
    let store = open(config.clone()).await;
    let one = add(&store, new("one")).await;
    let other = add(&store, new("other")).await;
    let note = async || {
        store.note_uses(&[token("unknown"), one.name.clone()]).await.unwrap();
        found(&store, "cf_one").await.unwrap().token.last_used_at.unwrap()
    };
    let first = note().await;
    assert!(first >= one.created_at, "{first}");
    assert_eq!(note().await, first);
    execute(&config, "UPDATE tokens SET last_used_at = last_used_at - 30000");
    assert_eq!(note().await, first - SignedDuration::from_secs(30), "half a minute ago");
    execute(&config, "UPDATE tokens SET last_used_at = last_used_at - 30000");
    let second = note().await;
    assert!(second >= first, "a minute ago: {second}");
    // By a clock that was set back since, it was used later than now.
    execute(&config, "UPDATE tokens SET last_used_at = last_used_at + 3600000");
    let third = note().await;
    assert!(third >= second && third < second + SignedDuration::from_mins(30), "{third}");
    assert_eq!(found(&store, "cf_other").await.unwrap().token, other);
    assert_eq!(store.token(&other.name).await.unwrap(), Some(other.clone()));
    assert_eq!(store.token(&token("unknown")).await.unwrap(), None);
    store.note_uses(&[]).await.unwrap();
    store.note_uses(&[other.name.clone(), one.name.clone(), other.name]).await.unwrap();
    assert!(found(&store, "cf_other").await.unwrap().token.last_used_at.is_some());
    assert_eq!(found(&store, "cf_one").await.unwrap().token.last_used_at, Some(third));
    assert_eq!(names(&store, None, 10).await, "one other");
}

pub async fn tokens_that_expired_long_ago_are_deleted(config: Config) {
    let store = open(config.clone()).await;
    let many = 25;
    let old: Vec<_> = (0..many)
        .map(|number| AddToken { expires_in: Some(HOUR), ..new(&format!("old_{number}")) })
        .collect();
    let adding = old.iter().map(|new| store.add_token(new));
    for added in futures_util::future::join_all(adding).await {
        added.unwrap().unwrap();
    }
    let keep = i64::try_from(KEEP_EXPIRED.as_millis()).unwrap();
    execute(&config, &format!("UPDATE tokens SET expires_at = expires_at - 3600000 - {keep}"));
    add(&store, AddToken { expires_in: Some(HOUR), ..new("expired") }).await;
    let day = 24 * 3600 * 1000;
    let expired = format!("expires_at - {keep} + {day} WHERE name = 'expired'");
    execute(&config, &format!("UPDATE tokens SET expires_at = {expired}"));
    add(&store, AddToken { expires_in: Some(HOUR), ..new("valid") }).await;
    add(&store, new("without")).await;
    for deleted in [20, 5, 0] {
        assert_eq!(store.prune_tokens(20).await.unwrap(), deleted);
    }
    assert_eq!(names(&store, None, 10).await, "expired valid without");
}
