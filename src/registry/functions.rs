//! Functions as callers see them.

use std::collections::HashMap;

use super::Registry;
use crate::{
    error_chain::chain,
    http::{Answer, function_not_found},
    model::{Function, FunctionId, FunctionName, Problem, api::FunctionInfo},
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
        let active = ActiveFunction { function, revision };
        Ok(info(active, u32::try_from(instances).unwrap_or(u32::MAX)))
    }

    /// All of them, by name, in two queries.
    pub async fn list(&self) -> Result<Vec<FunctionInfo>, store::Error> {
        let functions = self.store.active_functions(None).await?;
        let mut live: HashMap<FunctionId, u32> = HashMap::new();
        for instance in self.store.instances(None).await? {
            *live.entry(instance.function).or_default() += 1;
        }
        let instances = |id: &FunctionId| live.get(id).copied().unwrap_or_default();
        Ok(functions
            .into_iter()
            .map(|active| {
                let instances = instances(&active.function.id);
                info(active, instances)
            })
            .collect())
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
        spec: revision.spec,
    }
}
