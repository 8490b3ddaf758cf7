//! Limits for the requests of tokens: one limiter per token, whichever of its texts a request carries.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, Weak},
};

use crate::{
    model::{RateLimit, TokenName},
    rate_limiter::RateLimiter,
};

/// The limiters of all tokens that are known here.
#[derive(Default)]
pub struct Limiters(Mutex<HashMap<TokenName, Weak<RateLimiter>>>);

impl Limiters {
    /// Returns the token's limiter: the one that counts already, or a new one where the limit is another, or where nothing
    /// holds it any more.
    pub fn of(&self, name: &TokenName, limit: RateLimit) -> Arc<RateLimiter> {
        let mut limiters = self.0.lock().expect("no holder panics");
        let same = limiters.get(name).and_then(Weak::upgrade).filter(|same| same.limit() == limit);
        same.unwrap_or_else(|| {
            let limiter = Arc::new(RateLimiter::new(limit));
            limiters.insert(name.clone(), Arc::downgrade(&limiter));
            limiter
        })
    }

    /// Lets go of those that nothing holds.
    pub fn forget_unused(&self) {
        self.0.lock().expect("no holder panics").retain(|_, limiter| limiter.strong_count() > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_keeps_its_limiter_while_its_limit_stays_the_same() {
        let limit = |text: &str| text.parse::<RateLimit>().unwrap();
        let limiters = Limiters::default();
        let (ci, other): (TokenName, TokenName) = ("ci".parse().unwrap(), "other".parse().unwrap());
        let first = limiters.of(&ci, limit("2/h"));
        first.check().unwrap();
        let again = limiters.of(&ci, limit("2/h"));
        assert!(Arc::ptr_eq(&first, &again));
        again.check().unwrap();
        assert!(first.check().is_err(), "both count");
        assert!(limiters.of(&other, limit("2/h")).check().is_ok());
        assert!(limiters.of(&ci, limit("3/h")).check().is_ok(), "another limit begins anew");
        drop((first, again));
        limiters.forget_unused();
        assert!(limiters.0.lock().unwrap().is_empty());
    }
}
