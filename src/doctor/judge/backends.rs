//! The store and the queue.

use super::{Finding, Stops, Wanted};
use crate::store::{Totals, UnusableFunction};

#[derive(Clone, Debug)]
pub enum Store {
    /// The backend is started later, by compose or by `up`.
    Later,
    Answers(Answer),
    /// The reason why it does not work, in one line.
    Fails(String),
}

#[derive(Clone, Debug)]
pub struct Answer {
    /// The product and its version, such as `PostgreSQL 16.3`.
    pub version: String,
    /// The address without credentials.
    pub address: String,
    /// The number of migrations that the next start applies.
    pub missing: usize,
    /// The number of migrations that only a newer program knows.
    pub unknown: usize,
    /// The store has no migrations yet.
    pub is_empty: bool,
    /// The count of async invocations by state; none if they could not be counted in time.
    pub totals: Option<Totals>,
    /// The functions that managers cannot run.
    pub unusable: Vec<UnusableFunction>,
}

#[derive(Clone, Debug)]
pub enum Queue {
    Later,
    /// It is in the memory of the platform's process.
    Embedded,
    Answers {
        version: Option<String>,
        address: String,
        blocked: bool,
    },
    Fails(String),
}

#[derive(Clone, Debug)]
pub struct Facts {
    pub store: Store,
    pub queue: Queue,
}

pub fn judge(facts: &Facts, wanted: Wanted) -> Vec<Finding> {
    let mut findings = vec![store(&facts.store, wanted), queue(&facts.queue, wanted)];
    if let Store::Answers(answer) = &facts.store {
        findings.extend(answer.unusable.iter().map(left_to_others));
    }
    findings
}

fn left_to_others(unusable: &UnusableFunction) -> Finding {
    let UnusableFunction { function, manager, reason } = unusable;
    Finding::warning(
        "managers",
        format!("manager {manager} does not run '{function}': {reason}"),
        "Other managers run it, if there are any that can. Deployed again, changed or not, its packages are for the host \
         of the manager that builds it.",
    )
}

fn store(store: &Store, wanted: Wanted) -> Finding {
    const NAME: &str = "store";
    let stops = |found, advice| Finding::stops(stack(wanted), wanted, NAME, found, advice);
    let answer = match store {
        Store::Later => return Finding::ok(NAME, "not there yet: the first start makes it"),
        Store::Fails(why) => {
            return stops(
                why.clone(),
                "Start the server, or correct --store; then run `cloudfunc doctor` again.",
            );
        }
        Store::Answers(answer) => answer,
    };
    let Answer { version, address, missing, unknown, is_empty, totals, unusable: _ } = answer;
    if *unknown > 0 {
        let found = format!(
            "{version} at {address} was used by a newer cloudfunc ({unknown} migrations are unknown here)"
        );
        return stops(found, "Use that newer version, or another database.");
    }
    let state = match (is_empty, missing) {
        (true, _) => "empty; the first start makes its tables",
        (false, 0) => "up to date",
        (false, _) => "of an older version; the next start migrates it",
    };
    let found = format!("{version} at {address}, {state}");
    match totals {
        Some(totals) if !totals.balance() => Finding::warning(
            NAME,
            format!(
                "{found}; of {} asynchronous invocations that were accepted, {} are on record",
                totals.accepted,
                on_record(totals)
            ),
            "Something else has changed the table of invocations, or a backup was restored in part. What is on record is \
             served; what is missing is lost.",
        ),
        Some(totals) if totals.accepted > 0 => Finding::ok(NAME, format!("{found}; {}", sum(totals))),
        Some(_) | None => Finding::ok(NAME, found),
    }
}

/// Returns how many of those that were accepted are accounted for.
fn on_record(totals: &Totals) -> u64 {
    let Totals { queued, retrying, running, terminal, pruned, .. } = totals;
    queued + retrying + running + terminal + pruned
}

fn sum(totals: &Totals) -> String {
    let Totals { accepted, queued, retrying, running, terminal, pruned } = totals;
    format!(
        "{accepted} asynchronous invocations accepted: {queued} queued, {retrying} retrying, {running} running, \
         {terminal} ended, {pruned} pruned"
    )
}

fn queue(queue: &Queue, wanted: Wanted) -> Finding {
    const NAME: &str = "queue";
    match queue {
        Queue::Later => Finding::ok(NAME, "not there yet: the first start makes it"),
        Queue::Embedded => Finding::ok(NAME, "embedded: in the memory of the platform's process"),
        Queue::Fails(why) => {
            let advice = "Start the broker, or correct --queue; then run `cloudfunc doctor` again.";
            Finding::stops(stack(wanted), wanted, NAME, why.clone(), advice)
        }
        Queue::Answers { version, address, blocked } => {
            let found = format!("{} at {address}", version.as_deref().unwrap_or("an AMQP broker"));
            if *blocked {
                let found = format!("{found} takes no messages: it is short of memory or disk");
                let advice = "Look with `rabbitmq-diagnostics alarms` on its machine, and make room.";
                return Finding::stops(stack(wanted), wanted, NAME, found, advice);
            }
            Finding::ok(NAME, found)
        }
    }
}

