//! What a run has started, each when it is first asked for, and its end.

use cloudfunc::model::Language;
use sqlx::{Connection as _, PgConnection};

use crate::{
    docker::Engine,
    floors::{self, Floor, Given, Kind},
    load::Endpoint,
    oci::Oci,
    platform::{Setup, Up},
    program::Program,
    setting,
};

pub struct Stage {
    /// Of the platforms that are started from now on.
    pub program: Program,
    given: Given,
    floors: Vec<Floor>,
    platforms: Vec<Up>,
    engine: Option<Engine>,
    node: Option<Engine>,
    oci: Option<Oci>,
    /// Whether the run's database is there.
    database: bool,
}

impl Stage {
    pub fn new(program: Program) -> Self {
        // A name for everything of this run: containers, queues, the database.
        let run = format!("cloudfunc_bench_{}", uuid::Uuid::now_v7().simple());
        let mut database: url::Url = setting("CLOUDFUNC_TEST_POSTGRES_URL").parse().unwrap();
        database.set_path(&run);
        let given = Given { run, database: database.into() };
        Self {
            program,
            given,
            floors: Vec::new(),
            platforms: Vec::new(),
            engine: None,
            node: None,
            oci: None,
            database: false,
        }
    }

    pub async fn floor(&mut self, kind: Kind) -> Endpoint {
        if let Some(floor) = self.floors.iter().find(|floor| floor.kind == kind) {
            return floor.endpoint.clone();
        }
        if kind == Kind::Accepts {
            self.create_database().await;
        }
        let floor = Floor::start(kind, &self.given);
        let endpoint = floor.endpoint.clone();
        self.floors.push(floor);
        endpoint
    }

    pub async fn platform(&mut self, setup: Setup) -> &mut Up {
        let index = match self.platforms.iter().position(|up| up.setup == setup) {
            Some(index) => index,
            None => {
                self.create_database().await;
                self.platforms.push(Up::start(setup, &self.program.path, &self.given.database).await);
                self.platforms.len() - 1
            }
        };
        &mut self.platforms[index]
    }

    /// Ends a platform before the others.
    pub async fn stop(&mut self, setup: Setup) {
        if let Some(index) = self.platforms.iter().position(|up| up.setup == setup) {
            self.platforms.remove(index).stop().await;
        }
    }

    pub async fn engine(&mut self) -> &Engine {
        if self.engine.is_none() {
            self.engine = Some(Engine::connect(&self.given.run, Language::Python).await);
        }
        self.engine.as_ref().expect("just made")
    }

    /// The engine with the image of Node's functions.
    pub async fn node(&mut self) -> &Engine {
        if self.node.is_none() {
            self.node = Some(Engine::connect(&self.given.run, Language::Node).await);
        }
        self.node.as_ref().expect("just made")
    }

    pub fn oci(&mut self) -> &Oci {
        self.oci.get_or_insert_with(Oci::new)
    }

    async fn create_database(&mut self) {
        if !self.database {
            self.statement("CREATE DATABASE").await;
            self.database = true;
        }
    }

    async fn statement(&self, what: &str) {
        let mut server = PgConnection::connect(&setting("CLOUDFUNC_TEST_POSTGRES_URL")).await.unwrap();
        let statement = match what {
            "CREATE DATABASE" => format!("{what} {} TEMPLATE template0", self.given.run),
            _ => format!("{what} {} WITH (FORCE)", self.given.run),
        };
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut server).await.unwrap();
    }

    /// Ends everything that was started; it is started anew when it is asked for.
    pub async fn clear(&mut self) {
        for up in self.platforms.drain(..) {
            up.stop().await;
        }
        let brokers = self
            .floors
            .iter()
            .any(|floor| matches!(floor.kind, Kind::RabbitMq | Kind::RabbitMqDurable | Kind::Accepts));
        let containers = !self.floors.is_empty() || self.engine.is_some() || self.node.is_some();
        self.floors.clear();
        if brokers {
            floors::delete_queues(&self.given.run).await;
        }
        if containers {
            self.engine().await.remove_all().await;
        }
        if let Some(oci) = self.oci.take() {
            oci.close().await;
        }
    }

    /// Removes everything of this run, after whatever end.
    pub async fn close(mut self) {
        self.clear().await;
        if self.database {
            self.statement("DROP DATABASE").await;
        }
    }
}
