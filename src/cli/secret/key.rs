//! `cloudfunc secret rotate --key`

use super::shown;
use crate::{
    cli::{Error, Output, target::Target},
    model::api::KeyRotated,
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

/// The error about secrets that stay as they are.
fn left(rotated: &KeyRotated) -> Option<Error> {
    if rotated.left.is_empty() {
        return None;
    }
    let places: Vec<String> = rotated.left.iter().map(shown).collect();
    let error = Error::platform(format!(
        "the host that answered does not have the key of {}, which stays as it is",
        places.join(", ")
    ));
    Some(error.hint(
        "do not remove a key yet: add the missing one to the host's file `secret-key` and restart its platform, or set \
         the secret again; `cloudfunc secret list` shows the keys",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{KeyId, SecretPlace};

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
    fn a_secret_that_was_left_out_is_an_error() {
        let place =
            SecretPlace { function: Some("shop".parse().unwrap()), name: "KEY".parse().unwrap() };
        let key = KeyId("0123456789abcdef".to_owned());
        let mut rotated = KeyRotated { key, rotated: 1, unchanged: 0, left: vec![place] };
        let error = left(&rotated).unwrap();
        assert_eq!(
            error.chain(),
            ["the host that answered does not have the key of KEY of shop, which stays as it is"]
        );
        rotated.left.clear();
        assert!(left(&rotated).is_none());
    }
}
