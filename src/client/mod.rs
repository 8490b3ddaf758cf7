//! A typed client of the HTTP API (design §9), for the CLI and for tests.
//!
//! One method per route. The outcome of a function is a value ([`InvokeAnswer`]); everything that kept the
//! request from being answered is an [`Error`].

mod access;
mod error;
mod invoke;
mod lines;
mod logs;
mod request;
mod tls;

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use reqwest::{
    StatusCode,
    header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE},
};
use url::Url;

use crate::{
    model::{
        Body, BuildLog, FunctionName, InvocationRef, Problem, ProblemCode, Record, RevisionNumber,
        State, WhichBuild,
        api::{
            ActiveRevision, DeployLine, Deployed, FunctionInfo, Health, InstanceInfo, Page, Pruned,
            RevisionInfo, header,
        },
        route,
    },
    place::Token,
};

pub use access::AuditQuery;
pub use error::Error;
pub use invoke::{CallOptions, InvokeAnswer, Outcome, ServerAnswer};
pub use lines::Lines;
pub use logs::{LogLines, LogQuery};
pub use tls::TlsProblem;

/// The number of bytes of an upload between two reports of its progress.
const UPLOAD_PIECE: usize = 64 * 1024;

/// A client of one platform. Cheap to clone; connections are kept and shared.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    /// The base address, which ends in `/`.
    base: Url,
    token: Option<Token>,
}

/// The selection of records to list.
#[derive(Clone, Debug, Default)]
pub struct RecordFilter {
    pub function: Option<FunctionName>,
    pub state: Option<State>,
    pub since: Option<Timestamp>,
    pub cursor: Option<String>,
    pub limit: Option<u32>,
}

/// The things that were deleted along with a function; an older platform does not report them.
#[derive(Clone, Copy, Debug)]
pub struct Deleted {
    /// The number of waiting invocations that were cancelled.
    pub cancelled: Option<u64>,
    /// The number of its own secrets.
    pub secrets: Option<u64>,
}

/// The way in which a function is deployed.
#[derive(Clone, Copy, Debug)]
pub struct DeployOptions {
    /// Loads the code once before it is registered.
    pub check: bool,
    /// Resolves its packages anew.
    pub refresh: bool,
}

impl Default for DeployOptions {
    fn default() -> Self {
        Self { check: true, refresh: false }
    }
}

impl Client {
    /// Returns the platform's address, which ends in `/`.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// Deploys `archive`, a gzipped tar of the function's folder. `progress` receives each step.
    pub async fn deploy(
        &self,
        name: &FunctionName,
        archive: Bytes,
        progress: impl FnMut(&str),
    ) -> Result<Deployed, Error> {
        self.deploy_with(name, archive, DeployOptions::default(), |_| {}, progress).await
    }

    /// Like [`Self::deploy`], but the code is not loaded before it is registered.
    pub async fn deploy_unchecked(
        &self,
        name: &FunctionName,
        archive: Bytes,
        progress: impl FnMut(&str),
    ) -> Result<Deployed, Error> {
        let options = DeployOptions { check: false, ..DeployOptions::default() };
        self.deploy_with(name, archive, options, |_| {}, progress).await
    }

    /// Like [`Self::deploy`]; `sent` receives the number of bytes handed to the connection. Dropped before the
    /// platform has registered the revision, it cancels the deploy.
    pub async fn deploy_with(
        &self,
        name: &FunctionName,
        archive: Bytes,
        options: DeployOptions,
        sent: impl FnMut(usize) + Send + 'static,
        mut progress: impl FnMut(&str),
    ) -> Result<Deployed, Error> {
        let request = self
            .request(route::DEPLOY.at(name))
            .query(&[("check", (!options.check).then_some(false))])
            .query(&[("refresh", options.refresh.then_some(true))])
            .header(CONTENT_TYPE, "application/gzip")
            .header(ACCEPT, "application/x-ndjson")
            .header(CONTENT_LENGTH, archive.len())
            .body(upload(archive, sent));
        let mut lines = Lines::<DeployLine>::new(self.send(request).await?, self.base.clone());
        while let Some(line) = lines.next().await? {
            match line {
                DeployLine::Progress { message } => progress(&message),
                DeployLine::Done(deployed) => return Ok(deployed),
                DeployLine::Error { problem } => return Err(problem.into()),
            }
        }
        Err(Error::Protocol("the deploy's progress ended without a result".to_owned()))
    }

    pub async fn functions(&self, cursor: Option<&str>) -> Result<Page<FunctionInfo>, Error> {
        self.json(self.request(route::LIST_FUNCTIONS.target()).query(&[("cursor", cursor)])).await
    }

