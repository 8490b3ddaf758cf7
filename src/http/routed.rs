//! The table of public routes (`model/route.rs`) as axum needs it: a role's handlers, and typed parameters of paths.

use axum::{
    Router,
    extract::{FromRequestParts, Path, RawPathParams},
    handler::Handler,
    http::{Method, request::Parts},
    routing::{MethodFilter, MethodRouter, on},
};

use super::{Answer, Failure, function_name};
use crate::model::{
    FunctionName, InvocationRef, Problem, SecretName, TokenName, code,
    route::{self, Endpoint, Parameter, Route},
};

/// Adds handlers of routes that are in the table.
pub trait Routed<S>: Sized {
    /// Answers the route with `handler`.
    fn answers<P, H, T>(self, route: &Route<P>, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static;
}

impl<S: Clone + Send + Sync + 'static> Routed<S> for Router<S> {
    fn answers<P, H, T>(self, route: &Route<P>, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.route(route.endpoint.path, method_router(&route.endpoint, handler))
    }
}

/// The endpoint's method with its handler.
pub fn method_router<S, H, T>(endpoint: &Endpoint, handler: H) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
    H: Handler<T, S>,
    T: 'static,
{
    let filter = match endpoint.method {
        route::Method::Get => MethodFilter::GET,
        route::Method::Post => MethodFilter::POST,
        route::Method::Put => MethodFilter::PUT,
        route::Method::Delete => MethodFilter::DELETE,
    };
    on(filter, handler)
}

impl From<route::Method> for Method {
    fn from(method: route::Method) -> Self {
        match method {
            route::Method::Get => Self::GET,
            route::Method::Post => Self::POST,
            route::Method::Put => Self::PUT,
            route::Method::Delete => Self::DELETE,
        }
    }
}

/// A type that can be read from a path; the problem says what is wrong with the text.
pub trait FromPath: Parameter + Sized {
    fn from_path(text: &str) -> Answer<Self>;
}

impl FromPath for FunctionName {
    fn from_path(text: &str) -> Answer<Self> {
        function_name(text)
    }
}

impl FromPath for InvocationRef {
    fn from_path(text: &str) -> Answer<Self> {
        text.parse().map_err(|error| Problem::new(code::BAD_REQUEST, format!("{error}")).into())
    }
}

impl FromPath for TokenName {
    fn from_path(text: &str) -> Answer<Self> {
        text.parse().map_err(|error| Problem::new(code::INVALID_NAME, format!("{error}")).into())
    }
}

impl FromPath for SecretName {
    fn from_path(text: &str) -> Answer<Self> {
        text.parse().map_err(|error| Problem::new(code::INVALID_NAME, format!("{error}")).into())
    }
}

/// The parameter of a request's path.
pub struct At<P>(pub P);

impl<P: FromPath, S: Send + Sync> FromRequestParts<S> for At<P> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|error| Problem::new(code::BAD_REQUEST, error.body_text()))?;
        P::from_path(&text).map(Self)
    }
}

/// Refuses parameters that are not of the types that the table gives them: `..` would lead to another route of the
/// role to which the path is passed on.
pub fn check_path(parameters: &RawPathParams) -> Answer<()> {
    for (key, text) in parameters {
        match key {
            "invocation" => drop(InvocationRef::from_path(text)?),
            "token" => drop(TokenName::from_path(text)?),
            "secret" => drop(SecretName::from_path(text)?),
            _ => drop(FunctionName::from_path(text)?),
        }
    }
    Ok(())
}
