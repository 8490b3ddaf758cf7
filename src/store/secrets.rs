//! Secrets, encrypted. The store knows neither a value nor a key.

use async_trait::async_trait;

use super::Error;
use crate::model::{
    FunctionName, KeyId, SealedSecret, SecretName, SecretPlace, SecretVersion, StoredSecret,
    StoredSecretInfo,
};

/// Secrets by their place. Those of a function go with it, see [`Functions::delete_function`].
///
/// [`Functions::delete_function`]: super::Functions::delete_function
#[async_trait]
pub trait Secrets: Send + Sync {
    /// Sets a secret. With `existing`, only if there is one at this place. Returns whether it replaced one; none when
    /// nothing was set.
    async fn put_secret(&self, secret: &SealedSecret, existing: bool) -> Result<Option<bool>, Error>;
    /// Replaces key and ciphertext of a secret that still has this version, and nothing else of it. False when it has
    /// another one, or is gone.
    async fn reseal_secret(&self, secret: &SealedSecret) -> Result<bool, Error>;
    /// Deletes a secret. False when there is none at this place.
    async fn delete_secret(&self, place: &SecretPlace) -> Result<bool, Error>;
    /// Returns the secret at this place; none where there is none.
    async fn secret(&self, place: &SecretPlace) -> Result<Option<StoredSecret>, Error>;
    /// Returns what is known of all secrets, or of those of one function alone, besides their values: by function and name, those
    /// of the platform first.
    async fn secret_infos(
        &self,
        function: Option<&FunctionName>,
    ) -> Result<Vec<StoredSecretInfo>, Error>;
    /// Returns the secrets that a function gets for these names, by name: its own, or else the platform's. A name that has
    /// neither is left out.
    async fn secrets_of(
        &self,
        function: &FunctionName,
        names: &[SecretName],
    ) -> Result<Vec<StoredSecret>, Error>;
    /// Returns the place, version and key of every secret, in no order.
    async fn secret_versions(&self) -> Result<Vec<(SecretPlace, SecretVersion, KeyId)>, Error>;
}
