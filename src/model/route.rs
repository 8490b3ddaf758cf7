//! The public routes, each named once: the gateway's router, the path of the role that answers, and the client's
//! address are all made of this table.
//!
//! A path's parameter is written by its type: `{function}` is a [`FunctionName`], `{invocation}` an
//! [`InvocationRef`]. What is not one is refused before anything else looks at it.

use std::{fmt, marker::PhantomData};

use super::{FunctionName, InvocationRef};

/// The methods that routes take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Put,
    Delete,
}

/// The role that answers a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnsweredBy {
    /// The gateway itself, in an adapter that makes something else of the request.
    Gateway,
    Registry,
    Scheduler,
}

/// What the table says of a route, without the type of its parameter.
#[derive(Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub method: Method,
    /// As a router writes it, with the parameter in braces. It is the same at the gateway and at the role.
    pub path: &'static str,
    /// The parameters that its query may have.
    pub query: &'static [&'static str],
    pub by: AnsweredBy,
    /// Whether an answer may last as long as its caller likes (`?follow=`, `?wait=`): a stop does not wait for it.
    pub watches: bool,
}

/// A route whose path has a parameter of the type `P`, or none: `()`.
#[derive(Debug)]
pub struct Route<P> {
    pub endpoint: Endpoint,
    parameter: PhantomData<fn() -> P>,
}

/// A method and a path with its parameter filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub method: Method,
    /// Begins with a slash.
    pub path: String,
}

/// A type that may stand in a path.
pub trait Parameter: fmt::Display {
    /// As it is written in the table, with its braces.
    const PLACE: &'static str;
}

impl Parameter for FunctionName {
    const PLACE: &'static str = "{function}";
}

impl Parameter for InvocationRef {
    const PLACE: &'static str = "{invocation}";
}

impl<P: Parameter> Route<P> {
    /// The route of this very function or invocation.
    pub fn at(&self, parameter: &P) -> Target {
        let path = self.endpoint.path.replace(P::PLACE, &parameter.to_string());
        Target { method: self.endpoint.method, path }
    }
}

impl Route<()> {
    pub fn target(&self) -> Target {
        Target { method: self.endpoint.method, path: self.endpoint.path.to_owned() }
    }
}

/// Whether a role is ready: every role answers it.
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
        /// Every public route, beside `/healthz`, `/readyz` and `/health`.
        pub const ALL: &[&Endpoint] = &[$(&$name.endpoint),*];
    };
    (@watches watches) => { true };
    (@watches) => { false };
}

routes! {
    // name<parameter>: method path [query] role
    LIST_FUNCTIONS<()>: Get "/v1/functions" [] Registry;
    SHOW_FUNCTION<FunctionName>: Get "/v1/functions/{function}" [] Registry;
    DELETE_FUNCTION<FunctionName>: Delete "/v1/functions/{function}" [] Registry;
    LIST_REVISIONS<FunctionName>: Get "/v1/functions/{function}/revisions" [] Registry;
    DEPLOY<FunctionName>: Post "/v1/functions/{function}/revisions" ["check"] Registry;
    LIST_INSTANCES<FunctionName>: Get "/v1/functions/{function}/instances" [] Registry;
    ACTIVATE<FunctionName>: Put "/v1/functions/{function}/active-revision" [] Registry;
    PRUNE<()>: Post "/v1/prune" ["dry_run", "older_than"] Registry;
    /// Calls a function. The gateway checks the payload, and the scheduler is asked for a typed answer.
    INVOKE<FunctionName>: Post "/v1/functions/{function}/invoke" [] Gateway;
    FUNCTION_LOGS<FunctionName>: Get "/v1/functions/{function}/logs" ["function", "invocation", "since", "tail", "cursor", "after", "sequence", "events", "follow"] Scheduler watches;
    LOGS<()>: Get "/v1/logs" ["function", "invocation", "since", "tail", "cursor", "after", "sequence", "events", "follow"] Scheduler watches;
    LIST_INVOCATIONS<()>: Get "/v1/invocations" ["function", "state", "since", "cursor", "limit"] Scheduler;
    SHOW_INVOCATION<InvocationRef>: Get "/v1/invocations/{invocation}" ["wait"] Scheduler watches;
    RESULT<InvocationRef>: Get "/v1/invocations/{invocation}/result" [] Scheduler;
    /// Classic: registers an image.
    CLASSIC_DEPLOY<()>: Post "/deploy" [] Gateway;
    /// Classic: an async invocation.
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
