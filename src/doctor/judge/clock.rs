//! Clocks.

use super::Finding;

/// The difference between the clocks from which it shows in times that people read. Leases and due times use
/// the store's clock.
const STORE_MAY_DIFFER_MS: i64 = 2000;

#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Seconds since the epoch.
    pub now: i64,
    /// The time when the program's file was written.
    pub program: Option<i64>,
    /// The network keeps the clock right; `None` if that is not known.
    pub is_synchronised: Option<bool>,
    /// The time by which the store's clock is ahead of ours.
    pub store_ahead_ms: Option<i64>,
}

pub fn judge(facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![clock(facts), synchronised(facts)];
    findings.extend(facts.store_ahead_ms.map(store));
    findings
}

fn clock(facts: &Facts) -> Finding {
    // A tolerance of a minute: file systems of other machines have clocks of their own.
    match facts.program {
        Some(program) if facts.now + 60 < program => Finding::warning(
            "clock",
            "the clock is before the day on which this program was made",
            "Set it (`sudo date --set …`, or `sudo timedatectl set-ntp true`): records would get wrong times.",
        ),
        _ => Finding::ok("clock", "the time is plausible"),
    }
}

fn synchronised(facts: &Facts) -> Finding {
    const NAME: &str = "ntp";
    match facts.is_synchronised {
        Some(true) => Finding::ok(NAME, "the clock is synchronised"),
        Some(false) => Finding::note(
            NAME,
            "the clock is not synchronised",
            "Run `sudo timedatectl set-ntp true`, or install chrony, where several hosts are one platform.",
        ),
        None => Finding::note(
            NAME,
            "whether the clock is synchronised cannot be seen here",
            "Where several hosts are one platform, see that something sets it on each.",
        ),
    }
}

fn store(ahead: i64) -> Finding {
    let seconds = ahead.unsigned_abs() as f64 / 1000.0;
    if ahead.abs() <= STORE_MAY_DIFFER_MS {
        return Finding::ok("store-clock", "the store's clock agrees");
    }
    let direction = if ahead > 0 { "ahead of" } else { "behind" };
    Finding::warning(
        "store-clock",
        format!("the store's clock is {seconds:.1} s {direction} this machine's"),
        "Synchronise both with NTP: leases hold, but times in records and logs differ.",
    )
}

#[cfg(test)]
mod tests {
    use super::{super::shown, *};

    #[test]
    fn clocks_that_agree_are_fine() {
        let facts = Facts {
            now: 1000,
            program: Some(900),
            is_synchronised: Some(true),
            store_ahead_ms: Some(-1500),
        };
        assert_eq!(
            shown(&judge(&facts)),
            [
                "ok clock: the time is plausible",
                "ok ntp: the clock is synchronised",
                "ok store-clock: the store's clock agrees"
            ]
        );
        assert_eq!(
            shown(&judge(&Facts::default()))[1],
            "note ntp: whether the clock is synchronised cannot be seen here | Where several hosts are one platform, see \
             that something sets it on each."
        );
    }

    #[test]
    fn wrong_clocks_are_named() {
        let facts = Facts {
            now: 0,
            program: Some(900),
            is_synchronised: Some(false),
            store_ahead_ms: Some(-7400),
        };
        assert_eq!(
            shown(&judge(&facts)),
            [
                "warning clock: the clock is before the day on which this program was made | Set it (`sudo date --set …`, \
                 or `sudo timedatectl set-ntp true`): records would get wrong times.",
                "note ntp: the clock is not synchronised | Run `sudo timedatectl set-ntp true`, or install chrony, where \
                 several hosts are one platform.",
                "warning store-clock: the store's clock is 7.4 s behind this machine's | Synchronise both with NTP: \
                 leases hold, but times in records and logs differ.",
            ]
        );
        assert!(store(2500).found.contains("2.5 s ahead of"));
    }
}
