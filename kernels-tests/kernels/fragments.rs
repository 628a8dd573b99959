//! Every fragment of `shaders/shared/`, broken in a kernel that uses it: some test must notice.

use helmholtz::gpu::Profile;
use helmholtz::kernels::{ancestral_attention, backflow, cholesky, determinant, occupation, philox, scores, special, trap};

use crate::backflow::{laplacian, values};
use crate::backflow_registers::{small_values, spin_values};
use crate::cholesky::solves;
use crate::determinant::{small_complex, small_real};
use crate::harness::fragment;
use crate::occupation_sampling::inversion;
use crate::philox::known;
use crate::scores::products;
use crate::special::{exact, folded, functions};
use crate::transformer::drawn;
use crate::trap::moves;

const SIMD: Profile = Profile::Simd;
const WIDE: Profile = Profile::Gpu;

#[test]
fn broken_fragments_are_noticed() {
    fragment("complex", WIDE, &determinant::TILE_COMPLEX, "a.x * b.y + a.y * b.x", "a.x * b.y - a.y * b.x", small_complex);
    fragment("double_single", SIMD, &scores::APPLY, "opaque4(e + x.lo * y.hi)", "e", products);
    fragment("grid", SIMD, &special::KERNEL, "group.y * groups.x", "group.y", folded);
    fragment("logarithm", WIDE, &determinant::TILE_REAL, "f32(k) * 0.69314718", "f32(k) * 0.6931", small_real);
    fragment("philox", SIMD, &philox::KERNEL, "0xbb67ae85u", "0xbb67ae84u", known);
    fragment("solver_state", SIMD, &cholesky::CHOLESKY, "max(x, 1.0)", "max(x, 2.0)", solves);
    fragment("special", SIMD, &special::KERNEL, "-41.34170151", "-41.342", functions);
    fragment("special", WIDE, &special::KERNEL, "a < 0.55), x, nan)", "a < 0.55), 1.0, nan)", exact);
    fragment("tokens", SIMD, &occupation::SAMPLE, "keep * sum + e", "sum + e", inversion);
    fragment("tokens", SIMD, &ancestral_attention::KERNEL, "weights[bias + (seen - 1u) * head.z + col]", "weights[bias + col]", drawn);
    fragment("tokens", WIDE, &ancestral_attention::KERNEL, "(flags & 2u) != 0u", "(flags & 2u) == 7u", drawn);
    fragment("runge_kutta", SIMD, &trap::FLOW, "select(0.5, 1.0, stage == 2u)", "1.0", moves);
    fragment("trap", SIMD, &trap::FLOW, "if (j != i) {", "if (j > i) {", moves);
    fragment("trap_radials", SIMD, &trap::FLOW_LANE, "k < QUADS; k++", "k < 1u; k++", moves);
    fragment("trap_lane", SIMD, &trap::FLOW_LANE, "select(e * h, h, up)", "h", moves);
    fragment("triangles", SIMD, &determinant::LANE_REAL, "FOUR < vec4<u32>($ru)", "FOUR <= vec4<u32>($ru)", small_real);
}

#[test]
fn broken_fragments_of_flows_are_noticed() {
    fragment("backflow_registers", SIMD, &backflow::PARTICLES, "x.w * weights", "x.z * weights", small_values);
    fragment("backflow_registers", SIMD, &backflow::SUMS, "weights[at + UNLIKE], other", "weights[at], other", spin_values);
    fragment("backflow_jets", SIMD, &backflow::PARTICLE_GATHER, "e >= i * DIM", "e > i * DIM", values);
    fragment("backflow_places", SIMD, &backflow::PARTICLES, "SUMS = 4u + 2u * T4", "SUMS = 5u + 2u * T4", small_values);
    fragment("backflow_position", SIMD, &backflow::PULL_JACOBIAN, "x[at * DIM + $ku]", "x[at * DIM]", small_values);
    fragment(
        "backflow_shapes",
        SIMD,
        &backflow::MEAN_GRADIENT,
        "length: f32, half_turns: f32",
        "half_turns: f32, length: f32",
        small_values,
    );
    fragment("quotient", SIMD, &backflow::JACOBIAN, "+ 0.5", "- 0.5", values);
    fragment("softplus_jet", SIMD, &backflow::PAIR_ACTIVATION, "s1 * (1.0 - 2.0 * s)", "s1 * (1.0 - s)", laplacian);
}
