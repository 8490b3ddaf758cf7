use std::{collections::BTreeMap, sync::Arc};

use cloudfunc::{
    model::{
        FunctionName, KeyId, MAX_SECRET, SealedSecret, SecretName, SecretPlace, SecretVersion,
        StoredSecret, StoredSecretInfo,
    },
    store::{Config, Store},
};
use jiff::SignedDuration;

use super::{deploy, execute, name, now, open};

fn place(function: &str, name: &str) -> SecretPlace {
    let function = Some(function).filter(|function| !function.is_empty());
    SecretPlace { function: function.map(super::name), name: name.parse().unwrap() }
}

/// A new version of a secret; `function` is empty for one of the platform.
fn sealed(function: &str, name: &str, bytes: &[u8]) -> SealedSecret {
    SealedSecret {
        place: place(function, name),
        version: SecretVersion::new(),
        key: KeyId("0123456789abcdef".to_owned()),
        sealed: bytes.to_vec(),
        set_by: "token ada".to_owned(),
    }
}

async fn put(store: &Arc<dyn Store>, function: &str, name: &str) -> SealedSecret {
    let secret = sealed(function, name, format!("{function} {name}").as_bytes());
    assert_eq!(store.put_secret(&secret, false).await.unwrap(), Some(false), "it is new");
    secret
}

/// All secrets, which agree with what is listed of them.
async fn all(store: &Arc<dyn Store>) -> Vec<StoredSecret> {
    let mut all = Vec::new();
    for listed in store.secret_infos(None).await.unwrap() {
        let stored = store.secret(&listed.place).await.unwrap().expect("it is listed");
        assert_eq!(info(&stored), listed);
        all.push(stored);
    }
    all
}

fn info(StoredSecret { secret, created_at, set_at }: &StoredSecret) -> StoredSecretInfo {
    StoredSecretInfo {
        place: secret.place.clone(),
        key: secret.key.clone(),
        set_by: secret.set_by.clone(),
        created_at: *created_at,
        set_at: *set_at,
    }
}

async fn only(store: &Arc<dyn Store>) -> StoredSecret {
    let mut secrets = all(store).await;
    assert_eq!(secrets.len(), 1, "{secrets:?}");
    secrets.remove(0)
}

fn places<'a>(secrets: impl IntoIterator<Item = &'a SecretPlace>) -> Vec<String> {
    let text = |place: &SecretPlace| {
        let function = place.function.as_ref().map_or("", FunctionName::as_str);
        format!("{function}/{}", place.name)
    };
    secrets.into_iter().map(text).collect()
}

async fn listed(store: &Arc<dyn Store>) -> Vec<String> {
    places(store.secret_infos(None).await.unwrap().iter().map(|listed| &listed.place))
}

pub async fn a_secret_is_read_as_it_was_set_and_keeps_the_time_of_its_first_value(config: Config) {
    let store = open(config.clone()).await;
    let before = now();
    // The longest value with its nonce and tag; any bytes.
    let bytes: Vec<u8> = (0..MAX_SECRET + 28).map(|at| (at % 256) as u8).collect();
    let first = SealedSecret { set_by: "oidc \0ü".to_owned(), ..sealed("f", "API_KEY", &bytes) };
    assert_eq!(store.put_secret(&first, false).await.unwrap(), Some(false));
    let stored = only(&store).await;
    assert_eq!(stored.secret.set_by, "oidc \u{fffd}ü");
    assert!(stored.secret == SealedSecret { set_by: "oidc \u{fffd}ü".to_owned(), ..first.clone() });
    assert!(stored.created_at >= before - SignedDuration::from_secs(1), "{stored:?}");
    assert_eq!(stored.set_at, stored.created_at);

    let ago = SignedDuration::from_secs(5);
    execute(&config, "UPDATE secrets SET created_at = created_at - 5000, set_at = set_at - 5000");
    let second = SealedSecret { key: KeyId("f".repeat(16)), ..sealed("f", "API_KEY", b"") };
    assert_eq!(store.put_secret(&second, false).await.unwrap(), Some(true));
    let replaced = only(&store).await;
    assert!(replaced.secret == second, "{replaced:?}");
    assert_eq!(replaced.created_at, stored.created_at - ago);
    assert!(replaced.set_at >= stored.set_at, "{replaced:?}");
}

