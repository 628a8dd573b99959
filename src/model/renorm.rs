//! A hierarchical normalising flow x = f(z) on a square lattice, whose latent variables z are collective variables of every scale:
//! Li, Wang, Phys. Rev. Lett. 121, 260601 (2018), doi 10.1103/PhysRevLett.121.260601. Its layout is that of the multi-scale
//! entanglement renormalisation of Vidal, doi 10.1103/PhysRevLett.99.220405.
//!
//! Level l = 0 .. depth-1 has 2 `repeats` blocks, alternately A (offset 0) and B (offset 2^l). A block applies one network,
//! shared by its patches, to disjoint 2 x 2 patches of sites 2^l apart:
//!
//! ```text
//! row = (2^l {0,0,1,1} + 2^(l+1) p + offset) mod L,  column = (2^l {0,1,0,1} + 2^(l+1) q + offset) mod L,  p, q < L/2^(l+1)
//! ```
//!
//! Sampling z → x applies blocks in reverse order, coarse to fine. A network is a chain of affine couplings (RealNVP, Dinh et
//! al., arXiv 1605.08803): coupling k keeps two components u of a patch and moves the two others, v → v e^s + t,
//!
//! ```text
//! t = T(u),  s = scale tanh S(u);   S, T: 2 → hidden → … → hidden → 2, `hidden_layers` hidden layers, ELU between
//! ```
//!
//! Networks of the published code see the patch with its moved components set to 0 and give four numbers of which two are used:
//! the rest of their first and last matrices never matters and is not stored here. Its masks are drawn at random; here couplings
//! 2j and 2j + 1 keep one half and the other of the patch, which is split in the three possible ways by turns.
//!
//! With `haar` the couplings of A act on twice the mean of a patch (slot 0, what the coarser level made) and on its three
//! differences, which a rotation then turns to its sites; those of B, on patches across the borders of these, follow. Without
//! couplings that is the orthogonal Haar transform: white noise stays white, and slot 0 of level l is the block spin of 2^l x 2^l
//! sites. In the order of entanglement renormalisation A is the isometry and B the disentangler.

use super::initial;
use super::parameters::Table;
use crate::error::{Error, Result};

/// Shapes of the flow.
#[derive(Clone, Debug, PartialEq)]
pub struct Renorm {
    /// Sites of a row L, a power of two.
    pub side: usize,
    /// Levels, 1 to log₂ L; what is left at a smaller number of them is independent noise at the coarsest scale.
    pub depth: usize,
    /// Pairs of blocks A, B a level.
    pub repeats: usize,
    /// Couplings of a network.
    pub couplings: usize,
    /// Hidden layers of S and of T.
    pub hidden_layers: usize,
    /// Their units.
    pub hidden: usize,
    /// Levels share their networks: a map that is the same at every scale.
    pub shared: bool,
    /// Levels begin with the Haar rotation of patches A, twice their mean and three differences to the four sites; a block B
    /// is the last one in sampling, not the first.
    pub haar: bool,
}

/// One block: a network on disjoint patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// l.
    pub level: usize,
    /// 0, or 2^l.
    pub offset: usize,
    /// Number of its network.
    pub network: usize,
    /// The Haar rotation follows its couplings in sampling.
    pub rotates: bool,
}

/// Most couplings of a network.
pub const MOST_COUPLINGS: usize = 32;
/// The three ways to halve a patch, as the pair that the first of two couplings keeps and the pair that it moves.
const HALVES: [[usize; 4]; 3] = [[0, 1, 2, 3], [0, 2, 1, 3], [0, 3, 1, 2]];

impl Renorm {
    /// Refuses shapes that make no flow.
    ///
    /// # Errors
    /// [`Error::User`].
    pub fn check(&self) -> Result<()> {
        let Renorm { side, depth, repeats, couplings, hidden_layers, hidden, .. } = *self;
        let wrong = |what: String| Err(Error::User(format!("renormalisation flow: {what}")));
        if !side.is_power_of_two() || !(2..=1024).contains(&side) {
            return wrong(format!("L = {side}: give a power of two"));
        }
        if !(1..=self.levels()).contains(&depth) {
            return wrong(format!("depth = {depth}: L = {side} has 1 to {} levels", self.levels()));
        }
        if repeats == 0 || !(1..=MOST_COUPLINGS).contains(&couplings) || hidden_layers == 0 || hidden == 0 {
            return wrong(format!(
                "repeats = {repeats}, hidden_layers = {hidden_layers}, hidden = {hidden} (at least 1), couplings = {couplings} (1 to {MOST_COUPLINGS})"
            ));
        }
        Ok(())
    }

