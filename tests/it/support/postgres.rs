//! A database of one test, dropped with it. Tests know nothing of sqlx; the client is wherever the
//! server is.

pub struct Database {
    server: String,
    name: String,
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
}

impl Drop for Database {
    fn drop(&mut self) {
        psql(&self.server, &format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

pub fn psql(url: &str, statement: &str) {
    let output = std::process::Command::new("psql")
        .args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"])
        .args(["--dbname", url, "--command", statement])
        .output()
        .expect("psql is there");
    assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
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
