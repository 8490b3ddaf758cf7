//! The traits of the store for both backends, written once: which statements a method runs on which connections, and
//! its time limit. A backend has modules of the same names and functions, and defines:
//!
//! - `synced()` and `relaxed()`, which write: data that others rely on, and data that may be lost with the store's last
//!   moments (records of sync invocations, log lines, reports, notes of publishing);
//! - `readers()`, which read;
//! - `sweep_readers()`, which read what a sweep reads again and again, with plans that do not depend on how much there is;
//! - `leases()` and `lease_readers()`, which the load that leases protect does not hold up;
//! - `read` and `write`, which turn a failure, or silence, into an error: only what `write` was given may have
//!   happened.

use std::time::Duration;

/// The limit for statements over a few rows, the wait for a connection included. They take milliseconds, so silence for
/// this long is a lost server or network, which the operating system would notice after a quarter of an hour. The
/// caller gets [`super::Error::Unavailable`] or, from a write whose commit may have happened,
/// [`super::Error::UnknownFate`]. A file is never lost in this way: SQLite's bound is the wait for the writing
/// connection.
pub(super) const SOON: Duration = Duration::from_secs(10);
/// The limit for statements that move up to 64 MiB or touch thousands of rows.
pub(super) const LONG: Duration = Duration::from_secs(60);

