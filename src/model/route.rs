//! The public routes, each named once: this table makes the gateway's router, the path at the role that answers, and
//! the address that the client calls.
//!
//! A path's parameter is written by its type: `{function}` is a [`FunctionName`], `{invocation}` an [`InvocationRef`],
//! `{token}` a [`TokenName`], `{secret}` a [`SecretName`].
//! A text that is not one is refused before anything else looks at it.

use std::{fmt, marker::PhantomData};

use super::{FunctionName, InvocationRef, SecretName, TokenName, TokenRole};

/// The manager's functions of which it cannot start the instances that it is to keep: asked by the registry of its host and
/// by `status`, and not public.
pub const NOT_KEPT: &str = "/internal/v1/not-kept";
/// The registry's answer to the gateway about a token: `POST` with its [`Digest`](super::Digest) as JSON, a
/// [`KnownToken`](super::api::KnownToken), or 404. Not public.
pub const KNOWN_TOKEN: &str = "/internal/v1/known-token";
/// The changes of tokens, followed by the gateway: `GET` with `?process=` and `?generation=` waits for another one, for at most
/// 20 s, and answers [`TokenChanges`](super::api::TokenChanges); without them it answers at once. Not public.
pub const TOKEN_CHANGES: &str = "/internal/v1/token-changes";
/// The functions with addresses, followed by the gateway: `GET` with `?process=` and `?generation=` waits for another
/// generation, for at most 20 s, and answers [`HttpFunctions`](super::api::HttpFunctions); without them it answers at once. Not
/// public.
pub const HTTP_FUNCTIONS: &str = "/internal/v1/http-functions";
/// Refusals that the gateway tells the registry: `POST` with a list of [`NewAuditEntry`](super::NewAuditEntry). Not public.
pub const REFUSALS: &str = "/internal/v1/refusals";

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
    /// The least role of a token that it asks for. A token for some functions reaches it with the name of one of these in
    /// its path, or the role that answers looks at the [`Caller`](super::Caller) itself.
    pub needs: TokenRole,
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

impl Parameter for TokenName {
    const PLACE: &'static str = "{token}";
}

impl Parameter for SecretName {
    const PLACE: &'static str = "{secret}";
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
        needs: TokenRole::Invoke,
        watches: false,
    },
    parameter: PhantomData,
};

