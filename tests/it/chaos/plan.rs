//! Which faults come when: made from a seed alone, so that a run can be repeated. Pure.

use std::{fmt, str::FromStr, time::Duration};

/// What a platform stands on while it is disturbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stack {
    /// One process, SQLite, containers without a daemon.
    EmbeddedOci,
    /// One process, SQLite, a Docker engine of its own.
    EmbeddedDocker,
    /// A process per role on the PostgreSQL and the RabbitMQ that `up` starts with compose, containers without a daemon.
    Compose,
    /// A process per role on a PostgreSQL and a RabbitMQ of its own, containers without a daemon.
    ServersOci,
    /// The same with a Docker engine of its own.
    ServersDocker,
    /// A second set of roles in a network namespace, on the servers of the first one; containers without a daemon.
    TwoHosts,
}

impl Stack {
    pub const ALL: [Self; 6] = [
        Self::EmbeddedOci,
        Self::EmbeddedDocker,
        Self::Compose,
        Self::ServersOci,
        Self::ServersDocker,
        Self::TwoHosts,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::EmbeddedOci => "embedded-oci",
            Self::EmbeddedDocker => "embedded-docker",
            Self::Compose => "compose",
            Self::ServersOci => "servers-oci",
            Self::ServersDocker => "servers-docker",
            Self::TwoHosts => "two-hosts",
        }
    }

    pub fn is_embedded(self) -> bool {
        matches!(self, Self::EmbeddedOci | Self::EmbeddedDocker)
    }

    /// Servers of its own, behind proxies.
    pub fn has_servers(self) -> bool {
        !self.is_embedded() && self != Self::Compose
    }

    pub fn has_docker(self) -> bool {
        matches!(self, Self::EmbeddedDocker | Self::ServersDocker)
    }

    /// Every kind of fault that it can have.
    pub fn kinds(self) -> Vec<Kind> {
        Kind::ALL.into_iter().filter(|kind| kind.facts().place.is_of(self)).collect()
    }
}

impl FromStr for Stack {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(Self::name).join(", ");
        let found = Self::ALL.into_iter().find(|stack| stack.name() == text);
        found.ok_or_else(|| format!("no stack is called '{text}'; there are {}", known()))
    }
}

/// The stacks that a kind of fault is possible on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Everywhere,
    Embedded,
    /// A process per role.
    Roles,
    Compose,
    Servers,
    Docker,
    TwoHosts,
}

impl Place {
    fn is_of(self, stack: Stack) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Embedded => stack.is_embedded(),
            Self::Roles => !stack.is_embedded(),
            Self::Compose => stack == Stack::Compose,
            Self::Servers => stack.has_servers(),
            Self::Docker => stack.has_docker(),
            Self::TwoHosts => stack == Stack::TwoHosts,
        }
    }
}

/// What is known of a kind of fault before it happens.
pub struct Facts {
    place: Place,
    /// The least and the most that it lasts, in milliseconds.
    lasts: (u64, u64),
    /// New calls are served again so long after its end, in seconds.
    bound: u64,
    part: Part,
    /// Connections of clients to the gateway of the first host may break.
    breaks_connections: bool,
    /// What the manager of the first host had claimed is lost with it.
    pub loses_manager: bool,
}

impl Facts {
    pub fn bound(&self) -> Duration {
        Duration::from_secs(self.bound)
    }

    /// Connections of clients to the gateway of this host may break.
    pub fn breaks_connections_of(&self, host: usize) -> bool {
        match host {
            0 => self.breaks_connections,
            _ => self.part == Part::SecondHost,
        }
    }
}

/// What a fault does something to. Only faults of different parts overlap: what is killed cannot be told to stop, and users
/// wait until they are served.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Processes,
    SecondHost,
    Machine,
    Disk,
    Users,
    Engine,
    Broker,
    Database,
    Services,
    Network,
}

impl Part {
    fn is_apart_from(self, other: Self) -> bool {
        let is_service = |part| matches!(part, Self::Broker | Self::Database | Self::Services);
        self != other
            && other != Self::Users
            && !(self == Self::Services && is_service(other))
            && !(other == Self::Services && is_service(self))
    }
}

