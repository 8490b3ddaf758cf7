//! A database of one test, dropped with it. Tests know nothing of sqlx; the client is wherever the
//! server is.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, Command, Stdio},
};

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

/// A session that has locked a table: readers and writers of it wait.
pub struct HeldTable {
    session: Child,
}

impl HeldTable {
    pub fn take(database: &Database, table: &str) -> Self {
        let mut psql = Command::new("psql");
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]);
        psql.args(["--dbname", &database.url()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut session = psql.spawn().expect("psql is there");
        let mut says = session.stdin.as_ref().unwrap();
        writeln!(says, "BEGIN; LOCK TABLE {table}; SELECT 'held';").unwrap();
        let mut said = String::new();
        BufReader::new(session.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said.trim(), "held");
        Self { session }
    }

    pub fn release(self) {
        drop(self);
    }
}

impl Drop for HeldTable {
    /// Its transaction ends with the session.
    fn drop(&mut self) {
        drop(self.session.stdin.take());
        let _ = self.session.wait();
    }
}

/// Returns how many sessions wait for what another one has locked.
pub fn waiting_for_a_lock(database: &Database) -> usize {
    let query = "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock'";
    psql(&database.url(), query).trim().parse().unwrap()
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

/// A PostgreSQL of one test, which may be killed and started again; by the pieces of `tests/run`. Its user `chaos` needs a
/// password.
pub struct Server {
    folder: tempfile::TempDir,
}

impl Server {
    pub async fn start(password: &str) -> Self {
        // Where the server's own user can reach it.
        let folder = tempfile::Builder::new().prefix("cfpg").tempdir_in("/var/tmp").unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path(), mode).unwrap();
        let server = Self { folder };
        server.perform("start_postgres").await;
        let rules = server.folder.path().join("postgres/data/pg_hba.conf");
        let others = std::fs::read_to_string(&rules).unwrap();
        std::fs::write(&rules, format!("host all chaos all scram-sha-256\n{others}")).unwrap();
        server.say(&format!("CREATE ROLE chaos LOGIN PASSWORD '{password}'"));
        server.say("ALTER DATABASE cloudfunc OWNER TO chaos");
        server.say("SELECT pg_reload_conf()");
        server
    }

    pub fn port(&self) -> u16 {
        let port = std::fs::read_to_string(self.folder.path().join("postgres/port")).unwrap();
        port.trim().parse().unwrap()
    }

    /// As an administrator.
    pub fn say(&self, statement: &str) {
        psql(&format!("postgres://postgres@127.0.0.1:{}/cloudfunc", self.port()), statement);
    }

    /// Ends it at once.
    pub async fn kill(&self) {
        self.perform("halt_postgres").await;
    }

    pub async fn start_again(&self) {
        self.perform(&format!("launch_postgres {}", self.port())).await;
    }

    async fn perform(&self, step: &str) {
        // Not its output, which the server inherits: nobody would see it end.
        let log = std::fs::File::create(self.folder.path().join("step.log")).unwrap();
        let mut command = tokio::process::Command::from(self.step(step));
        let status = command.stdout(log.try_clone().unwrap()).stderr(log).status().await.unwrap();
        let said = || std::fs::read_to_string(self.folder.path().join("step.log")).unwrap();
        assert!(status.success(), "{step}: {}", said());
    }

    fn step(&self, step: &str) -> std::process::Command {
        let setup = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/setup");
        let script =
            format!("set -euo pipefail; source {setup}/lib.sh; source {setup}/services.sh; {step}");
        let mut command = std::process::Command::new("bash");
        command.args(["-c", &script]).env("CLOUDFUNC_TEST_STATE", self.folder.path());
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.step("stop_postgres").output();
    }
}
