//! What the roles' HTTP servers share: problems as answers, the guard of every port, callers, health.

mod answers;
mod auth;
mod body_budget;
mod call;
mod caller;
mod caps;
mod client;
mod connections;
mod credentials;
mod decoded_body;
mod document;
mod encoding;
mod exchange;
mod forwarded;
mod headers;
mod host;
mod http1;
mod http2;
mod noted;
mod open;
mod pace;
mod peer;
mod port;
mod problem;
mod progress;
mod query;
mod raw_answer;
mod request;
mod routed;
mod sender;
mod serve;
mod tls;
mod web_server;
mod whole_body;

pub use client::client;

pub use auth::{Answering, Arrived, FOREIGN_HOST, Functions, Guard, OF_A_PAGE, Shortcut};
pub use body_budget::BodyBudget;
pub use call::{CallRequest, check_room_for};
pub use caller::{
    Authenticate, Authentication, CalledBy, OnRefusal, Refusal, Rejected, called_by, caller_header,
};
pub use credentials::TOKEN_HINT;
pub use decoded_body::read_within_budget;
pub use document::{document, read_document};
pub use encoding::{accepts_gzip, compressed, read_decoded};
pub use forwarded::OtherEnd;
pub use headers::{
    check_count_by_http, check_room, end_to_end, end_to_end_with_authorization, handler_headers,
    one_type, take_out_of_connection,
};
pub use host::{host_name, named_host, no_valid_host};
pub use peer::{Calls, Door, Peer, Unanswered};
pub use problem::{Answer, Failure, check_reach, function_not_found};
pub use progress::Bounds;
pub use query::Query;
pub use request::{
    function_name, payload_too_large, read_body, read_body_without_trailers, refused, trailers_refused,
    with_room,
};
pub use routed::{At, FromPath, Routed, check_path, for_role, method_router};
pub use sender::{CheckedToken, SentBy, TokenRefused};
pub use serve::{Counts, Front, Ready, Served, Server, bind, gateway_health_routes, health_routes};
pub use tls::Tls;
pub use web_server::{as_sent, is_of_web_server, named_request, with_how_to_name};
