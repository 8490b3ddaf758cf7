//! Bundles that are worth compiling, and those that wait for it.

use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use super::{super::bundles::Unpacked, cache::BytecodeKey};
use crate::{
    language::Bytecode,
    model::{Code, Digest, FunctionSpec, Language, Package},
};

/// Code of fewer bytes is compiled by each instance: that takes some milliseconds, and links take time too.
const WORTHWHILE: u64 = 100 * 1024;
/// Bundles that wait to be compiled in the background. Further ones come again with their next start.
const MAX_WAITING: usize = 64;

/// A bundle to compile.
#[derive(Clone)]
pub struct Compilation {
    pub key: BytecodeKey,
    pub language: Language,
    pub version: String,
    pub bytecode: &'static Bytecode,
    pub code: Arc<Unpacked>,
}

impl Compilation {
    /// None where bytecode is of no use: there is little code, or the language or the image of the function has none.
    pub fn of(spec: &FunctionSpec, bundle: &Digest, code: &Arc<Unpacked>) -> Option<Self> {
        let Code::Language { language, version, package: Package::Bundle } = &spec.code else {
            return None;
        };
        let bytecode = language.facts().bytecode.as_ref()?;
        if code.compilable() < WORTHWHILE {
            return None;
        }
        Some(Self {
            key: BytecodeKey { bundle: bundle.clone(), interpreter: format!("{language}-{version}") },
            language: *language,
            version: version.clone(),
            bytecode,
            code: code.clone(),
        })
    }
}

/// Bundles that wait to be compiled in the background.
#[derive(Default)]
pub struct CompileQueue {
    bundles: Mutex<Vec<Compilation>>,
    told: Notify,
}

impl CompileQueue {
    pub fn add(&self, wanted: Compilation) {
        let mut bundles = self.bundles.lock().expect("no holder panics");
        if bundles.len() < MAX_WAITING && !bundles.iter().any(|other| other.key == wanted.key) {
            bundles.push(wanted);
            self.told.notify_one();
        }
    }

    pub async fn next(&self) -> Compilation {
        loop {
            if let Some(next) = self.bundles.lock().expect("no holder panics").pop() {
                return next;
            }
            self.told.notified().await;
        }
    }
}
