//! What the figures have to show, as ratios of one run.

use serde_json::{Value, json};

use crate::{
    names::{
        ACCEPTS, ACCESS, BARE_ACCEPT, BARE_NONE, BURST, BURST_DEFAULT, BURST_THIRTY, CLIENTS, COLD,
        COLD_DOCKER, COLD_DOCKER_PACKAGES, COLD_EMPTY, COLD_OCI, COLD_OCI_EMPTY, COLD_OCI_PACKAGES,
        CONSTANT_ACCEPT, CONTAINER_SERVER, DEPLOY_DOCKER, DEPLOY_OCI, DEPLOYS, DOCKER_BUILD, DOCKER_RUN,
        EMBEDDED_DOCKER, FEW_FILES, FILE_TOKEN, FILE_TOKEN_OF_MANY, FOUR_PROCESSES, HOST_SERVER,
        HTTP_ADDRESS, HTTP_ADDRESS_TLS, HTTP_DOCKER, HTTP_FUNCTIONS, HTTP_OCI, IDLE, IDLE_CPU,
        IDLE_MEMORY, INSTALL_DOCKER, INSTALL_OCI, INSTALLS, INTERFACES, LAMBDA_API, LAMBDA_OCI, LIMITS,
        LIMITS_OF_MANY, NATIVE_OCI, NEIGHBOUR, NODE, NODE_FRAME, NODE_ONE, NODE_SERVER, NODE_SIXTEEN,
        PIP, PLAIN_ROUTE, PLAIN_ROUTE_TLS, PROCESS, PROCESS_OCI, PROTOTYPE, RABBITMQ, STORING,
        STORING_MEMORY, THROUGHPUT, TOGETHER, WARM, bare_burst, crowded, errors, flooded, quiet,
        sixteen, storing, with_clients,
    },
    options::Other,
    rows::AT_ONCE,
    series::{Figures, Series},
};

#[derive(Clone, Copy)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

/// A goal whose rows were measured.
pub struct Goal {
    pub what: String,
    pub value: f64,
    bound: Bound,
}

impl Goal {
    pub fn is_met(&self) -> bool {
        match self.bound {
            Bound::AtMost(limit) => self.value <= limit,
            Bound::AtLeast(limit) => self.value >= limit,
        }
    }

    pub fn bound(&self) -> String {
        match self.bound {
            Bound::AtMost(limit) => format!("≤ {}", short(limit)),
            Bound::AtLeast(limit) => format!("≥ {}", short(limit)),
        }
    }

    /// `met`, or by how much it is missed.
    pub fn verdict(&self) -> String {
        let by = match self.bound {
            _ if self.is_met() => return "met".to_owned(),
            Bound::AtMost(0.0) => return format!("missed by {}", short(self.value)),
            Bound::AtMost(limit) => self.value / limit,
            Bound::AtLeast(limit) => limit / self.value,
        };
        format!("missed by {:.0} %", (by - 1.0) * 100.0)
    }

    pub fn json(&self) -> Value {
        json!({
            "what": self.what, "value": self.value, "goal": self.bound(), "met": self.is_met(),
            "verdict": self.verdict(),
        })
    }
}

/// A number with three digits that count.
pub fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// Those whose rows were measured, in the order of the issue that set them.
pub fn goals(figures: &Figures, others: &[Other]) -> Vec<Goal> {
    let goals = [
        warm(figures, others),
        cold(figures),
        burst(figures),
        accepts(figures),
        neighbour(figures),
        idle(figures),
        packages(figures),
        node(figures),
        interfaces(figures),
        access(figures),
        http_functions(figures),
    ];
    goals.into_iter().flatten().flatten().collect()
}

fn goal(what: impl Into<String>, value: Option<f64>, bound: Bound) -> Option<Goal> {
    value.map(|value| Goal { what: what.into(), value, bound })
}

fn quotient(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    Some(one? / other?)
}