    /// log₂ L.
    pub fn levels(&self) -> usize {
        self.side.ilog2() as usize
    }

    /// Sites.
    pub fn sites(&self) -> usize {
        self.side * self.side
    }

    /// Different networks.
    pub fn networks(&self) -> usize {
        2 * self.repeats * if self.shared { 1 } else { self.depth }
    }

    /// Blocks in the density direction x → z, fine to coarse.
    pub fn blocks(&self) -> Vec<Block> {
        let each = 2 * self.repeats;
        let all = (0..self.depth).flat_map(|level| (0..each).map(move |b| (level, b)));
        all.map(|(level, b)| Block {
            level,
            offset: ((b + self.haar as usize) % 2) << level,
            network: b + if self.shared { 0 } else { level * each },
            rotates: self.haar && b == each - 1,
        })
        .collect()
    }

    /// Patches of a block.
    pub fn patches(&self, level: usize) -> usize {
        (self.side >> (level + 1)).pow(2)
    }

    /// The four sites of a patch of a block, row-major.
    pub fn patch(&self, block: Block, patch: usize) -> [usize; 4] {
        let (side, step) = (self.side, 1 << block.level);
        let along = side / (2 * step);
        let place = |a: usize, p: usize| (step * a + 2 * step * p + block.offset) % side;
        [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(a, b)| place(a, patch / along) * side + place(b, patch % along))
    }

    /// Components of a patch that coupling k keeps, then those that it moves.
    pub fn halves(&self, k: usize) -> [usize; 4] {
        let [a, b, c, d] = HALVES[k / 2 % 3];
        if k.is_multiple_of(2) { [a, b, c, d] } else { [c, d, a, b] }
    }

    /// Units that enter and leave layer m of S and T, m = 0 .. `hidden_layers`.
    pub fn layer(&self, m: usize) -> [usize; 2] {
        [if m == 0 { 2 } else { self.hidden }, if m == self.hidden_layers { 2 } else { self.hidden }]
    }

    fn module(network: usize) -> String {
        format!("renorm/network{network:02}")
    }

    /// Names, shapes and offsets of the parameters. Of network n the leaves `renorm/networkNN/layerM/w` (couplings, 2, in, out)
    /// and `b` (couplings, 2, out), with S before T, and `renorm/networkNN/scale` (couplings, 2).
    pub fn parameters(&self) -> Table {
        let mut entries = Vec::new();
        for network in 0..self.networks() {
            let module = Self::module(network);
            entries.push((format!("{module}/scale"), vec![self.couplings, 2]));
            for m in 0..=self.hidden_layers {
                let [inputs, outputs] = self.layer(m);
                entries.push((format!("{module}/layer{m}/w"), vec![self.couplings, 2, inputs, outputs]));
                entries.push((format!("{module}/layer{m}/b"), vec![self.couplings, 2, outputs]));
            }
        }
        Table::new(entries)
    }

    /// First words of w and b of layer m in S (`net` 0) or T (1) of a coupling.
    pub fn words(&self, table: &Table, network: usize, coupling: usize, net: usize, m: usize) -> [usize; 2] {
        let [inputs, outputs] = self.layer(m);
        let (module, index) = (Self::module(network), 2 * coupling + net);
        let offset = |leaf: &str| table.get(&format!("{module}/layer{m}/{leaf}")).map_or(0, |l| l.offset);
        [offset("w") + index * inputs * outputs, offset("b") + index * outputs]
    }

    /// First word of the two scales of a coupling.
    pub fn scale(&self, table: &Table, network: usize, coupling: usize) -> usize {
        table.get(&format!("{}/scale", Self::module(network))).map_or(0, |l| l.offset) + 2 * coupling
    }

