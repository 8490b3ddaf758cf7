//! The limit of this process's open files, and how it is shared out: connections to the ports leave enough for instances,
//! the store and the queue.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The limit that is counted with where there is none, and where it is higher: no share grows beyond it.
const MOST: u64 = 1 << 20;

/// The most connections of a port, however many files there are: each takes memory.
const MOST_CONNECTIONS: u64 = 10_000;

/// The least connections of a port, however few files there are.
const LEAST_CONNECTIONS: u64 = 16;

/// The least connections of one address, however few a port has.
const LEAST_OF_ADDRESS: u64 = 8;

/// Raises the limit of open files to the most that this process may have. Programs that it starts inherit it.
pub fn raise() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        // It may always be raised to the hard limit; a refusal leaves what there was.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
}

/// Returns the number of files that this process may have open once [`raise`] was called. Should the kernel have refused
/// that, files run out earlier, and connections are given up then.
pub fn limit() -> u64 {
    getrlimit(Resource::Nofile).maximum.unwrap_or(MOST)
}

/// The shares of the ports in the files of a process.
///
/// Of 64 files, 24 are kept for instances, the store, the queue and logs; 11 go to each of the two ports for callers, and 6
/// to each of the three internal ones: 24 + 2 × 11 + 3 × 6 = 64. With 1,024 files these are 384, 176 and 96. A process that
/// runs one role counts in the same way, so that what it opens to other roles has room too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// The most connections of a port for callers.
    pub of_callers: usize,
    /// The most connections of one address there.
    pub of_address: usize,
    /// The most connections of an internal port.
    pub internal: usize,
}

impl Shares {
    /// Shares out a number of files.
    pub fn of(files: u64) -> Self {
        let share =
            |parts: u64| (files.min(MOST) * parts / 64).clamp(LEAST_CONNECTIONS, MOST_CONNECTIONS);
        let of_callers = share(11);
        Self {
            of_callers: to_usize(of_callers),
            of_address: to_usize((of_callers / 4).max(LEAST_OF_ADDRESS)),
            internal: to_usize(share(6)),
        }
    }
}

fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(files: u64) -> [usize; 3] {
        let Shares { of_callers, of_address, internal } = Shares::of(files);
        [of_callers, of_address, internal]
    }

    #[test]
    fn the_ports_leave_files_for_everything_else() {
        assert_eq!(shares(1024), [176, 44, 96]);
        assert_eq!(shares(4096), [704, 176, 384]);
        assert_eq!(shares(20_000), [3437, 859, 1875]);
        assert_eq!(shares(1 << 20), [10_000, 2500, 10_000]);
        assert_eq!(shares(u64::MAX), [10_000, 2500, 10_000]);
        assert_eq!(shares(0), [16, 8, 16]);
        for files in [256_u64, 1000, 1024, 5000, 65_536, 1 << 20] {
            let [of_callers, of_address, internal] = shares(files).map(|share| share as u64);
            assert!(2 * of_callers + 3 * internal <= files * 5 / 8, "{files}");
            assert!(of_address <= of_callers, "{files}");
        }
    }

    #[test]
    fn the_limit_is_the_hard_one_once_it_is_raised() {
        raise();
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        assert_eq!(current, maximum);
        assert_eq!(limit(), maximum.unwrap_or(MOST));
    }
}