fn warm(figures: &Figures, others: &[Other]) -> Vec<Option<Goal>> {
    let p50 = |name: &str| figures.get(WARM, name).map(Series::p50);
    let p99 = |name: &str| figures.get(WARM, name).map(Series::p99);
    let p99_together = |name: &str| figures.get(TOGETHER, name).map(Series::p99);
    let rate = |name: &str| figures.number(THROUGHPUT, &with_clients(CLIENTS, name));
    let (docker, four) = (EMBEDDED_DOCKER, FOUR_PROCESSES);
    let of = |one: &str, other: &str, what, figure: &dyn Fn(&str) -> Option<f64>, bound| {
        goal(format!("warm, {one} / {other}: {what}"), quotient(figure(one), figure(other)), bound)
    };
    let mut goals = vec![
        of(docker, PROTOTYPE, "p50, 1 client", &p50, Bound::AtMost(1.1)),
        of(docker, PROTOTYPE, "p99, 1 client", &p99, Bound::AtMost(1.5)),
        of(docker, PROTOTYPE, "throughput, 16 clients", &rate, Bound::AtLeast(0.75)),
        of(docker, PROTOTYPE, "p99, 16 clients", &p99_together, Bound::AtMost(2.0)),
        of(four, RABBITMQ, "p50, 1 client", &p50, Bound::AtMost(1.3)),
        of(four, RABBITMQ, "throughput, 16 clients", &rate, Bound::AtLeast(0.75)),
    ];
    for other in others {
        goals.push(of(docker, &other.name, "throughput, 16 clients", &rate, Bound::AtLeast(1.3)));
    }
    goals
}

/// Against medians of floors, also the 99th percentile.
fn cold(figures: &Figures) -> Vec<Option<Goal>> {
    let p50 = |name: &str| figures.get(COLD, name).map(Series::p50);
    let p99 = |name: &str| figures.get(COLD, name).map(Series::p99);
    let rows = [
        (COLD_DOCKER, "p50", p50(COLD_DOCKER), BARE_NONE, 1.0 / 25.0),
        (COLD_DOCKER, "p99", p99(COLD_DOCKER), BARE_NONE, 1.0 / 12.0),
        (COLD_DOCKER, "p50", p50(COLD_DOCKER), DOCKER_RUN, 0.04),
        (COLD_EMPTY, "p50", p50(COLD_EMPTY), BARE_NONE, 1.15),
        (COLD_OCI_EMPTY, "p50", p50(COLD_OCI_EMPTY), BARE_NONE, 1.0 / 3.0),
    ];
    let of = |(name, what, figure, floor, limit)| {
        let value = quotient(figure, p50(floor));
        goal(format!("cold, {name}: {what} / {floor}"), value, Bound::AtMost(limit))
    };
    rows.into_iter().map(of).collect()
}

fn burst(figures: &Figures) -> Vec<Option<Goal>> {
    let bare = AT_ONCE.iter().filter_map(|at_once| figures.number(BURST, &bare_burst(*at_once)));
    let best = bare.min_by(f64::total_cmp);
    let time = |name| figures.number(BURST, name);
    let failed = |name| figures.number(BURST, &errors(name));
    vec![
        goal(format!("burst, {BURST_DEFAULT}: errors"), failed(BURST_DEFAULT), Bound::AtMost(0.0)),
        goal(
            format!("burst, {BURST_DEFAULT} / 30 bare starts at their best"),
            quotient(time(BURST_DEFAULT), best),
            Bound::AtMost(1.0),
        ),
        goal(format!("burst, {BURST_THIRTY}: errors"), failed(BURST_THIRTY), Bound::AtMost(0.0)),
        goal(
            format!("burst, 30 bare starts at their best / {BURST_THIRTY}"),
            quotient(best, time(BURST_THIRTY)),
            Bound::AtLeast(30.0),
        ),
    ]
}

