//! Runtime protocol 1: frames over the guest's Unix socket.
//!
//! A frame is `u32` header length, `u32` body length (big endian), header JSON, body bytes. The guest
//! connects three times; each connection begins with `{"channel": "control" | "stdout" | "stderr"}`.
//! Guest `hello`; host `load` → `ready | load_error`; host `invoke` → `result | error`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{InvocationId, RevisionNumber};

/// Of `hello`; another one is a start error.
pub const VERSION: u32 = 1;

/// `load`: which code to run, sent once per instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Load {
    pub revision: RevisionNumber,
    pub function: String,
    pub handler: String,
    pub env: BTreeMap<String, String>,
    pub secrets: BTreeMap<String, String>,
}

/// `invoke`: the payload is the frame's body.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Invoke {
    pub id: InvocationId,
    pub attempt: u32,
    pub remaining_ms: u64,
    pub headers: BTreeMap<String, String>,
    pub content_type: String,
}
