//! Errors as text in one line, with their sources.

use std::{error::Error, io};

/// An error with its sources, in one line.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// An error with its sources, in one line; begins with what the disk lacks, where that is the cause: "no space left on
/// device" of some path below a cache does not tell the caller what to do.
pub fn chain_of_disk(error: &(dyn Error + 'static)) -> String {
    let mut cause = Some(error);
    while let Some(one) = cause {
        if let Some(reason) = one.downcast_ref::<io::Error>().and_then(reason) {
            return format!("{reason}: {}", chain(error));
        }
        cause = one.source();
    }
    chain(error)
}

fn reason(error: &io::Error) -> Option<&'static str> {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Some("the disk of the data folder is full")
        }
        io::ErrorKind::ReadOnlyFilesystem => Some("the disk of the data folder is read-only"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot write it")]
    struct Outer(#[source] io::Error);

    #[test]
    fn a_disk_that_takes_nothing_is_named_before_the_path() {
        for (number, begin) in [
            (rustix::io::Errno::NOSPC, "the disk of the data folder is full: cannot write it: "),
            (rustix::io::Errno::DQUOT, "the disk of the data folder is full: cannot write it: "),
            (rustix::io::Errno::ROFS, "the disk of the data folder is read-only: cannot write it: "),
            (rustix::io::Errno::ACCESS, "cannot write it: "),
        ] {
            let text = chain_of_disk(&Outer(number.into()));
            assert!(text.starts_with(begin), "{text}");
        }
    }
}