fn accepts(figures: &Figures) -> Vec<Option<Goal>> {
    let rate = |name| figures.number(ACCEPTS, name);
    let pairs = [(EMBEDDED_DOCKER, CONSTANT_ACCEPT, 0.5), (FOUR_PROCESSES, BARE_ACCEPT, 0.8)];
    let of = |(one, other, limit)| {
        let what = format!("accepts, {one} / {other}");
        goal(what, quotient(rate(one), rate(other)), Bound::AtLeast(limit))
    };
    pairs.into_iter().map(of).collect()
}

fn neighbour(figures: &Figures) -> Vec<Option<Goal>> {
    let p99 = |name: &str| figures.get(NEIGHBOUR, name).map(Series::p99);
    let of = |(name, limit)| {
        let allowed = p99(&quiet(name)).map(|quiet| 2.0 * quiet + 10.0);
        let what = format!("noisy neighbour, {name}: p99 / (2 × its quiet p99 + 10 ms)");
        goal(what, quotient(p99(&flooded(name)), allowed), Bound::AtMost(limit))
    };
    [(EMBEDDED_DOCKER, 1.0), (FOUR_PROCESSES, 1.5)].into_iter().map(of).collect()
}

fn idle(figures: &Figures) -> Vec<Option<Goal>> {
    vec![
        goal("idle, 20 warm functions: % of a core", figures.number(IDLE, IDLE_CPU), Bound::AtMost(1.0)),
        // 40 MB are 38.1 MiB.
        goal(
            "idle, 20 warm functions: resident MiB",
            figures.number(IDLE, IDLE_MEMORY),
            Bound::AtMost(40e6 / (1 << 20) as f64),
        ),
    ]
}

fn packages(figures: &Figures) -> Vec<Option<Goal>> {
    let p50 = |group: &str, name: &str| figures.get(group, name).map(Series::p50);
    let p99 = |group: &str, name: &str| figures.get(group, name).map(Series::p99);
    let mut goals = Vec::new();
    for (with, without) in [(COLD_DOCKER_PACKAGES, COLD_DOCKER), (COLD_OCI_PACKAGES, COLD_OCI)] {
        let more = p50(COLD, with).zip(p50(COLD, without)).map(|(with, without)| with - without);
        goals.push(goal(format!("cold, {with}: p50, ms more"), more, Bound::AtMost(10.0)));
    }
    for name in [DEPLOY_DOCKER, DEPLOY_OCI] {
        let times = quotient(p50(DEPLOYS, DOCKER_BUILD), p50(DEPLOYS, name));
        goals.push(goal(format!("{DEPLOYS}, {DOCKER_BUILD} / {name}"), times, Bound::AtLeast(5.0)));
    }
    for name in [INSTALL_DOCKER, INSTALL_OCI] {
        let allowed = p50(INSTALLS, PIP).map(|pip| 1.3 * pip + 3000.0);
        let value = quotient(p50(INSTALLS, name), allowed);
        goals.push(goal(format!("{INSTALLS}, {name} / (1.3 × {PIP} + 3 s)"), value, Bound::AtMost(1.0)));
    }
    for name in [EMBEDDED_DOCKER, FOUR_PROCESSES] {
        let allowed = p99(STORING, &quiet(name)).map(|quiet| 2.0 * quiet + 10.0);
        let value = quotient(p99(STORING, &storing(name)), allowed);
        let what = format!("{STORING}, {name}: p99 of accepts / (2 × its quiet p99 + 10 ms)");
        goals.push(goal(what, value, Bound::AtMost(1.0)));
    }
    let memory = figures.number(STORING, STORING_MEMORY);
    goals.push(goal(format!("{STORING}: MiB more"), memory, Bound::AtMost(64.0)));
    goals
}

