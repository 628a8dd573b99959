//! `couplings` and `neighbours`: energies E = -Σ_{i<j} J_ij s_i s_j - Σ_i h_i s_i of spins s = ±1, and M = Σ_i s_i.
//!
//! Dense couplings (Sherrington–Kirkpatrick, Hopfield, a user's matrix) and lists of bonds; lattices need no table: see
//! [`super::stencil`]. Energies in units of J.

use crate::error::{Error, Result};
use crate::gpu::{Buffer, Kernel, MAX_TRIPS, Recording, grid};

use super::bernoulli::{self, Rows, Spins};
use super::{Chunk, WG, linear, pad4};

/// `shaders/couplings.wgsl`.
pub static DENSE: Kernel = Kernel {
    name: "couplings",
    source: include_str!("../../shaders/couplings.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", 64)]],
};

/// `shaders/neighbours.wgsl`.
pub static SPARSE: Kernel = Kernel {
    name: "neighbours",
    source: include_str!("../../shaders/neighbours.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", 64)]],
};

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    count: u32,
    size: u32,
    first: u32,
    last: u32,
}

/// What is computed of each sample, f32 `[sample]` of the whole batch.
#[derive(Clone, Copy)]
pub struct Observables<'b> {
    /// E.
    pub energy: &'b Buffer,
    /// M = Σ s.
    pub magnetisation: &'b Buffer,
}

/// Couplings between all pairs.
pub struct Dense {
    sites: usize,
    batch: usize,
    /// f32: J in pad4(n) rows of pad4(n), then h: what a caller who learns the couplings writes.
    pub table: Buffer,
    rows: Buffer,
    fields: Buffer,
}

/// A list of bonds.
pub struct Sparse {
    sites: usize,
    bonds: usize,
    starts: Buffer,
    table: Buffer,
    fields: Buffer,
}

/// One field a site, all of them finite; none: all 0.
fn fields_of(sites: usize, fields: &[f64]) -> Result<Vec<f32>> {
    if !(fields.is_empty() || fields.len() == sites) {
        return Err(Error::User(format!("couplings: {} fields for {sites} spins", fields.len())));
    }
    if let Some(i) = fields.iter().position(|h| !h.is_finite()) {
        return Err(Error::User(format!("couplings: the field of spin {i} is {}", fields[i])));
    }
    Ok(if fields.is_empty() { vec![0.0; sites] } else { fields.iter().map(|&h| h as f32).collect() })
}

/// The words of [`Dense::table`] from J (n x n, row-major) and h (n, or none).
///
/// # Errors
/// [`Error::User`] unless J is square, finite and symmetric with zeros on its diagonal, and h is finite.
pub fn table(sites: usize, couplings: &[f64], fields: &[f64]) -> Result<Vec<f32>> {
    if sites == 0 || couplings.len() != sites * sites {
        return Err(Error::User(format!("couplings: {} numbers are no {sites} x {sites} matrix", couplings.len())));
    }
    let ld = pad4(sites);
    let mut words = vec![0.0; ld * ld + ld];
    for i in 0..sites {
        for j in 0..sites {
            let (v, other) = (couplings[i * sites + j], couplings[j * sites + i]);
            if !v.is_finite() || v != other || (i == j && v != 0.0) {
                return Err(Error::User(format!(
                    "couplings: J[{i}][{j}] = {v}, J[{j}][{i}] = {other}; J must be finite and symmetric, its diagonal 0"
                )));
            }
            words[i * ld + j] = v as f32;
        }
    }
    words[ld * ld..ld * ld + sites].copy_from_slice(&fields_of(sites, fields)?);
    Ok(words)
}

impl Dense {
    /// Couplings as [`table`] takes them, for chunks of at most `batch` samples.
    ///
    /// # Errors
    /// Those of [`table`].
    pub fn new(sites: usize, couplings: &[f64], fields: &[f64], batch: usize) -> Result<Dense> {
        let (words, ld) = (table(sites, couplings, fields)?, pad4(sites));
        Ok(Dense {
            sites,
            batch,
            table: Buffer::filled("couplings", words.len(), move || words),
            rows: Buffer::new("spin rows of energies", batch * ld),
            fields: Buffer::new("local fields", batch * ld),
        })
    }

