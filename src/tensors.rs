//! Safetensors files as names, shapes and numbers.

use std::collections::BTreeMap;
use std::path::Path;

use half::{bf16, f16};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::error::{Error, Result};

/// One tensor of a file, widened to f64.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Rows first.
    pub shape: Vec<usize>,
    /// As stored.
    pub dtype: Dtype,
    /// In row order.
    pub data: Vec<f64>,
}

/// Values of a tensor as f64; integers included, for reference cases.
fn widen(view: &TensorView<'_>) -> Option<Vec<f64>> {
    fn numbers<const N: usize>(bytes: &[u8], read: fn([u8; N]) -> f64) -> Vec<f64> {
        bytes.as_chunks::<N>().0.iter().map(|b| read(*b)).collect()
    }
    let bytes = view.data();
    Some(match view.dtype() {
        Dtype::F64 => numbers(bytes, f64::from_le_bytes),
        Dtype::F32 => numbers(bytes, |b: [u8; 4]| f32::from_le_bytes(b) as f64),
        Dtype::F16 => numbers(bytes, |b: [u8; 2]| f16::from_le_bytes(b).to_f64()),
        Dtype::BF16 => numbers(bytes, |b: [u8; 2]| bf16::from_le_bytes(b).to_f64()),
        Dtype::I32 => numbers(bytes, |b: [u8; 4]| i32::from_le_bytes(b) as f64),
        Dtype::I64 => numbers(bytes, |b: [u8; 8]| i64::from_le_bytes(b) as f64),
        _ => return None,
    })
}

/// Bytes of a file.
pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    let shown = path.display();
    std::fs::read(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Error::User(format!("{shown}: no such file")),
        _ => Error::Io(format!("{shown}: cannot be read: {e}")),
    })
}

/// The file at `path` that holds `bytes`.
pub(crate) fn parse<'b>(path: &Path, bytes: &'b [u8]) -> Result<SafeTensors<'b>> {
    SafeTensors::deserialize(bytes)
        .map_err(|e| Error::User(format!("{} is not a safetensors file, or is damaged ({e}); {} bytes", path.display(), bytes.len())))
}

/// Every tensor, integers included.
pub(crate) fn widen_all(path: &Path, file: &SafeTensors<'_>) -> Result<BTreeMap<String, Tensor>> {
    let mut tensors = BTreeMap::new();
    for (name, view) in file.tensors() {
        let data = widen(&view)
            .ok_or_else(|| Error::User(format!("{}: {name} has type {:?}; F32 or F64 is needed", path.display(), view.dtype())))?;
        tensors.insert(name, Tensor { shape: view.shape().to_vec(), dtype: view.dtype(), data });
    }
    Ok(tensors)
}

/// Reads every tensor of a safetensors file, integers included.
pub(crate) fn read_tensors(path: &Path) -> Result<BTreeMap<String, Tensor>> {
    let bytes = read_bytes(path)?;
    widen_all(path, &parse(path, &bytes)?)
}
