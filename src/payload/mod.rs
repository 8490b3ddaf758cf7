//! The definition of a valid payload, applied by the scheduler, which knows the function, and by the command line
//! before it sends. A function can read every payload that passes.
//!
//! | sent as | accepted |
//! |---|---|
//! | `application/json`, `…/…+json` | one JSON value in UTF-8 within the limits of [`json`]; empty is `{}` |
//! | `text/…` | any bytes; a `charset` has to be one of those that are known |
//! | any other type | any bytes |

pub mod json;
pub mod media;

use std::borrow::Cow;

use self::media::MediaType;
use crate::model::{Problem, code};

/// The type of a payload without a `Content-Type`.
pub const DEFAULT_TYPE: &str = "application/json";
/// The type that curl and HTML forms send unless told otherwise.
pub const FORM_TYPE: &str = "application/x-www-form-urlencoded";
/// The size limit of a `Content-Type`, in bytes. It occurs twice in the header of a frame to the guest.
const MAX_TYPE: usize = 1024;

/// The reason why a payload is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("the Content-Type '{0}' is not a media type")]
    NotAType(String),
    #[error("the Content-Type has {0} bytes, over the limit of {MAX_TYPE}")]
    LongType(usize),
    #[error("JSON is sent in UTF-8, and the Content-Type says charset={0}")]
    JsonCharset(String),
    #[error("the charset '{0}' of the Content-Type is not known")]
    UnknownCharset(String),
    #[error("{0}")]
    Json(#[from] json::Fault),
}

impl Refused {
    /// Returns the reason as a problem, with what would be accepted.
    pub fn problem(&self) -> Problem {
        let code = match self {
            Self::NotAType(_) | Self::LongType(_) => code::BAD_REQUEST,
            Self::JsonCharset(_) | Self::UnknownCharset(_) => code::UNSUPPORTED_MEDIA_TYPE,
            Self::Json(_) => code::INVALID_JSON,
        };
        Problem::new(code, self.to_string()).hint(self.hint())
    }

    pub fn hint(&self) -> Cow<'static, str> {
        match self {
            Self::NotAType(_) | Self::LongType(_) => {
                "name one type, for example Content-Type: application/json".into()
            }
            Self::JsonCharset(_) => {
                "encode it in UTF-8 and leave the charset out, or send it as application/octet-stream: \
                 the function then gets the bytes"
                    .into()
            }
            Self::UnknownCharset(_) => format!(
                "accepted are {}; with application/octet-stream the function gets the bytes",
                media::CHARSETS.join(", ")
            )
            .into(),
            Self::Json(fault) => fault.what.hint().into(),
        }
    }
}

/// Checks that a function can read a payload of this type.
pub fn check(content_type: &str, bytes: &[u8]) -> Result<(), Refused> {
    // This is the usual case, which needs no parsing.
    if content_type == DEFAULT_TYPE {
        return check_json(bytes);
    }
    check_length(content_type)?;
    let not_a_type = || Refused::NotAType(shown(content_type));
    // Programs that read it later would not see it as text.
    if !content_type.is_ascii() {
        return Err(not_a_type());
    }
    let media: MediaType<'_> = media::parse(content_type).ok_or_else(not_a_type)?;
    if media.is_json() {
        if let Some(charset) = &media.charset
            && !media::is_utf8(charset)
            && !(media::extends_ascii(charset) && bytes.is_ascii())
        {
            return Err(Refused::JsonCharset(shown(charset)));
        }
        return check_json(bytes);
    }
    if media.is_text()
        && let Some(charset) = &media.charset
        && !media::is_known(charset)
    {
        return Err(Refused::UnknownCharset(shown(charset)));
    }
    Ok(())
}

/// Checks only that there is room for a type: that of a body which the platform does not look into.
pub fn check_length(content_type: &str) -> Result<(), Refused> {
    match content_type.len() > MAX_TYPE {
        true => Err(Refused::LongType(content_type.len())),
        false => Ok(()),
    }
}

/// Returns whether an empty payload of this type stands for the empty event.
pub fn is_json(content_type: &str) -> bool {
    content_type == DEFAULT_TYPE || media::parse(content_type).is_some_and(|media| media.is_json())
}

/// Returns whether it is the type that browsers and curl send unless told otherwise.
pub fn is_form(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(FORM_TYPE)
}

/// Replaces control characters, which would change the line that shows the text.
fn shown(text: &str) -> String {
    text.replace(char::is_control, "?")
}

fn check_json(bytes: &[u8]) -> Result<(), Refused> {
    if bytes.is_empty() {
        return Ok(());
    }
    Ok(json::check(bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(content_type: &str, bytes: &[u8]) -> String {
        let problem = check(content_type, bytes).unwrap_err().problem();
        assert_eq!((problem.fault, problem.retry_safe), (crate::model::Fault::Caller, false));
        format!("{} {}", problem.status, problem.detail)
    }

    #[test]
    fn a_type_that_is_not_one_is_refused() {
        for text in [
            "",
            "json",
            "application/",
            "/json",
            "a b/c",
            "a/b, c/d",
            "a/b; x y=1",
            "a/b; q=\"x",
            "application/octet-stream; x=\"é\"",
        ] {
            let expected = format!("400 the Content-Type '{text}' is not a media type");
            assert_eq!(refusal(text, b"{}"), expected);
        }
        let long = format!("a/{}", "b".repeat(MAX_TYPE));
        assert_eq!(refusal(&long, b""), "400 the Content-Type has 1026 bytes, over the limit of 1024");
    }

    #[test]
    fn json_is_utf_8_whatever_the_type_says() {
        for text in [
            "application/json;charset=utf-8",
            "application/json; charset=\"UTF-8\"",
            "Application/Problem+JSON; profile=\"a;b\"; Charset=utf8",
            "application/json;",
        ] {
            assert!(check(text, "{\"a\": \"é\"}".as_bytes()).is_ok(), "{text}");
            assert!(check(text, b"{").is_err(), "{text}");
        }
        let latin = "application/json; charset=iso-8859-1";
        assert!(check(latin, b"{}").is_ok(), "what is ASCII is the same in both");
        let detail = "415 JSON is sent in UTF-8, and the Content-Type says charset=iso-8859-1";
        assert_eq!(refusal(latin, "\"é\"".as_bytes()), detail);
        let detail = "415 JSON is sent in UTF-8, and the Content-Type says charset=utf-16le";
        assert_eq!(refusal("application/json; charset=utf-16le", b"{}"), detail);
    }

    #[test]
    fn text_in_a_charset_that_nobody_knows_is_refused() {
        for charset in ["utf-8", "ISO-8859-15", "windows-1252", "utf-16", "\"shift_jis\"", "koi8-r"] {
            assert!(check(&format!("text/plain; charset={charset}"), b"\xff").is_ok(), "{charset}");
        }
        for charset in ["klingon", "undefined", "rot13", "idna", "unicode_escape"] {
            let detail = format!("415 the charset '{charset}' of the Content-Type is not known");
            assert_eq!(refusal(&format!("text/html; charset={charset}"), b"x"), detail);
        }
        assert!(check("application/xml; charset=klingon", b"x").is_ok(), "the function gets the bytes");
    }

    #[test]
    fn a_form_is_recognised() {
        assert!(is_form("application/x-www-form-urlencoded"));
        assert!(is_form("Application/X-WWW-Form-Urlencoded; charset=utf-8"));
        assert!(!is_form("application/json"));
    }
}
