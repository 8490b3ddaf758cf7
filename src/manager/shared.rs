//! What every task of a manager shares.

use std::{path::PathBuf, sync::Arc};

use tokio_util::sync::CancellationToken;

use super::{
    builds::under_way::BuildsUnderWay, bundles::BundleCache, bytecode::queue::CompileQueue,
    claims::Claims, dependencies::packages::Packages, in_hand::InHand, lives::Lives, logs::LogWriter,
    not_kept::NotKept, outdated::Outdated, revisions::RevisionCache, secrets::SecretReader,
    tasks::Tasks,
};
use crate::{
    clock::Clock, keyring::Keyring, model::ManagerId, queue::Queue, runtime::Runtime, settings::Limits,
    store::ManagerStore,
};

/// State that every task of this manager shares.
pub struct Shared {
    pub store: Arc<dyn ManagerStore>,
    pub queue: Arc<dyn Queue>,
    pub runtime: Arc<dyn Runtime>,
    pub limits: Limits,
    pub manager: ManagerId,
    pub lives: Arc<Lives>,
    pub claims: Claims,
    pub in_hand: Arc<InHand>,
    pub bundles: BundleCache,
    /// Code to compile in the background.
    pub bytecode: CompileQueue,
    pub packages: Packages,
    pub revisions: RevisionCache,
    pub secrets: SecretReader,
    /// The keys of this host.
    pub keyring: Arc<Keyring>,
    pub under_way: BuildsUnderWay,
    pub logs: LogWriter,
    /// Code that may have gone with a function or revision.
    pub outdated: Outdated,
    pub not_kept: NotKept,
    /// `<data>/instances`.
    pub instances: PathBuf,
    pub clock: Clock,
    pub tasks: Tasks,
    /// Cancelled when what still runs is given up: from then on the end of a guest is our doing and says nothing.
    pub given_up: CancellationToken,
}
