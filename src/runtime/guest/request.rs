//! The form in which a guest is sent an HTTP request: as it is, or as an event for one that does not take requests.

use std::{borrow::Cow, collections::BTreeMap};

use bytes::Bytes;

use super::{
    Invoke,
    event::{event, for_context},
    protocol::{Features, Load},
    response::Expected,
    work::beside,
};
use crate::model::{
    FunctionError, Interface,
    message::{MAX_BODY, MAX_EVENT_BODY},
};

/// A guest, as far as it matters to the form of what it is sent.
#[derive(Clone, Debug)]
pub(super) struct Taker {
    /// The abilities that it has listed.
    pub(super) features: Features,
    /// The function that it has loaded; empty before.
    function: String,
    /// The interface of that.
    interface: Interface,
    /// The handler may look at the headers of an invocation.
    pub(super) with_context: bool,
}

/// An invocation in the form in which its guest takes it.
pub(super) struct Sent<'a> {
    pub(super) invoke: Cow<'a, Invoke>,
    pub(super) payload: Bytes,
    pub(super) expected: Expected,
}

impl Taker {
    /// Makes a guest that has loaded nothing.
    pub(super) fn new(features: Features) -> Self {
        let (function, interface) = (String::new(), Interface::Protocol);
        Self { features, function, interface, with_context: true }
    }

    /// Notes what the guest loads.
    pub(super) fn loads(&mut self, load: &Load) {
        self.function.clone_from(&load.function);
        self.interface = load.interface;
    }

    /// Returns an invocation as the guest takes it; an error where its request makes too large an event.
    pub(super) async fn form<'a>(
        &self,
        invoke: &'a Invoke,
        payload: &Bytes,
    ) -> Result<Sent<'a>, FunctionError> {
        let Some(head) = &invoke.http else {
            let (invoke, payload) = (Cow::Borrowed(invoke), payload.clone());
            return Ok(Sent { invoke, payload, expected: Expected::Value });
        };
        let is_head = head.request.method == "HEAD";
        if self.features.http && self.interface != Interface::Lambda {
            let (invoke, payload) = (Cow::Borrowed(invoke), payload.clone());
            return Ok(Sent { invoke, payload, expected: Expected::Response { is_head } });
        }
        check_body(payload.len())?;
        let length = payload.len();
        let event = {
            let (id, function) = (invoke.id, self.function.clone());
            let (head, payload) = (head.clone(), payload.clone());
            beside(length, move || event(id, &function, &head, &payload))
                .await?
                .ok_or_else(too_large_event)?
        };
        let headers = match self.with_context {
            true => for_context(&head.headers, length),
            false => BTreeMap::new(),
        };
        let invoke = Invoke {
            id: invoke.id,
            attempt: invoke.attempt,
            remaining_ms: invoke.remaining_ms,
            headers,
            content_type: "application/json".to_owned(),
            http: None,
        };
        let (invoke, expected) = (Cow::Owned(invoke), Expected::EventAnswer { is_head });
        Ok(Sent { invoke, payload: event.into(), expected })
    }
}

/// Checks the length of a request's body that becomes a part of an event.
fn check_body(length: usize) -> Result<(), FunctionError> {
    if length <= MAX_EVENT_BODY {
        return Ok(());
    }
    Err(too_large(format!(
        "the request's body has {length} bytes, over the limit of {MAX_EVENT_BODY} (4.5 MiB) of a function that gets requests \
         as events"
    )))
}

/// Makes the error of too long an event: text is longer as JSON, and its headers are in it, too.
fn too_large_event() -> FunctionError {
    too_large(format!(
        "the event of the request has more than {MAX_BODY} bytes (6 MiB) of JSON, the limit of a payload"
    ))
}

