//! The public routes, each named once: this table makes the gateway's router, the path at the role that answers, and
//! the address that the client calls.
//!
//! A path's parameter is written by its type: `{function}` is a [`FunctionName`], `{invocation}` an [`InvocationRef`].
//! A text that is not one is refused before anything else looks at it.

use std::{fmt, marker::PhantomData};

use super::{FunctionName, InvocationRef};

/// The manager's functions of which it cannot start the instances that it is to keep: asked by the registry of its host and
/// by `status`, and not public.
pub const NOT_KEPT: &str = "/internal/v1/not-kept";

/// The methods that routes take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `GET`: reads.
    Get,
    /// `POST`: creates or starts something.
    Post,
    /// `PUT`: sets a value; safe to repeat.
    Put,
    /// `DELETE`: deletes; safe to repeat.
    Delete,
}

/// The role that answers a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnsweredBy {
    /// The gateway itself, in an adapter that translates the request.
    Gateway,
    /// The registry, which has the functions.
    Registry,
    /// The scheduler, which has the invocations and their logs.
    Scheduler,
}

/// An entry of the table, without the type of its parameter.
#[derive(Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its method.
    pub method: Method,
    /// The path as a router writes it, with the parameter in braces. It is the same at the gateway and at the role.
    pub path: &'static str,
    /// The parameters that its query may have.
    pub query: &'static [&'static str],
    /// The role that answers.
    pub by: AnsweredBy,
    /// An answer may last as long as its caller likes (`?follow=`, `?wait=`): a shutdown does not wait for it.
    pub watches: bool,
}

/// A route whose path has a parameter of the type `P`, or none: `()`.
#[derive(Debug)]
pub struct Route<P> {
    /// Its entry in the table.
    pub endpoint: Endpoint,
    parameter: PhantomData<fn() -> P>,
}

/// A method and a path with its parameter filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The method.
    pub method: Method,
    /// The path; it begins with a slash.
    pub path: String,
}

/// A type that may stand in a path.
pub trait Parameter: fmt::Display {
    /// The parameter as the table writes it, with its braces.
    const PLACE: &'static str;
}

impl Parameter for FunctionName {
    const PLACE: &'static str = "{function}";
}

impl Parameter for InvocationRef {
    const PLACE: &'static str = "{invocation}";
}

impl<P: Parameter> Route<P> {
    /// Returns the parts of the path before and after the parameter.
    pub fn around(&self) -> (&'static str, &'static str) {
        self.endpoint.path.split_once(P::PLACE).expect("the path of such a route has the parameter")
    }

    /// Returns the target for this function or invocation.
    pub fn at(&self, parameter: &P) -> Target {
        let path = self.endpoint.path.replace(P::PLACE, &parameter.to_string());
        Target { method: self.endpoint.method, path }
    }
}

impl Route<()> {
    /// Returns the target.
    pub fn target(&self) -> Target {
        Target { method: self.endpoint.method, path: self.endpoint.path.to_owned() }
    }
}

/// Tells whether a role is ready; every role answers it.
pub const READY: Route<()> = Route {
    endpoint: Endpoint {
        method: Method::Get,
        path: "/readyz",
        query: &[],
        by: AnsweredBy::Gateway,
        watches: false,
    },
    parameter: PhantomData,
};

