//! `structure_factor`, `pair_histogram`, `occupation_shells`, `bin_sums`: what walkers look like, a row of numbers each, and the sums
//! over them.

use crate::gpu::{Buffer, Kernel, Recording, grid};

use super::{Chunk, WG};

const VARIANTS: &[&[(&str, u32)]] = &[&[("WG", WG)]];

/// `shaders/structure_factor.wgsl`.
pub static STRUCTURE_FACTOR: Kernel = Kernel {
    name: "structure_factor",
    source: include_str!("../../shaders/structure_factor.wgsl"),
    shared: &["grid", "special"],
    params_bytes: size_of::<Factors>(),
    variants: VARIANTS,
};

/// `shaders/pair_histogram.wgsl`.
pub static PAIR_HISTOGRAM: Kernel = Kernel {
    name: "pair_histogram",
    source: include_str!("../../shaders/pair_histogram.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<Pairs>(),
    variants: VARIANTS,
};

/// `shaders/occupation_shells.wgsl`.
pub static OCCUPATION_SHELLS: Kernel = Kernel {
    name: "occupation_shells",
    source: include_str!("../../shaders/occupation_shells.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<Occupied>(),
    variants: VARIANTS,
};

/// `shaders/bin_sums.wgsl`.
pub static BIN_SUMS: Kernel = Kernel {
    name: "bin_sums",
    source: include_str!("../../shaders/bin_sums.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<Sums>(),
    variants: VARIANTS,
};

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Factors {
    walkers: u32,
    n: u32,
    dim: u32,
    shells: u32,
    vectors: u32,
    inverse_length: f32,
    pad: [u32; 2],
}

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Pairs {
    walkers: u32,
    n: u32,
    dim: u32,
    bins: u32,
    inverse_length: f32,
    pad: [u32; 3],
}

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Occupied {
    walkers: u32,
    n: u32,
    orbitals: u32,
    shells: u32,
}

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Sums {
    walkers: u32,
    columns: u32,
    span: u32,
    first: u32,
    row: u32,
    pad: [u32; 3],
}

/// Walkers that one workgroup of `bin_sums` adds.
pub const SPAN: usize = 256;
/// Most bins of `pair_histogram`.
pub const MOST_BINS: usize = 64;

/// Positions f32 \[walker\]\[n\]\[dim\] of some walkers in a box of side `length`, in its units.
#[derive(Clone, Copy)]
pub struct Positions<'b> {
    /// Any image.
    pub x: &'b Buffer,
    /// How many.
    pub walkers: usize,
    /// Electrons of a walker.
    pub n: usize,
    /// 2 or 3.
    pub dim: usize,
    /// L.
    pub length: f64,
}

/// Vectors of the reciprocal lattice, m times 2π/L, shell after shell of |m|².
#[derive(Clone, Debug)]
pub struct Shells {
    /// |m|² of each shell.
    pub squares: Vec<u32>,
    /// One of each pair m, -m; where a shell begins, and the end.
    pub vectors: Vec<[i32; 3]>,
    /// As many and one as shells.
    pub starts: Vec<u32>,
}

impl Shells {
    /// All with 0 < |m|² <= `most`.
    pub fn new(dim: usize, most: u32) -> Shells {
        let side = f64::from(most).sqrt() as i32;
        let z = if dim == 3 { side } else { 0 };
        let mut all: Vec<(u32, [i32; 3])> = Vec::new();
        for a in -side..=side {
            for b in -side..=side {
                for c in -z..=z {
                    let (m, square) = ([a, b, c], (a * a + b * b + c * c) as u32);
                    // the first component that is not 0 is positive
                    if square > 0 && square <= most && m > [0; 3] {
                        all.push((square, m));
                    }
                }
            }
        }
        all.sort();
        let mut shells = Shells { squares: Vec::new(), vectors: Vec::new(), starts: Vec::new() };
        for (square, m) in all {
            if shells.squares.last() != Some(&square) {
                shells.squares.push(square);
                shells.starts.push(shells.vectors.len() as u32);
            }
            shells.vectors.push(m);
        }
        shells.starts.push(shells.vectors.len() as u32);
        shells
    }

    /// How many.
    #[allow(clippy::len_without_is_empty)] // never empty
    pub fn len(&self) -> usize {
        self.squares.len()
    }

    /// Vectors as `structure_factor` reads them.
    pub fn table(&self) -> Vec<f32> {
        self.vectors.iter().flat_map(|m| [m[0] as f32, m[1] as f32, m[2] as f32, 0.0]).collect()
    }

    /// Vectors of the largest shell.
    fn largest(&self) -> u64 {
        self.starts.windows(2).map(|w| u64::from(w[1] - w[0])).max().unwrap_or(0)
    }
}

/// Records S of each walker and shell into `out`, f32 \[walker\]\[shells\]; `table` and `starts` hold those of `shells`.
pub fn structure_factor(rec: &mut Recording, at: Positions, shells: &Shells, table: &Buffer, starts: &Buffer, out: &Buffer) {
    let Positions { x, walkers, n, dim, length } = at;
    let params = Factors {
        walkers: walkers as u32,
        n: n as u32,
        dim: dim as u32,
        shells: shells.len() as u32,
        vectors: shells.vectors.len() as u32,
        inverse_length: (1.0 / length) as f32,
        pad: [0; 2],
    };
    rec.launch("structure factor", &STRUCTURE_FACTOR, &params)
        .constants(&[("WG", WG)])
        .read(x, walkers * n * dim)
        .read(table, 4 * shells.vectors.len())
        .read(starts, shells.len() + 1)
        .write(out, walkers * shells.len())
        .trips(shells.largest() * (n as u64 + 1))
        // about 28 operations a phase
        .flops(28.0 * (walkers * n * shells.vectors.len()) as f64)
        .groups(grid((walkers * shells.len()).div_ceil(WG as usize)));
}

/// Records how many pairs of each walker are in each of `bins` (at most [`MOST_BINS`]) equal parts of 0 to L/2 into `out`,
/// f32 \[walker\]\[bins\].
pub fn pair_histogram(rec: &mut Recording, at: Positions, bins: usize, out: &Buffer) {
    let Positions { x, walkers, n, dim, length } = at;
    let bins = bins.clamp(1, MOST_BINS);
    let inverse_length = (1.0 / length) as f32;
    let params = Pairs { walkers: walkers as u32, n: n as u32, dim: dim as u32, bins: bins as u32, inverse_length, pad: [0; 3] };
    let pairs = (n * n.saturating_sub(1) / 2) as u64;
    rec.launch("pair histogram", &PAIR_HISTOGRAM, &params)
        .constants(&[("WG", WG)])
        .read(x, walkers * n * dim)
        .write(out, walkers * bins)
        .trips(pairs.div_ceil(u64::from(WG)) + 2)
        .flops(20.0 * walkers as f64 * pairs as f64)
        .groups(grid(walkers));
}

/// Records the occupied share of each of `count` shells of orbitals into `out`, f32 \[walker\]\[count\]: `states` u32 \[walker\]\[n\],
/// `shells` u32 \[orbitals\], `share` f32 \[count\].
#[allow(clippy::too_many_arguments)] // sizes and buffers
pub fn occupation_shells(
    rec: &mut Recording,
    (walkers, n): (usize, usize),
    states: &Buffer,
    (orbitals, count): (usize, usize),
    shells: &Buffer,
    share: &Buffer,
    out: &Buffer,
) {
    let params = Occupied { walkers: walkers as u32, n: n as u32, orbitals: orbitals as u32, shells: count as u32 };
    rec.launch("occupation of shells", &OCCUPATION_SHELLS, &params)
        .constants(&[("WG", WG)])
        .read(states, walkers * n)
        .read(shells, orbitals)
        .read(share, count)
        .write(out, walkers * count)
        .trips(n as u64)
        .flops((walkers * count * n) as f64)
        .groups(grid((walkers * count).div_ceil(WG as usize)));
}

/// Rows of partial sums of `walkers`.
pub fn rows(walkers: usize) -> usize {
    walkers.div_ceil(SPAN)
}

/// Records the sums of `columns` of `values` (f32 \[walker\]\[columns\], those of `chunk`) and of their squares over walkers that count
/// by `weights` (vec4 \[batch\]) into rows `row`.. of `partial`, f32 \[row\]\[2\]\[columns\].
pub fn bin_sums(rec: &mut Recording, chunk: Chunk, columns: usize, values: &Buffer, weights: &Buffer, (partial, row): (&Buffer, usize)) {
    let Chunk { first, count } = chunk;
    let params =
        Sums { walkers: count as u32, columns: columns as u32, span: SPAN as u32, first: first as u32, row: row as u32, pad: [0; 3] };
    rec.launch("sums of bins", &BIN_SUMS, &params)
        .constants(&[("WG", WG)])
        .read(values, count * columns)
        .read(weights, 4 * (first + count))
        .write(partial, 2 * columns * row..2 * columns * (row + rows(count)))
        .trips((SPAN * columns.div_ceil(WG as usize)) as u64)
        .flops(3.0 * (count * columns) as f64)
        .groups(grid(rows(count)));
}