macro_rules! kinds {
    ($($name:ident = $place:ident $part:ident $from:literal..$to:literal ms, served $bound:literal s $($fact:ident)*;)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind { $($name),* }

        impl Kind {
            pub const ALL: [Self; [$(stringify!($name)),*].len()] = [$(Self::$name),*];

            pub fn facts(self) -> Facts {
                match self {
                    $(Self::$name => {
                        #[allow(unused_mut)]
                        let mut facts = Facts {
                            place: Place::$place, part: Part::$part, lasts: ($from, $to), bound: $bound,
                            breaks_connections: false, loses_manager: false,
                        };
                        $(facts.$fact = true;)*
                        facts
                    })*
                }
            }
        }
    };
}

kinds! {
    // The platform's own processes. "Served" counts from the start of the next process, or from a role's death.
    KillAll = Everywhere Processes 0..1500 ms, served 5 s breaks_connections loses_manager;
    StopAndStart = Everywhere Processes 0..1500 ms, served 5 s breaks_connections loses_manager;
    KillGateway = Roles Processes 0..0 ms, served 5 s breaks_connections;
    KillRegistry = Roles Processes 0..0 ms, served 5 s;
    KillScheduler = Roles Processes 0..0 ms, served 5 s;
    KillManager = Roles Processes 0..0 ms, served 5 s loses_manager;
    PauseAll = Embedded Processes 500..4000 ms, served 1 s;
    PauseAllPastLease = Embedded Processes 13000..16000 ms, served 1 s;
    PauseGateway = Roles Processes 500..4000 ms, served 1 s;
    PauseRegistry = Roles Processes 500..4000 ms, served 1 s;
    PauseScheduler = Roles Processes 500..14000 ms, served 1 s;
    PauseManager = Roles Processes 500..4000 ms, served 1 s;
    PauseManagerPastLease = Roles Processes 13000..16000 ms, served 1 s loses_manager;
    // The machine.
    ClockForward = Everywhere Machine 1000..4000 ms, served 1 s;
    ClockBack = Everywhere Machine 1000..4000 ms, served 1 s;
    SlowDisk = Everywhere Disk 2000..6000 ms, served 5 s;
    FullDisk = Embedded Disk 2000..5000 ms, served 5 s;
    KillSandbox = Everywhere Engine 0..0 ms, served 5 s;
    // Users.
    Deploy = Everywhere Users 0..0 ms, served 1 s;
    DeleteFunction = Everywhere Users 0..0 ms, served 1 s;
    // The engine.
    RestartEngine = Docker Engine 0..0 ms, served 2 s;
    EngineAbsent = Docker Engine 2000..6000 ms, served 2 s;
    // The services of `up`.
    RestartServices = Compose Services 0..0 ms, served 5 s;
    // The broker.
    KillBroker = Roles Broker 0..3000 ms, served 2 s;
    PurgeBroker = Servers Broker 0..0 ms, served 2 s;
    BrokerAlarm = Servers Broker 2000..8000 ms, served 2 s;
    BrokerClosesConnections = Servers Broker 0..0 ms, served 2 s;
    ResetBrokerConnections = Servers Broker 0..0 ms, served 2 s;
    SilentBroker = Servers Broker 1000..12000 ms, served 2 s;
    // The database.
    KillDatabase = Roles Database 0..3000 ms, served 5 s;
    ResetDatabaseConnections = Servers Database 0..0 ms, served 5 s;
    SilentDatabase = Servers Database 1000..12000 ms, served 5 s;
    ReadOnlyDatabase = Servers Database 1000..6000 ms, served 5 s;
    RotatedPassword = Servers Database 1000..6000 ms, served 5 s;
    // Between hosts.
    KillSecondHost = TwoHosts SecondHost 0..1500 ms, served 5 s;
    CutSecondHost = TwoHosts Network 1000..16000 ms, served 2 s;
    LinkDown = TwoHosts Network 1000..16000 ms, served 2 s;
}

