//! Functions as callers see them.

use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderMap, Method},
};

use super::Registry;
use crate::{
    error_chain::chain,
    http::{Answer, function_not_found},
    model::{
        Digest, Function, FunctionName, Problem,
        api::{FunctionInfo, NotKept, Packages, Page},
        route,
    },
    store::{self, ActiveFunction},
};

impl Registry {
    pub async fn not_found(&self, name: &FunctionName) -> Problem {
        let functions = self.store.functions().await.unwrap_or_else(|error| {
            tracing::debug!(error = %chain(&error), "no names to suggest");
            Vec::new()
        });
        function_not_found(name, functions.iter().map(|function| function.name.as_str()))
    }

    pub async fn find(&self, name: &FunctionName) -> Answer<Function> {
        match self.store.function(name).await? {
            Some(function) => Ok(function),
            None => Err(self.not_found(name).await.into()),
        }
    }

    pub async fn info(&self, name: &FunctionName) -> Answer<FunctionInfo> {
        let function = self.find(name).await?;
        let revision =
            self.store.revision(function.id, function.active_revision).await?.ok_or_else(|| {
                store::Error::Missing(format!("the active revision of '{}'", function.name))
            })?;
        let instances = self.store.instances(Some(function.id)).await?.len();
        let installed = self.packages(revision.dependencies.as_ref()).await?;
        let unusable = self.store.unusable(function.id).await?;
        let not_kept = match revision.spec.scaling.min_instances {
            0 => None,
            _ => self.not_kept(name).await,
        };
        let active = ActiveFunction { function, revision };
        let info = info(active, u32::try_from(instances).unwrap_or(u32::MAX));
        Ok(FunctionInfo { installed, unusable, not_kept, ..info })
    }

    /// Asks the manager of this host why it does not keep instances. One that does not answer is not waited for.
    async fn not_kept(&self, name: &FunctionName) -> Option<NotKept> {
        const PATIENCE: Duration = Duration::from_secs(1);
        const MAX_ANSWER: usize = 4 * 1024 * 1024;
        let answer =
            self.peers.manager.send(Method::GET, route::NOT_KEPT, HeaderMap::new(), Body::empty());
        let read = async {
            let answer = answer.await.ok()?;
            let body = axum::body::to_bytes(answer.into_body(), MAX_ANSWER).await.ok()?;
            serde_json::from_slice::<Vec<NotKept>>(&body).ok()
        };
        let all = tokio::time::timeout(PATIENCE, read).await.ok().flatten()?;
        all.into_iter().find(|one| one.function == *name)
    }

    /// The packages of a tree, as callers see them.
    pub async fn packages(&self, tree: Option<&Digest>) -> Answer<Option<Packages>> {
        let Some(tree) = tree else { return Ok(None) };
        Ok(self.store.dependencies(tree).await?.map(Packages::from))
    }

    /// The first `limit` of those whose names come after this one, by name, in two queries.
    pub async fn page(
        &self,
        after: Option<&FunctionName>,
        limit: u32,
    ) -> Result<Page<FunctionInfo>, store::Error> {
        let functions = self.store.active_functions(after, limit).await?;
        let ids: Vec<_> = functions.iter().map(|active| active.function.id).collect();
        let live = self.store.live_instances(&ids).await?;
        let next = functions.last().filter(|_| functions.len() == limit as usize);
        let next = next.map(|last| last.function.name.to_string());
        let info = |active: ActiveFunction| {
            let instances = live.get(&active.function.id).copied().unwrap_or_default();
            info(active, instances)
        };
        Ok(Page { items: functions.into_iter().map(info).collect(), next })
    }
}

fn info(ActiveFunction { function, revision }: ActiveFunction, instances: u32) -> FunctionInfo {
    FunctionInfo {
        name: function.name,
        id: function.id,
        active_revision: function.active_revision,
        created_at: function.created_at,
        deployed_at: revision.created_at,
        is_warm: instances > 0 || function.reported_warm,
        instances,
        image: revision.image,
        installed: None,
        not_kept: None,
        unusable: Vec::new(),
        spec: revision.spec,
    }
}
