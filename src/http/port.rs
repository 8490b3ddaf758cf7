//! The things that the connections of a port share, and how each request on them is answered.

use std::{convert::Infallible, net::IpAddr, sync::Arc};

use axum::http::{HeaderValue, Request, Response, header};
use hyper::body::{Body as _, Incoming};
use tokio_util::sync::CancellationToken;

use super::{
    answers::Answers,
    auth::{Arrived, Guarded},
    exchange::{AnswerBody, Exchange},
    progress::{Bounds, Progress},
    tls::Tls,
};
use crate::model::TrustedProxies;

/// How a port meets the connections that come to it.
#[derive(Clone, Default)]
pub struct Front {
    /// Every connection begins with TLS; none takes them as they are.
    pub tls: Option<Arc<Tls>>,
    /// The proxies in front of the port, whose connections are those of many clients.
    pub trusted_proxies: TrustedProxies,
}

/// A port: what it answers, and its bounds.
pub(super) struct Port {
    pub app: Guarded,
    pub front: Front,
    pub bounds: Bounds,
    pub answers: Arc<Answers>,
    pub stop: CancellationToken,
}

/// A connection, as its requests see it.
#[derive(Clone, Copy)]
pub(super) struct Link {
    pub from: IpAddr,
    pub is_tls: bool,
    pub has_streams: bool,
}

impl Link {
    fn arrived(self) -> Arrived {
        let protocol = if self.has_streams { "HTTP/2" } else { "HTTP/1.1" };
        Arrived { from: self.from, is_tls: self.is_tls, protocol }
    }
}

impl Port {
    /// Answers a request whose head has come. It counts as under way from this call on.
    pub(super) fn answer(
        self: &Arc<Self>,
        request: Request<Incoming>,
        progress: &Arc<Progress>,
        link: Link,
    ) -> impl Future<Output = Result<Response<AnswerBody>, Infallible>> + Send + use<> {
        let (mut request, exchange) = Exchange::begin(progress, request);
        name_host(&mut request);
        let (port, progress) = (self.clone(), progress.clone());
        async move {
            let answer = port.app.answer(request, link.arrived()).await;
            // One whose size is not known is made as it is taken.
            let bytes = answer.body().size_hint().exact().unwrap_or(0);
            let on = Arc::downgrade(&progress);
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            let held = port.answers.hold(bytes, link.from, on);
            Ok(answer.map(|body| AnswerBody::new(body, exchange, held, link.has_streams)))
        }
    }
}

/// Gives a request whose target names an authority, as all do with HTTP/2, that one as its `Host`, in place of another
/// (RFC 9112, 3.2.2; RFC 9113, 8.3.1). Several stay as they are: they are refused.
fn name_host<B>(request: &mut Request<B>) {
    let Some(authority) = request.uri().authority() else { return };
    let Ok(host) = HeaderValue::from_str(authority.as_str()) else { return };
    if request.headers().get_all(header::HOST).iter().count() < 2 {
        request.headers_mut().insert(header::HOST, host);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authority_of_a_target_is_the_host() {
        let hosts = |uri: &str, sent: &[&'static str]| {
            let mut request = Request::builder().uri(uri).body(()).unwrap();
            for host in sent {
                request.headers_mut().append(header::HOST, HeaderValue::from_static(host));
            }
            name_host(&mut request);
            let hosts = request.headers().get_all(header::HOST).iter();
            hosts.map(|host| host.to_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(hosts("https://a.example:8443/path", &[]), ["a.example:8443"]);
        assert_eq!(hosts("https://a.example/path", &["localhost"]), ["a.example"]);
        assert_eq!(hosts("https://a.example/path", &["b", "c"]), ["b", "c"]);
        assert_eq!(hosts("/path", &["localhost"]), ["localhost"]);
        assert_eq!(hosts("/path", &[]), Vec::<String>::new());
    }
}
