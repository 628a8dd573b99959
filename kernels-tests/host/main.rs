//! From what kernels leave to what users read: every printed and logged number, the statistics of whole runs, the
//! reference comparison; each with errors planted that must be found.
//!
//! Seeds are fixed, so that a test that passes once passes always.

mod audit;
mod chains;
#[path = "../devices.rs"]
mod devices;
mod planted;
mod runs;
mod steps;
mod streams;
mod verify;

use std::sync::OnceLock;

use helmholtz::Settings;
use helmholtz::Trainer;
use helmholtz::gpu::Gpu;

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

/// Numbers from a seed (splitmix64).
struct Noise(u64);

impl Noise {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.uniform()).ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
}
