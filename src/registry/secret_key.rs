//! Encrypting all secrets with the newest key. One after the other: no more than one value is in memory.

use std::sync::Arc;

use axum::{Json, extract::State, http::Uri};

use super::{Registry, change::to_the_end, secrets::function_of};
use crate::{
    error_chain::chain,
    http::{Answer, CalledBy, Query},
    keyring::{KeyringError, OpenError},
    model::{
        Caller, KeyId, Problem, SealedSecret, SecretPlace, StoredSecret,
        api::{KeyRotated, LeftReason, LeftSecret},
        audit::action,
        code,
        message::Change,
        route,
    },
    store,
};

/// Passes over all secrets in which those that were set meanwhile are looked at again.
const PASSES: usize = 3;

/// What became of one secret.
enum Resealed {
    Done,
    /// It is gone, or was set with the newest key meanwhile.
    NotNeeded,
    Left(LeftReason),
}

/// `POST /v1/secret-key/rotate`
pub async fn rotate(
    State(registry): State<Arc<Registry>>,
    CalledBy(caller): CalledBy,
    uri: Uri,
) -> Answer<Json<KeyRotated>> {
    Query::read(uri.query(), route::ROTATE_SECRET_KEY.endpoint.query)?;
    let changes = registry.changes.clone();
    to_the_end(changes, async move { registry.rotate_secret_key(&caller).await.map(Json) }).await
}

impl Registry {
    async fn rotate_secret_key(&self, caller: &Caller) -> Answer<KeyRotated> {
        let key = self.keyring.newest().clone();
        check_file(&key, self.keyring.first_in_file())?;
        let mut done = KeyRotated { key: key.clone(), rotated: 0, unchanged: 0, left: Vec::new() };
        let mut touched = None;
        let all = self.reseal_all(&mut done, &mut touched).await;
        // After an error, too: hosts without the key stop taking work that they could only fail at. After any secret's change,
        // managers read the versions and keys of all.
        if let Some(place) = touched {
            self.announce(Change::SecretChanged { place }).await;
        }
        let KeyRotated { rotated, unchanged, left, .. } = &done;
        let is_unknown = matches!(all, Err(store::Error::UnknownFate { .. }));
        if all.is_ok() || *rotated > 0 || is_unknown {
            let rest = match &all {
                Ok(()) => format!("{} left", left.len()),
                Err(_) if is_unknown => {
                    "then the store failed, and whether one more was encrypted is not known".to_owned()
                }
                Err(_) => "then the store failed".to_owned(),
            };
            let detail = format!("{rotated} encrypted with the key {key}, {rest}");
            self.audit(caller, action::SECRET_KEY_ROTATE, None, Some(detail)).await;
        }
        all?;
        tracing::info!(%key, rotated, unchanged, left = left.len(), "secrets encrypted with the newest key");
        Ok(done)
    }

    /// `touched` is one that was written, or may have been.
    async fn reseal_all(
        &self,
        done: &mut KeyRotated,
        touched: &mut Option<SecretPlace>,
    ) -> Result<(), store::Error> {
        for pass in 0..PASSES {
            done.left.clear();
            for info in self.store.secret_infos(None).await? {
                if info.key == done.key {
                    done.unchanged += u64::from(pass == 0);
                    continue;
                }
                let place = info.place;
                match self.reseal(&done.key, &place, touched).await? {
                    Resealed::Done => done.rotated += 1,
                    Resealed::NotNeeded => {}
                    Resealed::Left(reason) => done.left.push(LeftSecret { place, reason }),
                }
            }
            // What has changed in the last pass is among those that are left.
            if done.left.iter().all(|left| left.reason != LeftReason::Changed) {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn reseal(
        &self,
        key: &KeyId,
        place: &SecretPlace,
        touched: &mut Option<SecretPlace>,
    ) -> Result<Resealed, store::Error> {
        let secret = match self.store.secret(place).await? {
            Some(StoredSecret { secret, .. }) if secret.key != *key => secret,
            _ => return Ok(Resealed::NotNeeded),
        };
        let value = match self.keyring.open(&secret) {
            Ok(value) => value,
            Err(OpenError::NoKey(_)) => return Ok(Resealed::Left(LeftReason::NoKey)),
            Err(error @ OpenError::Damaged) => {
                let function = function_of(place);
                tracing::error!(secret = %place.name, function, %error, "a secret cannot be decrypted");
                return Ok(Resealed::Left(LeftReason::Damaged));
            }
        };
        let (key, sealed) = self.keyring.seal(place, secret.version, &value);
        let resealed = self.store.reseal_secret(&SealedSecret { key, sealed, ..secret }).await;
        if !matches!(resealed, Ok(false)) {
            *touched = Some(place.clone());
        }
        Ok(if resealed? { Resealed::Done } else { Resealed::Left(LeftReason::Changed) })
    }
}

/// Who has changed the file means its first key. This process has the one that was there when it started.
fn check_file(newest: &KeyId, first_in_file: Result<KeyId, KeyringError>) -> Answer<()> {
    match first_in_file {
        Ok(first) if first == *newest => Ok(()),
        Ok(_) => {
            let detail = "the key file has changed since the platform started; restart it first";
            Err(Problem::new(code::CONFLICT, detail).into())
        }
        Err(error) => {
            let detail = format!("the key file cannot be read any more: {}", chain(&error));
            Err(Problem::new(code::CONFLICT, detail).hint(error.hint()).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_another_first_key_asks_for_a_restart() {
        let [one, other] = ["1", "2"].map(|digit| KeyId(digit.repeat(16)));
        assert!(check_file(&one, Ok(one.clone())).is_ok());
        let problem = check_file(&one, Ok(other)).unwrap_err().0;
        assert_eq!(
            (problem.status, problem.detail.as_str()),
            (409, "the key file has changed since the platform started; restart it first")
        );
        let gone = KeyringError::Empty { path: "/keys".into() };
        let problem = check_file(&one, Err(gone)).unwrap_err().0;
        assert_eq!(
            (problem.status, problem.detail.as_str()),
            (409, "the key file cannot be read any more: the file of secret keys /keys holds no key")
        );
        assert!(problem.hint.unwrap().starts_with("restore it from a backup"));
    }
}
