//! The form in which a guest is sent an HTTP request: as it is, or as an event for one that does not take requests.

use std::{borrow::Cow, collections::BTreeMap};

use bytes::Bytes;

use super::{
    Invoke,
    event::{event, for_context},
    protocol::{Features, Load},
    response::Expected,
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
    pub(super) fn form<'a>(
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
        let event = event(invoke.id, &self.function, head, payload);
        check_event(event.len())?;
        let headers = if self.with_context { for_context(&head.headers) } else { BTreeMap::new() };
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

/// Checks the length of an event: text is longer as JSON, and its headers are in it, too.
fn check_event(length: usize) -> Result<(), FunctionError> {
    if length <= MAX_BODY {
        return Ok(());
    }
    Err(too_large(format!(
        "the event of the request has {length} bytes of JSON, over the limit of {MAX_BODY} (6 MiB) of a payload"
    )))
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

    #[test]
    fn a_guest_that_knows_requests_gets_them_as_they_are_unless_it_is_a_lambda_programs() {
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
            let sent = taker(has_http, interface).form(&invoke, &body).unwrap();
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
        let sent = taker(false, Interface::Lambda).form(&plain, &body).unwrap();
        assert_eq!((sent.expected, sent.payload), (Expected::Value, body));
    }

    #[test]
    fn a_handler_that_takes_no_context_is_sent_no_headers_beside_its_event() {
        let with_context = false;
        let taker = Taker { with_context, ..taker(false, Interface::Protocol) };
        assert!(taker.form(&request("GET"), &Bytes::new()).unwrap().invoke.headers.is_empty());
    }

    #[test]
    fn a_request_that_makes_too_large_an_event_is_not_sent() {
        let refused = |body: Vec<u8>| {
            let sent = taker(false, Interface::Protocol).form(&request("PUT"), &body.into()).err();
            sent.map(|error| (error.kind, error.message))
        };
        let too_large = |message: String| Some(("too_large".to_owned(), message));
        assert_eq!(refused(vec![b'x'; MAX_EVENT_BODY / 2]), None);
        let expected = "the request's body has 4718593 bytes, over the limit of 4718592 (4.5 MiB) of a function that gets \
                        requests as events";
        assert_eq!(refused(vec![b'x'; MAX_EVENT_BODY + 1]), too_large(expected.to_owned()));
        // Six characters of JSON for each of its bytes.
        let (_, message) = refused(vec![1; MAX_EVENT_BODY / 2]).unwrap();
        let rest = "bytes of JSON, over the limit of 6291456 (6 MiB) of a payload";
        assert!(
            message.starts_with("the event of the request has ") && message.ends_with(rest),
            "{message}"
        );
    }
}
