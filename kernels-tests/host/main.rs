//! From what kernels leave to what users read: every printed and logged number, the statistics of whole runs, the
//! reference comparison; each with errors planted that must be found.
//!
//! Seeds are fixed, so that a test that passes once passes always.

mod audit;
mod chains;
mod checkpoints;
#[path = "../devices.rs"]
mod devices;
mod float64;
mod jobs;
mod lost;
#[path = "../noise.rs"]
mod noise;
mod nonfinite;
mod planted;
mod properties;
mod runs;
mod spoiled;
mod steps;
mod streams;
mod verify;

use std::sync::OnceLock;

use helmholtz::Settings;
use helmholtz::Trainer;
use helmholtz::gpu::Gpu;

use noise::Noise;

/// This test's device.
fn device() -> &'static Gpu {
    static OPEN: [OnceLock<Gpu>; devices::MOST] = [const { OnceLock::new() }; devices::MOST];
    OPEN[devices::mine()].get_or_init(|| Gpu::open(None).expect("a Vulkan driver; see README"))
}

/// A network that costs little.
const TINY: &str = "n=3 dim=2 theta=0.5 emax=4 nlayers=1 modelsize=4 nheads=1 nhidden=4 spsize=4 tpsize=4";

/// Settings as a user would write them; the batch is one chunk.
fn settings(text: &str) -> Settings {
    let mut s = Settings::of(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    s.training.chunk = if s.training.chunk == 0 { s.training.batch } else { s.training.chunk };
    s
}

fn trainer(text: &str) -> Trainer {
    Trainer::new(device(), &settings(text), None, None).unwrap()
}
