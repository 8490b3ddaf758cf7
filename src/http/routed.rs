//! The table of public routes (`model/route.rs`) as axum needs it: a role's handlers, and typed parameters of paths.

use axum::{
    Router,
    extract::{FromRequestParts, Path, RawPathParams, Request},
    handler::Handler,
    http::{HeaderMap, Method, request::Parts},
    middleware::{Next, from_fn},
    response::Response,
    routing::{MethodFilter, MethodRouter, on},
};

use super::{Answer, Failure, called_by, function_name};
use crate::model::{
    FunctionName, InvocationRef, Problem, SecretName, TokenName, TokenRole, code,
    route::{self, Endpoint, Parameter, Route},
};

/// Adds handlers of routes that are in the table, to a role behind the gateway.
pub trait Routed<S>: Sized {
    /// Answers the route with `handler`, for callers that may use it: the gateway has looked at that already.
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
        let Endpoint { path, needs, .. } = route.endpoint;
        self.route(path, for_role(needs, method_router(&route.endpoint, handler)))
    }
}

/// Refuses with 403 the requests of a gateway whose caller has a role below this one, and those that name none that can be read.
/// A request without a caller is the platform's own.
pub fn for_role<S>(needs: TokenRole, routes: MethodRouter<S>) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    routes.route_layer(from_fn(move |request: Request, next: Next| async move {
        check_role(needs, request.headers())?;
        Ok::<Response, Failure>(next.run(request).await)
    }))
}

fn check_role(needs: TokenRole, headers: &HeaderMap) -> Answer<()> {
    let role = called_by(headers)?.role;
    if role >= needs {
        return Ok(());
    }
    // Only by a mistake in the gateway, whose own refusal says more.
    tracing::error!(%role, %needs, "the gateway has passed on a request that its caller may not send");
    let detail = format!("the caller has the role {role}, and this needs {needs}");
    Err(Problem::new(code::FORBIDDEN, detail).into())
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

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::HeaderValue};
    use tower::ServiceExt as _;

    use super::*;
    use crate::{
        http::caller_header,
        model::{Caller, api::header::CALLER},
    };

    async fn status(endpoint: &Endpoint, caller: Option<HeaderValue>) -> u16 {
        let routes = Router::<()>::new()
            .route("/", for_role(endpoint.needs, method_router(endpoint, async || "answered")));
        let mut request = Request::new(Body::empty());
        *request.method_mut() = endpoint.method.into();
        if let Some(caller) = caller {
            request.headers_mut().insert(CALLER, caller);
        }
        routes.oneshot(request).await.unwrap().status().as_u16()
    }

    #[tokio::test]
    async fn a_role_behind_the_gateway_refuses_a_caller_that_may_not_use_its_route() {
        for endpoint in route::ALL {
            let path = endpoint.path;
            for role in TokenRole::ALL {
                let caller = caller_header(&Caller { role, ..Caller::internal() });
                let expected = if role < endpoint.needs { 403 } else { 200 };
                assert_eq!(status(endpoint, Some(caller)).await, expected, "{role} {path}");
            }
            assert_eq!(status(endpoint, None).await, 200, "the platform itself, {path}");
            for unreadable in ["", "nobody", r#"{"name": "token ci", "role": "owner"}"#] {
                let caller = HeaderValue::from_static(unreadable);
                assert_eq!(status(endpoint, Some(caller)).await, 403, "{unreadable} {path}");
            }
        }
    }
}