fn too_large(message: String) -> FunctionError {
    let hint = "send a smaller body, or a reference to the data instead of the data itself".to_owned();
    FunctionError { kind: "too_large".to_owned(), message, trace: None, hint: Some(hint) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{HttpRequest, InvocationId},
        runtime::guest::protocol::RequestHead,
    };

    fn request(method: &str) -> Invoke {
        let (method, path) = (method.to_owned(), "/a".to_owned());
        let request = HttpRequest { method, path, query: None, arrival: None };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers = vec![pair("x-a", "1"), pair("x-a", "2"), pair("content-type", "text/plain")];
        Invoke {
            id: InvocationId::new(),
            attempt: 2,
            remaining_ms: 3,
            headers: BTreeMap::new(),
            content_type: "text/plain".to_owned(),
            http: Some(RequestHead { request, headers }),
        }
    }

    fn taker(has_http: bool, interface: Interface) -> Taker {
        let features = Features { http: has_http, ..Features::default() };
        Taker { function: "shop".to_owned(), interface, ..Taker::new(features) }
    }

    #[tokio::test]
    async fn a_guest_that_knows_requests_gets_them_as_they_are_unless_it_is_a_lambda_programs() {
        let body = Bytes::from_static(b"body");
        for (has_http, interface, is_event) in [
            (true, Interface::Protocol, false),
            (true, Interface::Command, false),
            (true, Interface::Http { port: 80 }, false),
            (true, Interface::Lambda, true),
            (false, Interface::Protocol, true),
            (false, Interface::Command, true),
        ] {
            let invoke = request("HEAD");
            let sent = taker(has_http, interface).form(&invoke, &body).await.unwrap();
            assert_eq!(sent.invoke.http.is_none(), is_event, "{interface:?}");
            let expected = match is_event {
                true => Expected::EventAnswer { is_head: true },
                false => Expected::Response { is_head: true },
            };
            assert_eq!(sent.expected, expected);
            if is_event {
                let event: serde_json::Value = serde_json::from_slice(&sent.payload).unwrap();
                assert_eq!(event["requestContext"]["apiId"], "shop");
                assert_eq!(sent.invoke.content_type, "application/json");
                assert_eq!(sent.invoke.headers["x-a"], "1, 2");
                assert_eq!((sent.invoke.attempt, sent.invoke.remaining_ms), (2, 3));
            } else {
                assert_eq!(sent.payload, body);
            }
        }
        let plain = Invoke { http: None, ..request("GET") };
        let sent = taker(false, Interface::Lambda).form(&plain, &body).await.unwrap();
        assert_eq!((sent.expected, sent.payload), (Expected::Value, body));
    }

    #[tokio::test]
    async fn a_handler_that_takes_no_context_is_sent_no_headers_beside_its_event() {
        let with_context = false;
        let taker = Taker { with_context, ..taker(false, Interface::Protocol) };
        let request = request("GET");
        let sent = taker.form(&request, &Bytes::new()).await.unwrap();
        assert!(sent.invoke.headers.is_empty());
    }

    #[tokio::test]
    async fn a_request_that_makes_too_large_an_event_is_not_sent() {
        let refused = async |body: Vec<u8>| {
            let request = request("PUT");
            let sent = taker(false, Interface::Protocol).form(&request, &body.into()).await.err();
            sent.map(|error| (error.kind, error.message))
        };
        let too_large = |message: String| Some(("too_large".to_owned(), message));
        assert_eq!(refused(vec![b'x'; MAX_EVENT_BODY / 2]).await, None);
        let expected = "the request's body has 4718593 bytes, over the limit of 4718592 (4.5 MiB) of a function that gets \
                        requests as events";
        assert_eq!(refused(vec![b'x'; MAX_EVENT_BODY + 1]).await, too_large(expected.to_owned()));
        // Six characters of JSON for each of its bytes.
        let expected = "the event of the request has more than 6291456 bytes (6 MiB) of JSON, the limit of a payload";
        assert_eq!(refused(vec![1; MAX_EVENT_BODY / 2]).await, too_large(expected.to_owned()));
    }
}
