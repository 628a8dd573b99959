//! The normalizing flow z(x): periodic pair features, one- and two-particle layers.
//!
//! Equivariant under permutations (of electrons of one spin) and translations. Widths, names and order of the parameters are
//! those of Xie, Zhang, Wang, SciPost Phys. 14, 154 (2023); with two spins, which that work has not, one layer is added.

use super::parameters::Table;
use crate::number::philox::{Stream, normal4, purpose};

crate::config::choice!(
    /// Distance feature of a pair: |sin(π r/L)| (`Half`) or |sin(2π r/L)| (`Legacy`).
    ///
    /// The published parameters were made with `Legacy`, which has spurious cusps at half the box.
    Feature, "half or legacy":
        /// |sin(π r/L)|: smooth but at r = 0.
        #[default]
        Half = "half",
        /// |sin(2π r/L)|: with cusps at half the box, as published.
        Legacy = "legacy");

impl Feature {
    /// Half turns of the sine's argument across the box: 1 or 2.
    pub fn half_turns(self) -> f32 {
        match self {
            Feature::Half => 1.0,
            Feature::Legacy => 2.0,
        }
    }
}

/// Shape of the flow: it depends on the number of particles only through the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backflow {
    /// Space dimension, 2 or 3.
    pub dim: usize,
    /// One-particle layers, at least 1.
    pub depth: usize,
    /// Width of the one-particle layers.
    pub one: usize,
    /// Width of the two-particle layers.
    pub pair: usize,
    /// Distance feature of a pair.
    pub feature: Feature,
    /// There are two spins, and pairs of unlike ones have a two-particle layer of their own; at depth 2 alone.
    pub unlike: bool,
}

impl Backflow {
    /// Numbers per pair: cos and sin per coordinate and the distance.
    pub fn features(&self) -> usize {
        2 * self.dim + 1
    }

    /// Width of h entering one-particle layer `l`.
    pub fn one_in(&self, l: usize) -> usize {
        if l == 0 { self.dim } else { self.one }
    }

    /// Width of the pair stream entering layer `l`.
    pub fn pair_in(&self, l: usize) -> usize {
        if l == 0 { self.features() } else { self.pair }
    }

    /// Name of one-particle layer `l` (weights A_l of shape (2 one_in + pair_in, one)).
    pub fn one_name(&self, l: usize) -> String {
        layer_name(l)
    }

    /// Name of two-particle layer `l` (weights B_l of shape (pair_in, pair)), `l` < depth - 1.
    pub fn pair_name(&self, l: usize) -> String {
        layer_name(self.depth + l)
    }

    /// Parameter table in published order.
    pub fn table(&self) -> Table {
        let mut entries = Vec::new();
        let mut linear = |name: String, rows: usize, cols: usize| {
            entries.push((format!("{name}/b"), vec![cols]));
            entries.push((format!("{name}/w"), vec![rows, cols]));
        };
        linear(OUTPUT.into(), self.one, self.dim);
        for l in 0..self.depth {
            linear(self.one_name(l), 2 * self.one_in(l) + self.pair_in(l), self.one);
        }
        for l in 0..self.depth - 1 {
            linear(self.pair_name(l), self.pair_in(l), self.pair);
        }
        if self.unlike {
            linear(UNLIKE.into(), self.features(), self.pair);
        }
        Table::new(entries)
    }
}

impl Backflow {
    /// Fresh parameters: weights N(0, 0.01²), biases 0, so that z = x + const + O(0.01).
    pub fn initial(&self, seed: u64) -> Vec<f32> {
        let table = self.table();
        let mut out = vec![0.0; table.len()];
        // a leaf that no other network has
        let stream = Stream { seed, step: 0, purpose: purpose::PARAMETERS, first_walker: u32::MAX };
        for leaf in table.leaves.iter().filter(|l| l.name.ends_with("/w")) {
            for at in leaf.offset..leaf.offset + leaf.size() {
                out[at] = (0.01 * normal4(stream.bits(at as u32))[0]) as f32;
            }
        }
        out
    }
}

/// Name of the two-particle layer of pairs of unlike spins.
pub const UNLIKE: &str = "flow/unlike/linear";
/// Name of the output layer (weights C of shape (one, dim)).
pub const OUTPUT: &str = "flow/fermi_net/linear";

fn layer_name(k: usize) -> String {
    if k == 0 { "flow/fermi_net/~/linear".into() } else { format!("flow/fermi_net/~/linear_{k}") }
}