impl Kind {
    pub fn may_overlap(self, other: Self) -> bool {
        // `up` does not start while its engine is away: it says so, and ends.
        let starts_up = |kind| matches!(kind, Self::KillAll | Self::StopAndStart);
        let is_refused = |one: Self, other: Self| starts_up(one) && other.facts().part == Part::Engine;
        !is_refused(self, other)
            && !is_refused(other, self)
            && self.facts().part.is_apart_from(other.facts().part)
    }
}

impl fmt::Display for Kind {
    /// `KillAll` as `kill-all`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, letter) in format!("{self:?}").char_indices() {
            if letter.is_uppercase() && index > 0 {
                f.write_str("-")?;
            }
            write!(f, "{}", letter.to_ascii_lowercase())?;
        }
        Ok(())
    }
}

impl serde::Serialize for Kind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|kind| kind.to_string() == text);
        found.ok_or_else(|| format!("no fault is called '{text}'"))
    }
}

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Time of peace before it.
    pub pause: Duration,
    pub kind: Kind,
    /// How long it lasts.
    pub lasts: Duration,
    /// Whether a function is deployed meanwhile.
    pub deploys: bool,
    /// The fault begins while the one before it lasts, which is halfway through.
    pub overlaps: bool,
    /// For whatever choice it has: which container, how far the clock goes.
    pub pick: u64,
}

impl Fault {
    /// For a test among others.
    pub fn shortened(self) -> Self {
        let [pause, lasts] = [self.pause, self.lasts].map(|time| time.min(Duration::from_millis(700)));
        Self { pause, lasts, deploys: false, overlaps: false, ..self }
    }
}

/// The same for the same arguments. Each kind of `kinds` comes once before one of them comes again. At most two overlap.
pub fn plan(seed: u64, kinds: &[Kind], faults: usize) -> Vec<Fault> {
    let mut random = Random(seed);
    let mut bag = Vec::new();
    let mut before: Option<(Kind, Duration)> = None;
    let next = |_| {
        if bag.is_empty() {
            bag = kinds.to_vec();
        }
        let kind = bag.swap_remove(random.below(bag.len()));
        let (from, to) = kind.facts().lasts;
        let lasts = Duration::from_millis(random.between(from, to));
        // Often at once: what the last fault has left is disturbed, too.
        let pause = if random.below(3) == 0 { 0 } else { random.between(200, 3000) };
        let deploys = random.below(4) == 0;
        let pick = random.next();
        let overlaps = random.below(2) == 0
            && before.is_some_and(|(before, lasts)| before.may_overlap(kind) && !lasts.is_zero());
        before = (!overlaps).then_some((kind, lasts));
        Fault { pause: Duration::from_millis(pause), kind, lasts, deploys, overlaps, pick }
    };
    (0..faults).map(next).collect()
}

/// splitmix64 (Steele, Lea and Flood, 2014).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    /// Both ends included.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from + 1)
    }
}

#[test]
fn a_plan_is_the_same_for_the_same_seed_and_has_every_kind() {
    for stack in Stack::ALL {
        let kinds = stack.kinds();
        let first = plan(7, &kinds, kinds.len());
        assert_eq!(first, plan(7, &kinds, kinds.len()));
        assert_ne!(first, plan(8, &kinds, kinds.len()));
        let mut planned: Vec<_> = first.iter().map(|fault| fault.kind).collect();
        planned.sort_unstable();
        assert_eq!(planned, kinds, "{}", stack.name());
    }
    let everywhere: Vec<_> = Stack::ALL.into_iter().flat_map(Stack::kinds).collect();
    assert!(Kind::ALL.iter().all(|kind| everywhere.contains(kind)));
    assert_eq!("kill-all".parse(), Ok(Kind::KillAll));
    assert!(
        Kind::SilentBroker.may_overlap(Kind::KillAll)
            && Kind::EngineAbsent.may_overlap(Kind::KillManager)
    );
    assert!(
        !Kind::EngineAbsent.may_overlap(Kind::KillAll)
            && !Kind::SilentBroker.may_overlap(Kind::PurgeBroker)
    );
}
