//! `cloudfunc secret rotate --key`

use super::shown;
use crate::{
    cli::{Error, Output, target::Target},
    model::api::{KeyRotated, LeftReason},
};

pub async fn rotate(target: &Target, out: &Output) -> Result<(), Error> {
    let client = target.client(out)?;
    let working = out.waiting("encrypting all secrets with the newest key");
    let rotated = client.rotate_secret_key().await;
    drop(working);
    let rotated = rotated?;
    if out.json() {
        out.document(&rotated)?;
    } else {
        out.line(&result(&rotated))?;
    }
    // A program that removes the old key next has to see that this would lose something.
    if let Some(error) = left(&rotated) {
        return Err(error);
    }
    if rotated.rotated > 0 {
        out.note(
            "older keys are needed only for backups from before: elsewhere their lines can be removed",
        );
    }
    out.next("cloudfunc secret list");
    Ok(())
}

fn result(rotated: &KeyRotated) -> String {
    let KeyRotated { key, rotated, unchanged, .. } = rotated;
    match (rotated, unchanged) {
        (0, 0) => format!("no secret was encrypted; the newest key is {key}"),
        (0, unchanged) => {
            format!("{} already encrypted with the newest key, {key}", secrets(*unchanged))
        }
        (rotated, 0) => format!("{} now encrypted with the key {key}", secrets(*rotated)),
        (rotated, unchanged) => {
            format!("{} now encrypted with the key {key}; {unchanged} had it already", secrets(*rotated))
        }
    }
}

fn secrets(number: u64) -> String {
    if number == 1 { "1 secret is".to_owned() } else { format!("{number} secrets are") }
}

/// The error about secrets that do not have the newest key.
fn left(rotated: &KeyRotated) -> Option<Error> {
    if rotated.left.is_empty() {
        return None;
    }
    let (mut why, mut advice) = (Vec::new(), Vec::new());
    for (reason, text, next) in [
        (
            LeftReason::NoKey,
            "the host that answered does not have the key of",
            "add the missing key to the host's key file (`secret-key` in its data folder, or that of --secret-key-file) and \
             restart its platform, or set the secret again",
        ),
        (LeftReason::Damaged, "damaged in the store:", "set a damaged secret again"),
        (LeftReason::Changed, "changed meanwhile:", "run the command again for what has changed"),
    ] {
        let of_reason = rotated.left.iter().filter(|left| left.reason == reason);
        let places: Vec<String> = of_reason.map(|left| shown(&left.place)).collect();
        if !places.is_empty() {
            why.push(format!("{text} {}", places.join(", ")));
            advice.push(next);
        }
    }
    let number = secrets(rotated.left.len() as u64);
    let error =
        Error::platform(format!("{number} not encrypted with the newest key: {}", why.join("; ")));
    let advice = advice.join("; ");
    Some(
        error.hint(format!("do not remove a key yet: {advice}; `cloudfunc secret list` shows the keys")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{KeyId, SecretPlace, api::LeftSecret};

    #[test]
    fn what_was_encrypted_anew_is_counted() {
        let told = |rotated, unchanged| {
            let key = KeyId("0123456789abcdef".to_owned());
            result(&KeyRotated { key, rotated, unchanged, left: Vec::new() })
        };
        assert_eq!(told(0, 0), "no secret was encrypted; the newest key is 0123456789abcdef");
        assert_eq!(told(1, 0), "1 secret is now encrypted with the key 0123456789abcdef");
        assert_eq!(
            told(3, 2),
            "3 secrets are now encrypted with the key 0123456789abcdef; 2 had it already"
        );
        assert_eq!(told(0, 2), "2 secrets are already encrypted with the newest key, 0123456789abcdef");
    }

    #[test]
    fn secrets_that_are_left_are_an_error_with_their_reasons() {
        let one = |function: Option<&str>, name: &str, reason| {
            let function = function.map(|name| name.parse().unwrap());
            let place = SecretPlace { function, name: name.parse().unwrap() };
            LeftSecret { place, reason }
        };
        let key = KeyId("0123456789abcdef".to_owned());
        let mut rotated = KeyRotated { key, rotated: 1, unchanged: 0, left: Vec::new() };
        assert!(left(&rotated).is_none());
        rotated.left = vec![one(Some("shop"), "KEY", LeftReason::NoKey)];
        let report = left(&rotated).unwrap().report();
        assert_eq!(
            report.detail,
            "1 secret is not encrypted with the newest key: the host that answered does not have the key of KEY of shop"
        );
        assert_eq!(
            report.hint.unwrap(),
            "do not remove a key yet: add the missing key to the host's key file (`secret-key` in its data folder, or that of \
             --secret-key-file) and restart its platform, or set the secret again; `cloudfunc secret list` shows the keys"
        );
        rotated.left.push(one(None, "A", LeftReason::Changed));
        rotated.left.push(one(None, "B", LeftReason::Damaged));
        rotated.left.push(one(None, "C", LeftReason::Damaged));
        assert_eq!(
            left(&rotated).unwrap().report().detail,
            "4 secrets are not encrypted with the newest key: the host that answered does not have the key of KEY of shop; \
             damaged in the store: B, C; changed meanwhile: A"
        );
    }
}
