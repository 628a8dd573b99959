//! Tangent pass: exact gradient and Laplacian of ln|det J|, or an unbiased estimate of the Laplacian.

use crate::gpu::{Binding, Buffer, Recording, grid};

use super::super::super::{WG, linear};
use super::super::array::{put, span, unused};
use super::super::directions::{Directions, Pass};
use super::super::mean;
use super::kernels::{PROBE, PROBE_SUM, SCORE_POSITIONS, TANGENT_ACTIVATION, TANGENT_GATHER};
use super::{ADD, BackflowKernels, Elementwise, Order, Params};

/// The directions are unit vectors (flag of the tangent gather).
const UNIT: u32 = 2;

impl BackflowKernels {
    /// Records ∇ ln|det J| and Δ ln|det J| after [`BackflowKernels::record_forward`] at [`Order::Third`].
    ///
    /// `inverse`: J⁻¹ `[walker][ld][ld]`, padding 0. Δ ln|det J| = Σ_v tr(J⁻¹ ∂_v²J) - tr((J⁻¹ ∂_vJ)²)
    /// over orthonormal v; the first term is taken as Σ_v v·J⁻¹ ∂_v Δz.
    pub fn record_jet_derivatives(&self, rec: &mut Recording, inverse: &Buffer, walkers: usize, directions: Directions) {
        if directions != Directions::Exact {
            self.record_grad_logdet(rec, inverse, walkers);
        }
        for pass in self.passes(directions) {
            self.record_pass(rec, inverse, walkers, pass);
        }
        if directions.by_rows() {
            self.record_rows(rec, inverse, walkers);
        }
    }

    fn record_pass(&self, rec: &mut Recording, inverse: &Buffer, walkers: usize, pass: Pass) {
        let (m, weights, along) = (&self.jets, &self.weights, &self.along);
        let (n, d, ld, dim) = (self.n, self.order(), self.ld(), self.model.dim);
        let Pass { first, count, directions, .. } = pass;
        let batch = walkers * count;
        let p = Params { probes: count as u32, first: first as u32, ..self.params(walkers, Order::Third) };
        let (rows, h4) = (p.rows as usize, self.h4());
        self.record_directions(rec, walkers, pass);
        let unit = if directions.signs().is_none() { UNIT } else { 0 };
        for (l, layer) in weights.one.iter().enumerate() {
            let add = Params { flags: if l > 0 { ADD } else { 0 }, ..p };
            let mut means = unused(&m.tangent_mean_v);
            if l > 0 {
                mean::record(rec, "tangent mean", batch, n, rows * h4, 1.0 / n as f32, &m.tangent, &m.tangent_mean);
                let mean = linear::Params::new(batch * rows, h4, h4, layer.vg);
                linear::record(rec, "tangent mean V", mean, &m.tangent_mean, &weights.buffer, &m.tangent_mean_v);
                let product = linear::Params::new(batch * n * rows, h4, h4, layer.vh);
                linear::record(rec, "tangent V", product, &m.tangent, &weights.buffer, &m.tangent_a);
                means = Binding::read(&m.tangent_mean_v, 4 * batch * rows * h4);
            }
            let gather = Params { flags: add.flags | unit, ..add };
            self.record_tangent_gather(rec, "tangent gather", l, gather, walkers, n * (1 + dim), [along.directions.read(batch), means]);
            if l > 0 && directions.by_rows() {
                self.record_row_cross(rec, inverse, l, p, walkers);
            }
            self.record_tangent_activation(rec, "tangent activation", l, add, walkers);
        }
        let output = linear::Params::new(batch * n * rows, h4, 1, weights.output.w);
        linear::record(rec, "tangent output", output, &m.tangent, &weights.buffer, &m.tangent_out);
        self.record_matrix(rec, "dJ", Params { scale: 0.0, ..p }, batch, &m.tangent_out, along.derivative.write(batch));
        self.record_over_jacobian(rec, inverse, batch, count);
        let trips = d * d / WG as usize + 17;
        let probe = Elementwise { trips, ..self.plain("probe", &PROBE, p, batch, d * d, 2) };
        probe.record_groups(
            rec,
            grid(batch),
            [
                self.read_matrix(&along.product.buffer, batch),
                self.read_matrix(inverse, walkers),
                along.directions.read(batch),
                Binding::read(&m.tangent_out, span(batch * n, 4 * rows, 4 * (rows - 1) + dim)),
                Binding::write(&m.parts, 4 * batch),
            ],
        );
        let exact = directions == Directions::Exact;
        let flags = u32::from(exact) | if first == 0 { 2 } else { 0 } | if directions.by_rows() { 4 } else { 0 };
        let sum = self.plain("probe sum", &PROBE_SUM, Params { flags, scale: pass.weight(), ..p }, 1, walkers, count);
        let grad = if exact { span(walkers, ld, first + count) } else { 4 };
        sum.record_groups(
            rec,
            grid(walkers.div_ceil(WG as usize)),
            [Binding::read(&m.parts, 4 * batch), put(&self.lap_logdet, walkers, first > 0), Binding::update(&self.grad_logdet, grad)],
        );
        if directions.by_rows() && self.model.depth > 1 {
            self.record_cross_output(rec, p, walkers, pass.weight());
        }
    }

