//! Whose a bearer token is: the one of this host's file, a JWT of a provider, or a token of the platform, which the registry
//! knows.

use std::{future::pending, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use subtle::ConstantTimeEq as _;

use super::{
    ask::{Kind, LookupError, Questions},
    authorise::FILE_CALLER,
    cache::Key,
    entry::{Entry, Freshness, Moment, unknown_token},
    memory::Memory,
};
use crate::{
    http::{Answer, Authenticate, Authentication, Rejected},
    model::{Caller, Problem, TokenRole, code},
};

/// The beginning of the platform's tokens.
const BEGINNING: &str = "cf_";
/// The number of characters after it: 32 bytes in base64.
const CHARACTERS: usize = 43;
/// The longest time that a request waits for the answer whose its token is.
const PATIENCE: Duration = Duration::from_secs(10);
/// Seconds that a client is told to wait when that is not known.
const RETRY_AFTER: u64 = 1;
/// The time between two looks at a JWT while its request lasts.
const JWT_LOOK: Duration = Duration::from_secs(10);
/// The least time between two looks at a token of the platform where no change is told.
const LEAST_LOOK: Duration = Duration::from_millis(100);

/// What an entry says to a request.
type Says = fn(&Entry, Moment) -> Answer<Arc<Caller>>;

/// The tokens that the gateway accepts.
pub struct Tokens {
    /// The value in this host's file.
    file: Box<str>,
    of_file: Arc<Caller>,
    /// Knows JWTs; none where the platform has no provider.
    jwts: Option<Arc<dyn Authenticate>>,
    memory: Arc<Memory>,
    questions: Questions,
}

impl Tokens {
    /// Accepts the value in the file of this host, what `jwts` knows, and what the registry says.
    pub fn new(
        file: &str,
        host: &str,
        jwts: Option<Arc<dyn Authenticate>>,
        memory: Arc<Memory>,
        questions: Questions,
    ) -> Self {
        let name = format!("{FILE_CALLER}{host}");
        let of_file = Caller { name, role: TokenRole::Admin, functions: Vec::new(), from: None };
        Self { file: file.into(), of_file: Arc::new(of_file), jwts, memory, questions }
    }

    fn is_of_file(&self, token: &str) -> bool {
        token.as_bytes().ct_eq(self.file.as_bytes()).into()
    }

    fn find(
        &self,
        token: &str,
        jwt: fn(&dyn Authenticate, &str) -> Authentication,
        says: Says,
    ) -> Authentication {
        if self.is_of_file(token) {
            return Authentication::Known(Ok(self.of_file.clone()));
        }
        if is_jwt(token) {
            return match &self.jwts {
                Some(jwts) => jwt(&**jwts, token),
                None => Authentication::Known(Err(no_jwts().into())),
            };
        }
        if !is_value(token) {
            return Authentication::Known(Err(unknown_token().into()));
        }
        let key = Key::of(token);
        let Some(entry) = self.memory.get(&key) else { return self.ask(key, Kind::Unknown, says) };
        let kind = if entry.token().is_some() { Kind::Token } else { Kind::Unknown };
        let now = self.memory.now();
        match entry.freshness(now) {
            Freshness::Fresh => {}
            Freshness::Due => {
                self.questions.ask_in_the_background(key, kind, self.memory.generation());
            }
            Freshness::Stale => return self.ask(key, kind, says),
        }
        Authentication::Known(says(&entry, now))
    }

    fn ask(&self, key: Key, kind: Kind, says: Says) -> Authentication {
        let Some(mut answer) = self.questions.ask(key, kind, self.memory.generation()) else {
            return Authentication::Known(Err(not_checked(LookupError::TooMany).into()));
        };
        let (memory, questions) = (self.memory.clone(), self.questions.clone());
        let entry = async move {
            loop {
                // Without an answer the gateway stops.
                let entry = answer.await.unwrap_or(Err(LookupError::NoAnswer))?;
                // Tokens may have changed since the registry was asked.
                if entry.generation() >= memory.generation() {
                    return Ok::<_, LookupError>(says(&entry, memory.now()));
                }
                let again = questions.ask(key, kind, memory.generation());
                answer = again.ok_or(LookupError::TooMany)?;
            }
        };
        Authentication::Asking(Box::pin(async move {
            let answered = tokio::time::timeout(PATIENCE, entry).await;
            answered
                .unwrap_or(Err(LookupError::NoAnswer))
                .unwrap_or_else(|error| Err(not_checked(error).into()))
                .map_err(Rejected::from)
        }))
    }
}

impl Authenticate for Tokens {
    fn authenticate(&self, token: &str) -> Authentication {
        self.find(token, |jwts, token| jwts.authenticate(token), Entry::answer)
    }

    fn authenticate_again(&self, token: &str) -> Authentication {
        self.find(token, |jwts, token| jwts.authenticate_again(token), Entry::answer_again)
    }

    fn may_be_token(&self, token: &str) -> bool {
        let is_of_provider = || self.jwts.as_ref().is_some_and(|jwts| jwts.may_be_token(token));
        self.is_of_file(token) || is_value(token) || (is_jwt(token) && is_of_provider())
    }

    fn may_change(&self, token: &str) -> BoxFuture<'static, ()> {
        if self.is_of_file(token) {
            return Box::pin(pending());
        }
        if is_jwt(token) {
            return Box::pin(tokio::time::sleep(JWT_LOOK));
        }
        let mut changes = self.memory.changes();
        let longest = self.memory.until_next_look(&Key::of(token)).max(LEAST_LOOK);
        Box::pin(async move {
            let _ = tokio::time::timeout(longest, changes.changed()).await;
        })
    }
}

