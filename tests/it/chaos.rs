//! Faults in any order under a platform that works: what clients saw, what functions did and what records tell have to fit
//! what is promised (GUARANTEES.md).
//!
//! ```text
//!  seed ─▶ plan ─▶ faults ─▶ stacks (a platform, its servers, its engine, a second host)
//!                               ▲                       │ runs tell
//!                     clients ──┘ calls                 ▼
//!                        │                           witness, past the platform
//!                        └──────────▶ history ◀─────────┘
//!                                        └─▶ check ─▶ report
//! ```
//!
//! The tests here are short and know no times: other tests run beside them. `tests/chaos` runs the long ones.

mod clients;
mod faults;
mod history;
mod network;
mod plan;
mod project;
mod report;
mod stacks;
mod witness;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use cloudfunc::{
    client::{Client, Error, RecordFilter},
    model::InvocationId,
};
use tokio::task::JoinSet;

use self::{
    clients::{CALL, Clients, PROBE, WORK},
    history::{Finding, Happened, History, Leniency, Told},
    plan::{Fault, Kind, Stack, plan},
    report::Title,
    stacks::Rig,
};

/// How a run is done.
struct Run {
    stack: Stack,
    seed: u64,
    plan: Vec<Fault>,
    /// No fault begins after this.
    at_most: Duration,
    /// The time after the last fault within which all accepted invocations have to end: an outcome that was lost with the
    /// broker is missed only after ten minutes.
    ends_within: Duration,
    leniency: Leniency,
    program: Option<PathBuf>,
    report: Option<PathBuf>,
}

impl Run {
    async fn perform(self) -> (History, Vec<Finding>) {
        let mut rig = Rig::start(self.stack, self.program.clone()).await;
        let clients = Clients::new(rig.client(), rig.start);
        for name in [WORK, CALL, PROBE] {
            faults::deploy(&rig.witness.code(), &clients, name).await;
        }
        clients.served().await.expect("it serves before the first fault");
        let under_way = clients.begin(self.seed);
        let seed = self.seed;
        let on_second_host = rig.second_client().map(|(namespace, client)| {
            let clients = clients.of_second_host(client);
            namespace.perform(move || async move { drop(clients.begin(seed).join_all().await) })
        });
        let begun = Instant::now();
        let (mut happened, mut deploys) = (Vec::new(), JoinSet::new());
        let mut plan = self.plan.iter().peekable();
        while begun.elapsed() < self.at_most
            && let Some(fault) = plan.next()
        {
            let second = plan.next_if(|next| next.overlaps);
            happened.extend(disturb(&mut rig, &clients, &mut deploys, fault, second).await);
        }
        deploys.join_all().await;
        // The clients go on without faults for a moment, so that the last one's effects are seen.
        tokio::time::sleep(Duration::from_secs(2)).await;
        clients.stop();
        under_way.join_all().await;
        if let Some(clients) = on_second_host {
            tokio::task::spawn_blocking(|| clients.join().unwrap()).await.unwrap();
        }
        eprintln!("{:.3} no more calls", clients.now());
        let (records, unread) = self.all_ended(&clients).await;
        eprintln!("{:.3} all has ended", clients.now());
        let runs = rig.witness.runs();
        let waiting = rig.messages_left().await;
        for host in 0..if rig.has_second_host() { 2 } else { 1 } {
            if let Some(wrong) = rig.stop(host).await {
                clients.found(wrong);
            }
        }
        eprintln!("{:.3} all is stopped", clients.now());
        let history = History {
            calls: clients.calls(),
            runs,
            records,
            ends_seen: clients.ends_seen(),
            faults: happened,
            left: [waiting, rig.left().await].concat(),
            found: [clients.findings(), rig.witness.strange(), unread.into_iter().collect()].concat(),
        };
        let findings = history.check(self.leniency);
        if let Some(folder) = &self.report {
            let title = Title { stack: self.stack, seed: self.seed, program: &rig.home.program };
            report::write(folder, &title, &history, &findings).unwrap();
            rig.copy_logs(&folder.join("logs"));
        }
        (history, findings)
    }

