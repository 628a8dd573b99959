//! ln Ψ_K(x) = ln det e^{i k_a z_i(x)} + ½ ln|det ∂z/∂x| of a chunk of walkers, with everything the
//! energy and the gradients need.

use crate::error::{Error, Result};
use crate::gpu::{Buffer, Gpu, Profile, Recording};
use crate::kernels::backflow::{BackflowKernels, Directions, Order};
use crate::kernels::{determinant, log_psi, momentum, slater, slater_gradient, slater_laplacian};
use crate::model::backflow::Backflow;
use crate::system::electron_gas::ElectronGas;

/// Wave functions of one electron gas on one device. Results lie in the public buffers and those of
/// [`WaveFunction::flow`] until the next recording runs.
pub struct WaveFunction {
    /// Whose electrons.
    pub gas: ElectronGas,
    /// z(x).
    pub flow: BackflowKernels,
    /// Slater matrix: ln|det|, phase, status, inverse.
    pub slater: determinant::Outputs,
    /// Jacobian: ln|det|, sign, status, inverse.
    pub jacobian: determinant::Outputs,
    /// ln|Ψ|, f32 `[walker]`.
    pub log_psi: Buffer,
    /// ∂ ln det M/∂z, vec2 `[walker][n d]`.
    pub slater_gradient: Buffer,
    /// Σ S_pq (J Jᵀ)_pq, vec2 `[walker]`.
    pub slater_laplacian: Buffer,
    matrix: Buffer,
    current: Buffer,
    /// Momenta of the orbitals, [`ElectronGas::momenta_padded`].
    pub orbitals: Buffer,
    pub(crate) profile: Profile,
}

impl WaveFunction {
    /// For up to `chunk` walkers at a time.
    pub fn new(gpu: &Gpu, gas: &ElectronGas, model: Backflow, chunk: usize) -> Result<WaveFunction> {
        let (n, d) = (gas.n, gas.n * gas.dim);
        let flow = BackflowKernels::new(gpu, model, [n, gas.up], gas.length(), chunk);
        if model.unlike != (gas.down() > 0) {
            return Err(Error::User(format!(
                "a flow with unlike={} for {} electrons of spin up and {} of spin down",
                model.unlike,
                gas.up,
                gas.down()
            )));
        }
        if model.unlike && !flow.has_registers() {
            return Err(Error::User(format!(
                "a flow of {} layers of {} and {} features for electrons of both spins: it must have depth=2 and spsize and tpsize up to 32",
                model.depth, model.one, model.pair
            )));
        }
        Ok(WaveFunction {
            gas: gas.clone(),
            flow,
            slater: determinant::Outputs::complex("slater", n, chunk, true)?,
            jacobian: determinant::Outputs::real("jacobian", d, chunk, true)?,
            log_psi: Buffer::result("ln|psi|", chunk),
            slater_gradient: Buffer::result("slater gradient", 2 * chunk * d),
            slater_laplacian: Buffer::result("slater laplacian", 2 * chunk),
            matrix: Buffer::new("slater matrix", 2 * chunk * n * n),
            current: Buffer::new("slater current", slater_gradient::current_words(chunk, n, gas.dim)),
            orbitals: Buffer::filled("orbitals", 4 * gas.orbital_count(), {
                let gas = gas.clone();
                move || gas.momenta_padded()
            }),
            profile: gpu.profile,
        })
    }

    /// Records ln|Ψ| alone (values and first derivatives of the flow, two determinants).
    ///
    /// `x`: f32 `[walker][n][d]`, units rs a0, any image; `states`: u32 `[walker][n]`.
    pub fn record_log_psi(&self, rec: &mut Recording, x: &Buffer, states: &Buffer, walkers: usize, out: &Buffer) {
        self.flow.record_values(rec, x, walkers);
        self.record_determinants(rec, states, walkers, false);
        log_psi::record(rec, "ln psi", walkers, self.gas.ln_norm(), &self.slater.logdet, &self.jacobian.logdet, out);
    }

    /// Records Ψ but for a constant, as (ln|Ψ|, arg Ψ) into `out`, vec2 `[walker]`: see [`momentum::amplitude`].
    pub fn record_amplitude(&self, rec: &mut Recording, x: &Buffer, states: &Buffer, walkers: usize, out: &Buffer) {
        self.flow.record_values(rec, x, walkers);
        self.record_determinants(rec, states, walkers, false);
        momentum::amplitude(rec, walkers, &self.slater, &self.jacobian, out);
    }

    /// Records z and det J alone.
    pub fn record_jacobian_determinant(&self, rec: &mut Recording, x: &Buffer, walkers: usize) {
        self.flow.record_values(rec, x, walkers);
        let out = self.jacobian.without_inverse();
        determinant::real(rec, "det J", self.profile, &self.flow.jacobian, self.flow.order(), walkers, &out);
    }

