//! A database of one test, dropped with it. Tests know nothing of sqlx; the client is wherever the
//! server is.

use super::home::SOON;

pub struct Database {
    server: String,
    pub name: String,
}

impl Database {
    /// `server` is the URL of any database on the server.
    pub fn create(server: &str) -> Self {
        let name = format!("cloudfunc_test_{}", uuid::Uuid::now_v7().simple());
        psql(server, &format!("CREATE DATABASE {name} TEMPLATE template0"));
        Self { server: server.to_owned(), name }
    }

    pub fn url(&self) -> String {
        let mut url = url::Url::parse(&self.server).unwrap();
        url.set_path(&self.name);
        url.into()
    }

    pub fn config(&self) -> cloudfunc::store::Config {
        self.url().parse().unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        psql(&self.server, &format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

/// Runs a statement, and returns what it prints.
pub fn psql(url: &str, statement: &str) -> String {
    let output = std::process::Command::new("psql")
        .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"])
        .args(["--dbname", url, "--command", statement])
        .output()
        .expect("psql is there");
    assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Returns how many rows of tables and indexes were read, by sessions that have ended.
pub fn rows_read(database: &Database) -> i64 {
    let read =
        "SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) FROM pg_stat_user_tables";
    let indexes = "SELECT sum(idx_tup_read) FROM pg_stat_user_indexes";
    let number = |query| psql(&database.url(), query).trim().parse::<i64>().unwrap();
    [read, indexes].map(number).iter().sum()
}

/// Until then the server may still be adding to its statistics.
pub fn wait_for_the_sessions_end(database: &Database) {
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
                  AND backend_type = 'client backend'";
    let deadline = std::time::Instant::now() + SOON;
    while psql(&database.url(), others).trim() != "0" {
        assert!(std::time::Instant::now() < deadline, "a session of a closed store goes on");
        std::thread::yield_now();
    }
}
