//! A request to a function: checked, called, and answered.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use axum::{
    body::{Body, HttpBody as _},
    http::{HeaderMap, HeaderName, Method, Version, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;

use super::{
    Aim, Answered, BY_NAME, Port, RequestPath,
    answer::{self, Client},
    cors::{self, Allowed},
    preflight_for,
};
use crate::{
    gateway::access::authorise,
    http::{
        Answer, Arrived, BodyBudget, CallRequest, FOREIGN_HOST, Failure, OF_A_PAGE, OtherEnd, SentBy,
        check_count_by_http, check_room_for, end_to_end, end_to_end_with_authorization, named_host,
        no_valid_host, one_type, read_body_without_trailers, refused, trailers_refused, with_room,
    },
    model::{
        Arrival, ArrivedBy, HttpAuth, HttpRequest, InvocationId, Problem, TrustedProxies, UnfitRequest,
        code, message::MAX_BODY, route,
    },
    units::show_bytes,
};

/// A request whose body takes longer is looked at again once that has come.
const HOLDS: Duration = Duration::from_secs(2);

/// A request that may be sent to its function.
struct Checked {
    http: HttpRequest,
    /// As the function gets them.
    headers: HeaderMap,
    /// None where everybody may send it.
    sent_by: Option<SentBy>,
}

/// The way by which a request has come, as far as it is known.
pub(super) struct Way<'w> {
    arrived: Arrived,
    end: OtherEnd<'w>,
    client: IpAddr,
    /// The Host as it was sent.
    host: String,
    /// When its address was looked up.
    at: Instant,
    /// The budget for its body.
    bodies: BodyBudget,
}

impl<'w> Way<'w> {
    pub(super) fn of(
        head: &Parts,
        arrived: Arrived,
        trusted: &'w TrustedProxies,
        bodies: BodyBudget,
    ) -> Self {
        let end = OtherEnd { address: arrived.from, is_tls: arrived.is_tls, trusted };
        let client = end.client(&head.headers);
        let host = text(head, header::HOST).unwrap_or_default();
        Self { arrived, end, client, host, at: Instant::now(), bodies }
    }
}

impl Aim {
    /// Below `/f/`, a token is needed whatever `[http]` says.
    fn needs_token(&self) -> bool {
        match &self.function {
            Some(function) if self.target.is_some() => function.http.auth == HttpAuth::Token,
            _ => true,
        }
    }

    /// The method and the pattern of the address that led to it.
    fn matched(&self) -> Option<&str> {
        self.target.as_ref().map(|target| target.route.as_str())
    }

    fn cors(&self) -> &[String] {
        self.function.as_ref().map(|function| &function.http.cors[..]).unwrap_or_default()
    }

    fn max_body(&self) -> usize {
        let of_function = self.function.as_ref().map(|function| function.http.max_body);
        of_function
            .and_then(|bytes| usize::try_from(bytes).ok())
            .map_or(MAX_BODY, |max| max.min(MAX_BODY))
    }

    /// The methods that a preflight is told: those of the address, or the one that it asks for.
    fn methods(&self, asked: &str) -> String {
        let listed = self.function.as_ref().filter(|_| self.target.is_some());
        match listed.map(|function| &function.http.methods) {
            Some(methods) if !methods.is_empty() => methods.join(", "),
            _ => asked.to_owned(),
        }
    }
}

impl Port {
    /// Answers a request to a function.
    pub(super) async fn answered_by(
        &self,
        aim: Aim,
        head: Parts,
        body: Body,
        way: &Way<'_>,
    ) -> Response {
        let origin = text(&head, header::ORIGIN);
        let allowed = match self.check_way(aim.cors(), &head, way, origin.as_deref()) {
            Ok(allowed) => allowed,
            Err((failure, reason)) => {
                self.tell(&aim, &failure, reason, &head, way.client);
                refused(&head.headers, body, true).await;
                return failure.into_response();
            }
        };
        if let (Some(allowed), Some(origin)) = (allowed, &origin)
            && let Some(asked) = preflight_for(&head.method, &head.headers)
        {
            let fields = text(&head, header::ACCESS_CONTROL_REQUEST_HEADERS);
            let methods = aim.methods(asked);
            return answer::preflight(allowed, origin, &methods, fields.as_deref());
        }
        let (has_cors, is_head) = (!aim.cors().is_empty(), head.method == Method::HEAD);
        let mut answer = self.called(aim, head, body, way).await;
        if is_head {
            answer = answer::for_head(answer);
        }
        if has_cors {
            answer::tell_origins(answer.headers_mut(), allowed);
        }
        answer
    }

