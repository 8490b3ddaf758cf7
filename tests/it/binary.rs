//! The built binary on the real stack (PostgreSQL, RabbitMQ, Docker), as its users run it; and what
//! they never want to see: every part of it killed while it works.

mod alone;
mod broker;
mod compose;
mod core_dumps;
mod embedded;
mod embedded_kills;
mod kills;
mod orphans;
mod pauses;
mod platforms;
mod quick_start;
mod run;
mod stop;
mod takeover;

/// Sleeps for `seconds` (1 if not said) and answers `n`.
const SLEEPER: &str = "import time\n\n\ndef handler(event):\n    time.sleep(event.get('seconds', 1))\n    return event.get('n')\n";
