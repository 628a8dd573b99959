//! `mean_field`: the naive mean field of spins from many starts at once, quenched to annealed.
//!
//! Each start ends at a product of independent spins, a bound of F whatever became of it: [`crate::system::spins::MeanField`]
//! settles the lowest in float64.

use crate::error::{Error, Result};
use crate::gpu::{Buffer, Gpu, Kernel, MAX_TRIPS, Profile, Recording, grid};
use crate::system::spins::Couplings;

use super::ENTRY;
use super::fields::Fields;
use super::philox::{Address, Stream};

/// `shaders/mean_field.wgsl`.
pub static KERNEL: Kernel = Kernel {
    name: "mean_field",
    source: include_str!("../../shaders/mean_field.wgsl"),
    shared: &["grid", "special", "philox"],
    params_bytes: size_of::<Params>(),
    variants: &[
        &[("WG", 8), ("SPLIT", 1), ("TILE", 1)],
        &[("WG", 8), ("SPLIT", 1), ("TILE", 4)],
        &[("WG", 8), ("SPLIT", 8), ("TILE", 4)],
        &[("WG", 32), ("SPLIT", 1), ("TILE", 1)],
        &[("WG", 64), ("SPLIT", 64), ("TILE", 1)],
    ],
};

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    at: Address,
    starts: u32,
    sites: u32,
    first: u32,
    end: u32,
    sweeps: u32,
    rising: u32,
    beta: f32,
}

/// Sites whose parts of βF are summed on the device.
const BLOCK: usize = 64;
/// Neighbours of a spin from which lanes share them.
const SHARED: usize = 64;
/// Starts from which an invocation has several, on CPU drivers: loads of couplings are what costs there.
const MANY: usize = 32;

/// Of a workgroup.
#[derive(Clone, Copy, Debug)]
struct Shape {
    lanes: usize,
    /// Of these for each start.
    split: usize,
    /// Starts of a lane.
    tile: usize,
}

impl Shape {
    /// For so many starts and so many neighbours of a spin in the mean.
    fn new(starts: usize, neighbours: usize, profile: Profile) -> Shape {
        let [lanes, split, tile] = match (profile, neighbours >= SHARED) {
            (Profile::Gpu, true) => [64, 64, 1],
            (Profile::Gpu, false) => [32, 1, 1],
            (Profile::Simd, true) => [8, 8, 4],
            (Profile::Simd, false) => [8, 1, if starts < MANY { 1 } else { 4 }],
        };
        Shape { lanes, split, tile }
    }

    /// Starts of a workgroup.
    fn row(self) -> usize {
        self.lanes / self.split * self.tile
    }
}

/// Starts of one system at one temperature.
pub struct Starts {
    sites: usize,
    starts: usize,
    shape: Shape,
    sweeps: usize,
    /// Times the unit of the couplings on the device.
    beta: f64,
    neighbours: Fields,
    /// m, f32 `[group][site][start of the group]`.
    pub magnetisations: Buffer,
    /// Parts of βF without the offset, f32 `[sites/64][start]`.
    pub energies: Buffer,
    /// Most trips of a launch.
    pub launch: usize,
}

impl Starts {
    /// At least `starts` of them, in whole workgroups, with `sweeps` (at least 1), in the first three quarters of which β rises.
    ///
    /// # Errors
    /// [`Error::User`] for a β that is negative or not finite, for a site with more neighbours than one launch walks through,
    /// and for more updates than are counted.
    pub fn new(model: &Couplings, beta: f64, starts: usize, sweeps: usize, profile: Profile) -> Result<Starts> {
        let (n, near) = (model.n(), model.neighbours());
        let degree = near.starts.windows(2).map(|w| (w[1] - w[0]) as u64).max().unwrap_or(0);
        let updates = n as u64 * (sweeps as u64 + 2);
        if !(beta >= 0.0 && beta.is_finite()) || degree >= MAX_TRIPS || updates > u32::MAX as u64 || sweeps == 0 {
            return Err(Error::User(format!(
                "mean field: beta = {beta} (finite, ≥ 0), {sweeps} sweeps of {n} spins (1 to 2^32 updates), up to {degree} neighbours (fewer than {MAX_TRIPS})"
            )));
        }
        // fields of at most 1, so that β times them has no other limits than β
        let field = |i: usize| model.fields()[i];
        let size = |i: usize| field(i).abs() + near.of(i).map(|(_, c)| c.abs()).sum::<f64>();
        let unit = Some((0..n).map(size).fold(0.0, f64::max)).filter(|u| *u > 0.0).unwrap_or(1.0);
        let entries: Vec<Vec<(usize, f64)>> = (0..n).map(|i| near.of(i).map(|(j, c)| (j, c / unit)).collect()).collect();
        let shape = Shape::new(starts, near.sites.len() / n, profile);
        let starts = Starts::whole(model, starts, profile);
        Ok(Starts {
            sites: n,
            starts,
            shape,
            sweeps,
            beta: (beta * unit).min(1e30),
            neighbours: Fields::of(&entries, |i| field(i) / unit),
            magnetisations: Buffer::result("magnetisations", n * starts),
            energies: Buffer::result("parts of beta F", n.div_ceil(BLOCK) * starts),
            // the rest of four draws
            launch: MAX_TRIPS as usize - 3,
        })
    }