    /// Checks the host that a request calls, and the page that sends it, if one does, by these origins. A refusal comes with its
    /// reason in words of ours.
    pub(super) fn check_way<'o>(
        &self,
        cors: &[String],
        head: &Parts,
        way: &Way<'_>,
        origin: Option<&'o str>,
    ) -> Result<Option<Allowed<'o>>, (Failure, &'static str)> {
        self.check_host(head).map_err(|failure| (failure, FOREIGN_HOST))?;
        let Some(origin) = origin else { return Ok(None) };
        if head.headers.get_all(header::ORIGIN).iter().nth(1).is_some() {
            let several = Problem::new(code::BAD_REQUEST, "the request has several Origin headers");
            return Err((several.hint("send one").into(), OF_A_PAGE));
        }
        let (called, is_https) = way.end.called(&head.headers, &way.host);
        let allowed = cors::decide(origin, called, is_https, cors);
        allowed.map(Some).map_err(|why| (answer::foreign_origin(origin, why), OF_A_PAGE))
    }

    /// Checks the host that a request to no function calls, and on the platform's own port that no foreign page sends it.
    pub(super) fn check_aimless(&self, head: &Parts, way: &Way<'_>) -> Answer<()> {
        let origin = text(head, header::ORIGIN).filter(|_| !self.is_public);
        let checked = self.check_way(&[], head, way, origin.as_deref());
        checked.map(drop).map_err(|(failure, _)| failure)
    }

    /// Checks the Host: on the platform's own port only a name that is one of its own, or of a function.
    pub(super) fn check_host(&self, head: &Parts) -> Answer<()> {
        if !self.is_public {
            return self.guard.check_host_or(&head.headers, |name| {
                let name = name.trim_end_matches('.').to_ascii_lowercase();
                self.addresses.table().is_some_and(|table| table.has_host(&name))
            });
        }
        match named_host(&head.headers)? {
            None if head.version == Version::HTTP_11 => Err(no_valid_host().into()),
            _ => Ok(()),
        }
    }

    /// Tells of a refusal, unless everybody may send requests: strangers would fill the audit log.
    fn tell(&self, aim: &Aim, failure: &Failure, reason: &'static str, head: &Parts, client: IpAddr) {
        if aim.needs_token() {
            self.guard.tell_refused(failure, reason, head, client);
        }
    }

    /// Calls the function. What refuses the request before its body has come lets that come.
    async fn called(&self, aim: Aim, head: Parts, body: Body, way: &Way<'_>) -> Response {
        let client = Client { is_head: head.method == Method::HEAD, is_stranger: !aim.needs_token() };
        let (checked, is_known) = self.checked(&aim, &head, body.size_hint().lower(), way).await;
        let Checked { http, headers, sent_by } = match checked {
            Ok(checked) => checked,
            Err(failure) => {
                refused(&head.headers, body, !is_known).await;
                return failure.into_response();
            }
        };
        let room = with_room(&way.bodies, &head.headers, body, !is_known).await;
        let (body, room) = match room {
            Ok(taken) => taken,
            Err(used_up) => return used_up.into_response(),
        };
        if let Some(room) = &room {
            room.keeps_at_most(aim.max_body());
        }
        let payload = match self.payload(&aim, sent_by.as_ref(), &head, body, way).await {
            Ok(payload) => payload,
            Err(failure) => return failure.into_response(),
        };
        let (id, function) = (InvocationId::new(), aim.name);
        let request = CallRequest { id, function, headers, payload, http: Some(http) };
        let came = self.gateway.scheduler.call(request).await;
        let told = |failure: Failure| match &sent_by {
            Some(sent_by) => failure.told(&sent_by.caller),
            None => failure,
        };
        answer::answer(came.map_err(told), client)
    }

    /// Checks what is known before the body has come, of which there will be this many bytes at least. Returns whether its sender
    /// is known, too.
    async fn checked(
        &self,
        aim: &Aim,
        head: &Parts,
        length: u64,
        way: &Way<'_>,
    ) -> (Answer<Checked>, bool) {
        let sent_by = match aim.needs_token() {
            true => match self.sender(aim, head, way.client).await {
                Ok(sent_by) => Some(sent_by),
                Err(failure) => {
                    // A valid token, whose requests come too fast.
                    let is_known = failure.0.status == 429;
                    return (Err(failure), is_known);
                }
            },
            false => None,
        };
        let is_known = sent_by.is_some();
        (self.fitting(aim, head, length, way, sent_by).await, is_known)
    }

    /// Returns the request as its function gets it, if it can get a request like this one.
    async fn fitting(
        &self,
        aim: &Aim,
        head: &Parts,
        length: u64,
        way: &Way<'_>,
        sent_by: Option<SentBy>,
    ) -> Answer<Checked> {
        let request = fit(aim, head, length)?;
        // The platform's token is not the function's to read.
        let mut headers = head.headers.clone();
        let mut headers = match sent_by {
            Some(_) => end_to_end(headers)?,
            None => {
                self.guard.take_out_tokens(&mut headers).await;
                end_to_end_with_authorization(headers)?
            }
        };
        let prefix = aim.target.is_none().then(|| format!("{BY_NAME}{}", aim.name));
        way.end.tell(&mut headers, &way.host, prefix.as_deref());
        let http =
            HttpRequest { arrival: Some(Box::new(self.arrival(aim, &request.method, way))), ..request };
        check_room_for(&headers, &http)?;
        Ok(Checked { http, headers, sent_by })
    }

    /// Returns the sender, whose token may invoke the function.
    async fn sender(&self, aim: &Aim, head: &Parts, client: IpAddr) -> Answer<SentBy> {
        let sent_by = self.guard.sender(head, client).await?;
        let endpoint = &route::INVOKE.endpoint;
        match authorise(&sent_by.caller, endpoint, Some(&aim.name)) {
            Ok(()) => Ok(sent_by),
            Err(refused) => {
                self.gateway.refusals.of_function(&sent_by, &aim.name, &refused.0.detail);
                Err(refused)
            }
        }
    }

    /// Reads the body. One that has come slowly is refused if its request would be, by now.
    async fn payload(
        &self,
        aim: &Aim,
        sent_by: Option<&SentBy>,
        head: &Parts,
        body: Body,
        way: &Way<'_>,
    ) -> Answer<Bytes> {
        let max = aim.max_body();
        let payload: Bytes = read_body_without_trailers(body, max, || too_large(max)).await?;
        if let Some(sent_by) = sent_by {
            sent_by.token.still_holds().await.inspect_err(|Failure(problem)| {
                if matches!(problem.status, 401 | 403) {
                    self.gateway.refusals.of_function(sent_by, &aim.name, &problem.detail);
                }
            })?;
        }
        if way.at.elapsed() > HOLDS {
            self.look_again(aim, head, way).await?;
        }
        Ok(payload)
    }

    /// Refuses a request whose address has come to lead elsewhere, or needs a token by now that it does not carry.
    pub(super) async fn look_again(&self, aim: &Aim, head: &Parts, way: &Way<'_>) -> Answer<()> {
        match self.look_up(&head.method, head.uri.path(), &head.headers) {
            Some(Answered::By(now)) if now.name == aim.name && now.matched() == aim.matched() => {
                if now.needs_token() && !aim.needs_token() {
                    self.sender(&now, head, way.client).await?;
                }
                Ok(())
            }
            _ => Err(answer::nothing_there().into()),
        }
    }

    fn arrival(&self, aim: &Aim, method: &str, way: &Way<'_>) -> Arrival {
        let (route, parameters) = match &aim.target {
            Some(target) => {
                let path = RequestPath::read(&aim.path).ok();
                let parameters = path.map(|path| target.parameters(&path));
                (Some(target.route.clone()), parameters.unwrap_or_default())
            }
            None => {
                let table = self.addresses.table();
                table.map(|table| table.own(&aim.name, method, &aim.path)).unwrap_or_default()
            }
        };
        Arrival {
            by: if aim.target.is_some() { ArrivedBy::Address } else { ArrivedBy::Name },
            protocol: way.arrived.protocol.to_owned(),
            from: way.client,
            at_ms: self.gateway.clock.now().as_millisecond(),
            route,
            parameters,
            rules: aim.target.as_ref().map(|target| target.rules),
        }
    }
}

