//! The value of a secret: asked for on a terminal, else read from stdin.

use std::io::{self, IsTerminal as _};

use bytes::Bytes;

use crate::{
    cli::{Error, Output, ask, stdin, text::count},
    model::{MAX_SECRET, SecretName, code},
    units::show_bytes,
};

/// The most bytes of a line that Linux takes from a terminal; it drops the rest without a word.
const LONGEST_LINE: usize = 4095;

/// Reads a value, and checks it as far as that does not need the platform. One line end at the end of stdin is not part of
/// it, unless `keep_newline` says so.
pub async fn read(name: &SecretName, keep_newline: bool, out: &Output) -> Result<Bytes, Error> {
    let value = match io::stdin().is_terminal() {
        true => typed(name, out).await?.into_bytes(),
        false => piped(keep_newline, out).await?,
    };
    check(name, &value)?;
    Ok(value.into())
}

/// Asks for the value twice.
async fn typed(name: &SecretName, out: &Output) -> Result<String, Error> {
    if !out.can_ask() {
        return Err(Error::usage("the value can be asked for only where stderr is a terminal, too")
            .hint("give the value on stdin"));
    }
    let value = ask::hidden(format!("Value of {name}")).await?;
    check(name, value.as_bytes())?;
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
    // One more than a value may have: a line end.
    let mut value = stdin::value(MAX_SECRET + 1, out).await?;
    let is_cut = !keep_newline && value.last() == Some(&b'\n');
    if is_cut {
        value.pop();
    }
    if !value.is_empty() && value.len() <= MAX_SECRET {
        let without = if is_cut { ", without the line end after it" } else { "" };
        out.note(&format!("value from stdin: {}{without}", count(value.len(), "byte")));
    }
    Ok(value)
}

/// Checks what every value has to be.
fn check(name: &SecretName, value: &[u8]) -> Result<(), Error> {
    let (problem, hint) = if value.is_empty() {
        ("the value is empty".to_owned(), format!("`cloudfunc secret delete {name}` deletes a secret"))
    } else if value.len() > MAX_SECRET {
        (
            format!("the value has more than {}, the most of a secret", show_bytes(MAX_SECRET as u64)),
            "encrypt larger data, deploy it with the function, and keep its key as the secret"
                .to_owned(),
        )
    } else if std::str::from_utf8(value).is_err() || value.contains(&0) {
        (
            "the value cannot be an environment variable: it is not UTF-8 text, or has a NUL byte"
                .to_owned(),
            "encode it, for example with base64, and decode it in the function".to_owned(),
        )
    } else {
        return Ok(());
    };
    Err(Error::usage(problem).hint(hint).code(code::INVALID_SECRET.code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_text_of_a_bounded_length() {
        let name: SecretName = "KEY".parse().unwrap();
        let refused = |value: &[u8]| check(&name, value).map_err(|error| error.chain().join(": "));
        assert_eq!(refused(b"x\n"), Ok(()));
        assert_eq!(refused(&vec![b'x'; MAX_SECRET]), Ok(()));
        for (value, error) in [
            (Vec::new(), "the value is empty"),
            (vec![b'x'; MAX_SECRET + 1], "the value has more than 64 KiB, the most of a secret"),
            (
                vec![0xff],
                "the value cannot be an environment variable: it is not UTF-8 text, or has a NUL byte",
            ),
            (
                b"a\0b".to_vec(),
                "the value cannot be an environment variable: it is not UTF-8 text, or has a NUL byte",
            ),
        ] {
            assert_eq!(refused(&value), Err(error.to_owned()));
        }
    }
}
