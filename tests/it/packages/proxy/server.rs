//! A small HTTP proxy: requests that name a whole address, and tunnels.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

const MAX_HEAD: usize = 64 * 1024;

pub struct HttpProxy {
    address: SocketAddr,
    served: Arc<Served>,
    server: JoinHandle<()>,
}

struct Served {
    /// Where names lead that nobody else knows.
    names: BTreeMap<String, SocketAddr>,
    heard: Mutex<Vec<(String, String)>>,
}

impl HttpProxy {
    /// Serves on any port of this address, and knows these names.
    pub async fn serve(ip: &str, names: &[(&str, SocketAddr)]) -> Self {
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let names = names.iter().map(|(name, address)| ((*name).to_owned(), *address)).collect();
        let served = Arc::new(Served { names, heard: Mutex::default() });
        let serving = served.clone();
        let server = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let served = serving.clone();
                tokio::spawn(async move { served.answer(client).await });
            }
        });
        Self { address, served, server }
    }

    /// Its address with a user and a password, as in `user:password@`.
    pub fn url(&self, user: &str) -> String {
        format!("http://{user}{}", self.address)
    }

    /// Method and target of all requests so far, with what they had as their authorization.
    pub fn heard(&self) -> Vec<(String, String)> {
        self.served.heard.lock().unwrap().clone()
    }
}

impl Drop for HttpProxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Served {
    async fn answer(&self, mut client: TcpStream) -> io::Result<()> {
        let (head, rest) = head_of(&mut client).await?;
        let mut lines = head.split("\r\n");
        let words: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
        let &[method, target, _] = &words[..] else { return Ok(()) };
        let fields: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(": ")).collect();
        let authorization =
            fields.iter().find(|(name, _)| name.eq_ignore_ascii_case("proxy-authorization"));
        let authorization = authorization.map(|(_, value)| (*value).to_owned()).unwrap_or_default();
        self.heard.lock().unwrap().push((format!("{method} {target}"), authorization));
        let is_tunnel = method == "CONNECT";
        let url = if is_tunnel { format!("http://{target}/") } else { target.to_owned() };
        let Ok(mut server) = self.connect(&url).await else {
            return client
                .write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                .await;
        };
        if is_tunnel {
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
        } else {
            server.write_all(passed_on(method, &url, &fields).as_bytes()).await?;
        }
        server.write_all(&rest).await?;
        copy_bidirectional(&mut client, &mut server).await.map(drop)
    }

    async fn connect(&self, url: &str) -> io::Result<TcpStream> {
        let url = url::Url::parse(url).map_err(io::Error::other)?;
        let host = url.host_str().unwrap_or_default();
        match self.names.get(host) {
            Some(address) => TcpStream::connect(address).await,
            None => TcpStream::connect((host, url.port_or_known_default().unwrap_or(80))).await,
        }
    }
}

/// Reads up to the end of a request's head; what came after it is returned too.
async fn head_of(client: &mut TcpStream) -> io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|part| part == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            bytes.truncate(end);
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), rest));
        }
        if bytes.len() > MAX_HEAD || client.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// The head of the same request as its server gets it: one for each connection.
fn passed_on(method: &str, url: &str, fields: &[(&str, &str)]) -> String {
    let url = url::Url::parse(url).expect("it was parsed before");
    let mut head = format!("{method} {} HTTP/1.1\r\nConnection: close\r\n", url.path());
    for (name, value) in fields {
        let lower = name.to_ascii_lowercase();
        if !lower.starts_with("proxy-") && !["connection", "keep-alive"].contains(&lower.as_str()) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    head + "\r\n"
}
