//! Arrays of numpy (NEP 1: `\x93NUMPY`, version, length of the header, a Python dictionary, numbers).

use crate::error::{Error, Result};

/// What stands behind `'key':` in the header.
fn field<'h>(header: &'h str, key: &str) -> Option<&'h str> {
    Some(header.split_once(&format!("'{key}'"))?.1.split_once(':')?.1.trim_start())
}

/// Shape and numbers in row order (of a symmetric matrix the order of columns is the same).
pub(super) fn matrix(bytes: &[u8]) -> Result<(Vec<usize>, Vec<f64>)> {
    let wrong = |text: String| Error::User(format!("{text}; write it with numpy.save(path, J.astype('<f8'))"));
    let damaged = || wrong(format!("it is not a whole .npy file ({} bytes)", bytes.len()));
    let rest = bytes.strip_prefix(b"\x93NUMPY").ok_or_else(damaged)?;
    let (size, at) = match rest {
        [1, _, a, b, ..] => (u16::from_le_bytes([*a, *b]) as usize, 4),
        [2 | 3, _, a, b, c, d, ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, 6),
        _ => return Err(damaged()),
    };
    let header = rest.get(at..).and_then(|r| r.get(..size)).ok_or_else(damaged)?;
    let data = &rest[at + size..];
    let header = std::str::from_utf8(header).map_err(|_| damaged())?;
    let kind = field(header, "descr").and_then(|t| t.strip_prefix('\'')?.split('\'').next()).ok_or_else(damaged)?;
    let shape = field(header, "shape").and_then(|t| t.strip_prefix('(')?.split(')').next()).ok_or_else(damaged)?;
    let shape = shape.split(',').map(str::trim).filter(|t| !t.is_empty());
    let shape: Vec<usize> = shape.map(|t| t.parse().map_err(|_| damaged())).collect::<Result<_>>()?;
    fn numbers<const N: usize>(bytes: &[u8], read: fn([u8; N]) -> f64) -> (usize, Vec<f64>) {
        (N, bytes.as_chunks::<N>().0.iter().map(|b| read(*b)).collect())
    }
    let (width, values) = match kind {
        "<f8" => numbers(data, f64::from_le_bytes),
        "<f4" => numbers(data, |b: [u8; 4]| f32::from_le_bytes(b) as f64),
        "<i8" => numbers(data, |b: [u8; 8]| i64::from_le_bytes(b) as f64),
        "<i4" => numbers(data, |b: [u8; 4]| i32::from_le_bytes(b) as f64),
        "|i1" => numbers(data, |b: [u8; 1]| b[0] as i8 as f64),
        _ => return Err(wrong(format!("its numbers have type {kind:?}, <f8 or <f4 is needed"))),
    };
    let count = shape.iter().try_fold(1usize, |a, b| a.checked_mul(*b)).and_then(|c| c.checked_mul(width));
    if count != Some(data.len()) {
        return Err(wrong(format!("its shape is {shape:?} of {width} bytes each, but {} bytes of numbers follow", data.len())));
    }
    Ok((shape, values))
}
