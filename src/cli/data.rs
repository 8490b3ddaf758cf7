//! The payload of an invocation as given on the command line.

use std::io::IsTerminal as _;

use bytes::Bytes;

use super::{
    Error, Output,
    stdin::{self, read_bounded},
};
use crate::{
    model::{Body, HttpRequest, message::MAX_BODY},
    payload,
    units::show_bytes,
};

/// The payload options of every command that invokes a function.
#[derive(Debug, clap::Args)]
pub struct DataArgs {
    /// The payload: a value, @FILE, or - for stdin [default: what stdin holds, else {}]
    ///
    /// Without a payload, stdin is read to its end if it is a pipe or a file. In a loop that reads the same
    /// stdin (`while read …`), or if a pipe is never closed, pass --data '{}' or </dev/null.
    #[arg(value_name = "PAYLOAD", conflicts_with = "data", allow_negative_numbers = true)]
    payload: Option<String>,
    /// The payload as an option
    #[arg(short, long, value_name = "PAYLOAD", allow_hyphen_values = true)]
    data: Option<String>,
    /// Media type of the payload [default: application/json]
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
}

impl DataArgs {
    /// The payload if it was given as a value.
    pub fn value(&self) -> Option<&str> {
        self.payload.as_deref().or(self.data.as_deref())
    }

    /// Reads the exact bytes, and checks them as the platform would. With an HTTP request, no payload is no body,
    /// and a body of a type that was given is sent as it is.
    pub async fn read(self, request: Option<&HttpRequest>, out: &Output) -> Result<Body, Error> {
        let Self { payload, data, content_type } = self;
        content_type.as_deref().map_or(Ok(()), sendable)?;
        let given = match payload.or(data) {
            Some(data) => Some(read(data, out).await?),
            None if request.is_some_and(HttpRequest::only_reads) => None,
            None => stdin::payload(out).await?,
        };
        match (given, content_type, request) {
            (None, content_type, Some(_)) => {
                Ok(Body { content_type: content_type.unwrap_or_default(), bytes: Bytes::new() })
            }
            (Some(bytes), Some(content_type), Some(_)) => {
                bounded(&bytes)?;
                Ok(Body { content_type, bytes })
            }
            (bytes, content_type, _) => {
                let content_type = content_type.unwrap_or_else(|| payload::DEFAULT_TYPE.to_owned());
                // The empty payload of this type.
                let is_json = payload::media::parse(&content_type).is_none_or(|media| media.is_json());
                let nothing: &[u8] = if is_json { b"{}" } else { b"" };
                checked(content_type, bytes.unwrap_or(Bytes::from_static(nothing)))
            }
        }
    }
}

/// Reads a payload that was given as a value, @FILE or -.
async fn read(data: String, out: &Output) -> Result<Bytes, Error> {
    match data.strip_prefix('@') {
        Some(file) => {
            let file = file.to_owned();
            blocking(move || read_bounded(std::fs::File::open(&file), &file)).await
        }
        None if data == "-" => {
            if std::io::stdin().is_terminal() {
                out.note("reading the payload from the terminal; Ctrl-D on an empty line ends it");
            }
            blocking(|| read_bounded(Ok(std::io::stdin().lock()), "stdin")).await
        }
        None => Ok(data.into_bytes().into()),
    }
}

/// Refuses a type that no header can have.
fn sendable(content_type: &str) -> Result<(), Error> {
    if content_type.contains(|c: char| c.is_control() && c != '\t') {
        let refused = Error::usage("the type of the payload has a control character");
        return Err(refused.hint("name one type, for example --content-type application/json"));
    }
    Ok(())
}

fn bounded(bytes: &Bytes) -> Result<(), Error> {
    if bytes.len() > MAX_BODY {
        let limit = show_bytes(MAX_BODY as u64);
        return Err(Error::usage(format!("the payload is too large: at most {limit} are accepted")));
    }
    Ok(())
}

fn checked(content_type: String, bytes: Bytes) -> Result<Body, Error> {
    bounded(&bytes)?;
    payload::check(&content_type, &bytes)
        .map_err(|refused| Error::usage(refused.to_string()).hint(with_flag(&refused.hint())))?;
    Ok(Body { content_type, bytes })
}

/// Names the flag that gives the type, instead of the header of a request.
fn with_flag(hint: &str) -> String {
    hint.replace("Content-Type: ", "--content-type ").replace("Content-Type", "--content-type")
}

/// Runs blocking work on a thread of its own, so that Ctrl-C works while it waits.
async fn blocking(
    read: impl FnOnce() -> anyhow::Result<Bytes> + Send + 'static,
) -> Result<Bytes, Error> {
    let read = tokio::task::spawn_blocking(read).await.map_err(anyhow::Error::from)?;
    read.map_err(|error| Error::new(super::Exit::Caller, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_that_no_header_can_have_is_a_mistake_of_usage() {
        for text in ["a\nb", "a/b\r", "\0", "a/b\u{7f}"] {
            let refused = sendable(text).unwrap_err().report();
            let expected = ("usage", "the type of the payload has a control character");
            assert_eq!((refused.code.as_str(), refused.detail.as_str()), expected);
            let hint = "name one type, for example --content-type application/json";
            assert_eq!(refused.hint.as_deref(), Some(hint));
        }
        for text in ["", "a/b; c=\"d e\"", "a/b;\tc=d", "text/x; name=\u{e9}"] {
            assert!(sendable(text).is_ok(), "{text}");
        }
    }
}
