//! Functions, records and lines beyond those that were made by use: rows made by SQL, in a minute or two for a million.

use sqlx::{
    AssertSqlSafe, Connection as _, PgConnection, SqliteConnection, sqlite::SqliteConnectOptions,
};

use crate::{
    options::Stack,
    platform::{Platform, setting},
};

/// Time from row to row, so that a million lie within a day, and none is old enough to be deleted.
const STEP_MS: u64 = 60;

/// The database of a run.
pub struct Database {
    name: Option<String>,
    url: Option<String>,
    functions: u64,
    rows: u64,
}

impl Database {
    pub async fn create(stack: Stack) -> Self {
        let mut this = Self { name: None, url: None, functions: 0, rows: 0 };
        if stack == Stack::Servers {
            let name = format!("cloudfunc_growth_{}", uuid::Uuid::now_v7().simple());
            this.on_server(&format!("CREATE DATABASE {name} TEMPLATE template0")).await;
            let mut url: url::Url = setting("CLOUDFUNC_TEST_POSTGRES_URL").parse().unwrap();
            url.set_path(&name);
            (this.name, this.url) = (Some(name), Some(url.into()));
        }
        this
    }

    /// None: it is the file of the platform.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    pub async fn remove(self) {
        if let Some(name) = &self.name {
            self.on_server(&format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }

    async fn on_server(&self, statement: &str) {
        let mut server = PgConnection::connect(&setting("CLOUDFUNC_TEST_POSTGRES_URL")).await.unwrap();
        sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut server).await.unwrap();
    }

    /// Copies of the measured function, until there are so many functions.
    pub async fn fill_functions(&mut self, platform: &Platform, functions: u64) {
        let series = self.series(self.functions + 1, functions.saturating_sub(1));
        let (id, now) = match self.url {
            Some(_) => ("gen_random_uuid()", "now_ms()"),
            None => ("randomblob(16)", "CAST(unixepoch('subsec') * 1000 AS INTEGER)"),
        };
        let number = self.padded("i", 6);
        let function = platform.function();
        self.run(
            platform,
            &[
                format!(
                    "INSERT INTO functions (id, name, active_revision, last_revision, created_at)
                 SELECT {id}, 'copy_' || {number}, 1, 1, {now} FROM {series}"
                ),
                format!(
                "INSERT INTO revisions (function_id, number, spec, source, bundle, image, created_at)
                 SELECT f.id, 1, r.spec, r.source, r.bundle, r.image, r.created_at
                 FROM functions AS f, revisions AS r JOIN functions AS o ON o.id = r.function_id
                 WHERE o.name = '{function}' AND r.number = o.active_revision AND f.name LIKE 'copy_%'
                 AND NOT EXISTS (SELECT 1 FROM revisions AS known WHERE known.function_id = f.id)"
            ),
            ],
        )
        .await;
        self.functions = self.functions.max(functions.saturating_sub(1));
    }

    /// Records and lines until there are so many of each, over the copies that there are. All have succeeded but one in a
    /// hundred, and one that timed out; a tenth was asynchronous.
    pub async fn fill_rows(&mut self, platform: &Platform, rows: u64) {
        if self.functions == 0 {
            self.fill_functions(platform, 100).await;
        }
        let (first, functions) = (self.rows, self.functions);
        let series = self.series(first, rows.saturating_sub(1));
        let begin = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap() - 86_400_000;
        let at = format!("({begin} + i * {STEP_MS})");
        let digits = format!(
            "{} || '7' || {} || '8' || {}",
            self.hex(&at, 12),
            self.hex("i % 4096", 3),
            self.hex("(i * 2654435761) % 1152921504606846975", 15)
        );
        let (id, empty) = match self.url {
            Some(_) => (format!("({digits})::uuid"), "'00000000-0000-0000-0000-000000000000'"),
            None => (format!("unhex({digits})"), "zeroblob(16)"),
        };
        let name = format!("'copy_' || {}", self.padded(&format!("(1 + i % {functions})"), 6));
        let bytes = if self.url.is_some() { r"'\x7b7d'" } else { "x'7b7d'" };
        let attempts = r#"{"number":1,"revision":1,"instance":"01900000-0000-7000-8000-000000000000","outcome":"succeeded","lines":1}"#;
        let phases = r#"[{"name":"admit","start_ms":0.0,"duration_ms":0.1},{"name":"queue","start_ms":0.1,"duration_ms":0.3},{"name":"run","start_ms":0.4,"duration_ms":3.1}]"#;
        let newline = if self.url.is_some() { "chr(10)" } else { "char(10)" };
        self.run(platform, &[
            format!(
                "INSERT INTO invocations (id, function_id, function_name, mode, state, attempt, attempts, accepted_at,
                     finished_at, duration_ms, start, phases, result_type, result_size, result)
                 SELECT {id}, {empty}, {name}, CASE WHEN i % 10 = 0 THEN 'async' ELSE 'sync' END,
                     CASE WHEN i = 7 THEN 'timed_out' WHEN i % 100 = 99 THEN 'failed' ELSE 'succeeded' END, 1,
                     '{attempts}' || {newline}, {at}, {at} + 5, 5.0, 'warm', '{phases}', 'application/json', 2, {bytes}
                 FROM {series}"
            ),
            format!(
                "INSERT INTO logs (ts, function_name, revision, invocation_id, attempt, instance, stream, line)
                 SELECT {at}, {name}, 1, {id}, 1, {empty}, 'stdout', 'a line of some thirty characters'
                 FROM {series}"
            ),
        ])
        .await;
        self.rows = self.rows.max(rows);
    }

    fn series(&self, first: u64, last: u64) -> String {
        match self.url {
            Some(_) => format!("generate_series({first}::bigint, {last}::bigint) AS series (i)"),
            None => format!(
                "(WITH RECURSIVE series (i) AS (SELECT {first} WHERE {first} <= {last}
                  UNION ALL SELECT i + 1 FROM series WHERE i < {last}) SELECT i FROM series) AS series"
            ),
        }
    }

    fn padded(&self, number: &str, digits: usize) -> String {
        match self.url {
            Some(_) => format!("lpad(({number})::text, {digits}, '0')"),
            None => format!("printf('%0{digits}d', {number})"),
        }
    }

    fn hex(&self, number: &str, digits: usize) -> String {
        match self.url {
            Some(_) => format!("lpad(to_hex({number}), {digits}, '0')"),
            None => format!("printf('%0{digits}x', {number})"),
        }
    }

    async fn run(&self, platform: &Platform, statements: &[String]) {
        match &self.url {
            Some(url) => {
                let mut connection = PgConnection::connect(url).await.unwrap();
                for statement in statements {
                    sqlx::query(AssertSqlSafe(statement.clone()))
                        .execute(&mut connection)
                        .await
                        .unwrap();
                }
                // As autovacuum would do soon.
                sqlx::query("VACUUM ANALYZE").execute(&mut connection).await.unwrap();
            }
            None => {
                let cloudfunc::store::Config::Sqlite { path } = platform.store() else { unreachable!() };
                let options = SqliteConnectOptions::new().filename(path);
                let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
                for statement in statements {
                    sqlx::query(AssertSqlSafe(statement.clone()))
                        .execute(&mut connection)
                        .await
                        .unwrap();
                }
                connection.close().await.unwrap();
            }
        }
    }
}