/// Returns the first value of a header.
fn text(head: &Parts, name: HeaderName) -> Option<String> {
    let value = head.headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// Returns the request as its function gets it, if it can get a request like this one.
fn fit(aim: &Aim, head: &Parts, length: u64) -> Answer<HttpRequest> {
    let upgrades = head.headers.get_all(header::UPGRADE).iter();
    // What HTTP/2 without TLS is offered by: RFC 9110 lets a server stay with HTTP/1.1.
    let others = upgrades.filter(|value| !value.as_bytes().eq_ignore_ascii_case(b"h2c"));
    if others.count() > 0 {
        let detail = "functions answer requests, and do not take over connections: no WebSocket, and no other Upgrade";
        return Err(Problem::new(code::BAD_REQUEST, detail)
            .hint("send the request without Upgrade")
            .into());
    }
    if head.headers.contains_key(header::TRAILER) {
        return Err(trailers_refused().into());
    }
    one_type(&head.headers)?;
    check_count_by_http(&head.headers)?;
    let target = match head.uri.query() {
        Some(query) => format!("{}?{query}", aim.path),
        None => aim.path.clone(),
    };
    let named = HttpRequest::named(Some(head.method.as_str()), Some(&target));
    let request = named.map_err(unfit_request)?;
    let max = aim.max_body();
    match length > max as u64 {
        true => Err(too_large(max).into()),
        false => Ok(request),
    }
}

fn unfit_request(unfit: UnfitRequest) -> Problem {
    let hint = match unfit {
        UnfitRequest::Length(_) => "send what is large in the body",
        UnfitRequest::Method | UnfitRequest::MethodOfConnection => "send another method, such as POST",
        UnfitRequest::Characters | UnfitRequest::NoSlash => "send another path",
    };
    Problem::new(code::BAD_REQUEST, format!("the request cannot be passed on: {unfit}")).hint(hint)
}

fn too_large(max: usize) -> Problem {
    let limit = show_bytes(max as u64);
    let hint = match max < MAX_BODY {
        true => "send less, or raise `max_body` of [http] in the function's cloudfunc.toml",
        false => "send a reference to the data instead of the data itself",
    };
    Problem::new(code::PAYLOAD_TOO_LARGE, format!("the body is larger than the limit of {limit}"))
        .hint(hint)
}