    /// Records E and M of `chunk`'s samples of `spins` (f32 ±1 `[sample][n]`).
    pub fn record(&self, rec: &mut Recording, chunk: Chunk, spins: &Buffer, out: Observables) {
        let (ld, count) = (pad4(self.sites), chunk.count.min(self.batch));
        let of = Spins { buffer: spins, sites: self.sites, first: chunk.first, count, sign: 1.0, rows: Rows::Sample };
        bernoulli::record_rows(rec, of, &self.rows);
        // J is symmetric: rows of spins times J are the rows of J s
        let product = linear::Params::new(count, ld / 4, ld / 4, 0).bias(ld * ld / 4, 1);
        linear::record(rec, "local fields", product, &self.rows, &self.table, &self.fields);
        let p = Params { count: count as u32, size: ld as u32 / 4, first: chunk.first as u32, last: 0 };
        rec.launch("energies", &DENSE, &p)
            .constants(&[("WG", WG)])
            .read(&self.rows, count * ld)
            .read(&self.fields, count * ld)
            .read(&self.table, ld * ld..ld * ld + ld)
            .write(out.energy, chunk.first..chunk.first + count)
            .write(out.magnetisation, chunk.first..chunk.first + count)
            .trips(ld as u64 / 4)
            .flops(4.0 * (count * ld) as f64)
            .groups(grid(count.div_ceil(WG as usize)));
    }
}

impl Sparse {
    /// Bonds (i, j, J_ij), each once and in any order; fields h (n, or none).
    ///
    /// # Errors
    /// [`Error::User`] for a bond of a site with itself or to none of the n, for numbers that are not finite, and for more
    /// sites and bonds than one launch walks through.
    pub fn new(sites: usize, bonds: &[(usize, usize, f64)], fields: &[f64]) -> Result<Sparse> {
        if let Some(b) = bonds.iter().find(|(i, j, v)| i == j || i.max(j) >= &sites || !v.is_finite()) {
            return Err(Error::User(format!("couplings: bond {b:?} of {sites} spins; it joins two of them with a finite J")));
        }
        if sites == 0 || (sites + bonds.len()) as u64 > MAX_TRIPS {
            let (count, most) = (bonds.len(), MAX_TRIPS);
            return Err(Error::User(format!("couplings: {sites} spins and {count} bonds; 1 spin to {most} of both together")));
        }
        let fields = fields_of(sites, fields)?;
        let mut sorted = bonds.to_vec();
        sorted.sort_by_key(|b| b.0);
        let starts: Vec<u32> = (0..=sites).map(|i| sorted.partition_point(|b| b.0 < i) as u32).collect();
        let table: Vec<u32> = sorted.iter().flat_map(|b| [b.1 as u32, (b.2 as f32).to_bits()]).collect();
        Ok(Sparse {
            sites,
            bonds: bonds.len(),
            starts: Buffer::filled("starts of bonds", sites + 1, move || starts),
            table: Buffer::filled("bonds", table.len(), move || table),
            fields: Buffer::filled("fields", sites, move || fields),
        })
    }

    /// Records E and M of `chunk`'s samples of `spins` (f32 ±1 `[sample][n]`).
    pub fn record(&self, rec: &mut Recording, chunk: Chunk, spins: &Buffer, out: Observables) {
        let (n, bonds, Chunk { first, count }) = (self.sites, self.bonds, chunk);
        let p = Params { count: count as u32, size: n as u32, first: first as u32, last: bonds as u32 };
        rec.launch("energies", &SPARSE, &p)
            .constants(&[("WG", WG)])
            .read(spins, n * first..n * (first + count))
            .read(&self.starts, n + 1)
            .read(&self.table, 2 * bonds)
            .read(&self.fields, n)
            .write(out.energy, first..first + count)
            .write(out.magnetisation, first..first + count)
            .trips((n + bonds) as u64)
            .flops(2.0 * (count * (2 * n + bonds)) as f64)
            .moved(4.0 * (count * (4 * n + 3 * bonds)) as f64)
            .groups(grid(count.div_ceil(WG as usize)));
    }
}
