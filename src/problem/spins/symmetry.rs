//! q(s) as the mean of a network's q0 over images of s that have its energy: sites permuted, all spins flipped, or both.

use crate::error::{Error, Result};
use crate::gpu::{Buffer, Recording};
use crate::kernels::Chunk;
use crate::kernels::bernoulli::Factors;
use crate::kernels::images::{self, Logarithms};
use crate::network::Autoregressive;

/// Images of all samples of a batch, one after the other; the first is the sample itself.
pub struct Images {
    sites: usize,
    batch: usize,
    permutations: Vec<Vec<usize>>,
    /// Row of the table, and sign.
    all: Vec<(usize, f32)>,
    /// Permutations, u32 `[permutation][site]`.
    table: Buffer,
    /// One image, f32 ±1 `[sample][site]`.
    spins: Buffer,
    /// Of one image, and of all of them, f32 `[image][sample]`: ln q0, and factors of its gradient.
    log: Buffer,
    logs: Buffer,
    share: Buffer,
    shares: Buffer,
}

/// Refuses what is no group: then q would not have the symmetry.
fn check(sites: usize, permutations: &[Vec<usize>]) -> Result<()> {
    let refuse = |what: &str| Err(Error::User(format!("images: {} permutations of {sites} sites {what}", permutations.len())));
    let same: Vec<usize> = (0..sites).collect();
    let whole = |p: &Vec<usize>| {
        let mut sorted = p.clone();
        sorted.sort_unstable();
        sorted == same
    };
    if !permutations.iter().all(whole) {
        return refuse("do not name each site once");
    }
    if permutations.first() != Some(&same) {
        return refuse("do not begin with the one that leaves all sites alone");
    }
    for p in permutations {
        for q in permutations {
            let both: Vec<usize> = q.iter().map(|&i| p[i]).collect();
            if !permutations.contains(&both) {
                return refuse("are no group: two of them make one that is missing");
            }
        }
    }
    let once = permutations.iter().enumerate().all(|(k, p)| !permutations[..k].contains(p));
    if once { Ok(()) } else { refuse("hold one twice") }
}

impl Images {
    /// Images under a group of permutations of the sites, the first of which leaves all alone (spin i of an image is spin p\[i\]
    /// of the sample), with the mirror images of all of them where `mirrored`.
    ///
    /// # Errors
    /// [`Error::User`] for permutations that are none, or no group.
    pub fn new(sites: usize, batch: usize, permutations: &[Vec<usize>], mirrored: bool) -> Result<Images> {
        check(sites, permutations)?;
        let signs: &[f32] = if mirrored { &[1.0, -1.0] } else { &[1.0] };
        let all: Vec<(usize, f32)> = signs.iter().flat_map(|sign| (0..permutations.len()).map(|p| (p, *sign))).collect();
        let table: Vec<u32> = permutations.iter().flatten().map(|&site| site as u32).collect();
        let result = |name: &str, words: usize| Buffer::result(name, words);
        Ok(Images {
            sites,
            batch,
            table: Buffer::filled("images of sites", table.len(), move || table),
            spins: result("image", batch * sites),
            log: result("ln q0 of an image", batch),
            logs: result("ln q0 of images", all.len() * batch),
            share: result("factors of an image", batch),
            shares: result("factors of images", all.len() * batch),
            permutations: permutations.to_vec(),
            all,
        })
    }

    /// Means of s_i s_j over all images, n x n, from those over the samples as they are: products tell images apart.
    pub fn mean(&self, products: &[f64]) -> Vec<f64> {
        let n = self.sites;
        let of = |i: usize, j: usize| self.permutations.iter().map(|p| products[p[i] * n + p[j]]).sum::<f64>();
        (0..n * n).map(|at| of(at / n, at % n) / self.permutations.len() as f64).collect()
    }

    /// Samples of q from those of q0, \[sample\]\[site\], each in one of its images in turn: pairs of samples, which differ in
    /// their mirror images, in the same one.
    pub fn spread(&self, spins: &[f32]) -> Vec<f32> {
        let image = |w: usize| &self.permutations[w / 2 % self.permutations.len()];
        spins.chunks(self.sites).enumerate().flat_map(|(w, s)| image(w).iter().map(|&from| s[from])).collect()
    }

    fn logs(&self) -> Logarithms<'_> {
        Logarithms { buffer: &self.logs, images: self.all.len(), count: self.batch }
    }

    /// Image `m` of the spins, before its sign.
    fn record_image<'b>(&'b self, rec: &mut Recording, m: usize, spins: &'b Buffer) -> (&'b Buffer, f32) {
        match self.all[m] {
            (0, sign) => (spins, sign),
            (row, sign) => {
                images::record_image(rec, row, self.batch, self.sites, spins, &self.table, &self.spins);
                (&self.spins, sign)
            }
        }
    }

    /// Records ln q of all samples from their own ln q0, with a pass through the network for each other image.
    pub fn record_log_q(
        &self,
        rec: &mut Recording,
        network: &Autoregressive,
        chunks: &[Chunk],
        spins: &Buffer,
        own: &Buffer,
        log_q: &Buffer,
    ) {
        rec.copy(own, &self.logs, self.batch);
        for m in 1..self.all.len() {
            let (image, sign) = self.record_image(rec, m, spins);
            for chunk in chunks {
                network.record_log_q(rec, *chunk, sign, image, &self.log);
            }
            rec.copy_range(&self.log, 0, &self.logs, m * self.batch, self.batch);
        }
        images::record_join(rec, self.logs(), log_q);
    }

    /// Records the sum over samples of factors\[sample\] d ln q / d theta into `gradient`.
    pub fn record_gradient(
        &self,
        rec: &mut Recording,
        network: &Autoregressive,
        chunks: &[Chunk],
        spins: &Buffer,
        factors: Factors,
        gradient: &Buffer,
    ) {
        images::record_split(rec, self.logs(), factors, &self.shares);
        for m in 0..self.all.len() {
            let (image, sign) = self.record_image(rec, m, spins);
            rec.copy_range(&self.shares, m * self.batch, &self.share, 0, self.batch);
            for chunk in chunks {
                network.record_gradient(rec, *chunk, sign, image, &self.share, gradient, m > 0 || chunk.first > 0);
            }
        }
    }

    /// Records the scores d ln q / d theta of all samples, a row each; `ones`: a factor 1 for all of them.
    pub fn record_scores(
        &self,
        rec: &mut Recording,
        network: &Autoregressive,
        chunks: &[Chunk],
        spins: &Buffer,
        ones: Factors,
        scores: &Buffer,
    ) {
        images::record_split(rec, self.logs(), ones, &self.shares);
        for m in 0..self.all.len() {
            let (image, sign) = self.record_image(rec, m, spins);
            rec.copy_range(&self.shares, m * self.batch, &self.share, 0, self.batch);
            for chunk in chunks {
                network.record_weighted_scores(rec, *chunk, sign, image, &self.share, scores, chunk.first, m > 0);
            }
        }
    }
}
