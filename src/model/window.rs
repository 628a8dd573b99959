//! Masked convolutions of a square lattice: which sites a site sees, and how their weights are stored.

/// A convolution of a square lattice whose kernel sees what comes before its site in row-major order, and the site itself
/// where it is inclusive; beyond the edges are zeros.
///
/// Of the (2 h + 1) x (2 h + 1) taps of the kernel the live ones are the first in row-major order: the rows above, then the
/// own row up to the site. Only these are stored. Units are site-major, (i, c) at i channels + c; a site has 1 channel or a
/// multiple of 4. h = 0 mixes the channels of a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Side L of the lattice of L x L sites.
    pub side: usize,
    /// Half the kernel h.
    pub half: usize,
    /// Channels of a site that enter.
    pub inputs: usize,
    /// Channels of a site that leave.
    pub outputs: usize,
    /// A site sees itself.
    pub inclusive: bool,
}

impl Window {
    /// Sites of the lattice.
    pub fn sites(&self) -> usize {
        self.side * self.side
    }

    /// Units that leave.
    pub fn rows(&self) -> usize {
        self.sites() * self.outputs
    }

    /// Units that enter.
    pub fn columns(&self) -> usize {
        self.sites() * self.inputs
    }

    /// Live taps.
    pub fn taps(&self) -> usize {
        2 * self.half * (self.half + 1) + self.inclusive as usize
    }

    /// Taps of the kernel without its mask.
    pub fn area(&self) -> usize {
        (2 * self.half + 1).pow(2)
    }

    /// Words of the weights.
    pub fn words(&self) -> usize {
        self.taps() * self.inputs * self.outputs
    }

    /// The word of the weight from channel `input` of the site at `tap` to channel `output`.
    pub fn word(&self, tap: usize, input: usize, output: usize) -> usize {
        (tap * self.inputs + input) * self.outputs + output
    }

    /// Pairs of a site and a tap that lie on the lattice, for sites before `end`.
    pub fn pairs(&self, end: usize) -> usize {
        let span = 2 * self.half + 1;
        let on = |at: usize, tap: usize| (self.half..self.half + self.side).contains(&(at + tap));
        let seen = |site: usize| (0..self.taps()).filter(|t| on(site / self.side, t / span) && on(site % self.side, t % span)).count();
        (0..end).map(seen).sum()
    }

    /// It has taps, sites and channels, 1 or a multiple of 4 of these.
    pub fn valid(&self) -> bool {
        let channels = |c: usize| c == 1 || (c > 0 && c.is_multiple_of(4));
        self.taps() > 0 && (1..=MOST_SIDE).contains(&self.side) && channels(self.inputs) && channels(self.outputs)
    }
}

/// Largest side: an invocation of the gradient visits all sites of a sample.
pub const MOST_SIDE: usize = 200;
