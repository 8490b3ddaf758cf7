//! The host's side of the runtime protocol and nothing else: no limits, no output, no checks.

use std::{
    fs, io,
    os::{fd::AsRawFd as _, unix::fs::PermissionsExt as _},
    path::Path,
};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use rustix::fs::{Mode, OFlags};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
};

const LENGTHS: usize = 8;

/// Binds the socket in a guest's folder. An address has room for 107 bytes only; through the open folder any
/// path will do.
pub fn listen(folder: &Path) -> io::Result<UnixListener> {
    let folder = rustix::fs::open(folder, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?;
    let path = format!("/proc/self/fd/{}/runtime.sock", folder.as_raw_fd());
    let listener = UnixListener::bind(&path)?;
    // The guest is another user.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666))?;
    Ok(listener)
}

/// A guest that has said `hello`.
pub struct Wire {
    control: UnixStream,
    buffer: BytesMut,
    /// Kept open; nothing is printed.
    _outputs: Vec<UnixStream>,
}

impl Wire {
    /// Takes a guest's three connections, up to its `hello`.
    pub async fn accept(listener: &UnixListener) -> io::Result<Self> {
        let (mut control, mut outputs) = (None, Vec::new());
        for _ in 0..3 {
            let (stream, _) = listener.accept().await?;
            let mut wire = Self { control: stream, buffer: BytesMut::new(), _outputs: Vec::new() };
            let (opening, _) = wire.receive().await?;
            match opening["channel"] == "control" {
                true => control = Some(wire),
                false => outputs.push(wire.control),
            }
        }
        let mut wire = control.ok_or(io::ErrorKind::InvalidData)?;
        wire._outputs = outputs;
        wire.expect("hello").await?;
        Ok(wire)
    }

    /// Until the function could be called.
    pub async fn load(&mut self) -> io::Result<()> {
        let fields = json!({
            "revision": 1, "function": "bare", "handler": "function.handler", "env": {}, "secrets": {},
        });
        self.send(&json!({ "load": fields }), b"").await?;
        self.expect("ready").await.map(drop)
    }

    pub async fn call(&mut self, payload: &[u8]) -> io::Result<Bytes> {
        let fields = json!({
            "id": uuid::Uuid::now_v7(), "attempt": 1, "remaining_ms": 10_000, "headers": {},
            "content_type": "application/json",
        });
        self.send(&json!({ "invoke": fields }), payload).await?;
        self.expect("result").await
    }

    async fn send(&mut self, header: &Value, body: &[u8]) -> io::Result<()> {
        let header = serde_json::to_vec(header)?;
        let mut frame = BytesMut::with_capacity(LENGTHS + header.len() + body.len());
        for part in [&header[..], body] {
            frame.put_u32(u32::try_from(part.len()).map_err(io::Error::other)?);
        }
        frame.extend_from_slice(&header);
        frame.extend_from_slice(body);
        self.control.write_all(&frame).await
    }

    async fn expect(&mut self, name: &str) -> io::Result<Bytes> {
        let (header, body) = self.receive().await?;
        match header.get(name) {
            Some(_) => Ok(body),
            None => Err(io::Error::other(format!("{header} instead of {name}"))),
        }
    }

    async fn receive(&mut self) -> io::Result<(Value, Bytes)> {
        self.fill(LENGTHS).await?;
        let (header, body) = (self.buffer.get_u32() as usize, self.buffer.get_u32() as usize);
        self.fill(header + body).await?;
        let header = serde_json::from_slice(&self.buffer.split_to(header))?;
        Ok((header, self.buffer.split_to(body).freeze()))
    }

    async fn fill(&mut self, length: usize) -> io::Result<()> {
        while self.buffer.len() < length {
            if self.control.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }
}
