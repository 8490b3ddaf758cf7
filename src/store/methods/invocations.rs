//! The methods for invocations, their leases, records and log lines.

macro_rules! invocation_methods {
    ($backend:ty) => {
        use std::collections::HashMap;

        use crate::{
            model::{
                FunctionPattern, IdPart, InvocationId, LogLine, ManagerId, OwnerId, Record,
                api::Unusable,
            },
            store::{
                Backlog, Claiming, Due, History, Invocations, Lease, Leases, LogFilter, LogPage, Logs,
                NewInvocation, Prunable, RecordFilter, ReportedInstance, Running, Settlement,
                StoredResult, SyncRecord, Totals, Wanted,
            },
        };

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
                functions: &[FunctionPattern],
                limit: u32,
            ) -> Result<Vec<InvocationId>, Error> {
                self.read(SOON, reads::find_invocations(self.readers(), part, functions, limit)).await
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

pub(in crate::store) use invocation_methods;