    /// Preactivations of layer `l` along `p.probes` directions a walker; `inputs`: the directions and the mean field.
    #[allow(clippy::too_many_arguments)] // inputs, output and their shapes
    pub(super) fn record_tangent_gather(
        &self,
        rec: &mut Recording,
        name: &str,
        l: usize,
        p: Params,
        walkers: usize,
        trips: usize,
        inputs: [Binding; 2],
    ) {
        let (m, batch) = (&self.jets, walkers * p.probes as usize);
        let [directions, means] = inputs;
        let u = Binding::read(&m.u[l], self.pair_words(walkers, p.jets as usize, self.h4()));
        let to = put(&m.tangent_a, self.particle_words(batch, p.rows as usize), p.flags & ADD != 0);
        self.particles(name, &TANGENT_GATHER, p, batch, trips).record(rec, [u, directions, means, to]);
    }

    /// Activation of layer `l` along `p.probes` directions a walker.
    pub(super) fn record_tangent_activation(&self, rec: &mut Recording, name: &str, l: usize, p: Params, walkers: usize) {
        let (m, batch) = (&self.jets, walkers * p.probes as usize);
        let words = |walkers: usize| self.particle_words(walkers, p.rows as usize);
        self.particles(name, &TANGENT_ACTIVATION, p, batch, 2 * self.order()).record(
            rec,
            [
                Binding::read(&m.a[l], words(walkers)),
                Binding::read(&m.tangent_a, words(batch)),
                put(&m.tangent, words(batch), p.flags & ADD != 0),
            ],
        );
    }

    /// Records ∇ ln|det J| alone by reverse mode (cost of one score, whatever the dimension).
    pub fn record_grad_logdet(&self, rec: &mut Recording, inverse: &Buffer, walkers: usize) {
        self.record_reverse(rec, &self.lap_z, inverse, walkers, Order::Third, None);
        let (m, dim) = (&self.jets, self.model.dim);
        let p = Params { scale: 2.0, ..self.params(walkers, Order::Third) };
        let (pairs, back, third) = (walkers * self.n * self.n, 8 * (dim + 2), 8 * dim);
        let grad = self.plain("grad ln det J", &SCORE_POSITIONS, p, walkers, self.ld(), self.n * (2 + dim));
        grad.record(
            rec,
            [
                // not the third derivatives, and not the imaginary adjoints
                Binding::read(&m.t[0], span(pairs, 8 * p.jets as usize, 8 * p.jets as usize - third)),
                Binding::read(&m.tb_features, span(pairs, back, back - 8)),
                Binding::write(&self.grad_logdet, walkers * self.ld()),
            ],
        );
    }
}
