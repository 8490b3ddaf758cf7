//! A [`Home`] whose platform has a database and a broker of the test's.

use std::{ops::Deref, sync::Arc};

use cloudfunc::{
    model::PlatformName,
    queue,
    store::{self, Store},
};

pub use super::home::{Ran, SOON, id_in};
use super::{home::Home, need_all, postgres::Database, process::Process};

pub struct Desk {
    pub user: Home,
    pub database: Database,
    /// URL of the broker.
    pub queue: String,
}

impl Deref for Desk {
    type Target = Home;

    fn deref(&self) -> &Home {
        &self.user
    }
}

impl Desk {
    /// None, with a note, where a server is missing.
    pub fn new(test: &str) -> Option<Self> {
        let [postgres, rabbitmq, _] = need_all(
            ["CLOUDFUNC_TEST_POSTGRES_URL", "CLOUDFUNC_TEST_RABBITMQ_URL", "CLOUDFUNC_TEST_DOCKER"],
            test,
        )?;
        Some(Self {
            user: Home::new("external"),
            database: Database::create(&postgres),
            queue: rabbitmq,
        })
    }

    /// The flags of this desk's store and queue.
    pub fn backends(&self) -> [String; 4] {
        ["--store".to_owned(), self.database.url(), "--queue".to_owned(), self.queue.clone()]
    }

    /// `cloudfunc up`, not awaited; `name` is that of the files with its output.
    pub fn begin_up(&self, name: &str, flags: &[&str]) -> Process {
        let backends = self.backends();
        let backends = backends.iter().map(String::as_str);
        self.begin(name, &flags.iter().copied().chain(backends).collect::<Vec<_>>())
    }

    /// The same, ready.
    pub async fn up(&self) -> Process {
        self.up_with(&[]).await
    }

    pub async fn up_with(&self, flags: &[&str]) -> Process {
        let mut up = self.begin_up("up", flags);
        up.says("cloudfunc is ready", SOON).await;
        up
    }

    pub async fn store(&self) -> Arc<dyn Store> {
        store::connect(&self.database.url().parse().unwrap()).await.unwrap()
    }

    /// Nothing of this platform may be left but what is kept on purpose: its data.
    pub async fn leave(mut self) {
        self.user.assert_left().await;
        self.remove_queues().await;
    }

    async fn remove_queues(&self) {
        let platform: PlatformName = self.name.parse().unwrap();
        let queue = queue::connect(&self.queue.parse().unwrap(), &platform).await.unwrap();
        let store = self.store().await;
        for function in store.functions().await.unwrap() {
            queue.remove(function.id).await.unwrap();
        }
        queue.remove_platform().await.unwrap();
        queue.close().await;
        store.close().await;
    }
}

/// `let desk = desk!();`: returns from the test where a server is missing.
#[macro_export]
macro_rules! desk {
    () => {
        match $crate::support::desk::Desk::new({
            fn here() {}
            std::any::type_name_of_val(&here)
                .trim_end_matches("::here")
                .trim_end_matches("::{{closure}}")
        }) {
            Some(desk) => desk,
            None => return,
        }
    };
}
