//! Whose a bearer token is: the one of this host's file, a JWT of a provider, or a token of the platform, which the registry
//! knows.

use std::{sync::Arc, time::Duration};

use subtle::ConstantTimeEq as _;

use super::{
    ask::Questions,
    cache::Key,
    entry::{Use, unknown_token},
    memory::Memory,
};
use crate::{
    http::{Authenticate, Authentication},
    model::{Caller, Problem, TokenRole, code},
};

/// The beginning of the platform's tokens. Nothing else is asked about.
const BEGINNING: &str = "cf_";
/// The most bytes of a text that is asked about: more than any token has.
const LONGEST: usize = 100;
/// The longest time that a request waits for the answer whose its token is.
const PATIENCE: Duration = Duration::from_secs(10);
/// Seconds that a client is told to wait when that is not known.
const RETRY_AFTER: u64 = 1;

/// The tokens that the gateway accepts.
pub struct Tokens {
    /// The text of this host's file.
    file: Box<str>,
    of_file: Arc<Caller>,
    /// Knows JWTs; none where the platform has no provider.
    jwts: Option<Arc<dyn Authenticate>>,
    memory: Arc<Memory>,
    questions: Questions,
}

impl Tokens {
    /// Accepts the text of the file, what `jwts` knows, and what the registry says.
    pub fn new(
        file: &str,
        jwts: Option<Arc<dyn Authenticate>>,
        memory: Arc<Memory>,
        questions: Questions,
    ) -> Self {
        let of_file = Caller {
            name: "token file".to_owned(),
            role: TokenRole::Admin,
            functions: Vec::new(),
            from: None,
        };
        Self { file: file.into(), of_file: Arc::new(of_file), jwts, memory, questions }
    }

    fn ask(&self, key: Key) -> Authentication {
        let Some(told) = self.questions.ask(key, self.memory.generation()) else {
            let detail = "too many requests wait for the registry to say whose their tokens are";
            return Authentication::Known(Err(not_checked(detail).into()));
        };
        let memory = self.memory.clone();
        Authentication::Asking(Box::pin(async move {
            match tokio::time::timeout(PATIENCE, told).await {
                Ok(Ok(Ok(entry))) => Ok(entry.answer(memory.now())?),
                // It was silent, or the gateway stops.
                Ok(Ok(Err(_)) | Err(_)) | Err(_) => {
                    let detail =
                        "the registry, which knows whose the request's token is, does not answer";
                    Err(not_checked(detail).into())
                }
            }
        }))
    }
}

impl Authenticate for Tokens {
    fn authenticate(&self, token: &str) -> Authentication {
        if bool::from(token.as_bytes().ct_eq(self.file.as_bytes())) {
            return Authentication::Known(Ok(self.of_file.clone()));
        }
        if let Some(jwts) = &self.jwts
            && is_jwt(token)
        {
            return jwts.authenticate(token);
        }
        if !token.starts_with(BEGINNING) || token.len() > LONGEST {
            return Authentication::Known(Err(unknown_token().into()));
        }
        let key = Key::of(token);
        match self.memory.used(&key, self.memory.now()) {
            Use::Now(answer) => Authentication::Known(answer),
            Use::NowAndAsk(answer) => {
                self.questions.ask_in_the_background(key, self.memory.generation());
                Authentication::Known(answer)
            }
            Use::Ask => self.ask(key),
        }
    }
}

fn is_jwt(token: &str) -> bool {
    token.bytes().filter(|byte| *byte == b'.').count() == 2
}

fn not_checked(detail: &str) -> Problem {
    Problem::new(code::UNAVAILABLE, detail)
        .retry_after(RETRY_AFTER)
        .hint("'cloudfunc status' shows which roles are running")
}

#[cfg(test)]
mod tests {
    use super::{super::ask::Asker, *};
    use crate::{
        http::{Answer, Door, Failure, Peer},
        model::api::KnownToken,
    };

    const TEXT: &str = "cf_0123456789012345678901234567890123456789012";

    /// Knows every text.
    struct Provider;

