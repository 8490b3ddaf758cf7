//! Functions as callers see them.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    body::Body,
    http::{HeaderMap, Method},
};

use super::Registry;
use crate::{
    error_chain::chain,
    http::{Answer, function_not_found},
    model::{
        Caller, Code, Digest, Function, FunctionName, FunctionSpec, Problem, TokenRole,
        api::{FunctionInfo, NotKept, Packages, Page},
        route,
    },
    store::{self, ActiveFunction},
};

/// Functions that are read at once.
pub const PIECE: u32 = 500;

impl Registry {
    /// 404 with the near names, of functions that the caller may know of.
    pub async fn not_found(&self, name: &FunctionName, caller: &Caller) -> Problem {
        let functions = self.store.functions().await.unwrap_or_else(|error| {
            tracing::debug!(error = %chain(&error), "no names to suggest");
            Vec::new()
        });
        let names = functions.iter().map(|function| &function.name);
        let names = names.filter(|name| caller.reaches(name));
        function_not_found(name, names.map(FunctionName::as_str))
    }

    pub async fn find(&self, name: &FunctionName, caller: &Caller) -> Answer<Function> {
        match self.store.function(name).await? {
            Some(function) => Ok(function),
            None => Err(self.not_found(name, caller).await.into()),
        }
    }

