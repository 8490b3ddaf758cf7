//! Answers that are written past hyper: to a head that is too large, that cannot be read, or that does not come, and to a
//! connection for which there is no place.

use std::time::Duration;

use axum::http::StatusCode;
use jiff::{Timestamp, fmt::rfc2822::DateTimePrinter};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::progress::Bounds;
use crate::{
    model::{Problem, code},
    units::{show_bytes, show_duration},
};

/// The size of a head, in bytes; it is also that of hyper's buffer, and so the memory that a head takes.
pub(super) const MAX_HEAD: usize = 64 * 1024;
/// The number of a head's fields: hyper's own, for which it allocates nothing.
const MAX_FIELDS: usize = 100;
/// Seconds that a client for whom there is no place is told to wait.
const RETRY_AFTER: u64 = 1;

/// The part of what the other side still sends that is read and thrown away: it would otherwise see a reset in place of the
/// answer.
const SWALLOW: u64 = 1024 * 1024;
const SWALLOW_TIMEOUT: Duration = Duration::from_secs(1);

/// Returns what is answered to a head that hyper cannot read, and would answer with this status.
pub(super) fn of_status(status: u16) -> Problem {
    if status != 431 {
        return Problem::new(code::BAD_REQUEST, "the head of the request is not valid HTTP/1.1");
    }
    let limit = show_bytes(MAX_HEAD as u64);
    let detail =
        format!("the head of the request is larger than {limit}, or has more than {MAX_FIELDS} headers");
    Problem::new(code::HEADERS_TOO_LARGE, detail).hint("send what is large as the payload")
}

/// Returns what is answered to a head that does not come in time.
pub(super) fn head_overdue(bounds: &Bounds) -> Problem {
    let detail = format!("the head of the request has not come within {}", show_duration(bounds.head));
    Problem::new(code::REQUEST_TIMEOUT, detail)
}

/// Returns what is answered to a connection for which there is no place.
pub(super) fn no_place() -> Problem {
    Problem::new(code::OVERLOADED, "all connections of this port are in use").retry_after(RETRY_AFTER)
}

/// Returns an answer as HTTP/1.1 has it, at this time.
pub(super) fn written(problem: &Problem, now: Timestamp) -> Vec<u8> {
    let body = serde_json::to_vec(problem).unwrap_or_default();
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let retry_after = match problem.retry_after {
        Some(seconds) => format!("retry-after: {seconds}\r\n"),
        None => String::new(),
    };
    // Every time of these years has such a form.
    let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&now).unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {} {}\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\n{retry_after}\
         x-content-type-options: nosniff\r\ndate: {date}\r\nconnection: close\r\n\r\n",
        status.as_str(),
        status.canonical_reason().unwrap_or_default(),
        body.len()
    );
    [head.into_bytes(), body].concat()
}

/// Writes the last answer of a connection, and closes it.
pub(super) async fn write<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, problem: &Problem) {
    let answer = written(problem, Timestamp::now());
    let told = async {
        stream.write_all(&answer).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut (&mut stream).take(SWALLOW), &mut tokio::io::sink()).await
    };
    // The other side may have gone, or take its time.
    let _ = tokio::time::timeout(SWALLOW_TIMEOUT, told).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(problem: &Problem) -> String {
        String::from_utf8(written(problem, Timestamp::UNIX_EPOCH)).unwrap()
    }

    #[test]
    fn a_raw_answer_is_a_problem_and_the_last_of_its_connection() {
        let answer = told(&of_status(431));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"), "{head}");
        assert!(head.contains("\r\ncontent-type: application/problem+json\r\n"), "{head}");
        assert!(head.contains(&format!("\r\ncontent-length: {}\r\n", body.len())), "{head}");
        assert!(head.contains("\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"), "{head}");
        assert!(head.ends_with("\r\nconnection: close"), "{head}");
        let problem: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(problem["code"], "headers_too_large");
        let detail = "the head of the request is larger than 64 KiB, or has more than 100 headers";
        assert_eq!(problem["detail"], detail);
    }

    #[test]
    fn each_has_its_reason() {
        let answer = told(&of_status(400));
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
        assert!(answer.contains("the head of the request is not valid HTTP/1.1"), "{answer}");
        let answer = told(&head_overdue(&Bounds::default()));
        assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
        assert!(answer.contains("the head of the request has not come within 30 s"), "{answer}");
        let answer = told(&no_place());
        assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{answer}");
        assert!(answer.contains("\r\nretry-after: 1\r\n"), "{answer}");
        assert!(answer.contains("all connections of this port are in use"), "{answer}");
    }

    #[tokio::test]
    async fn what_is_still_sent_is_thrown_away() {
        let (ours, mut theirs) = tokio::io::duplex(1024);
        let writing = tokio::spawn(async move { write(ours, &no_place()).await });
        theirs.write_all(&[b'a'; 64 * 1024]).await.unwrap();
        let mut answer = String::new();
        theirs.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.ends_with('}'), "{answer}");
        drop(theirs);
        writing.await.unwrap();
    }
}