macro_rules! routes {
    ($($(#[$doc:meta])* $name:ident<$parameter:ty>: $method:ident $path:literal [$($key:literal),*] $by:ident $needs:ident $($watches:ident)?;)*) => {
        $($(#[$doc])* pub const $name: Route<$parameter> = Route {
            endpoint: Endpoint {
                method: Method::$method,
                path: $path,
                query: &[$($key),*],
                by: AnsweredBy::$by,
                needs: TokenRole::$needs,
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
    // name<parameter>: method path [query] role, and the least role of a token
    /// Lists functions by name: a page of [`FunctionInfo`](super::api::FunctionInfo), without a limit all of them.
    LIST_FUNCTIONS<()>: Get "/v1/functions" ["cursor", "limit"] Registry Invoke;
    /// Returns one [`FunctionInfo`](super::api::FunctionInfo).
    SHOW_FUNCTION<FunctionName>: Get "/v1/functions/{function}" [] Registry Invoke;
    /// Deletes a function, and ends its waiting invocations as cancelled.
    DELETE_FUNCTION<FunctionName>: Delete "/v1/functions/{function}" [] Registry Deploy;
    /// Lists revisions: a page of [`RevisionInfo`](super::api::RevisionInfo).
    LIST_REVISIONS<FunctionName>: Get "/v1/functions/{function}/revisions" [] Registry Deploy;
    /// Deploys an upload; answers NDJSON of [`DeployLine`](super::api::DeployLine).
    DEPLOY<FunctionName>: Post "/v1/functions/{function}/revisions" ["check", "refresh"] Registry Deploy;
    /// Returns the [`BuildLog`](super::BuildLog) of a revision, of the last build that failed, or of the newest one.
    BUILD_LOG<FunctionName>: Get "/v1/functions/{function}/build-log" ["revision"] Registry Deploy;
    /// Lists instances: a page of [`InstanceInfo`](super::api::InstanceInfo).
    LIST_INSTANCES<FunctionName>: Get "/v1/functions/{function}/instances" [] Registry Deploy;
    /// Makes a revision active; takes an [`ActiveRevision`](super::api::ActiveRevision) and answers the
    /// [`FunctionInfo`](super::api::FunctionInfo). `If-Match` names the revision that must be active before.
    ACTIVATE<FunctionName>: Put "/v1/functions/{function}/active-revision" [] Registry Deploy;
    /// Deletes old data, or with `dry_run` only counts it; answers [`Pruned`](super::api::Pruned).
    PRUNE<()>: Post "/v1/prune" ["dry_run", "older_than"] Registry Admin;
    /// Calls a function. The gateway checks the payload, and asks the scheduler for a typed answer.
    INVOKE<FunctionName>: Post "/v1/functions/{function}/invoke" [] Gateway Invoke;
    /// Returns or follows one function's log, one [`LogLine`](super::LogLine) per line.
    FUNCTION_LOGS<FunctionName>: Get "/v1/functions/{function}/logs" ["function", "invocation", "since", "tail", "cursor", "after", "sequence", "events", "follow"] Scheduler Deploy watches;
    /// Returns or follows the logs of all functions, one [`LogLine`](super::LogLine) per line.
    LOGS<()>: Get "/v1/logs" ["function", "invocation", "since", "tail", "cursor", "after", "sequence", "events", "follow"] Scheduler Deploy watches;
    /// Lists invocations: a page of [`Record`](super::Record), the newest first.
    LIST_INVOCATIONS<()>: Get "/v1/invocations" ["function", "state", "since", "cursor", "limit"] Scheduler Invoke;
    /// Returns one [`Record`](super::Record); with `wait`, once the invocation has ended or the wait is over.
    SHOW_INVOCATION<InvocationRef>: Get "/v1/invocations/{invocation}" ["wait"] Scheduler Invoke watches;
    /// Returns the bytes of an invocation's result.
    RESULT<InvocationRef>: Get "/v1/invocations/{invocation}/result" [] Scheduler Invoke;
    /// Lists tokens by name: a page of [`TokenInfo`](super::api::TokenInfo).
    LIST_TOKENS<()>: Get "/v1/tokens" ["cursor", "limit"] Registry Admin;
    /// Makes a token; takes a [`NewToken`](super::api::NewToken) and answers a [`MadeToken`](super::api::MadeToken).
    CREATE_TOKEN<()>: Post "/v1/tokens" [] Registry Admin;
    /// Returns one [`TokenInfo`](super::api::TokenInfo).
    SHOW_TOKEN<TokenName>: Get "/v1/tokens/{token}" [] Registry Admin;
    /// Revokes a token: it is refused from then on.
    REVOKE_TOKEN<TokenName>: Delete "/v1/tokens/{token}" [] Registry Admin;
    /// Gives a token another value; takes a [`RotateToken`](super::api::RotateToken), or nothing, and answers a
    /// [`MadeToken`](super::api::MadeToken).
    ROTATE_TOKEN<TokenName>: Post "/v1/tokens/{token}/rotate" [] Registry Admin;
    /// Lists secrets, without their values: a page of [`SecretInfo`](super::api::SecretInfo).
    LIST_SECRETS<()>: Get "/v1/secrets" ["function"] Registry Deploy;
    /// Sets a secret, of a function or of the platform, to the bytes of the body; answers a
    /// [`SecretSet`](super::api::SecretSet). With `existing` there has to be a value already.
    SET_SECRET<SecretName>: Put "/v1/secrets/{secret}" ["function", "existing"] Registry Deploy;
    /// Deletes a secret; one that a function gets only with `force`.
    DELETE_SECRET<SecretName>: Delete "/v1/secrets/{secret}" ["function", "force"] Registry Deploy;
    /// Encrypts all secrets with the newest key; answers a [`KeyRotated`](super::api::KeyRotated).
    ROTATE_SECRET_KEY<()>: Post "/v1/secret-key/rotate" [] Registry Admin;
    /// Lists what was changed or refused: a page of [`AuditEntry`](super::AuditEntry), the newest first.
    AUDIT_LOG<()>: Get "/v1/audit-log" ["since", "caller", "action", "target", "outcome", "cursor", "limit"] Registry Admin;
    /// Classic: registers an image.
    CLASSIC_DEPLOY<()>: Post "/deploy" [] Gateway Deploy;
    /// Classic: starts an async invocation.
    CLASSIC_INVOKE<FunctionName>: Post "/invoke/{function}" [] Gateway Invoke;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_of_a_path_has_a_type_and_no_route_is_there_twice() {
        for (index, route) in ALL.iter().enumerate() {
            let places = route.path.split('/').filter(|part| part.contains('{'));
            for place in places {
                assert!(
                    [FunctionName::PLACE, InvocationRef::PLACE, TokenName::PLACE, SecretName::PLACE]
                        .contains(&place),
                    "{}",
                    route.path
                );
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
