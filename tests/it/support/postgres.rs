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
