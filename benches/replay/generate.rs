//! A made-up trace, always the same for the same seed: two hours of functions of the kinds that "Serverless
//! in the Wild" (Shahrad et al., ATC 2020) found in Azure's: few that are invoked all the time, many that
//! are invoked at intervals, in bursts, or hardly ever. It is synthetic: shares and times are chosen here.

use std::{f64::consts::TAU, time::Duration};

use super::trace::{Call, Function, Trace};

const LENGTH: f64 = 7200.0;
const STEADY: usize = 3;
const PERIODIC: [f64; 7] = [120.0, 300.0, 300.0, 600.0, 900.0, 1200.0, 1800.0];
const BURSTY: usize = 6;
const RARE: usize = 14;
/// MiB.
const SIZES: [u64; 4] = [128, 128, 256, 512];

pub fn generate(seed: u64) -> Trace {
    let mut random = Random(seed);
    let mut trace = Trace::default();
    for number in 0..STEADY {
        let gap = random.between(10.0, 40.0);
        let times = random.arrivals(gap);
        random.add(&mut trace, &format!("steady_{number}"), times);
    }
    for (number, period) in PERIODIC.iter().enumerate() {
        let first = random.between(0.0, *period);
        let times = (0..).map(|turn| first + f64::from(turn) * period).take_while(|at| *at < LENGTH);
        let times = times.map(|at| at + random.between(0.0, 5.0)).collect();
        random.add(&mut trace, &format!("periodic_{number}"), times);
    }
    for number in 0..BURSTY {
        let pause = random.between(400.0, 1500.0);
        let mut times = Vec::new();
        for mut at in random.arrivals(pause) {
            for _ in 0..random.below(25) + 3 {
                times.push(at);
                at += random.exponential(0.3);
            }
        }
        random.add(&mut trace, &format!("bursty_{number}"), times);
    }
    for number in 0..RARE {
        let gap = random.between(900.0, 5400.0);
        let times = random.arrivals(gap);
        random.add(&mut trace, &format!("rare_{number}"), times);
    }
    trace.calls.sort_by_key(|call| call.at);
    trace
}

/// splitmix64 (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Above 0, at most 1.
    #[expect(clippy::cast_precision_loss)]
    fn unit(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * self.unit().ln()
    }

    /// Around 1; the median.
    fn log_normal(&mut self, spread: f64) -> f64 {
        let (radius, angle) = ((-2.0 * self.unit().ln()).sqrt(), TAU * self.unit());
        (spread * radius * angle.cos()).exp()
    }

    /// Independent of each other.
    fn arrivals(&mut self, mean_gap: f64) -> Vec<f64> {
        let mut times = Vec::new();
        let mut at = self.exponential(mean_gap);
        while at < LENGTH {
            times.push(at);
            at += self.exponential(mean_gap);
        }
        times
    }

    fn add(&mut self, trace: &mut Trace, name: &str, times: Vec<f64>) {
        let function = trace.functions.len();
        let memory_mib = SIZES[usize::try_from(self.below(4)).unwrap()];
        let usual_ms = 20.0 * self.between(0.0, 3.5).exp();
        trace.functions.push(Function { name: name.parse().unwrap(), memory_mib });
        for at in times.into_iter().filter(|at| *at < LENGTH) {
            // As a line of the file says it.
            let at = Duration::from_millis(10) * (at * 100.0).round() as u32;
            let run = Duration::from_millis((usual_ms * self.log_normal(0.4)).ceil() as u64);
            trace.calls.push(Call { function, at, run });
        }
    }
}