    /// Initial values as published: uniform within 1/√inputs, scales 0 (volume is kept at first); but the last layers of T are 0 as
    /// well, so that couplings begin as the identity. Inputs of the first layer are counted as the four of the published networks.
    pub fn initial(&self, seed: u64) -> Vec<f32> {
        let table = self.parameters();
        let mut values = vec![0.0; table.len()];
        for network in 0..self.networks() {
            for m in 0..=self.hidden_layers {
                let inputs = if m == 0 { 4 } else { self.hidden };
                let bound = 1.0 / (inputs as f64).sqrt();
                let module = format!("{}/layer{m}", Self::module(network));
                initial::linear(&table, &module, [network as u32, 2 * m as u32], seed, [bound; 2], &mut values);
            }
            for k in 0..self.couplings {
                let [w, b] = self.words(&table, network, k, 1, self.hidden_layers);
                values[w..w + 2 * self.hidden].fill(0.0);
                values[b..b + 2].fill(0.0);
            }
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(side: usize, depth: usize, shared: bool) -> Renorm {
        Renorm { side, depth, repeats: 1, couplings: 10, hidden_layers: 3, hidden: 10, shared, haar: false }
    }

    /// Every block holds each site of its level once; what goes on to the next level is slot 0 of A and slot 3 of B. With the Haar
    /// rotation B comes first in the density direction, and the last A turns.
    #[test]
    fn blocks_partition_the_sites_of_their_level() {
        for side in [2, 4, 8, 16, 32, 64] {
            let m = Renorm { repeats: 2, ..model(side, side.ilog2() as usize, false) };
            m.check().unwrap();
            assert_eq!(m.blocks().len(), 4 * m.levels());
            for block in m.blocks() {
                let step = 1 << block.level;
                let mut sites: Vec<usize> = (0..m.patches(block.level)).flat_map(|p| m.patch(block, p)).collect();
                let slot = if block.offset == 0 { 0 } else { 3 };
                let mut on: Vec<usize> = sites.iter().skip(slot).step_by(4).copied().collect();
                on.sort_unstable();
                sites.sort_unstable();
                let at = |step: usize| -> Vec<usize> {
                    (0..side * side).filter(|i| (i / side).is_multiple_of(step) && (i % side).is_multiple_of(step)).collect()
                };
                assert_eq!(sites, at(step), "L = {side}, {block:?}");
                assert_eq!(on, at(2 * step), "L = {side}, {block:?}");
            }
        }
        let turned = Renorm { haar: true, repeats: 2, ..model(8, 3, false) }.blocks();
        assert!(turned.iter().enumerate().all(|(k, b)| (b.offset > 0) == (k % 2 == 0) && b.rotates == (k % 4 == 3)), "{turned:?}");
        // at the top both blocks see the same four sites, in reversed order
        let m = model(8, 3, false);
        let [a, b] = [4, 5].map(|k| m.patch(m.blocks()[k], 0));
        assert_eq!(b.iter().rev().collect::<Vec<_>>(), a.iter().collect::<Vec<_>>());
    }

    #[test]
    fn couplings_move_what_the_one_before_keeps() {
        let m = model(16, 4, false);
        for k in 0..10 {
            let mut all = m.halves(k);
            if k % 2 == 1 {
                let before = m.halves(k - 1);
                assert_eq!([all[2], all[3], all[0], all[1]], before);
            }
            all.sort_unstable();
            assert_eq!(all, [0, 1, 2, 3]);
        }
        assert_ne!(m.halves(0)[..2], m.halves(2)[..2]);
    }

    /// Published: couplings [2 (4h+h + (layers-1)(h²+h) + 4h+4) + 4] a network, of which 2 (2h + 2h+2) + 2 a coupling never matter.
    #[test]
    fn parameters_are_the_published_ones_without_the_dead() {
        let (m, h) = (model(16, 4, false), 10);
        let published = 10 * (2 * (4 * h + h + 2 * (h * h + h) + 4 * h + 4) + 4);
        assert_eq!(published, 6320);
        let dead = 10 * (2 * (2 * h + 2 * h + 2) + 2);
        assert_eq!((m.networks(), m.parameters().len()), (8, 8 * (published - dead)));
        assert_eq!(model(16, 4, true).networks(), 2);
        let values = m.initial(7);
        let table = m.parameters();
        let scale = m.scale(&table, 3, 4);
        assert!(values[scale..scale + 2] == [0.0, 0.0] && values.iter().filter(|v| **v == 0.0).count() == 8 * (20 + 10 * 22));
        let [w, _] = m.words(&table, 2, 1, 1, 3);
        assert!(values[w..w + 20].iter().all(|v| v.abs() <= 1.0 / 10f32.sqrt()));
    }

    #[test]
    fn shapes_that_make_no_flow_are_refused() {
        let good = model(8, 3, false);
        for bad in [
            Renorm { side: 12, ..good.clone() },
            Renorm { depth: 4, ..good.clone() },
            Renorm { depth: 0, ..good.clone() },
            Renorm { couplings: 33, ..good.clone() },
            Renorm { hidden: 0, ..good.clone() },
        ] {
            assert!(bad.check().unwrap_err().to_string().contains("renormalisation flow"), "{bad:?}");
        }
    }
}
