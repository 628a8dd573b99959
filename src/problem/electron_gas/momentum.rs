//! n(k), the occupation of plane waves by the electrons themselves: what is left of their Fermi surface.

use super::observables::{Levels, Measured};
use crate::gpu::{Buffer, Recording};
use crate::kernels::momentum::{self, PlaneWaves};
use crate::kernels::observables::Positions;
use crate::number::philox::Stream;
use crate::system::ElectronGas;
use crate::wave_function::WaveFunction;

/// n(k) is measured up to this many k_F.
const REACH: f64 = 2.0;

/// n(k) from the off-diagonal density matrix: one electron moved by a random vector, some times a walker.
pub struct Momentum {
    pub(super) levels: Levels,
    pub(super) measured: Measured,
    /// m of each plane wave of `levels`.
    waves: Vec<[i32; 3]>,
    vectors: Buffer,
    starts: Buffer,
    /// Vectors of the largest shell.
    largest: usize,
    displacements: usize,
    moved: Buffer,
    shift: Buffer,
    here: Buffer,
    there: Buffer,
}

impl Momentum {
    /// Of a gas whose batch is in chunks of up to `chunk` walkers with `rows` rows of sums, by `displacements` a walker.
    pub fn new(gas: &ElectronGas, chunk: usize, rows: usize, displacements: usize) -> Momentum {
        let (unit, most) = (std::f64::consts::TAU / gas.length(), REACH * ElectronGas::fermi_square(gas.up, gas.dim).sqrt());
        let waves = gas.plane_waves(most.max(1.0));
        let momentum = |m: &[i32; 3]| -> [f64; 3] { std::array::from_fn(|c| f64::from(m[c]) + gas.twist[c]) };
        let size = |m: &[i32; 3]| unit * momentum(m).iter().map(|k| k * k).sum::<f64>().sqrt();
        let levels = Levels::new(&waves.iter().map(size).collect::<Vec<_>>());
        let table: Vec<f32> = waves.iter().map(momentum).flat_map(|k| [k[0] as f32, k[1] as f32, k[2] as f32, 0.0]).collect();
        let count = |level: usize| levels.of.iter().filter(|l| **l as usize == level).count();
        let sizes: Vec<usize> = (0..levels.k.len()).map(count).collect();
        let starts: Vec<u32> = (0..=sizes.len()).map(|s| sizes[..s].iter().sum::<usize>() as u32).collect();
        let size = gas.n * gas.dim;
        Momentum {
            measured: Measured::new("n(k)", levels.k.len(), chunk, rows),
            vectors: Buffer::filled("plane waves of n(k)", table.len(), move || table.clone()),
            starts: Buffer::filled("shells of n(k)", starts.len(), move || starts.clone()),
            largest: sizes.into_iter().max().unwrap_or(0),
            displacements,
            moved: Buffer::new("walkers with an electron moved", chunk * size),
            shift: Buffer::new("by how much", 4 * chunk),
            here: Buffer::new("psi", 2 * chunk),
            there: Buffer::new("psi with an electron moved", 2 * chunk),
            levels,
            waves,
        }
    }

    /// Records n(k) of each walker of a chunk; the buffers of `wave` are then those of the last displacement.
    pub fn record(&self, rec: &mut Recording, wave: &WaveFunction, at: Positions, states: &Buffer, stream: Stream) {
        let Positions { walkers, n, .. } = at;
        let waves = PlaneWaves {
            vectors: &self.vectors,
            count: self.waves.len(),
            starts: &self.starts,
            shells: self.levels.k.len(),
            largest: self.largest,
        };
        wave.record_amplitude(rec, at.x, states, walkers, &self.here);
        for index in 0..self.displacements {
            momentum::displace(rec, at, stream, index, &self.moved, &self.shift);
            wave.record_amplitude(rec, &self.moved, states, walkers, &self.there);
            let share = (index == 0, 1.0 / self.displacements as f64);
            let psi = [&self.here, &self.there, &self.shift];
            momentum::momentum_distribution(rec, (walkers, n), waves, psi, share, &self.measured.values);
        }
    }

    /// n(k) of the ideal gas, whose orbitals have these occupations: the sum over spins.
    pub(super) fn ideal(&self, gas: &ElectronGas, occupations: &[f64]) -> Vec<f64> {
        let of = |m: &[i32; 3]| gas.orbitals().iter().zip(occupations).filter(|(o, _)| *o == m).map(|(_, n)| n).sum::<f64>();
        self.levels.averaged(self.waves.iter().map(of))
    }
}
