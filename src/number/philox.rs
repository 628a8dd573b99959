//! Philox4x32-10: random numbers by their place, the same on every device and for every split of the walkers.
//!
//! Salmon, Moraes, Dror, Shaw, SC'11, doi 10.1145/2063384.2063405.

use super::special::sincos2pi;

/// What the fourth counter word stands for: streams that must not meet.
pub mod purpose {
    /// Plain fills by this kernel.
    pub const FILL: u32 = 0;
    /// Occupations drawn from p(K).
    pub const OCCUPATION: u32 = 1;
    /// Metropolis moves and their acceptance.
    pub const METROPOLIS: u32 = 2;
    /// Exact sampling of positions.
    pub const POSITIONS: u32 = 3;
    /// Random probe vectors.
    pub const PROBES: u32 = 4;
    /// Spin configurations.
    pub const SPINS: u32 = 5;
    /// Latent variables of normalising flows.
    pub const LATENT: u32 = 6;
    /// Initial parameters, made on the host.
    pub const PARAMETERS: u32 = 7;
    /// Where chains begin, made on the host.
    pub const START: u32 = 8;
    /// Flips of all spins of a sample at once.
    pub const FLIP: u32 = 9;
    /// Random couplings and patterns of spin systems, made on the host.
    pub const COUPLINGS: u32 = 10;
    /// Electrons moved to measure n(k).
    pub const DISPLACEMENT: u32 = 11;
    /// Momenta of Hamiltonian Monte Carlo, and what accepts its trajectories.
    pub const HAMILTONIAN: u32 = 12;
    /// Wolff clusters, made on the host.
    pub const CLUSTERS: u32 = 13;
}

/// Where the random numbers of a launch lie: the only way to them.
///
/// Numbers of different seeds, steps, purposes or walkers are independent; a kernel counts its own by the first counter word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Of the run.
    pub seed: u64,
    /// Number of the draw in the whole run.
    pub step: u32,
    /// One of [`purpose`].
    pub purpose: u32,
    /// Number of the first walker among all of a run, on whatever device: chunks and devices never share a number.
    pub first_walker: u32,
}

/// A [`Stream`] as kernels are told: the first words of the Params of every kernel that draws.
#[allow(missing_docs)] // as there
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Address {
    pub seed_low: u32,
    pub seed_high: u32,
    pub step: u32,
    pub purpose: u32,
    pub first_walker: u32,
}

impl Stream {
    /// As kernels are told.
    pub fn address(self) -> Address {
        let [seed_low, seed_high] = self.key();
        Address { seed_low, seed_high, step: self.step, purpose: self.purpose, first_walker: self.first_walker }
    }

    /// The stream `walkers` walkers later.
    pub fn skip(self, walkers: usize) -> Stream {
        Stream { first_walker: self.first_walker.wrapping_add(walkers as u32), ..self }
    }

    /// Key of the rounds.
    pub fn key(self) -> [u32; 2] {
        [self.seed as u32, (self.seed >> 32) as u32]
    }

    /// Block `index` of the first walker's numbers.
    pub fn bits(self, index: u32) -> [u32; 4] {
        philox(self.key(), [index, self.first_walker, self.step, self.purpose])
    }

    /// Uniform numbers inside (0, 1): those of the first walker, block after block.
    pub fn uniforms(self) -> impl Iterator<Item = f64> {
        (0..).flat_map(move |index| uniform4(self.bits(index)))
    }

    /// Standard normal numbers from the same blocks.
    pub fn normals(self) -> impl Iterator<Item = f64> {
        (0..).flat_map(move |index| normal4(self.bits(index)))
    }
}

/// Ten rounds on a counter.
pub fn philox(key: [u32; 2], counter: [u32; 4]) -> [u32; 4] {
    let (mut c, mut k) = (counter, key);
    for _ in 0..10 {
        let a = 0xd251_1f53u64 * c[0] as u64;
        let b = 0xcd9e_8d57u64 * c[2] as u64;
        c = [(b >> 32) as u32 ^ c[1] ^ k[0], b as u32, (a >> 32) as u32 ^ c[3] ^ k[1], a as u32];
        k = [k[0].wrapping_add(0x9e37_79b9), k[1].wrapping_add(0xbb67_ae85)];
    }
    c
}

/// Uniform numbers inside (0, 1).
pub fn uniform4(bits: [u32; 4]) -> [f64; 4] {
    bits.map(|b| ((b >> 9) as f64 + 0.5) / (1 << 23) as f64)
}

/// Standard normal numbers (Box, Muller).
pub fn normal4(bits: [u32; 4]) -> [f64; 4] {
    let u = uniform4(bits);
    let pair = |r: f64, t: f64| {
        let (s, c) = sincos2pi(t);
        ((-2.0 * r.ln()).sqrt() * s, (-2.0 * r.ln()).sqrt() * c)
    };
    let ((a, b), (c, d)) = (pair(u[0], u[1]), pair(u[2], u[3]));
    [a, b, c, d]
}
