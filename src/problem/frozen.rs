//! What samples drawn with frozen parameters say of e^{-βE}/Z: by importance weights, and by chains that they propose to.

use crate::archive::Archive;
use crate::error::Result;
use crate::estimate::chains::{self, Chains};
use crate::estimate::free_energy::{Averages, Quantity, Weighted};
use crate::estimate::{Estimate, jackknife};
use crate::gpu::{Buffer, Gpu, Recording};
use crate::kernels::free_energy::Samples;
use crate::kernels::independence::Independence;
use crate::number::philox::Stream;

/// Blocks of batches, of which errors of what is no mean are made by leaving out one at a time.
const BLOCKS: usize = 64;

/// Sums since the parameters last changed.
pub(in crate::problem) struct Frozen {
    blocks: Vec<(Averages, Weighted)>,
    batches: usize,
    moves: Independence,
    chains: Chains,
    /// Σ w and Σ w C of each block, w the weight of a batch relative to the first one's, whose logarithm is kept.
    correlations: Vec<(f64, Vec<f64>)>,
    first: Option<f64>,
}

impl Frozen {
    /// For batches of `samples` of `sites` spins.
    pub fn new(samples: usize, sites: usize) -> Frozen {
        Frozen {
            blocks: Vec::new(),
            batches: 0,
            moves: Independence::new(samples, sites),
            chains: Chains::default(),
            correlations: Vec::new(),
            first: None,
        }
    }

    /// All sums, and where the chains are.
    pub fn state(&mut self, a: &mut Archive) -> Result<()> {
        let mut blocks = self.blocks.len();
        a.value("blocks", &mut blocks)?;
        self.blocks.resize(blocks, Default::default());
        a.numbers("sums", self.blocks.iter_mut().flat_map(|(all, weighted)| all.numbers().chain(weighted.numbers())))?;
        a.value("batches", &mut self.batches)?;
        a.words("chain_samples", &self.moves.state, self.moves.state.words())?;
        self.chains.state(a)?;
        let (mut blocks, mut length) = (self.correlations.len(), self.correlations.first().map_or(0, |(_, sums)| sums.len()));
        a.value("correlation_blocks", &mut blocks)?;
        a.value("correlations", &mut length)?;
        self.correlations.resize(blocks, (0.0, vec![0.0; length]));
        a.numbers("correlation_sums", self.correlations.iter_mut().flat_map(|(total, sums)| std::iter::once(total).chain(sums)))?;
        let mut first = self.first.unwrap_or(f64::NAN);
        a.value("first_weight", &mut first)?;
        self.first = Some(first).filter(|w| !w.is_nan());
        Ok(())
    }

    /// Forgets all of them: the parameters change.
    pub fn clear(&mut self) {
        (self.batches, self.chains, self.first) = (0, Chains::default(), None);
        self.blocks.clear();
        self.correlations.clear();
    }

    /// Records the moves of the chains through a batch, after its sums.
    pub fn record(&self, rec: &mut Recording, at: Stream, samples: Samples, centre: &Buffer, beta: f64) {
        rec.phase("chains");
        self.moves.record(rec, at, samples, centre, beta, self.batches == 0);
    }

    /// Adds that batch.
    pub fn add(&mut self, gpu: &Gpu, centre: &[f32], averages: Averages, weighted: Weighted) -> Result<()> {
        self.chains.add(centre, &gpu.read::<f32>(&self.moves.sums)?);
        match self.blocks.get_mut(self.batches % BLOCKS) {
            Some((a, w)) => {
                a.merge(&averages);
                w.merge(&weighted);
            }
            None => self.blocks.push((averages, weighted)),
        }
        self.batches += 1;
        Ok(())
    }

    /// Adds correlations of the batch that was added last, whose weights sum to e^`log_weight`.
    pub fn add_correlations(&mut self, log_weight: f64, means: &[f64]) {
        let weight = (log_weight - *self.first.get_or_insert(log_weight)).exp();
        let block = (self.batches - 1) % BLOCKS;
        if block == self.correlations.len() {
            self.correlations.push((0.0, vec![0.0; means.len()]));
        }
        let (total, sums) = &mut self.correlations[block];
        *total += weight;
        sums.iter_mut().zip(means).for_each(|(sum, c)| *sum += weight * c);
    }

    /// They over e^{-βE}/Z, if they were measured. Errors are not known of one batch.
    pub fn correlations(&self) -> Vec<Estimate> {
        jackknife(self.correlations.len(), |block| {
            let kept = self.correlations.iter().enumerate().filter(|(k, _)| Some(*k) != block).map(|(_, sums)| sums);
            let count = self.correlations.first().map_or(0, |(_, sums)| sums.len());
            let (total, sums) =
                kept.fold((0.0, vec![0.0; count]), |(total, sums), (w, c)| (total + w, sums.iter().zip(c).map(|(a, b)| a + b).collect()));
            sums.into_iter().map(|sum| sum / total).collect()
        })
    }

    /// Sums over all batches, if there is one.
    pub fn sums(&self) -> Option<(Averages, Weighted)> {
        self.without(None)
    }

    fn without(&self, block: Option<usize>) -> Option<(Averages, Weighted)> {
        let mut kept = self.blocks.iter().enumerate().filter(|(k, _)| Some(*k) != block).map(|(_, sums)| sums);
        let first = kept.next()?.clone();
        Some(kept.fold(first, |(mut a, mut w), (averages, weighted)| {
            a.merge(averages);
            w.merge(weighted);
            (a, w)
        }))
    }

    /// C = β² Var(E)/n, ⟨|m|⟩, χ = β n (⟨m²⟩ - ⟨|m|⟩²) and Binder's g = (3 - ⟨m⁴⟩/⟨m²⟩²)/2 over e^{-βE}/Z, from importance
    /// weights; m = M/n. Errors are not known of one batch.
    pub fn observables(&self, sites: usize, beta: f64) -> Vec<(&'static str, Estimate)> {
        let n = sites as f64;
        let values = |block| {
            let Some((_, w)) = self.without(block) else { return vec![f64::NAN; 4] };
            let [modulus, square, fourth] = [Quantity::Modulus, Quantity::Square, Quantity::Fourth].map(|q| w.mean(q).value);
            let chi = beta * n * (square - modulus * modulus);
            vec![w.heat_capacity(beta) / n, modulus, chi, 0.5 * (3.0 - fourth / (square * square))]
        };
        ["C", "abs_m", "chi", "binder"].into_iter().zip(jackknife(self.blocks.len(), values)).collect()
    }

    /// ⟨E⟩ and ⟨m²⟩ over e^{-βE}/Z from chains, if there are any.
    pub fn chains(&self) -> Option<(&Chains, [Estimate; 2])> {
        let means = [chains::Quantity::Energy, chains::Quantity::Square].map(|q| self.chains.mean(q));
        (self.batches > 0).then_some((&self.chains, means))
    }
}