pub async fn a_secret_that_has_to_exist_is_not_created(config: Config) {
    let store = open(config).await;
    let secret = sealed("", "API_KEY", b"1");
    assert_eq!(store.put_secret(&secret, true).await.unwrap(), None);
    assert_eq!(listed(&store).await, [""; 0]);
    put(&store, "f", "API_KEY").await;
    assert_eq!(store.put_secret(&secret, true).await.unwrap(), None, "that one is the function's own");
    put(&store, "", "API_KEY").await;
    assert_eq!(store.put_secret(&secret, true).await.unwrap(), Some(true));
    assert!(all(&store).await[0].secret == secret);
}

pub async fn secrets_are_listed_by_function_and_name(config: Config) {
    let store = open(config).await;
    assert_eq!(listed(&store).await, [""; 0]);
    let set = [("g", "a"), ("f", "b"), ("", "_b"), ("f_1", "A"), ("", "a"), ("f", "A"), ("", "B")];
    let mut expected = BTreeMap::new();
    for (function, name) in set {
        let secret = put(&store, function, name).await;
        expected.insert(secret.place, (secret.version, secret.key));
    }
    // Capital letters before small ones, whatever language the database speaks.
    let order = ["/B", "/_b", "/a", "f/A", "f/b", "f_1/A", "g/a"];
    assert_eq!(listed(&store).await, order);
    let of = async |function: &str| {
        let listed = store.secret_infos(Some(&name(function))).await.unwrap();
        places(listed.iter().map(|listed| &listed.place))
    };
    assert_eq!(of("f").await, ["f/A", "f/b"], "neither the platform's nor those of f_1");
    assert_eq!(of("none").await, [""; 0]);
    assert_eq!(store.secret(&place("g", "b")).await.unwrap(), None);
    assert_eq!(store.secret(&place("", "b")).await.unwrap(), None, "that one is a function's own");
    let versions = store.secret_versions().await.unwrap();
    assert_eq!(versions.len(), set.len());
    let versions: BTreeMap<_, _> =
        versions.into_iter().map(|(place, version, key)| (place, (version, key))).collect();
    assert_eq!(versions, expected);
}

pub async fn a_functions_own_secret_comes_before_the_platforms(config: Config) {
    let store = open(config).await;
    for (function, name) in
        [("", "both"), ("f", "both"), ("g", "both"), ("", "shared"), ("f", "own"), ("g", "other")]
    {
        put(&store, function, name).await;
    }
    let of = async |function: &str, names: &[&str]| {
        let names: Vec<SecretName> = names.iter().map(|name| name.parse().unwrap()).collect();
        let secrets = store.secrets_of(&name(function), &names).await.unwrap();
        for stored in &secrets {
            let place = &stored.secret.place;
            let function = place.function.as_ref().map_or("", FunctionName::as_str);
            assert_eq!(stored.secret.sealed, format!("{function} {}", place.name).as_bytes());
        }
        places(secrets.iter().map(|stored| &stored.secret.place))
    };
    let all = ["shared", "own", "other", "both", "none", "both"];
    assert_eq!(of("f", &all).await, ["f/both", "f/own", "/shared"]);
    assert_eq!(of("g", &all).await, ["g/both", "g/other", "/shared"]);
    assert_eq!(of("h", &all).await, ["/both", "/shared"]);
    assert_eq!(of("f", &["own"]).await, ["f/own"], "no others");
    assert_eq!(of("f", &["none"]).await, [""; 0]);
    assert_eq!(of("f", &[]).await, [""; 0]);
}