    pub async fn function(&self, name: &FunctionName) -> Result<FunctionInfo, Error> {
        self.json(self.request(route::SHOW_FUNCTION.at(name))).await
    }

    pub async fn revisions(
        &self,
        name: &FunctionName,
        cursor: Option<&str>,
    ) -> Result<Page<RevisionInfo>, Error> {
        let request = self.request(route::LIST_REVISIONS.at(name));
        self.json(request.query(&[("cursor", cursor)])).await
    }

    /// Returns the log of a build.
    pub async fn build_log(&self, name: &FunctionName, which: WhichBuild) -> Result<BuildLog, Error> {
        let request = self.request(route::BUILD_LOG.at(name));
        self.json(request.query(&[("revision", which.to_string())])).await
    }

    pub async fn instances(
        &self,
        name: &FunctionName,
        cursor: Option<&str>,
    ) -> Result<Page<InstanceInfo>, Error> {
        let request = self.request(route::LIST_INSTANCES.at(name));
        self.json(request.query(&[("cursor", cursor)])).await
    }

    /// Makes a revision the active one.
    pub async fn activate(
        &self,
        name: &FunctionName,
        revision: RevisionNumber,
    ) -> Result<FunctionInfo, Error> {
        self.json(self.request(route::ACTIVATE.at(name)).json(&ActiveRevision { revision })).await
    }

    /// Deletes a function; returns what went with it.
    pub async fn delete(&self, name: &FunctionName) -> Result<Deleted, Error> {
        let response = self.send(self.request(route::DELETE_FUNCTION.at(name))).await?;
        let count =
            |name: &str| -> Option<u64> { response.headers().get(name)?.to_str().ok()?.parse().ok() };
        Ok(Deleted { cancelled: count(header::CANCELLED), secrets: count(header::DELETED_SECRETS) })
    }

    /// Frees space, or with `dry_run` returns how much that would be.
    pub async fn prune(&self, dry_run: bool, older_than: Option<Duration>) -> Result<Pruned, Error> {
        let older_than = older_than.map(|age| format!("{}ms", age.as_millis()));
        let request = self.request(route::PRUNE.target()).query(&[("dry_run", dry_run)]);
        self.json(request.query(&[("older_than", older_than)])).await
    }

    /// Returns the record; with `wait`, as soon as it is terminal, but at the latest after that time.
    pub async fn record(
        &self,
        id: impl Into<InvocationRef>,
        wait: Option<Duration>,
    ) -> Result<Record, Error> {
        let id = id.into();
        let wait = wait.map(|wait| format!("{}s", wait.as_secs_f64()));
        let request = self.request(route::SHOW_INVOCATION.at(&id));
        self.json(request.query(&[("wait", wait)])).await
    }

    /// Returns the value that an invocation returned, byte for byte.
    pub async fn result(&self, id: impl Into<InvocationRef>) -> Result<Body, Error> {
        let id = id.into();
        let request = self.request(route::RESULT.at(&id));
        self.body(self.send(request).await?).await
    }

    /// Lists records, newest first.
    pub async fn records(&self, filter: &RecordFilter) -> Result<Page<Record>, Error> {
        let request = self.request(route::LIST_INVOCATIONS.target()).query(&[
            ("function", filter.function.as_ref().map(FunctionName::to_string)),
            ("state", filter.state.map(|state| state.to_string())),
            ("since", filter.since.map(|since| since.to_string())),
            ("cursor", filter.cursor.clone()),
            ("limit", filter.limit.map(|limit| limit.to_string())),
        ]);
        self.json(request).await
    }

    /// Returns the health that the gateway reports, ready or not.
    pub async fn health(&self) -> Result<Health, Error> {
        let response = self.answer(self.request(route::READY.target())).await?;
        if !matches!(response.status(), StatusCode::OK | StatusCode::SERVICE_UNAVAILABLE) {
            return Err(self.refusal(response).await);
        }
        let body = self.body(response).await?;
        serde_json::from_slice(&body.bytes).map_err(|error| Error::unreadable("readyz", &error))
    }
}

/// Splits a body into pieces, so that the progress of sending it can be reported.
fn upload(archive: Bytes, mut sent: impl FnMut(usize) + Send + 'static) -> reqwest::Body {
    let mut rest = archive;
    let mut done = 0;
    let pieces = std::iter::from_fn(move || {
        let piece = rest.split_to(rest.len().min(UPLOAD_PIECE));
        done += piece.len();
        (!piece.is_empty()).then(|| {
            sent(done);
            Ok::<_, std::convert::Infallible>(piece)
        })
    });
    reqwest::Body::wrap_stream(futures_util::stream::iter(pieces))
}

/// Returns whether a problem has this code.
pub fn is(problem: &Problem, code: ProblemCode) -> bool {
    problem.code == code.code
}