    /// Waits until everybody is answered and everything has ended, or for as long as that may take. Returns all records, and
    /// what is wrong with them as a whole.
    async fn all_ended(&self, clients: &Clients) -> (Records, Option<String>) {
        let deadline = Instant::now() + self.ends_within;
        loop {
            let late = Instant::now() > deadline;
            match records(&clients.client).await {
                Ok(records) => {
                    let all_ended = records.values().all(|told| told.state.is_terminal());
                    match all_ended && clients.are_answered() {
                        true => return (records, None),
                        false if late => return (records, Some("not all is answered".to_owned())),
                        false => {}
                    }
                }
                Err(error) if late => {
                    return (Records::new(), Some(format!("records cannot be read: {error:?}")));
                }
                Err(_) => {}
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}

/// One fault, or two of which the second begins while the first lasts.
async fn disturb(
    rig: &mut Rig,
    clients: &Clients,
    deploys: &mut JoinSet<()>,
    fault: &Fault,
    second: Option<&Fault>,
) -> Vec<Happened> {
    tokio::time::sleep(fault.pause).await;
    for _ in [Some(fault), second].into_iter().flatten().filter(|fault| fault.deploys) {
        let (code, clients) = (rig.witness.code(), clients.clone());
        deploys.spawn(async move { faults::deploy(&code, &clients, CALL).await });
    }
    let mut under_way = vec![begin(rig, clients, fault).await];
    if let Some(second) = second {
        tokio::time::sleep(fault.lasts / 2).await;
        under_way.push(begin(rig, clients, second).await);
        // Whichever is over first.
        under_way.sort_by_key(|(_, _, until)| *until);
    }
    let mut over = Vec::new();
    for (begun_at, begun, until) in under_way {
        tokio::time::sleep_until(until).await;
        let kind = begun.kind();
        over.push((kind, begun_at, faults::heal(rig, clients, begun).await));
    }
    let healed = over.iter().map(|(.., over)| over.healed).fold(0.0, f64::max);
    let served = clients.served().await;
    faults::keep_alive(rig, clients);
    let took = served.map(|served| served - healed);
    eprintln!("{:.3}   healed at {healed:.3}, served after {took:.3?}", clients.now());
    let kinds: Vec<_> = over.iter().map(|(kind, ..)| *kind).collect();
    let happened = over.into_iter().map(|(kind, begun, over)| Happened {
        kind,
        with: kinds.iter().copied().find(|other| *other != kind),
        begun,
        healed,
        restarted: over.restarted.max(healed),
        served,
    });
    happened.collect()
}

/// Returns when it began, and until when it lasts.
async fn begin<'a>(
    rig: &mut Rig,
    clients: &Clients,
    fault: &'a Fault,
) -> (f64, faults::Begun<'a>, tokio::time::Instant) {
    let now = clients.now();
    eprintln!("{now:.3} {} for {:?}", fault.kind, fault.lasts);
    let begun = faults::begin(rig, clients, fault).await;
    (now, begun, tokio::time::Instant::now() + fault.lasts)
}

type Records = BTreeMap<InvocationId, Told>;

async fn records(client: &Client) -> Result<Records, Error> {
    let mut all = Records::new();
    let mut filter = RecordFilter { limit: Some(500), ..RecordFilter::default() };
    loop {
        let page = client.records(&filter).await?;
        all.extend(page.items.iter().map(|record| (record.id, Told::from(record))));
        match page.next {
            Some(next) => filter.cursor = Some(next),
            None => return Ok(all),
        }
    }
}

fn assert_none(history: &History, findings: &[Finding]) {
    eprintln!("{}", report::summary(history, findings));
    let lines: Vec<_> = findings.iter().map(|(kind, what)| format!("{kind:?}: {what}")).collect();
    assert!(findings.is_empty(), "violations:\n{}", lines.join("\n"));
}

/// A short run of these kinds, whose bounds are not those of a machine that has nothing else to do.
async fn short(stack: Stack, seed: u64, kinds: &[Kind]) {
    let run = Run {
        stack,
        seed,
        plan: plan(seed, kinds, kinds.len()).into_iter().map(Fault::shortened).collect(),
        // The plan ends before.
        at_most: Duration::from_secs(600),
        ends_within: Duration::from_secs(60),
        leniency: Leniency(8.0),
        program: None,
        report: None,
    };
    let (history, findings) = run.perform().await;
    assert_eq!(history.faults.len(), kinds.len());
    assert!(history.runs.len() > 10, "{} runs were witnessed", history.runs.len());
    assert_none(&history, &findings);
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_in_any_order_lose_and_double_nothing_on_one_process() {
    let _ = crate::need!("CLOUDFUNC_TEST_DOCKER");
    let kinds = [
        Kind::KillAll,
        Kind::StopAndStart,
        Kind::PauseAll,
        Kind::ClockForward,
        Kind::ClockBack,
        Kind::SlowDisk,
        Kind::FullDisk,
        Kind::KillSandbox,
        Kind::Deploy,
        Kind::DeleteFunction,
    ];
    short(Stack::EmbeddedOci, 1, &kinds).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_in_any_order_lose_and_double_nothing_on_servers() {
    let _ = crate::need!("CLOUDFUNC_TEST_DOCKER");
    let kinds = [
        Kind::KillScheduler,
        Kind::KillManager,
        Kind::KillBroker,
        Kind::KillDatabase,
        Kind::ResetBrokerConnections,
        Kind::ReadOnlyDatabase,
    ];
    short(Stack::ServersOci, 1, &kinds).await;
}

fn setting(name: &str) -> Option<String> {
    std::env::var(format!("CLOUDFUNC_CHAOS_{name}")).ok().filter(|value| !value.is_empty())
}

/// The run behind `tests/chaos`, configured by environment variables. Stacks are disturbed one after the other.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes long: tests/chaos"]
async fn a_long_run() {
    let _ = crate::need!("CLOUDFUNC_TEST_DOCKER");
    let number = |name, default| setting(name).map_or(default, |value| value.parse::<u64>().unwrap());
    let stacks = setting("STACKS").unwrap_or_else(|| "embedded-oci".to_owned());
    let kinds = setting("KINDS").unwrap_or_default();
    let kinds: Vec<Kind> = kinds.split_whitespace().map(|kind| kind.parse().unwrap()).collect();
    let (seed, faults) = (number("SEED", 1), usize::try_from(number("FAULTS", 1000)).unwrap());
    let minutes = number("MINUTES", 10);
    let report = setting("REPORT").map(PathBuf::from);
    let mut violations = 0;
    for stack in stacks.split_whitespace() {
        let stack: Stack = stack.parse().unwrap();
        let kinds = match kinds.is_empty() {
            true => stack.kinds(),
            false => stack.kinds().into_iter().filter(|kind| kinds.contains(kind)).collect(),
        };
        if kinds.is_empty() {
            println!("{}: it cannot have these faults", stack.name());
            continue;
        }
        let folder = report.as_ref().map(|folder| folder.join(format!("{}-{seed}", stack.name())));
        let run = Run {
            stack,
            seed,
            plan: plan(seed, &kinds, faults),
            at_most: Duration::from_secs(60 * minutes),
            ends_within: Duration::from_secs(12 * 60),
            leniency: Leniency(number("LENIENCY", 1) as f64),
            program: setting("PROGRAM").map(PathBuf::from),
            report: folder.clone(),
        };
        let (history, findings) = run.perform().await;
        let place = folder.as_deref().unwrap_or(Path::new("nowhere")).display();
        println!(
            "{} seed {seed}: {}; report in {place}",
            stack.name(),
            report::summary(&history, &findings)
        );
        for (kind, what) in findings.iter().take(20) {
            println!("  {kind:?}: {what}");
        }
        violations += findings.len();
    }
    assert_eq!(violations, 0, "violations; see the reports");
}