    /// A function as this caller may see it.
    pub async fn info(&self, name: &FunctionName, caller: &Caller) -> Answer<FunctionInfo> {
        let function = self.find(name, caller).await?;
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
        Ok(shown(FunctionInfo { installed, unusable, not_kept, ..info }, caller))
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

    /// The first `limit` that the caller reaches of those whose names come after this one, by name. Nothing of it tells of
    /// others.
    pub async fn page(
        &self,
        after: Option<&FunctionName>,
        limit: u32,
        caller: &Caller,
    ) -> Result<Page<FunctionInfo>, store::Error> {
        let functions = self.reached(after, limit, caller).await?;
        let ids: Vec<_> = functions.iter().map(|active| active.function.id).collect();
        let live = self.store.live_instances(&ids).await?;
        let next = functions.last().filter(|_| functions.len() == limit as usize);
        let next = next.map(|last| last.function.name.to_string());
        let info = |active: ActiveFunction| {
            let instances = live.get(&active.function.id).copied().unwrap_or_default();
            info(active, instances)
        };
        let items = functions.into_iter().map(info).map(|info| shown(info, caller)).collect();
        Ok(Page { items, next })
    }

    /// Goes on through those of others until there are `limit`, or to the end.
    async fn reached(
        &self,
        after: Option<&FunctionName>,
        limit: u32,
        caller: &Caller,
    ) -> Result<Vec<ActiveFunction>, store::Error> {
        let piece = if caller.is_limited() { PIECE } else { limit };
        let (mut after, mut reached) = (after.cloned(), Vec::new());
        loop {
            let functions = self.store.active_functions(after.as_ref(), piece).await?;
            let is_last = functions.len() < piece as usize;
            after = functions.last().map(|last| last.function.name.clone());
            let room = limit as usize - reached.len();
            let own = functions.into_iter().filter(|active| caller.reaches(&active.function.name));
            reached.extend(own.take(room));
            if is_last || reached.len() == limit as usize {
                return Ok(reached);
            }
        }
    }
}

/// Leaves out what a function is given, how it is built and what it fails at, where the caller may only call it. Each field is
/// named, so that a new one has to be decided on.
fn shown(info: FunctionInfo, caller: &Caller) -> FunctionInfo {
    if caller.role >= TokenRole::Deploy {
        return info;
    }
    let FunctionInfo {
        name,
        id,
        active_revision,
        created_at,
        deployed_at,
        is_warm,
        instances,
        image,
        installed,
        // Their reasons name secrets, keys and what the code says.
        not_kept: _,
        unusable: _,
        spec,
    } = info;
    FunctionInfo {
        name,
        id,
        active_revision,
        created_at,
        deployed_at,
        is_warm,
        instances,
        image,
        installed,
        not_kept: None,
        unusable: Vec::new(),
        spec: shown_spec(spec),
    }
}

fn shown_spec(spec: FunctionSpec) -> FunctionSpec {
    let FunctionSpec {
        description,
        mut code,
        handler,
        interface,
        command,
        timeout,
        load_timeout,
        memory_bytes,
        cpus,
        network,
        env: _,
        secrets: _,
        rate_limit,
        http,
        build_command: _,
        scaling,
        from_source,
    } = spec;
    match &mut code {
        Code::Language { language: _, version: _, package: _ } | Code::Image { image: _ } => {}
        Code::Dockerfile { dockerfile: _, args, network: _ } => args.clear(),
    }
    FunctionSpec {
        description,
        code,
        handler,
        interface,
        command,
        timeout,
        load_timeout,
        memory_bytes,
        cpus,
        network,
        env: BTreeMap::new(),
        secrets: Vec::new(),
        rate_limit,
        http,
        build_command: None,
        scaling,
        from_source,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{BuildCommand, FunctionId, ManagerId, Network, RevisionNumber, api::Unusable};

    fn of_dockerfile() -> FunctionInfo {
        let manifest =
            "dockerfile = 'Dockerfile'\n[build]\nargs = { KEY = 'hunter2' }\n[env]\nKEY = 'hunter2'\n";
        let defaults = crate::manifest::Defaults::default();
        let mut spec = crate::manifest::parse(manifest, "cloudfunc.toml", &defaults).unwrap().spec;
        spec.secrets = vec!["HUNTER2_KEY".parse().unwrap()];
        let command = vec!["make".to_owned(), "hunter2".to_owned()];
        spec.build_command = Some(BuildCommand { command, network: Network::None });
        let name: FunctionName = "f".parse().unwrap();
        let reason = "the secret 'HUNTER2_KEY' is not set".to_owned();
        let (revision, since) = (RevisionNumber(1), jiff::Timestamp::UNIX_EPOCH);
        FunctionInfo {
            name: name.clone(),
            id: FunctionId::new(),
            active_revision: RevisionNumber(1),
            created_at: jiff::Timestamp::UNIX_EPOCH,
            deployed_at: jiff::Timestamp::UNIX_EPOCH,
            is_warm: false,
            instances: 0,
            image: "image".to_owned(),
            installed: None,
            not_kept: Some(NotKept { function: name, revision, since, reason: reason.clone() }),
            unusable: vec![Unusable { manager: ManagerId::new(), reason }],
            spec,
        }
    }

    #[test]
    fn only_who_deploys_sees_what_a_function_is_given_and_what_it_fails_at() {
        let whole = of_dockerfile();
        let seen = |role| {
            let seen = shown(whole.clone(), &Caller { role, ..Caller::internal() });
            serde_json::to_string(&seen).unwrap()
        };
        for role in [TokenRole::Deploy, TokenRole::Admin] {
            assert_eq!(seen(role), serde_json::to_string(&whole).unwrap(), "{role}");
        }
        assert_eq!(seen(TokenRole::Deploy).to_lowercase().matches("hunter2").count(), 6);
        assert!(!seen(TokenRole::Invoke).to_lowercase().contains("hunter2"));
        let mut blank = FunctionInfo { not_kept: None, unusable: Vec::new(), ..whole.clone() };
        blank.spec.env.clear();
        blank.spec.secrets.clear();
        blank.spec.build_command = None;
        blank.spec.code = Code::Dockerfile {
            dockerfile: "Dockerfile".to_owned(),
            args: std::collections::BTreeMap::new(),
            network: Network::None,
        };
        assert_eq!(seen(TokenRole::Invoke), serde_json::to_string(&blank).unwrap());
    }
}
