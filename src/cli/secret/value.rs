//! The value of a secret: asked for on a terminal, else read from stdin.

use std::io::{self, IsTerminal as _};

use bytes::Bytes;

use crate::{
    cli::{Error, Output, ask, stdin, text::count},
    model::{MAX_SECRET, SecretName, code, secret::check_value},
};

/// The most bytes of a line that Linux takes from a terminal; it drops the rest without a word.
const LONGEST_LINE: usize = 4095;

/// Reads a value, and checks it as far as that does not need the platform. One line end at the end of stdin, `\n` or `\r\n`, is
/// not part of it, unless `keep_newline` says so.
pub async fn read(name: &SecretName, keep_newline: bool, out: &Output) -> Result<Bytes, Error> {
    let value = match io::stdin().is_terminal() {
        true => typed(name, out).await?.into_bytes(),
        false => piped(keep_newline, out).await?,
    };
    check(&value)?;
    Ok(value.into())
}

/// Asks for the value twice.
async fn typed(name: &SecretName, out: &Output) -> Result<String, Error> {
    if !out.can_ask() {
        return Err(Error::usage("the value can be asked for only where stderr is a terminal, too")
            .hint("give the value on stdin"));
    }
    let value = ask::hidden(format!("Value of {name}")).await?;
    check(value.as_bytes())?;
    if value.len() >= LONGEST_LINE {
        return Err(Error::usage(format!("a terminal takes at most {LONGEST_LINE} bytes of a line"))
            .hint("give a value of this length on stdin"));
    }
    if ask::hidden(format!("Value of {name}, again")).await? != value {
        return Err(Error::usage("the two values differ; nothing was set"));
    }
    Ok(value)
}

async fn piped(keep_newline: bool, out: &Output) -> Result<Vec<u8>, Error> {
    // Two more than a value may have: a line end.
    let mut value = stdin::value(MAX_SECRET + 2, out).await?;
    let is_cut = !keep_newline && cut_line_end(&mut value);
    if !value.is_empty() && value.len() <= MAX_SECRET {
        let without = if is_cut { ", without the line end after it" } else { "" };
        out.note(&format!("value from stdin: {}{without}", count(value.len(), "byte")));
    }
    Ok(value)
}

/// Cuts one line end from the end. Returns whether there was one.
fn cut_line_end(value: &mut Vec<u8>) -> bool {
    let line_end = if value.ends_with(b"\r\n") { 2 } else { usize::from(value.ends_with(b"\n")) };
    value.truncate(value.len() - line_end);
    line_end > 0
}

fn check(value: &[u8]) -> Result<(), Error> {
    check_value(value).map_err(|problem| {
        let error = Error::usage(format!("the value {problem}"));
        error.hint(problem.hint()).code(code::INVALID_SECRET.code)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_at_the_end_is_not_part_of_a_value() {
        for (piped, value) in [
            (&b"x\n"[..], &b"x"[..]),
            (b"x\r\n", b"x"),
            (b"x\n\n", b"x\n"),
            (b"x\r\n\r\n", b"x\r\n"),
            (b"x\r", b"x\r"),
            (b"x", b"x"),
            (b"\r\n", b""),
            (b"", b""),
        ] {
            let mut cut = piped.to_vec();
            assert_eq!((cut_line_end(&mut cut), cut.as_slice()), (value.len() < piped.len(), value));
        }
    }

    #[test]
    fn a_value_that_is_none_is_a_mistake_of_the_caller() {
        assert!(check(b"x").is_ok());
        let report = check(&[0xff]).unwrap_err().report();
        assert_eq!(
            (report.code.as_str(), report.detail.as_str()),
            ("invalid_secret", "the value is not UTF-8 text")
        );
        let hint = "encode it, as base64 for example, and decode it in the function";
        assert_eq!(report.hint.as_deref(), Some(hint));
    }
}
