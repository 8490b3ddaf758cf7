//! The gateway's router, made of the table of routes: every route of it passes the same check of its caller before anything
//! else is done, and there is no other route but those that need no token.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{RawPathParams, Request, State, rejection::RawPathParamsRejection},
    response::Response,
    routing::get,
};
use futures_util::future::BoxFuture;

use super::{Admitted, Gateway, classic, openapi, v1};
use crate::{
    http::{
        self, Answer, Failure, FromPath as _, SentBy, TOKEN_HINT, check_path, gateway_health_routes,
        method_router,
    },
    model::{
        FunctionName, Problem,
        api::ClassicHealth,
        code,
        route::{self, AnsweredBy, Endpoint},
    },
};

/// What answers the requests of a route.
type Adapter = fn(Arc<Gateway>, Admitted, Request) -> BoxFuture<'static, Answer>;

/// All routes of the table, and health.
pub fn routes(gateway: Arc<Gateway>) -> Router {
    let (platform, public_url) = (gateway.platform.clone(), gateway.public_url.clone());
    // It has no backend of its own: it is ready when the roles that it asks are.
    let asked = gateway.clone();
    let ready = Arc::new(move || {
        let gateway = asked.clone();
        Box::pin(async move {
            gateway.registry.ready().await?;
            gateway.scheduler.ready().await
        }) as _
    });
    let table = route::ALL.iter().copied().fold(Router::new(), add);
    // Without a token, as the guard has it.
    let classic_health = get(async || Json(ClassicHealth { status: "healthy".to_owned() }));
    let table = table.route(openapi::PATH, get(openapi::show));
    let health = gateway_health_routes(platform, public_url, ready);
    table.route("/health", classic_health).with_state(gateway).merge(health)
}

fn add(router: Router<Arc<Gateway>>, endpoint: &'static Endpoint) -> Router<Arc<Gateway>> {
    let adapter = adapter(endpoint);
    let handler =
        move |State(gateway): State<Arc<Gateway>>,
              path: Result<RawPathParams, RawPathParamsRejection>,
              request: Request| { answer(gateway, endpoint, adapter, path, request) };
    router.route(endpoint.path, method_router(endpoint, handler))
}

async fn answer(
    gateway: Arc<Gateway>,
    endpoint: &'static Endpoint,
    adapter: Adapter,
    path: Result<RawPathParams, RawPathParamsRejection>,
    mut request: Request,
) -> Answer<Response> {
    // Names that are not text, percent-decoded.
    let path = path.map_err(|error| Failure::from(Problem::new(code::BAD_REQUEST, error.body_text())));
    let admitted = path.and_then(|path| gateway.admit(endpoint, &path, &mut request));
    match admitted {
        Ok(admitted) => adapter(gateway, admitted, request).await,
        Err(refused) => {
            let (head, body) = request.into_parts();
            http::refused(&head.headers, body, false).await;
            Err(refused)
        }
    }
}

/// Returns the adapter of a route.
fn adapter(endpoint: &Endpoint) -> Adapter {
    let own: [(&Endpoint, Adapter); 3] = [
        (&route::INVOKE.endpoint, v1::call),
        (&route::CLASSIC_DEPLOY.endpoint, classic::deploy),
        (&route::CLASSIC_INVOKE.endpoint, classic::invoke),
    ];
    match endpoint.by {
        AnsweredBy::Registry | AnsweredBy::Scheduler => v1::pass_on,
        AnsweredBy::Gateway => {
            let found = own.into_iter().find(|(of, _)| *of == endpoint);
            found.expect("every route that the gateway answers itself has an adapter").1
        }
    }
}

impl Gateway {
    /// Refuses a path that has anything but names and ids in it, and a caller that may not use the route.
    fn admit(
        &self,
        endpoint: &'static Endpoint,
        path: &RawPathParams,
        request: &mut Request,
    ) -> Answer<Admitted> {
        check_path(path)?;
        let sent_by: SentBy = request.extensions_mut().remove().ok_or_else(unguarded)?;
        let named = |place: &str| path.iter().find(|(key, _)| *key == place).map(|(_, text)| text);
        let function = named("function").map(FunctionName::from_path).transpose()?;
        let target = ["function", "token", "secret"].into_iter().find_map(named).map(str::to_owned);
        self.authorise(&sent_by, endpoint, function.as_ref())?;
        Ok(Admitted { endpoint, sent_by, function, target })
    }
}

/// Returns the refusal of a request that no guard has let in.
fn unguarded() -> Problem {
    Problem::new(code::UNAUTHORIZED, "the request carries no bearer token").hint(TOKEN_HINT)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use tower::ServiceExt as _;

    use super::*;
    use crate::model::{Caller, TokenRole};

    fn request(endpoint: &Endpoint, sent_by: Option<SentBy>) -> Request {
        let path = ["{function}", "{token}", "{secret}", "{invocation}"];
        let path = path.iter().fold(endpoint.path.to_owned(), |path, place| path.replace(place, "1234"));
        // A name of a secret does not begin with a digit.
        let path = path.replace("/secrets/1234", "/secrets/A");
        let mut request = Request::new(Body::empty());
        *request.method_mut() = endpoint.method.into();
        *request.uri_mut() = path.parse().unwrap();
        if let Some(sent_by) = sent_by {
            request.extensions_mut().insert(sent_by);
        }
        request
    }

    #[tokio::test]
    async fn no_route_of_the_table_answers_a_request_that_no_guard_has_let_in_or_that_lacks_its_role() {
        let routes = routes(Gateway::alone());
        for endpoint in route::ALL {
            let answer = routes.clone().oneshot(request(endpoint, None)).await.unwrap();
            assert_eq!(answer.status().as_u16(), 401, "{}", endpoint.path);
            let roles = TokenRole::ALL.into_iter().filter(|role| *role < endpoint.needs);
            for role in roles {
                let caller = Caller { role, ..Caller::internal() };
                let sent_by = SentBy::of(caller, [127, 0, 0, 1].into());
                let answer = routes.clone().oneshot(request(endpoint, Some(sent_by))).await.unwrap();
                assert_eq!(answer.status().as_u16(), 403, "{role} {}", endpoint.path);
            }
        }
    }
}
