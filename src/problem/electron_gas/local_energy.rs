//! Kinetic and potential energy of a chunk of walkers from its wave function.

use crate::error::Result;
use crate::gpu::{Buffer, Recording};
use crate::kernels::estimators::Chunk;
use crate::kernels::{ewald, local_energy};
use crate::system::{ElectronGas, Ewald};
use crate::wave_function::WaveFunction;

/// Energies of one electron gas, chunk by chunk, on one device.
pub struct LocalEnergy {
    /// What the energies are of.
    pub gas: ElectronGas,
    /// Tables of the Coulomb sum.
    pub ewald: Ewald,
    /// ∇ ln Ψ, vec2 \[w\]\[n dim\].
    pub gradient: Buffer,
    /// vec4 \[w\], see [`local_energy::record`].
    pub kinetic: Buffer,
    /// f32 \[w\], Ry/rs².
    pub potential: Buffer,
    table: Buffer,
}

impl LocalEnergy {
    /// For up to `chunk` walkers, with the splitting κ and cut-off Gmax of the Coulomb sum (usually
    /// [`crate::system::ewald::DEVICE`]).
    pub fn new(gas: &ElectronGas, (kappa, gmax): (f64, u32), chunk: usize) -> Result<Self> {
        let ewald = Ewald::new(gas.dim, kappa, gmax)?;
        Ok(LocalEnergy {
            gas: gas.clone(),
            gradient: Buffer::result("gradient of ln psi", 2 * chunk * gas.n * gas.dim),
            kinetic: Buffer::result("kinetic energy", 4 * chunk),
            potential: Buffer::result("potential energy", chunk),
            table: Buffer::filled("ewald table", ewald.vectors.len().div_ceil(4) * 16, {
                let ewald = ewald.clone();
                move || ewald.table()
            }),
            ewald,
        })
    }

    /// Records kinetic and potential energies of `x` (f32 \[w\]\[n\]\[dim\]) after
    /// [`WaveFunction::record_derivatives`] of the same walkers.
    pub fn record(&self, rec: &mut Recording, wave: &WaveFunction, x: &Buffer, walkers: usize) {
        let inputs = local_energy::Inputs {
            slater: &wave.slater_gradient,
            jacobian: &wave.flow.jacobian,
            trace: &wave.slater_laplacian,
            lap_z: &wave.flow.lap_z,
            grad_q: &wave.flow.grad_logdet,
            lap_q: &wave.flow.lap_logdet,
        };
        local_energy::record(rec, "kinetic energy", walkers, self.gas.n * self.gas.dim, inputs, &self.gradient, &self.kinetic);
        let p = ewald::Params::new(&self.ewald, walkers, self.gas.n, self.gas.rs, self.gas.length());
        ewald::record(rec, "potential energy", p, x, &self.table, &self.potential);
    }

    /// What [`crate::kernels::estimators::Estimators::record_energies`] takes: `first` is the chunk's place in the
    /// batch, `log_probability` (f32) that of the whole batch.
    pub fn chunk<'a>(&'a self, wave: &'a WaveFunction, first: usize, walkers: usize, log_probability: &'a Buffer) -> Chunk<'a> {
        Chunk {
            first,
            walkers,
            kinetic: &self.kinetic,
            potential: &self.potential,
            log_amplitude: &wave.log_psi,
            log_probability,
            probability_first: first,
        }
    }
}
