//! The methods for functions, their addresses, dependencies and the logs of their builds.

macro_rules! function_methods {
    ($backend:ty) => {
        use bytes::Bytes;

        use crate::{
            model::{
                self, AddressTaken, BuildLog, Function, HttpSpec, Revision, RevisionNumber, WhichBuild,
            },
            store::{
                ActiveFunction, Addresses, BuildLogs, DeletedFunction, Deletion, Dependencies, Functions, NamedBundle,
                NewBuildLog, NewRevision,
            },
        };

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

        #[async_trait]
        impl Addresses for $backend {
            async fn http_functions(&self) -> Result<Vec<ActiveFunction>, Error> {
                self.read(SOON, reads::http_functions(self.readers())).await
            }

            async fn taken_address(
                &self,
                name: &FunctionName,
                http: &HttpSpec,
            ) -> Result<Option<AddressTaken>, Error> {
                self.read(SOON, reads::taken_address(self.readers(), name, http)).await
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
    };
}

pub(in crate::store) use function_methods;
