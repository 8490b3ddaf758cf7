//! The combinations of store and queue, and who provides them.

use super::{Settings, SettingsError, StorePlace};
use crate::{place::Stack, queue, store};

impl Settings {
    /// Applies `--embedded`: these flags, with the store and the queue that they leave open. As a flag it has
    /// precedence over the file.
    pub fn embedded(self) -> Result<Self, SettingsError> {
        if let Some(StorePlace::At(store::Config::Postgres { .. })) = &self.store {
            return Err(SettingsError::NotEmbedded { flag: "--store", means: "--store sqlite" });
        }
        if let Some(queue::Config::RabbitMq { .. }) = &self.queue {
            return Err(SettingsError::NotEmbedded { flag: "--queue", means: "--queue embedded" });
        }
        let store = self.store.or(Some(StorePlace::DataDir));
        Ok(Self { store, queue: Some(queue::Config::Embedded), ..self })
    }

    /// Returns the stack: compose if neither store nor queue is given. An embedded queue can only be used by
    /// one process, and only for a store that is a file can it be ensured that no other process uses it.
    pub fn stack(&self) -> Result<Stack, SettingsError> {
        match (&self.store, &self.queue) {
            (None, None) => Ok(Stack::Compose),
            (Some(StorePlace::At(store::Config::Postgres { .. })), Some(queue::Config::Embedded)) => {
                Err(SettingsError::EmbeddedElsewhere)
            }
            (Some(_), Some(queue::Config::Embedded)) => Ok(Stack::Embedded),
            (Some(_), Some(_)) => Ok(Stack::External),
            (Some(_), None) => Err(SettingsError::OnlyOne { given: "--store", missing: "--queue" }),
            (None, Some(_)) => Err(SettingsError::OnlyOne { given: "--queue", missing: "--store" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::place::Dirs;

    fn dirs() -> Dirs {
        Dirs { config: "/c".into(), state: "/s".into() }
    }

    fn from(text: &str) -> Settings {
        Settings::parse(text, "config.toml").unwrap()
    }

    #[test]
    fn store_and_queue_come_together_or_not_at_all() {
        let store = || Some("postgres://u:p@db/x".parse().unwrap());
        let stack = |store, queue| Settings { store, queue, ..Settings::default() }.stack();
        assert_eq!(stack(None, None).unwrap(), Stack::Compose);
        assert_eq!(stack(store(), None).unwrap_err().to_string(), "--store is given without --queue");
        let rabbitmq = || Some("amqp://u:p@mq/%2f".parse().unwrap());
        assert_eq!(stack(store(), rabbitmq()).unwrap(), Stack::External);
        assert_eq!(stack(Some(StorePlace::DataDir), rabbitmq()).unwrap(), Stack::External);
    }

    #[test]
    fn embedded_means_sqlite_and_one_process() {
        let embedded = Settings::default().embedded().unwrap();
        assert_eq!(embedded.stack().unwrap(), Stack::Embedded);
        let file = from("[platform]\nstore = \"postgres://u:p@db/x\"\nqueue = \"amqp://u:p@mq/%2f\"");
        let platform = embedded.or(file).platform(&dirs()).unwrap();
        assert_eq!(platform.data_dir, PathBuf::from("/s/embedded"));
        let store::Config::Sqlite { path } = platform.store else { panic!("not SQLite") };
        assert_eq!(path, PathBuf::from("/s/embedded/store.db"));

        let elsewhere = from("[platform]\nstore = \"sqlite:/x.db\"\nqueue = \"embedded\"");
        assert_eq!(elsewhere.stack().unwrap(), Stack::Embedded);
        let mixed = from("[platform]\nstore = \"postgres://u:p@db/x\"\nqueue = \"embedded\"");
        assert!(matches!(mixed.stack(), Err(SettingsError::EmbeddedElsewhere)));
        assert_eq!(
            mixed.embedded().unwrap_err().to_string(),
            "--embedded and --store contradict each other: --embedded means --store sqlite"
        );
    }
}