    /// What so many are rounded up to: whole workgroups.
    pub fn whole(model: &Couplings, starts: usize, profile: Profile) -> usize {
        let neighbours = 2 * model.bonds().len() / model.n();
        starts.max(1).next_multiple_of(Shape::new(starts, neighbours, profile).row())
    }

    /// Words of the largest array.
    pub fn words(&self) -> usize {
        self.magnetisations.words().max(self.neighbours.table.words())
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.starts
    }

    /// Trips of update `u`; the first of a launch draws.
    fn trips(&self, u: usize, first: usize) -> usize {
        let Shape { split, tile, .. } = self.shape;
        if u < self.sites {
            return 1 + if u.is_multiple_of(4) || u == first { 10 * tile } else { 0 };
        }
        1 + ENTRY + self.neighbours.entries(u % self.sites).div_ceil(split) + if split > 1 { ENTRY + split } else { 0 }
    }

    /// Records all of it; numbers of start k are those of the k-th walker of the stream.
    pub fn record(&self, rec: &mut Recording, at: Stream) {
        let (n, Shape { lanes, split, tile }) = (self.sites, self.shape);
        let (all, mut first) = (n * (self.sweeps + 2), 0);
        while first < all {
            let (mut end, mut trips, mut entries) = (first, 0, 0);
            // four numbers belong together; what is drawn is there before any is read
            let limit = if first < n { n } else { all };
            while end < limit && (end == first || trips + self.trips(end, first) <= self.launch || (end < n && !end.is_multiple_of(4))) {
                trips += self.trips(end, first);
                entries += if end < n { 0 } else { self.neighbours.entries(end % n) };
                end += 1;
            }
            let p = Params {
                at: at.address(),
                starts: self.starts as u32,
                sites: n as u32,
                first: first as u32,
                end: end as u32,
                sweeps: self.sweeps as u32,
                rising: (3 * self.sweeps / 4).max(1) as u32,
                beta: self.beta as f32,
            };
            let updates = end - first;
            rec.launch("mean field", &KERNEL, &p)
                .constants(&[("WG", lanes as u32), ("SPLIT", split as u32), ("TILE", tile as u32)])
                .read(&self.neighbours.table, self.neighbours.words(n))
                .update(&self.magnetisations, n * self.starts)
                .update(&self.energies, n.div_ceil(BLOCK) * self.starts)
                .trips(trips as u64)
                .flops((self.starts * (2 * entries + 30 * updates)) as f64)
                .moved((self.starts * (4 * entries + 4 * updates) + self.starts / tile * (8 * entries + 12 * updates)) as f64)
                .groups(grid(self.starts / self.shape.row()));
            first = end;
        }
    }

    /// βF of each start without the offset, from [`Starts::energies`].
    pub fn exponents(&self, rows: &[f32]) -> Vec<f64> {
        let mut sums = vec![0.0; self.starts];
        rows.chunks_exact(self.starts).for_each(|row| sums.iter_mut().zip(row).for_each(|(sum, v)| *sum += *v as f64));
        sums
    }

    /// m of a start, from [`Starts::magnetisations`].
    pub fn of(&self, start: usize, m: &[f32]) -> Vec<f64> {
        let row = self.shape.row();
        let (group, place) = (start / row, start % row);
        (0..self.sites).map(|i| m[(group * self.sites + i) * row + place] as f64).collect()
    }

    /// Runs all of it: m of the `count` starts of lowest F, the lowest first.
    ///
    /// # Errors
    /// Those of the device.
    pub fn lowest(&self, gpu: &Gpu, at: Stream, count: usize) -> Result<Vec<Vec<f64>>> {
        let mut rec = Recording::new();
        self.record(&mut rec, at);
        gpu.run(&rec)?;
        let found = self.exponents(&gpu.read(&self.energies)?);
        let m: Vec<f32> = gpu.read(&self.magnetisations)?;
        let mut order: Vec<usize> = (0..self.starts).collect();
        order.sort_by(|a, b| found[*a].total_cmp(&found[*b]));
        Ok(order.into_iter().take(count).map(|start| self.of(start, &m)).collect())
    }
}
