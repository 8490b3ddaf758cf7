//! New lines as they come: each once, also one that appears behind a higher number.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::FOLLOW_EVERY;
use crate::{
    error_chain::chain,
    store::{self, LogFilter, Logs, StoredLine},
};

/// A slower writer's line may appear behind a later number for about so long.
const SETTLED_AFTER: Duration = Duration::from_secs(3);
/// Numbers that are remembered for that: of more lines in that time, the oldest count as settled.
const REMEMBERED: usize = 100_000;

/// Remembers what was passed on for as long as something may still appear before it.
pub struct Follower {
    /// Up to here nothing new appears any more.
    settled: i64,
    /// The highest number that was passed on.
    highest: i64,
    passed: BTreeMap<i64, Instant>,
}

impl Follower {
    /// Follows what comes after this number.
    pub fn new(from: i64) -> Self {
        Self { settled: from, highest: from, passed: BTreeMap::new() }
    }

    /// Lines that the reader has now.
    pub fn passed(&mut self, numbers: &[i64], now: Instant) {
        self.passed.extend(numbers.iter().map(|number| (*number, now)));
        self.highest = numbers.iter().copied().fold(self.highest, i64::max);
        while let Some(first) = self.passed.first_entry() {
            if now - *first.get() < SETTLED_AFTER && self.passed.len() <= REMEMBERED {
                break;
            }
            let Some((number, _)) = self.passed.pop_first() else { break };
            self.settled = number;
        }
    }

    /// The new lines; nothing, after a moment, when there is nothing. A store that is away has nothing.
    pub async fn next(
        &mut self,
        store: &dyn Logs,
        filter: &LogFilter,
    ) -> Result<Vec<StoredLine>, store::Error> {
        let lines = match self.look(store, filter).await {
            Ok(lines) => lines,
            Err(error) if error.is_transient() => Vec::new(),
            Err(error) => {
                tracing::error!(error = %chain(&error), "logs cannot be followed");
                return Err(error);
            }
        };
        let numbers: Vec<i64> = lines.iter().map(|line| line.sequence).collect();
        self.passed(&numbers, Instant::now());
        if lines.is_empty() {
            tokio::time::sleep(FOLLOW_EVERY).await;
        }
        Ok(lines)
    }

    async fn look(&self, store: &dyn Logs, filter: &LogFilter) -> Result<Vec<StoredLine>, store::Error> {
        let late = LogFilter {
            after: Some(self.settled),
            before: Some(self.highest + 1),
            limit: u32::MAX,
            ..filter.clone()
        };
        if self.settled < self.highest && store.count_logs(&late).await? > self.passed.len() as u64 {
            let mut news = Vec::new();
            let mut page = LogFilter { limit: filter.limit, ..late };
            loop {
                let lines = store.logs(&page).await?.lines;
                let Some(last) = lines.last() else { break };
                page.after = Some(last.sequence);
                news.extend(lines.into_iter().filter(|line| !self.passed.contains_key(&line.sequence)));
            }
            return Ok(news);
        }
        let new = LogFilter { after: Some(self.highest), ..filter.clone() };
        Ok(store.logs(&new).await?.lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_settled_is_not_looked_at_again() {
        let start = Instant::now();
        let mut follower = Follower::new(6);
        follower.passed(&[7, 9], start);
        assert_eq!((follower.settled, follower.highest), (6, 9), "8 may still come");
        follower.passed(&[8], start + SETTLED_AFTER / 2);
        follower.passed(&[], start + SETTLED_AFTER);
        assert_eq!((follower.settled, follower.highest), (7, 9));
        follower.passed(&[12], start + SETTLED_AFTER * 2);
        assert_eq!((follower.settled, follower.highest, follower.passed.len()), (9, 12, 1));
    }
}