    impl Authenticate for Provider {
        fn authenticate(&self, token: &str) -> Authentication {
            let caller = Caller { name: format!("oidc {token}"), ..Caller::internal() };
            Authentication::Known(Ok(Arc::new(caller)))
        }
    }

    fn tokens(jwts: Option<Arc<dyn Authenticate>>) -> (Tokens, Arc<Memory>, Asker) {
        kept_for(Duration::from_secs(60), jwts)
    }

    /// Tokens that are used for so long without an answer.
    fn kept_for(kept: Duration, jwts: Option<Arc<dyn Authenticate>>) -> (Tokens, Arc<Memory>, Asker) {
        let memory = Arc::new(Memory::new(kept / 2, kept));
        let (asker, questions) = Asker::new(Peer::here(Door::default()), memory.clone());
        (Tokens::new("file", jwts, memory.clone(), questions), memory, asker)
    }

    fn at_once(tokens: &Tokens, token: &str) -> Option<Answer<Arc<Caller>>> {
        match tokens.authenticate(token) {
            Authentication::Known(answer) => Some(answer),
            Authentication::Rejected(rejected) => Some(Err(rejected.failure)),
            Authentication::Asking(_) => None,
        }
    }

    fn name(tokens: &Tokens, token: &str) -> String {
        match at_once(tokens, token) {
            Some(Ok(caller)) => format!("{} {}", caller.name, caller.role),
            Some(Err(Failure(problem))) => problem.code,
            None => "asking".to_owned(),
        }
    }

    #[test]
    fn the_files_token_needs_nobody_and_only_texts_that_may_be_tokens_are_asked_about() {
        let (tokens, _, _asker) = tokens(None);
        assert_eq!(name(&tokens, "file"), "token file admin");
        for token in ["", "fil", "file2", "FILE", "a.b.c", &format!("cf_{}", "x".repeat(100))] {
            assert_eq!(name(&tokens, token), "unauthorized", "{token}");
        }
        assert_eq!(name(&tokens, TEXT), "asking");
    }

    #[test]
    fn a_text_with_two_dots_goes_to_the_provider_where_there_is_one() {
        let (tokens, _, _asker) = tokens(Some(Arc::new(Provider)));
        assert_eq!(name(&tokens, "a.b.c"), "oidc a.b.c admin");
        assert_eq!(name(&tokens, "file"), "token file admin");
        assert_eq!(name(&tokens, "a.b"), "unauthorized");
        assert_eq!(name(&tokens, TEXT), "asking");
    }

    fn known() -> KnownToken {
        KnownToken {
            name: "ci".parse().unwrap(),
            role: TokenRole::Invoke,
            functions: Vec::new(),
            rate_limit: None,
            left_ms: None,
            is_old: false,
            expires_at: None,
        }
    }

    #[test]
    fn what_is_remembered_is_answered_at_once_until_tokens_change() {
        let (tokens, memory, _asker) = tokens(None);
        memory.learn(Key::of(TEXT), memory.asked(), Some(known()));
        assert_eq!(name(&tokens, TEXT), "token ci invoke");
        memory.changed();
        assert_eq!(name(&tokens, TEXT), "asking");
        assert_eq!(name(&tokens, "file"), "token file admin");
    }

    #[tokio::test]
    async fn a_request_whose_token_nobody_can_tell_of_is_asked_to_come_again() {
        let (tokens, memory, asker) = kept_for(Duration::ZERO, None);
        // It was known once, and that is too long ago.
        memory.learn(Key::of(TEXT), memory.asked(), Some(known()));
        // The registry is asked by nobody.
        let Authentication::Asking(question) = tokens.authenticate(TEXT) else { panic!("not asked") };
        drop(asker);
        let Failure(problem) = question.await.unwrap_err().failure;
        let told = "the registry, which knows whose the request's token is, does not answer";
        assert_eq!((problem.status, &*problem.detail, problem.retry_after), (503, told, Some(1)));
        let Some(Err(Failure(problem))) = at_once(&tokens, TEXT) else { panic!("it is asked") };
        let told = "too many requests wait for the registry to say whose their tokens are";
        assert_eq!((problem.status, &*problem.detail), (503, told));
    }
}
