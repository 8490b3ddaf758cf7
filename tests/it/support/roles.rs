//! Roles started by hand, each a process of its own, as on several hosts.

use std::net::{Ipv4Addr, TcpListener};

use super::{desk::Desk, process::Process};

/// What the roles of one host are told: a data folder, where they listen, where store and queue are.
pub struct HostFlags {
    pub data_dir: std::path::PathBuf,
    pub ports: [u16; 4],
    pub store: String,
    pub queue: String,
    /// `DOCKER_HOST` of its engine.
    pub engine: Option<String>,
}

const ROLES: [&str; 4] = ["gateway", "registry", "scheduler", "manager"];

impl HostFlags {
    /// On free ports; `name` is that of its folder.
    pub fn new(desk: &Desk, name: &str) -> Self {
        let held = [0; 4].map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        Self {
            data_dir: desk.home().join(name),
            ports: held.map(|listener| listener.local_addr().unwrap().port()),
            store: desk.database.url(),
            queue: desk.queue.clone(),
            engine: None,
        }
    }

    pub fn gateway(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0])
    }

    pub fn start(&self, desk: &Desk, role: &str) -> Process {
        let mut command = desk.cloudfunc(&[role]);
        command.arg("--data-dir").arg(&self.data_dir);
        for (role, port) in ROLES.iter().zip(self.ports) {
            command.args([format!("--{role}-port"), port.to_string()]);
        }
        // Passwords are not for everybody who runs `ps`.
        command.env("CLOUDFUNC_STORE", &self.store).env("CLOUDFUNC_QUEUE", &self.queue);
        command.envs(self.engine.iter().map(|engine| ("DOCKER_HOST", engine)));
        let host = self.data_dir.file_name().unwrap().to_str().unwrap();
        Process::start(command, desk.home(), &format!("{host}-{role}"))
    }
}
