//! The methods for tokens, secrets and the audit log.

macro_rules! access_methods {
    ($backend:ty) => {
        use crate::{
            model::{
                AuditEntry, KeyId, NewAuditEntry, SealedSecret, SecretName, SecretPlace, SecretVersion,
                StoredSecret, StoredSecretInfo, StoredToken, TokenName,
            },
            store::{AddToken, AuditFilter, AuditLog, FoundToken, Secrets, Tokens},
        };

        #[async_trait]
        impl Tokens for $backend {
            async fn add_token(&self, new: &AddToken) -> Result<Option<StoredToken>, Error> {
                self.write(SOON, tokens::add_token(self.synced(), new)).await
            }

            async fn tokens(
                &self,
                after: Option<&TokenName>,
                limit: u32,
            ) -> Result<Vec<StoredToken>, Error> {
                self.read(SOON, reads::tokens(self.readers(), after, limit)).await
            }

            async fn token(&self, name: &TokenName) -> Result<Option<StoredToken>, Error> {
                self.read(SOON, reads::token(self.readers(), name)).await
            }

            async fn token_of(&self, digest: &Digest) -> Result<Option<FoundToken>, Error> {
                self.read(SOON, reads::token_of(self.sweep_readers(), digest)).await
            }

            async fn rotate_token(
                &self,
                name: &TokenName,
                digest: &Digest,
                keep_old: Duration,
            ) -> Result<Option<StoredToken>, Error> {
                self.write(SOON, tokens::rotate_token(self.synced(), name, digest, keep_old)).await
            }

            async fn revoke_token(&self, name: &TokenName) -> Result<bool, Error> {
                self.write(SOON, tokens::revoke_token(self.synced(), name)).await
            }

            async fn note_uses(&self, names: &[TokenName]) -> Result<(), Error> {
                if names.is_empty() {
                    return Ok(());
                }
                self.write(SOON, tokens::note_uses(self.relaxed(), names)).await
            }

            async fn prune_tokens(&self, limit: u32) -> Result<u64, Error> {
                self.write(LONG, tokens::prune_tokens(self.relaxed(), limit)).await
            }
        }

        #[async_trait]
        impl Secrets for $backend {
            async fn put_secret(
                &self,
                secret: &SealedSecret,
                existing: bool,
            ) -> Result<Option<bool>, Error> {
                self.write(SOON, secrets::put_secret(self.synced(), secret, existing)).await
            }

            async fn reseal_secret(&self, secret: &SealedSecret) -> Result<bool, Error> {
                self.write(SOON, secrets::reseal_secret(self.synced(), secret)).await
            }

            async fn delete_secret(&self, place: &SecretPlace) -> Result<bool, Error> {
                self.write(SOON, secrets::delete_secret(self.synced(), place)).await
            }

            async fn secret(&self, place: &SecretPlace) -> Result<Option<StoredSecret>, Error> {
                self.read(SOON, reads::secret(self.readers(), place)).await
            }

            async fn secret_infos(
                &self,
                function: Option<&FunctionName>,
            ) -> Result<Vec<StoredSecretInfo>, Error> {
                self.read(LONG, reads::secret_infos(self.readers(), function)).await
            }

            async fn secrets_of(
                &self,
                function: &FunctionName,
                names: &[SecretName],
            ) -> Result<Vec<StoredSecret>, Error> {
                self.read(SOON, reads::secrets_of(self.readers(), function, names)).await
            }

            async fn secret_versions(&self) -> Result<Vec<(SecretPlace, SecretVersion, KeyId)>, Error> {
                self.read(SOON, reads::secret_versions(self.readers())).await
            }
        }

        #[async_trait]
        impl AuditLog for $backend {
            async fn append_audit(&self, entries: &[NewAuditEntry]) -> Result<(), Error> {
                if entries.is_empty() {
                    return Ok(());
                }
                self.write(SOON, audit_log::append_audit(self.synced(), entries)).await
            }

            async fn audit_log(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>, Error> {
                self.read(LONG, reads::audit_log(self.sweep_readers(), filter)).await
            }

            async fn prune_audit(&self, age: Duration, keep: u64, limit: u32) -> Result<u64, Error> {
                self.write(LONG, audit_log::prune_audit(self.relaxed(), age, keep, limit)).await
            }
        }
    };
}

pub(in crate::store) use access_methods;