macro_rules! routes {
    ($($(#[$doc:meta])* $name:ident<$parameter:ty>: $method:ident $path:literal [$($key:literal),*] $by:ident $($watches:ident)?;)*) => {
        $($(#[$doc])* pub const $name: Route<$parameter> = Route {
            endpoint: Endpoint {
                method: Method::$method,
                path: $path,
                query: &[$($key),*],
                by: AnsweredBy::$by,
                watches: routes!(@watches $($watches)?),
            },
            parameter: PhantomData,
        };)*
        /// Every public route, except `/healthz`, `/readyz` and `/health`.
        pub const ALL: &[&Endpoint] = &[$(&$name.endpoint),*];
    };
    (@watches watches) => { true };
    (@watches) => { false };
}

routes! {
    // name<parameter>: method path [query] role
    /// Lists functions by name: a page of [`FunctionInfo`](super::api::FunctionInfo), without a limit all of them.
    LIST_FUNCTIONS<()>: Get "/v1/functions" ["cursor", "limit"] Registry;
    /// Returns one [`FunctionInfo`](super::api::FunctionInfo).
    SHOW_FUNCTION<FunctionName>: Get "/v1/functions/{function}" [] Registry;
    /// Deletes a function, and ends its waiting invocations as cancelled.
    DELETE_FUNCTION<FunctionName>: Delete "/v1/functions/{function}" [] Registry;
    /// Lists revisions: a page of [`RevisionInfo`](super::api::RevisionInfo).
    LIST_REVISIONS<FunctionName>: Get "/v1/functions/{function}/revisions" [] Registry;
    /// Deploys an upload; answers NDJSON of [`DeployLine`](super::api::DeployLine).
    DEPLOY<FunctionName>: Post "/v1/functions/{function}/revisions" ["check", "refresh"] Registry;
    /// Returns the [`BuildLog`](super::BuildLog) of a revision, of the last build that failed, or of the newest one.
    BUILD_LOG<FunctionName>: Get "/v1/functions/{function}/build-log" ["revision"] Registry;
    /// Lists instances: a page of [`InstanceInfo`](super::api::InstanceInfo).
    LIST_INSTANCES<FunctionName>: Get "/v1/functions/{function}/instances" [] Registry;
    /// Makes a revision active; takes an [`ActiveRevision`](super::api::ActiveRevision) and answers the
    /// [`FunctionInfo`](super::api::FunctionInfo). `If-Match` names the revision that must be active before.
    ACTIVATE<FunctionName>: Put "/v1/functions/{function}/active-revision" [] Registry;
    /// Deletes old data, or with `dry_run` only counts it; answers [`Pruned`](super::api::Pruned).
    PRUNE<()>: Post "/v1/prune" ["dry_run", "older_than"] Registry;
    /// Calls a function. The gateway checks the payload, and asks the scheduler for a typed answer.
    INVOKE<FunctionName>: Post "/v1/functions/{function}/invoke" [] Gateway;
    /// Returns or follows one function's log, one [`LogLine`](super::LogLine) per line.
    FUNCTION_LOGS<FunctionName>: Get "/v1/functions/{function}/logs" ["function", "invocation", "since", "tail", "cursor", "after", "sequence", "events", "follow"] Scheduler watches;
    /// Returns or follows the logs of all functions, one [`LogLine`](super::LogLine) per line.
    LOGS<()>: Get "/v1/logs" ["function", "invocation", "since", "tail", "cursor", "after", "sequence", "events", "follow"] Scheduler watches;
    /// Lists invocations: a page of [`Record`](super::Record), the newest first.
    LIST_INVOCATIONS<()>: Get "/v1/invocations" ["function", "state", "since", "cursor", "limit"] Scheduler;
    /// Returns one [`Record`](super::Record); with `wait`, once the invocation has ended or the wait is over.
    SHOW_INVOCATION<InvocationRef>: Get "/v1/invocations/{invocation}" ["wait"] Scheduler watches;
    /// Returns the bytes of an invocation's result.
    RESULT<InvocationRef>: Get "/v1/invocations/{invocation}/result" [] Scheduler;
    /// Classic: registers an image.
    CLASSIC_DEPLOY<()>: Post "/deploy" [] Gateway;
    /// Classic: starts an async invocation.
    CLASSIC_INVOKE<FunctionName>: Post "/invoke/{function}" [] Gateway;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_of_a_path_has_a_type_and_no_route_is_there_twice() {
        for (index, route) in ALL.iter().enumerate() {
            let places = route.path.split('/').filter(|part| part.contains('{'));
            for place in places {
                assert!([FunctionName::PLACE, InvocationRef::PLACE].contains(&place), "{}", route.path);
            }
            let is_same = |other: &&&Endpoint| other.method == route.method && other.path == route.path;
            assert_eq!(ALL[..=index].iter().filter(is_same).count(), 1, "{}", route.path);
        }
    }

    #[test]
    fn an_address_is_made_of_its_parameter() {
        let name: FunctionName = "hello".parse().unwrap();
        let target = Target { method: Method::Get, path: "/v1/functions/hello/logs".to_owned() };
        assert_eq!(FUNCTION_LOGS.at(&name), target);
        assert_eq!(LIST_FUNCTIONS.target().path, "/v1/functions");
    }
}
