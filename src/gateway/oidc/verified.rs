//! Tokens that were verified a moment ago, and their callers: a client that sends the same token again is not verified anew.
//! Only tokens that were accepted are kept, so a sender without one cannot fill the memory.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, RwLock},
};

use sha2::{Digest as _, Sha256};

use crate::model::Caller;

/// The most tokens that are kept.
const MOST: usize = 4096;
/// The time for which a token is kept, in seconds.
const KEPT: i64 = 60;

/// The SHA-256 of a whole token, with its signature.
pub type TokenDigest = [u8; 32];

/// Returns the digest of a token.
pub fn digest(token: &str) -> TokenDigest {
    Sha256::digest(token.as_bytes()).into()
}

/// The tokens. The oldest go first.
#[derive(Default)]
pub struct Verified(RwLock<Kept>);

#[derive(Default)]
struct Kept {
    /// The reading of the keys that verified them.
    reading: u64,
    tokens: HashMap<TokenDigest, Token>,
    /// Their digests, each once, the oldest first.
    order: VecDeque<TokenDigest>,
}

struct Token {
    caller: Arc<Caller>,
    /// The first and the last second for which it is used.
    from: i64,
    until: i64,
}

impl Verified {
    /// Returns the caller of a token that the keys of this reading have verified. `now` is in seconds since 1970; none for a
    /// token of another time, also where the clock was set back.
    pub fn find(&self, token: &TokenDigest, reading: u64, now: i64) -> Option<Arc<Caller>> {
        let kept = self.0.read().expect("no holder panics");
        let found = kept.tokens.get(token).filter(|_| kept.reading == reading)?;
        (found.from..=found.until).contains(&now).then(|| found.caller.clone())
    }

    /// Keeps a token that the keys of this reading have verified now, and that is valid until the last second `until`.
    pub fn keep(&self, token: TokenDigest, caller: Arc<Caller>, reading: u64, (now, until): (i64, i64)) {
        let mut kept = self.0.write().expect("no holder panics");
        if kept.reading > reading {
            return;
        }
        if kept.reading < reading {
            *kept = Kept { reading, ..Kept::default() };
        }
        let until = until.min(now.saturating_add(KEPT));
        if kept.tokens.insert(token, Token { caller, from: now, until }).is_none() {
            kept.order.push_back(token);
        }
        if kept.order.len() > MOST
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.tokens.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn keep(verified: &Verified, token: &str, reading: u64, until: i64) {
        let caller = Caller { name: format!("oidc {token}"), ..Caller::internal() };
        verified.keep(digest(token), Arc::new(caller), reading, (NOW, until));
    }

    fn find(verified: &Verified, token: &str, reading: u64, now: i64) -> Option<String> {
        verified.find(&digest(token), reading, now).map(|caller| caller.name.clone())
    }

    #[test]
    fn a_token_is_kept_for_a_minute_and_not_beyond_its_end() {
        let verified = Verified::default();
        keep(&verified, "long", 1, i64::MAX);
        keep(&verified, "short", 1, NOW + 10);
        for (token, now, expected) in [
            ("long", NOW, Some("oidc long")),
            ("long", NOW + 60, Some("oidc long")),
            ("long", NOW + 61, None),
            ("long", NOW - 1, None),
            ("short", NOW + 10, Some("oidc short")),
            ("short", NOW + 11, None),
            ("other", NOW, None),
        ] {
            assert_eq!(find(&verified, token, 1, now).as_deref(), expected, "{token} {now}");
        }
    }

    #[test]
    fn a_token_is_verified_again_with_newer_keys() {
        let verified = Verified::default();
        keep(&verified, "a", 1, i64::MAX);
        assert_eq!(find(&verified, "a", 2, NOW), None);
        keep(&verified, "b", 2, i64::MAX);
        // It was verified with the older keys while the newer ones came.
        keep(&verified, "c", 1, i64::MAX);
        for (token, reading, is_kept) in
            [("a", 1, false), ("a", 2, false), ("b", 2, true), ("c", 1, false), ("c", 2, false)]
        {
            assert_eq!(find(&verified, token, reading, NOW).is_some(), is_kept, "{token} {reading}");
        }
    }

    #[test]
    fn the_oldest_tokens_go_when_there_are_too_many() {
        let verified = Verified::default();
        for number in 0..MOST + 10 {
            keep(&verified, &number.to_string(), 1, i64::MAX);
            keep(&verified, &number.to_string(), 1, i64::MAX);
        }
        let kept = verified.0.read().unwrap();
        assert_eq!((kept.tokens.len(), kept.order.len()), (MOST, MOST));
        drop(kept);
        assert_eq!(find(&verified, "9", 1, NOW), None);
        assert!(find(&verified, "10", 1, NOW).is_some());
    }
}