/// Returns the stack that was asked about, to which the backends belong.
fn stack(wanted: Wanted) -> Stops {
    match wanted {
        Wanted::Up => Stops::UP,
        Wanted::Embedded => Stops::EMBEDDED,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::shown, *};
    use crate::model::ManagerId;

    fn answer() -> Answer {
        let (version, address) = ("PostgreSQL 16.3".to_owned(), "db:5432".to_owned());
        Answer {
            version,
            address,
            missing: 0,
            unknown: 0,
            is_empty: false,
            totals: None,
            unusable: Vec::new(),
        }
    }

    #[test]
    fn managers_that_cannot_run_a_function_are_named() {
        let manager: ManagerId = "01931f5e-7c1a-7b60-8b43-0d3f5a1c2e4f".parse().unwrap();
        let reason = "its packages are for x86_64, and the host is aarch64".to_owned();
        let unusable = vec![UnusableFunction { function: "f".to_owned(), manager, reason }];
        let facts =
            Facts { store: Store::Answers(Answer { unusable, ..answer() }), queue: Queue::Embedded };
        assert_eq!(
            shown(&judge(&facts, Wanted::Up))[2],
            "warning managers: manager 01931f5e-7c1a-7b60-8b43-0d3f5a1c2e4f does not run 'f': its packages are for x86_64, \
             and the host is aarch64 | Other managers run it, if there are any that can. Deployed again, changed or not, its \
             packages are for the host of the manager that builds it."
        );
    }

    fn one(store: Store) -> String {
        shown(&[super::store(&store, Wanted::Up)]).remove(0)
    }

    #[test]
    fn what_a_store_holds_is_said() {
        let at = "ok store: PostgreSQL 16.3 at db:5432";
        assert_eq!(one(Store::Answers(answer())), format!("{at}, up to date"));
        let older = Answer { missing: 1, ..answer() };
        assert_eq!(
            one(Store::Answers(older)),
            format!("{at}, of an older version; the next start migrates it")
        );
        let empty = Answer { missing: 3, is_empty: true, ..answer() };
        assert_eq!(one(Store::Answers(empty)), format!("{at}, empty; the first start makes its tables"));
        assert_eq!(one(Store::Later), "ok store: not there yet: the first start makes it");
        assert_eq!(
            one(Store::Answers(Answer { unknown: 2, ..answer() })),
            "problem store: PostgreSQL 16.3 at db:5432 was used by a newer cloudfunc (2 migrations are unknown here) | \
             Use that newer version, or another database."
        );
        assert_eq!(
            one(Store::Fails("the store at db does not answer".to_owned())),
            "problem store: the store at db does not answer | Start the server, or correct --store; then run \
             `cloudfunc doctor` again."
        );
    }

    #[test]
    fn whether_what_was_accepted_adds_up_is_said() {
        let at = "store: PostgreSQL 16.3 at db:5432, up to date";
        let totals = Totals { accepted: 9, queued: 1, retrying: 1, running: 2, terminal: 2, pruned: 3 };
        let with = |totals| one(Store::Answers(Answer { totals: Some(totals), ..answer() }));
        assert_eq!(
            with(totals),
            format!(
                "ok {at}; 9 asynchronous invocations accepted: 1 queued, 1 retrying, 2 running, 2 ended, 3 pruned"
            )
        );
        assert_eq!(with(Totals::default()), format!("ok {at}"));
        assert_eq!(
            with(Totals { accepted: 10, ..totals }),
            format!(
                "warning {at}; of 10 asynchronous invocations that were accepted, 9 are on record | Something else has \
                 changed the table of invocations, or a backup was restored in part. What is on record is served; what is \
                 missing is lost."
            )
        );
    }

    #[test]
    fn a_broker_in_alarm_is_a_problem() {
        let answers = |blocked| Queue::Answers {
            version: Some("RabbitMQ 3.13.7".to_owned()),
            address: "mq:5672".to_owned(),
            blocked,
        };
        assert_eq!(
            shown(&[
                queue(&answers(false), Wanted::Up),
                queue(&answers(true), Wanted::Up),
                queue(&Queue::Fails("the message broker at mq refuses".to_owned()), Wanted::Up),
            ]),
            [
                "ok queue: RabbitMQ 3.13.7 at mq:5672",
                "problem queue: RabbitMQ 3.13.7 at mq:5672 takes no messages: it is short of memory or disk | Look with \
                 `rabbitmq-diagnostics alarms` on its machine, and make room.",
                "problem queue: the message broker at mq refuses | Start the broker, or correct --queue; then run \
                 `cloudfunc doctor` again.",
            ]
        );
    }

    #[test]
    fn an_embedded_queue_is_where_the_platform_is() {
        let found = shown(&[super::queue(&Queue::Embedded, Wanted::Embedded)]).remove(0);
        assert_eq!(found, "ok queue: embedded: in the memory of the platform's process");
    }
}