pub async fn another_key_is_for_the_version_that_was_read_only(config: Config) {
    let store = open(config).await;
    let first = put(&store, "f", "API_KEY").await;
    let platforms = put(&store, "", "API_KEY").await;
    let before = all(&store).await.remove(1);
    let resealed = SealedSecret {
        key: KeyId("f".repeat(16)),
        sealed: b"again".to_vec(),
        set_by: "token eve".to_owned(),
        ..first.clone()
    };
    assert!(store.reseal_secret(&resealed).await.unwrap());
    let after = all(&store).await.remove(1);
    let expected = SealedSecret { set_by: first.set_by.clone(), ..resealed.clone() };
    assert!(after.secret == expected && after.secret.set_by == "token ada", "{after:?}");
    assert_eq!((after.created_at, after.set_at), (before.created_at, before.set_at));

    let second = sealed("f", "API_KEY", b"a new value");
    assert_eq!(store.put_secret(&second, false).await.unwrap(), Some(true));
    assert!(!store.reseal_secret(&resealed).await.unwrap(), "it has another value");
    let elsewhere = SealedSecret { place: place("g", "API_KEY"), ..second.clone() };
    assert!(!store.reseal_secret(&elsewhere).await.unwrap(), "it is not there");
    let secrets = all(&store).await;
    assert!(secrets[0].secret == platforms && secrets[1].secret == second, "{secrets:?}");
    store.delete_secret(&second.place).await.unwrap();
    assert!(!store.reseal_secret(&second).await.unwrap(), "it is gone");
    assert_eq!(listed(&store).await, ["/API_KEY"]);
}

pub async fn a_deleted_secret_is_gone(config: Config) {
    let store = open(config).await;
    for (function, name) in [("", "a"), ("f", "a"), ("f", "b"), ("g", "a")] {
        put(&store, function, name).await;
    }
    assert!(store.delete_secret(&place("f", "a")).await.unwrap());
    assert!(!store.delete_secret(&place("f", "a")).await.unwrap(), "it is gone");
    assert_eq!(listed(&store).await, ["/a", "f/b", "g/a"]);
    assert!(store.delete_secret(&place("", "a")).await.unwrap());
    assert_eq!(listed(&store).await, ["f/b", "g/a"]);
    put(&store, "f", "a").await;
}

pub async fn of_values_set_at_once_one_is_the_first_and_one_stays_whole(config: Config) {
    let store = open(config).await;
    let values: Vec<SealedSecret> =
        (0..16).map(|number| sealed("f", "API_KEY", format!("value {number}").as_bytes())).collect();
    let putting: Vec<_> = values
        .iter()
        .map(|secret| {
            let (store, secret) = (Arc::clone(&store), secret.clone());
            tokio::spawn(async move { store.put_secret(&secret, false).await })
        })
        .collect();
    let mut first = 0;
    for task in putting {
        match task.await.unwrap().unwrap() {
            Some(replaced) => first += usize::from(!replaced),
            None => panic!("it need not exist"),
        }
    }
    assert_eq!(first, 1);
    let stays = only(&store).await;
    assert!(values.contains(&stays.secret), "{stays:?}");
}

pub async fn a_functions_own_secrets_go_with_it(config: Config) {
    let store = open(config).await;
    for (function, name) in [("", "a"), ("f", "a"), ("f", "b"), ("f_1", "a")] {
        put(&store, function, name).await;
    }
    // Before its first deploy there is no function that could be deleted.
    assert_eq!(store.delete_function(&name("f")).await.unwrap(), None);
    deploy(&store, "f", "v1").await;
    deploy(&store, "f", "v2").await;
    assert_eq!(listed(&store).await, ["/a", "f/a", "f/b", "f_1/a"]);
    assert_eq!(store.delete_function(&name("f")).await.unwrap().unwrap().secrets, 2);
    assert_eq!(listed(&store).await, ["/a", "f_1/a"]);
    deploy(&store, "f", "v1").await;
    let names = ["a", "b"].map(|name| name.parse::<SecretName>().unwrap());
    let gets = store.secrets_of(&name("f"), &names).await.unwrap();
    assert_eq!(places(gets.iter().map(|stored| &stored.secret.place)), ["/a"]);
}