macro_rules! store {
    ($backend:ty, $kind:literal) => {
        use std::{collections::HashMap, time::Duration};

        use async_trait::async_trait;
        use bytes::Bytes;

        use crate::{
            model::{
                self, BuildLog, Digest, Function, FunctionId, FunctionName, IdPart, InvocationId, LogLine,
                ManagerId, OwnerId, Record, Revision, RevisionNumber, WhichBuild, api::Unusable,
            },
            store::{
                ActiveFunction, Backlog, BuildLogs, Claiming, DeletedFunction, Deletion, Dependencies, Due, Error, Functions,
                Health, History, Invocations, Lease, Leases, LogFilter, LogPage, Logs, NamedBundle, NewBuildLog,
                NewInvocation, NewRevision, Prunable, RecordFilter, ReportedInstance, Running,
                Settlement, StoredResult, SyncRecord, Totals, Wanted,
                methods::{LONG, SOON},
            },
        };

        #[async_trait]
        impl Health for $backend {
            fn kind(&self) -> &'static str {
                $kind
            }

            async fn ping(&self) -> Result<(), Error> {
                self.read(SOON, reads::ping(self.readers())).await?;
                if let Some(refused) = self.has_no_room() {
                    return Err(refused);
                }
                match self.refusals.is_refusing() {
                    true => self.write(SOON, records::try_write(self.synced())).await,
                    false => Ok(()),
                }
            }

            fn refused(&self) -> u64 {
                self.refusals.count()
            }

            async fn broken(&self) {
                self.writing_broken().await;
            }

            async fn close(&self) {
                self.close_connections().await;
            }
        }

        #[async_trait]
        impl Functions for $backend {
            async fn put_blob(&self, digest: &Digest, bytes: Bytes) -> Result<(), Error> {
                self.write(LONG, functions::put_blob(self.synced(), digest, &bytes)).await
            }

            async fn blob(&self, digest: &Digest) -> Result<Option<Bytes>, Error> {
                let blob = self.read(LONG, reads::blob(self.readers(), digest)).await?;
                Ok(blob.map(Bytes::from))
            }

            async fn add_revision(&self, revision: NewRevision) -> Result<Revision, Error> {
                self.write(SOON, functions::add_revision(self.synced(), &revision)).await
            }

            async fn activate(
                &self,
                name: &FunctionName,
                revision: RevisionNumber,
                expected: Option<RevisionNumber>,
            ) -> Result<Function, Error> {
                self.write(SOON, functions::activate(self.synced(), name, revision, expected)).await
            }

            async fn function(&self, name: &FunctionName) -> Result<Option<Function>, Error> {
                self.read(SOON, reads::function(self.readers(), name)).await
            }

            async fn functions(&self) -> Result<Vec<Function>, Error> {
                self.read(SOON, reads::functions(self.readers())).await
            }

            async fn active_functions(
                &self,
                after: Option<&FunctionName>,
                limit: u32,
            ) -> Result<Vec<ActiveFunction>, Error> {
                self.read(SOON, reads::active_functions(self.readers(), after, limit)).await
            }

            async fn active_function(&self, id: FunctionId) -> Result<Option<ActiveFunction>, Error> {
                self.read(SOON, reads::active_function(self.readers(), id)).await
            }

            async fn revision(
                &self,
                function: FunctionId,
                number: RevisionNumber,
            ) -> Result<Option<Revision>, Error> {
                self.read(SOON, reads::revision(self.readers(), function, number)).await
            }

            async fn revisions(&self, function: FunctionId) -> Result<Vec<Revision>, Error> {
                self.read(SOON, reads::revisions(self.readers(), function)).await
            }

            async fn report_warm(
                &self,
                name: &FunctionName,
                warm: bool,
            ) -> Result<Option<Function>, Error> {
                self.write(SOON, functions::report_warm(self.synced(), name, warm)).await
            }

            async fn delete_function(&self, name: &FunctionName) -> Result<Option<Deletion>, Error> {
                let function = self.read(SOON, reads::function(self.readers(), name)).await?;
                let trees = self.trees_of(function.map(|function| function.id)).await?;
                let deleted = self.write(LONG, functions::delete_function(self.synced(), name)).await?;
                self.forget_trees(&trees).await;
                Ok(deleted)
            }

            async fn deleted_functions(&self) -> Result<Vec<DeletedFunction>, Error> {
                self.read(SOON, reads::deleted_functions(self.readers())).await
            }

            async fn forget_deleted(&self, functions: &[FunctionId]) -> Result<(), Error> {
                self.write(SOON, functions::forget_deleted(self.relaxed(), functions)).await
            }

            async fn prune_revisions(
                &self,
                keep: u32,
                function: Option<FunctionId>,
            ) -> Result<Vec<FunctionId>, Error> {
                if let Some(function) = function {
                    let is_pruned = self.prune_function(keep, function).await?;
                    return Ok(is_pruned.then_some(function).into_iter().collect());
                }
                // Functions without old revisions are only read, so that other writes need not wait.
                let mut pruned =
                    self.read(LONG, reads::with_old_revisions(self.readers(), keep)).await?;
                for function in std::mem::take(&mut pruned) {
                    if self.prune_function(keep, function).await? {
                        pruned.push(function);
                    }
                }
                for digest in self.read(LONG, reads::orphans(self.readers())).await? {
                    self.write(LONG, prune::remove_blob(self.synced(), &digest)).await?;
                }
                self.forget_trees(&self.read(LONG, reads::unnamed_trees(self.readers())).await?).await;
                for tree in self.read(LONG, reads::unfinished_trees(self.readers())).await? {
                    self.drop_pieces(&tree).await?;
                }
                if self.read(SOON, reads::has_forgotten_builds(self.readers())).await? {
                    self.write(SOON, build_logs::forget_builds(self.synced())).await?;
                }
                Ok(pruned)
            }

            async fn named(&self, digests: &[Digest]) -> Result<Vec<Digest>, Error> {
                self.read(SOON, reads::named(self.readers(), digests)).await
            }

            async fn named_bundles(&self) -> Result<Vec<NamedBundle>, Error> {
                self.read(SOON, reads::named_bundles(self.readers())).await
            }
        }

        impl $backend {
            async fn prune_function(&self, keep: u32, function: FunctionId) -> Result<bool, Error> {
                let trees = self.trees_of(Some(function)).await?;
                let pruning = prune::prune_revisions(self.synced(), keep, function);
                let is_pruned = self.write(LONG, pruning).await?;
                if is_pruned {
                    self.forget_trees(&trees).await;
                }
                Ok(is_pruned)
            }

            async fn trees_of(&self, function: Option<FunctionId>) -> Result<Vec<Digest>, Error> {
                match function {
                    Some(function) => {
                        self.read(SOON, reads::trees_of(self.readers(), function)).await
                    }
                    None => Ok(Vec::new()),
                }
            }

            /// Deletes those of these trees that no revision names any more. What fails is done by a later sweep: the
            /// revisions are gone already.
            async fn forget_trees(&self, trees: &[Digest]) {
                for tree in trees {
                    let forgetting = dependencies::forget_tree(self.synced(), tree);
                    let dropped = match self.write(LONG, forgetting).await {
                        Ok(true) => self.drop_pieces(tree).await,
                        Ok(false) => Ok(()),
                        Err(error) => Err(error),
                    };
                    if let Err(error) = dropped {
                        tracing::warn!(%error, "installed packages not deleted; the sweep tries again");
                    }
                }
            }
        }

        #[async_trait]
        impl Dependencies for $backend {
            async fn put_piece(&self, tree: &Digest, number: u32, bytes: Bytes) -> Result<(), Error> {
                let putting = dependencies::put_piece(self.relaxed(), tree, number, &bytes);
                self.write(LONG, putting).await
            }

            async fn piece(&self, tree: &Digest, number: u32) -> Result<Option<Bytes>, Error> {
                let piece = self.read(LONG, reads::piece(self.readers(), tree, number)).await?;
                Ok(piece.map(Bytes::from))
            }

            async fn drop_pieces(&self, tree: &Digest) -> Result<(), Error> {
                while self.write(LONG, dependencies::drop_piece(self.relaxed(), tree)).await? {}
                Ok(())
            }

            async fn add_dependencies(
                &self,
                new: &model::Dependencies,
            ) -> Result<model::Dependencies, Error> {
                let adding = dependencies::add_dependencies(self.synced(), new);
                let added = self.write(SOON, adding).await?;
                if added.tree != new.tree {
                    self.drop_pieces(&new.tree).await?;
                }
                Ok(added)
            }

            async fn add_fresh(&self, new: &model::Dependencies) -> Result<(), Error> {
                self.write(SOON, dependencies::add_fresh(self.synced(), new)).await
            }

            async fn use_fresh(&self, tree: &Digest) -> Result<(), Error> {
                self.write(SOON, dependencies::use_fresh(self.synced(), tree)).await
            }

            async fn dependencies_for(
                &self,
                key: &Digest,
            ) -> Result<Option<model::Dependencies>, Error> {
                self.read(SOON, reads::dependencies_for(self.readers(), key)).await
            }

            async fn dependencies(
                &self,
                tree: &Digest,
            ) -> Result<Option<model::Dependencies>, Error> {
                self.read(SOON, reads::dependencies(self.readers(), tree)).await
            }
        }

        #[async_trait]
        impl BuildLogs for $backend {
            async fn put_build_log(&self, new: &NewBuildLog) -> Result<(), Error> {
                self.write(LONG, build_logs::put_build_log(self.synced(), new)).await
            }

            async fn build_log(
                &self,
                function: &FunctionName,
                which: WhichBuild,
            ) -> Result<Option<BuildLog>, Error> {
                self.read(SOON, reads::build_log(self.readers(), function, which)).await
            }
        }

        #[async_trait]
        impl Invocations for $backend {
            async fn accept(&self, rows: &[NewInvocation]) -> Result<Vec<bool>, Error> {
                self.write(SOON, invocations::accept(self.synced(), rows)).await
            }

            async fn mark_published(&self, ids: &[InvocationId]) -> Result<(), Error> {
                self.write(SOON, messages::mark_published(self.relaxed(), ids)).await
            }

            async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<bool>, Error> {
                self.write(LONG, invocations::settle(self.synced(), settlements)).await
            }

            async fn note_late(&self, settlements: &[Settlement]) -> Result<(), Error> {
                self.write(SOON, invocations::note_late(self.relaxed(), settlements)).await
            }

            async fn take_due(
                &self,
                limit: u32,
                except: &[FunctionId],
                put_off: Duration,
            ) -> Result<Vec<Due>, Error> {
                self.write(SOON, messages::take_due(self.synced(), limit, except, put_off)).await
            }

            async fn untake(&self, rows: &[Due]) -> Result<(), Error> {
                self.write(SOON, messages::untake(self.synced(), rows)).await
            }

            async fn forget_published(&self) -> Result<(), Error> {
                self.write(LONG, messages::forget_published(self.synced())).await
            }

            async fn forget_lost(&self, functions: &[FunctionId], age: Duration) -> Result<u64, Error> {
                self.write(LONG, messages::forget_lost(self.synced(), functions, age)).await
            }

            async fn pull_in(&self) -> Result<u64, Error> {
                self.write(LONG, messages::pull_in(self.synced())).await
            }

            async fn published(
                &self,
                functions: &[FunctionId],
            ) -> Result<HashMap<FunctionId, u64>, Error> {
                self.read(LONG, messages::published(self.sweep_readers(), functions)).await
            }

            async fn waiting_functions(&self) -> Result<Vec<FunctionId>, Error> {
                self.read(SOON, messages::waiting_functions(self.sweep_readers())).await
            }

            async fn backlog(&self) -> Result<Backlog, Error> {
                self.read(SOON, reads::backlog(self.readers())).await
            }

            async fn totals(&self) -> Result<Totals, Error> {
                self.read(SOON, reads::totals(self.readers())).await
            }
        }

        #[async_trait]
        impl Leases for $backend {
            async fn claim(&self, wanted: &[Wanted], owner: OwnerId) -> Result<Vec<Claiming>, Error> {
                self.write(SOON, invocations::claim(self.synced(), &self.lost, wanted, owner)).await
            }

            async fn take_lease(
                &self,
                owner: OwnerId,
                manager: ManagerId,
                ttl: Duration,
            ) -> Result<(), Error> {
                self.write(SOON, leases::take_lease(self.leases(), owner, manager, ttl)).await
            }

            async fn renew_lease(&self, owner: OwnerId, ttl: Duration) -> Result<bool, Error> {
                let lost = self.lost.of(owner);
                if !lost.is_empty() {
                    self.write(SOON, invocations::give_back_lost(self.leases(), &lost)).await?;
                    self.lost.given_back(&lost);
                }
                self.write(SOON, leases::renew_lease(self.leases(), owner, ttl)).await
            }

            async fn leases(&self) -> Result<Vec<Lease>, Error> {
                self.read(SOON, reads::leases(self.lease_readers())).await
            }

            async fn end_lease(&self, lease: &Lease) -> Result<bool, Error> {
                self.write(SOON, leases::end_lease(self.leases(), lease)).await
            }

            async fn running(&self, owner: OwnerId) -> Result<Vec<Running>, Error> {
                self.read(SOON, reads::running(self.lease_readers(), owner)).await
            }

            async fn release_lease(&self, owner: OwnerId) -> Result<(), Error> {
                self.write(SOON, leases::release_lease(self.leases(), owner)).await
            }

            async fn release_manager(&self, manager: ManagerId) -> Result<(), Error> {
                self.write(SOON, leases::release_manager(self.synced(), manager)).await
            }

            async fn report_instances(
                &self,
                owner: OwnerId,
                instances: &[ReportedInstance],
            ) -> Result<(), Error> {
                self.write(SOON, leases::report_instances(self.relaxed(), owner, instances)).await
            }

            async fn report_unusable(
                &self,
                owner: OwnerId,
                manager: ManagerId,
                functions: &[(FunctionId, String)],
            ) -> Result<(), Error> {
                let reporting = leases::report_unusable(self.relaxed(), owner, manager, functions);
                self.write(SOON, reporting).await
            }

            async fn unusable(&self, function: FunctionId) -> Result<Vec<Unusable>, Error> {
                self.read(SOON, reads::unusable(self.readers(), function)).await
            }

            async fn instances(
                &self,
                function: Option<FunctionId>,
            ) -> Result<Vec<ReportedInstance>, Error> {
                self.read(SOON, reads::instances(self.readers(), function)).await
            }

            async fn live_instances(
                &self,
                functions: &[FunctionId],
            ) -> Result<std::collections::HashMap<FunctionId, u32>, Error> {
                self.read(SOON, reads::live_instances(self.readers(), functions)).await
            }
        }

        #[async_trait]
        impl History for $backend {
            async fn write_sync(&self, records: &[std::sync::Arc<SyncRecord>]) -> Result<(), Error> {
                self.write(SOON, records::write_sync(self.relaxed(), records)).await
            }

            async fn record(&self, id: InvocationId) -> Result<Option<Record>, Error> {
                self.read(SOON, reads::record(self.readers(), id)).await
            }

            async fn result(&self, id: InvocationId) -> Result<Option<StoredResult>, Error> {
                self.read(SOON, reads::result(self.readers(), id)).await
            }

            async fn records(&self, filter: &RecordFilter) -> Result<Vec<Record>, Error> {
                self.read(SOON, reads::records(self.readers(), filter)).await
            }

            async fn find_invocations(
                &self,
                part: &IdPart,
                limit: u32,
            ) -> Result<Vec<InvocationId>, Error> {
                self.read(SOON, reads::find_invocations(self.readers(), part, limit)).await
            }

            async fn prune(&self, age: Duration, limit: u32) -> Result<u64, Error> {
                self.write(LONG, records::prune(self.relaxed(), age, limit)).await
            }

            async fn prunable(&self, age: Duration, keep: u32) -> Result<Prunable, Error> {
                self.read(LONG, reads::prunable(self.readers(), age, keep)).await
            }

            async fn vacuum(&self) -> Result<Option<u64>, Error> {
                self.give_back_room().await
            }
        }

        #[async_trait]
        impl Logs for $backend {
            async fn append_logs(&self, lines: &[LogLine]) -> Result<(), Error> {
                self.write(SOON, records::append_logs(self.relaxed(), lines)).await
            }

            async fn logs(&self, filter: &LogFilter) -> Result<LogPage, Error> {
                self.read(SOON, reads::logs(self.readers(), filter)).await
            }

            async fn count_logs(&self, filter: &LogFilter) -> Result<u64, Error> {
                self.read(SOON, reads::count_logs(self.readers(), filter)).await
            }

            async fn logs_begin(&self, since: jiff::Timestamp) -> Result<Option<i64>, Error> {
                self.read(SOON, reads::logs_begin(self.readers(), since)).await
            }

            async fn log_position(&self, filter: &LogFilter, rank: u64) -> Result<Option<i64>, Error> {
                self.read(SOON, reads::log_position(self.readers(), filter, rank)).await
            }
        }
    };
}

pub(super) use store;