    /// Records z, J, J⁻¹ and det J alone.
    pub fn record_jacobian(&self, rec: &mut Recording, x: &Buffer, walkers: usize) {
        self.flow.record_values(rec, x, walkers);
        determinant::real(rec, "det J", self.profile, &self.flow.jacobian, self.flow.order(), walkers, &self.jacobian);
    }

    /// Records ln|Ψ| of the positions whose z and det J were computed last.
    pub fn record_log_psi_of_jacobian(&self, rec: &mut Recording, states: &Buffer, walkers: usize, out: &Buffer) {
        self.record_slater(rec, states, walkers, false);
        log_psi::record(rec, "ln psi", walkers, self.gas.ln_norm(), &self.slater.logdet, &self.jacobian.logdet, out);
    }

    /// Records ln|Ψ|, S_z, J⁻¹: what the scores need, with the flow's dense passes at `order`.
    pub fn record_gradients(&self, rec: &mut Recording, x: &Buffer, states: &Buffer, walkers: usize, order: Order) {
        self.flow.record_forward(rec, x, walkers, order);
        self.record_slater_gradient(rec, states, walkers);
    }

    /// Records ln|Ψ|, S_z, J⁻¹ of positions whose z and J were computed last.
    fn record_slater_gradient(&self, rec: &mut Recording, states: &Buffer, walkers: usize) {
        self.record_determinants(rec, states, walkers, true);
        log_psi::record(rec, "ln psi", walkers, self.gas.ln_norm(), &self.slater.logdet, &self.jacobian.logdet, &self.log_psi);
        let waves = self.waves(states);
        slater_gradient::record(
            rec,
            "slater gradient",
            slater_gradient::Params::new(&self.gas, walkers),
            waves,
            &self.current,
            &self.slater_gradient,
        );
    }

    /// Records everything the local energy needs: also Δz, ∇ and Δ of ln|det J|, the curvature of ln det M.
    pub fn record_derivatives(&self, rec: &mut Recording, x: &Buffer, states: &Buffer, walkers: usize, directions: Directions) {
        self.flow.record_for_derivatives(rec, x, walkers, directions);
        self.record_slater_gradient(rec, states, walkers);
        let p = slater_gradient::Params::new(&self.gas, walkers);
        let waves = self.waves(states);
        slater_laplacian::record(rec, "slater laplacian", p, waves, &self.current, &self.flow.jacobian, &self.slater_laplacian);
        self.flow.record_derivatives(rec, x, self.inverse_jacobian(), walkers, directions);
    }

    /// Records the flow's scores after [`WaveFunction::record_derivatives`] of the same walkers: see [`BackflowKernels::record_scores`].
    pub fn record_scores(
        &self,
        rec: &mut Recording,
        x: &Buffer,
        walkers: usize,
        directions: Directions,
        scores: &Buffer,
        first_walker: usize,
    ) {
        let (s_z, inverse) = (&self.slater_gradient, self.inverse_jacobian());
        self.flow.record_scores(rec, x, s_z, inverse, walkers, directions, scores, first_walker);
    }

    /// J⁻¹, f32 `[walker][ld][ld]`.
    pub fn inverse_jacobian(&self) -> &Buffer {
        self.jacobian.inverse.as_ref().unwrap_or(&self.jacobian.work)
    }

    fn waves<'a>(&'a self, states: &'a Buffer) -> slater_gradient::Waves<'a> {
        let inverse = self.slater.inverse.as_ref().unwrap_or(&self.slater.work);
        slater_gradient::Waves { matrix: &self.matrix, inverse, states, orbitals: &self.orbitals }
    }

    fn record_slater(&self, rec: &mut Recording, states: &Buffer, walkers: usize, inverse: bool) {
        let slater = if inverse { self.slater.clone() } else { self.slater.without_inverse() };
        let fill = slater::Params::new(&self.gas, walkers);
        slater::record(rec, "slater matrix", fill, &self.flow.z, states, &self.orbitals, &self.matrix);
        determinant::complex(rec, "det slater", self.profile, &self.matrix, self.gas.n, walkers, &slater);
    }

    fn record_determinants(&self, rec: &mut Recording, states: &Buffer, walkers: usize, inverse: bool) {
        self.record_slater(rec, states, walkers, inverse);
        let jacobian = if inverse { self.jacobian.clone() } else { self.jacobian.without_inverse() };
        determinant::real(rec, "det J", self.profile, &self.flow.jacobian, self.flow.order(), walkers, &jacobian);
    }
}