fn is_jwt(token: &str) -> bool {
    token.bytes().filter(|byte| *byte == b'.').count() == 2
}

/// Returns whether a text may be the value of a token. Nothing else is asked about.
fn is_value(text: &str) -> bool {
    let is_of_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let rest = text.strip_prefix(BEGINNING);
    rest.is_some_and(|rest| rest.len() == CHARACTERS && rest.bytes().all(is_of_base64))
}

fn no_jwts() -> Problem {
    Problem::new(code::UNAUTHORIZED, "this platform accepts no JWTs").hint(
        "send a token of the platform's own: an admin makes one with 'cloudfunc token create'; docs/oidc.md says how JWTs are accepted",
    )
}

fn not_checked(error: LookupError) -> Problem {
    let detail = match error {
        LookupError::NoAnswer => {
            "the registry, which knows whose the request's token is, does not answer"
        }
        LookupError::TooMany => "too many requests wait for the registry to say whose their tokens are",
    };
    Problem::new(code::UNAVAILABLE, detail)
        .retry_after(RETRY_AFTER)
        .hint("'cloudfunc status' shows which roles are running")
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::{super::ask::Asker, *};
    use crate::{
        http::{Door, Failure, Peer},
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
        (Tokens::new("file", "host1", jwts, memory.clone(), questions), memory, asker)
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
        assert_eq!(name(&tokens, "file"), "token file of host1 admin");
        let (shorter, longer) = (&TEXT[..TEXT.len() - 1], format!("{TEXT}0"));
        let (other, accent) = (TEXT.replace('1', "+"), TEXT.replacen("01", "é", 1));
        for token in ["", "fil", "file2", "FILE", "a.b", "cf_", shorter, &longer, &other, &accent] {
            assert_eq!(name(&tokens, token), "unauthorized", "{token}");
        }
        for token in [TEXT, "cf_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNO-_"] {
            assert_eq!(name(&tokens, token), "asking", "{token}");
        }
    }

    #[test]
    fn a_text_looks_like_a_token_if_it_is_the_files_or_has_the_form_of_one() {
        let (without, ..) = tokens(None);
        let (with, ..) = tokens(Some(Arc::new(Provider)));
        for (text, of_platform, with_provider) in [
            ("file", true, true),
            (TEXT, true, true),
            ("a.b.c", false, true),
            ("cf_short", false, false),
            ("a.b", false, false),
            ("", false, false),
        ] {
            let looks_so = (without.may_be_token(text), with.may_be_token(text));
            assert_eq!(looks_so, (of_platform, with_provider), "{text}");
        }
    }

    #[test]
    fn a_jwt_is_told_that_none_is_accepted() {
        let (tokens, _, _asker) = tokens(None);
        let Some(Err(Failure(problem))) = at_once(&tokens, "a.b.c") else { panic!("it is refused") };
        assert_eq!((problem.status, &*problem.detail), (401, "this platform accepts no JWTs"));
        let hint = "send a token of the platform's own: an admin makes one with 'cloudfunc token create'; docs/oidc.md says how JWTs are accepted";
        assert_eq!(problem.hint.as_deref(), Some(hint));
    }

    #[test]
    fn a_text_with_two_dots_goes_to_the_provider_where_there_is_one() {
        let (tokens, _, _asker) = tokens(Some(Arc::new(Provider)));
        assert_eq!(name(&tokens, "a.b.c"), "oidc a.b.c admin");
        assert_eq!(name(&tokens, "file"), "token file of host1 admin");
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
        memory.learn(Key::of(TEXT), memory.asked_at(), Some(known()));
        assert_eq!(name(&tokens, TEXT), "token ci invoke");
        memory.changed(Some(&["other".parse().unwrap()]));
        assert_eq!(name(&tokens, TEXT), "token ci invoke");
        memory.changed(Some(&["ci".parse().unwrap()]));
        assert_eq!(name(&tokens, TEXT), "asking");
        assert_eq!(name(&tokens, "file"), "token file of host1 admin");
    }

    #[tokio::test]
    async fn a_request_whose_token_nobody_can_tell_of_is_asked_to_come_again() {
        let (tokens, memory, asker) = kept_for(Duration::ZERO, None);
        // It was known once, and that is too long ago.
        memory.learn(Key::of(TEXT), memory.asked_at(), Some(known()));
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

    #[tokio::test]
    async fn an_answer_from_before_a_change_lets_nobody_in() {
        let (tokens, memory, mut asker) = tokens(None);
        let Authentication::Asking(mut question) = tokens.authenticate(TEXT) else {
            panic!("not asked")
        };
        // As the asker has it: asked before the change, answered after it.
        let asked_at = memory.asked_at();
        memory.changed(Some(&["ci".parse().unwrap()]));
        asker.answer_next(memory.learn(Key::of(TEXT), asked_at, Some(known())));
        assert!(question.as_mut().now_or_never().is_none(), "it is asked again");
        asker.answer_next(memory.learn(Key::of(TEXT), memory.asked_at(), None));
        let Failure(problem) = question.await.unwrap_err().failure;
        assert_eq!(problem.status, 401);
    }

    #[tokio::test]
    async fn a_request_that_lasts_is_looked_at_when_its_token_changes_and_does_not_count_again() {
        let (tokens, memory, _asker) = tokens(None);
        let limited = KnownToken { rate_limit: Some("1/h".parse().unwrap()), ..known() };
        memory.learn(Key::of(TEXT), memory.asked_at(), Some(limited));
        assert_eq!(name(&tokens, TEXT), "token ci invoke");
        for _ in 0..5 {
            assert!(matches!(tokens.authenticate_again(TEXT), Authentication::Known(Ok(_))));
        }
        assert_eq!(name(&tokens, TEXT), "rate_limited");
        let mut change = tokens.may_change(TEXT);
        assert!(change.as_mut().now_or_never().is_none());
        memory.changed(Some(&["ci".parse().unwrap()]));
        change.await;
        assert!(matches!(tokens.authenticate_again(TEXT), Authentication::Asking(_)));
        assert!(tokens.may_change("file").now_or_never().is_none());
    }
}
