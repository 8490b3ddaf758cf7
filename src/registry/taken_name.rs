//! What is told where a new token's name is taken.

use jiff::Timestamp;

use super::{Registry, tokens::info};
use crate::{
    error_chain::chain,
    http::Failure,
    model::{Problem, TokenName, code, time},
};

impl Registry {
    /// 409. A token that has expired has its name until it is deleted.
    pub async fn name_is_taken(&self, name: &TokenName) -> Failure {
        let there = self.store.token(name).await.unwrap_or_else(|error| {
            tracing::debug!(error = %chain(&error), "whether the token has expired is not known");
            None
        });
        let there = there.map(info);
        name_is_taken(name, there.filter(|token| token.expired).and_then(|token| token.expires_at))
            .into()
    }
}

/// `expired`: the moment when the token of that name expired, if it did.
fn name_is_taken(name: &TokenName, expired: Option<Timestamp>) -> Problem {
    let revoke = format!("'cloudfunc token revoke {name}' makes room for a new one");
    let detail = format!("there is a token '{name}' already");
    match expired {
        Some(at) => {
            let detail = format!("{detail}, which expired at {}", time::text(at));
            Problem::new(code::CONFLICT, detail).hint(revoke)
        }
        None => Problem::new(code::CONFLICT, detail)
            .hint(format!("'cloudfunc token rotate {name}' gives it a new value; {revoke}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_by_a_token_that_can_be_rotated_or_has_expired() {
        let name = "ci".parse().unwrap();
        let valid = name_is_taken(&name, None);
        assert_eq!(valid.detail, "there is a token 'ci' already");
        let hint = "'cloudfunc token rotate ci' gives it a new value; 'cloudfunc token revoke ci' makes room for a \
                    new one";
        assert_eq!(valid.hint.as_deref(), Some(hint));
        let expired = name_is_taken(&name, Some(Timestamp::UNIX_EPOCH));
        let detail = "there is a token 'ci' already, which expired at 1970-01-01T00:00:00.000Z";
        assert_eq!(expired.detail, detail);
        let hint = "'cloudfunc token revoke ci' makes room for a new one";
        assert_eq!(expired.hint.as_deref(), Some(hint));
    }
}