fn node(figures: &Figures) -> Vec<Option<Goal>> {
    let p50 = |name: &str| figures.get(NODE, name).map(Series::p50);
    let rate = |name: &str| figures.number(THROUGHPUT, &with_clients(CLIENTS, &format!("Node: {name}")));
    let more = p50(NODE_ONE).zip(p50(NODE_FRAME)).map(|(call, frame)| call - frame);
    vec![
        goal("Node, warm: p50, ms more than a bare frame", more, Bound::AtMost(0.25)),
        goal(
            format!("Node, {NODE_SIXTEEN} / {NODE_SERVER}: throughput, 16 clients"),
            quotient(rate(NODE_SIXTEEN), rate(NODE_SERVER)),
            Bound::AtLeast(0.5),
        ),
    ]
}

fn interfaces(figures: &Figures) -> Vec<Option<Goal>> {
    let p50 = |name: &str| figures.get(INTERFACES, name).map(Series::p50);
    let rate = |name: &str| figures.number(THROUGHPUT, &with_clients(CLIENTS, name));
    let more = |name: &str, floor: &str, most: f64| {
        let value = p50(name).zip(p50(floor)).map(|(call, floor)| call - floor);
        goal(format!("{name}: p50, ms more than {floor}"), value, Bound::AtMost(most))
    };
    let share = |name: &str, floor: &str| {
        let value = quotient(rate(&sixteen(name)), rate(floor));
        let what = format!("{} / {floor}: throughput, 16 clients", sixteen(name));
        goal(what, value, Bound::AtLeast(0.5))
    };
    vec![
        more(HTTP_OCI, HOST_SERVER, 0.45),
        more(HTTP_DOCKER, CONTAINER_SERVER, 0.45),
        share(HTTP_OCI, HOST_SERVER),
        share(HTTP_DOCKER, CONTAINER_SERVER),
        more(LAMBDA_OCI, LAMBDA_API, 0.45),
        more(PROCESS_OCI, PROCESS, 2.0),
        // The program starts with the call.
        more(NATIVE_OCI, PROCESS, 10.0),
    ]
}

fn access(figures: &Figures) -> Vec<Option<Goal>> {
    let p50 = |name: &str| figures.get(ACCESS, name).map(Series::p50);
    let of = |(limits, file): (&str, &str)| {
        goal(
            format!("{ACCESS}, {limits} / {file}: p50"),
            quotient(p50(limits), p50(file)),
            Bound::AtMost(1.1),
        )
    };
    [(LIMITS, FILE_TOKEN), (LIMITS_OF_MANY, FILE_TOKEN_OF_MANY)].into_iter().map(of).collect()
}

fn http_functions(figures: &Figures) -> Vec<Option<Goal>> {
    let p50 = |name: &str| figures.get(HTTP_FUNCTIONS, name).map(Series::p50);
    let p99 = |name: &str| figures.get(HTTP_FUNCTIONS, name).map(Series::p99);
    let rate = |name: &str| figures.number(THROUGHPUT, &with_clients(CLIENTS, name));
    let allowed = p99(&quiet(FEW_FILES)).map(|quiet| 3.0 * quiet + 10.0);
    let more = |name: &str, than: &str, limit| {
        let more = p50(name).zip(p50(than)).map(|(one, other)| one - other);
        goal(format!("{HTTP_FUNCTIONS}, {name}: p50 more than {than}, ms"), more, Bound::AtMost(limit))
    };
    vec![
        more(HTTP_ADDRESS, PLAIN_ROUTE, 0.15),
        more(PLAIN_ROUTE_TLS, PLAIN_ROUTE, 0.1),
        more(HTTP_ADDRESS_TLS, HTTP_ADDRESS, 0.1),
        goal(
            format!("{HTTP_FUNCTIONS}, {HTTP_ADDRESS} / {PLAIN_ROUTE}: throughput, {CLIENTS} clients"),
            quotient(rate(HTTP_ADDRESS), rate(PLAIN_ROUTE)),
            Bound::AtLeast(0.7),
        ),
        goal(
            format!("{HTTP_FUNCTIONS}, {}: p99 / (3 × its quiet p99 + 10 ms)", crowded(FEW_FILES)),
            quotient(p99(&crowded(FEW_FILES)), allowed),
            Bound::AtMost(1.0),
        ),
    ]
}
