//! What is measured. Each file is a group of rows; a round measures each of its rows once, one after the other.

mod accepts;
mod access;
mod burst;
mod cold;
mod deploys;
mod http_functions;
mod idle;
mod interfaces;
mod neighbour;
mod node;
mod storing;
mod warm;

pub use burst::AT_ONCE;
pub use cold::PHASES;

use crate::{names, options::Options, program::Program, series::Figures, stage::Stage};

/// What all rows are measured with.
pub struct Run {
    pub options: Options,
    /// Those that are measured in turns.
    pub programs: Vec<Program>,
    pub stage: Stage,
    pub figures: Figures,
    /// Of the machine, before each round and at the end.
    pub loads: Vec<f64>,
}

impl Run {
    pub fn new(options: Options) -> Self {
        let programs = Program::all(&options);
        let others = options.others.iter().map(|other| other.name.clone()).collect();
        let (stage, figures) = (Stage::new(programs[0].clone()), Figures::new(&programs[0], others));
        Self { options, programs, stage, figures, loads: Vec::new() }
    }

    /// All rounds, alternating: what disturbs the machine for a while disturbs all rows alike.
    pub async fn measure(&mut self) {
        // Before anything else is there.
        if self.options.wants(names::IDLE, "") {
            for program in self.programs.clone() {
                eprintln!("measuring: {} ({})", names::IDLE, program.build);
                self.turn_to(program);
                idle::measure(self).await;
            }
        }
        for round in 1..=self.options.rounds {
            for program in self.programs.clone() {
                // Sandboxes and floods of the round before would disturb this one.
                self.stage.clear().await;
                crate::machine::wait_until_idle().await;
                self.loads.push(crate::machine::load());
                eprintln!("measuring: round {round} of {} ({})", self.options.rounds, program.build);
                self.turn_to(program);
                warm::round(self).await;
                cold::round(self).await;
                burst::round(self).await;
                accepts::round(self).await;
                neighbour::round(self).await;
                deploys::round(self).await;
                storing::round(self).await;
                node::round(self).await;
                interfaces::round(self).await;
                access::round(self).await;
                http_functions::round(self).await;
            }
        }
        self.loads.push(crate::machine::load());
    }

    /// The platforms and their rows are of this program from now on; none of another one's may be there.
    fn turn_to(&mut self, program: Program) {
        self.figures.turn_to(&program);
        self.stage.program = program;
    }

    fn wants(&self, group: &str, name: &str) -> bool {
        self.options.wants(group, name)
    }
}
