//! Parameter files: safetensors with the published names, checked against a model's table.
//!
//! A file holds `van/…` (occupation network) and `flow/…` (flow) leaves as F32 or F64.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::parameters::Table;
use crate::atomic_file;
use crate::error::{Error, Result};

/// One tensor of a file, widened to f64.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    pub shape: Vec<usize>,
    pub data: Vec<f64>,
}

/// A safetensors file in memory.
#[derive(Clone, Debug)]
pub struct ParameterFile {
    pub path: PathBuf,
    pub tensors: BTreeMap<String, Tensor>,
}

/// One network's parameters to be saved: its table, the prefix of its names and the flat vector.
pub struct Part<'p> {
    pub table: &'p Table,
    /// Put before each name of the table that does not have it (`van/` or `flow/`).
    pub prefix: &'p str,
    pub values: &'p [f32],
}

fn full(prefix: &str, name: &str) -> String {
    if name.starts_with(prefix) { name.to_string() } else { format!("{prefix}{name}") }
}

/// Values of a tensor as f64; integers included, for reference cases.
pub(crate) fn widen(view: &TensorView<'_>) -> Option<Vec<f64>> {
    fn numbers<const N: usize>(bytes: &[u8], read: fn([u8; N]) -> f64) -> Vec<f64> {
        bytes.as_chunks::<N>().0.iter().map(|b| read(*b)).collect()
    }
    let bytes = view.data();
    Some(match view.dtype() {
        Dtype::F64 => numbers(bytes, f64::from_le_bytes),
        Dtype::F32 => numbers(bytes, |b: [u8; 4]| f32::from_le_bytes(b) as f64),
        Dtype::I32 => numbers(bytes, |b: [u8; 4]| i32::from_le_bytes(b) as f64),
        Dtype::I64 => numbers(bytes, |b: [u8; 8]| i64::from_le_bytes(b) as f64),
        _ => return None,
    })
}

/// Reads every tensor of a safetensors file.
pub(crate) fn read_tensors(path: &Path) -> Result<BTreeMap<String, Tensor>> {
    let shown = path.display();
    let bytes = std::fs::read(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Error::User(format!("{shown}: no such file")),
        _ => Error::Io(format!("{shown}: cannot be read: {e}")),
    })?;
    let file = SafeTensors::deserialize(&bytes)
        .map_err(|e| Error::User(format!("{shown} is not a safetensors file, or is damaged ({e}); {} bytes", bytes.len())))?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.tensors() {
        let data = widen(&view).ok_or_else(|| Error::User(format!("{shown}: {name} has type {:?}; F32 or F64 is needed", view.dtype())))?;
        tensors.insert(name, Tensor { shape: view.shape().to_vec(), data });
    }
    Ok(tensors)
}

impl ParameterFile {
    pub fn read(path: &Path) -> Result<ParameterFile> {
        let file = ParameterFile { path: path.into(), tensors: read_tensors(path)? };
        for (name, tensor) in &file.tensors {
            if let Some(i) = tensor.data.iter().position(|v| !(*v as f32).is_finite()) {
                return Err(Error::User(format!("{}: {name}[{i}] = {} is not finite in single precision", path.display(), tensor.data[i])));
            }
        }
        Ok(file)
    }

    /// The flat vector of `table`, whose names get `prefix` where they lack it. The error names
    /// every leaf that is missing, mis-shaped, or of this network but not of the table.
    pub fn vector(&self, table: &Table, prefix: &str) -> Result<Vec<f64>> {
        let mut wrong = Vec::new();
        let mut out = vec![0.0; table.len()];
        let mut known = Vec::new();
        for leaf in &table.leaves {
            let name = full(prefix, &leaf.name);
            match self.tensors.get(&name) {
                None => wrong.push(format!("{name} {:?} is missing", leaf.shape)),
                Some(t) if t.shape != leaf.shape => {
                    wrong.push(format!("{name} has shape {:?}, the settings need {:?}", t.shape, leaf.shape))
                }
                Some(t) => out[leaf.offset..leaf.offset + leaf.size()].copy_from_slice(&t.data),
            }
            known.push(name);
        }
        let group = |name: &str| name.split('/').next().unwrap_or("").to_string();
        let own = known.first().map(|n| group(n));
        for name in self.tensors.keys().filter(|n| Some(group(n)) == own && !known.contains(n)) {
            wrong.push(format!("{name} belongs to no layer of this model (deeper or other network?)"));
        }
        if wrong.is_empty() {
            return Ok(out);
        }
        Err(Error::User(format!(
            "{} does not fit the settings:\n  {}\nset dim, emax, depth and the widths as they were when it was made",
            self.path.display(),
            wrong.join("\n  ")
        )))
    }

    /// Writes parameters as F32 under their published names: aside, synced, renamed.
    pub fn write(path: &Path, parts: &[Part<'_>]) -> Result<()> {
        let mut leaves: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
        for part in parts {
            for leaf in &part.table.leaves {
                let values = part.values.get(leaf.offset..leaf.offset + leaf.size()).ok_or_else(|| {
                    Error::User(format!("{} values for a table of {}: {}", part.values.len(), part.table.len(), leaf.name))
                })?;
                let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
                leaves.push((full(part.prefix, &leaf.name), leaf.shape.clone(), bytes));
            }
        }
        let views: std::result::Result<Vec<_>, _> = leaves
            .iter()
            .map(|(name, shape, bytes)| TensorView::new(Dtype::F32, shape.clone(), bytes).map(|v| (name.as_str(), v)))
            .collect();
        let bytes = views
            .and_then(|v| safetensors::serialize(v, None))
            .map_err(|e| Error::Io(format!("{}: cannot be encoded: {e}", path.display())))?;
        atomic_file::write(path, &bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table::new(vec![("net/linear/w".into(), vec![2, 3]), ("net/linear/b".into(), vec![3])])
    }

    #[test]
    fn parameters_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p ä.safetensors");
        let values: Vec<f32> = (0..9).map(|i| i as f32 / 3.0).collect();
        ParameterFile::write(&path, &[Part { table: &table(), prefix: "flow/", values: &values }]).unwrap();
        let file = ParameterFile::read(&path).unwrap();
        assert_eq!(file.tensors["flow/net/linear/b"].shape, [3]);
        let back: Vec<f32> = file.vector(&table(), "flow/").unwrap().iter().map(|&v| v as f32).collect();
        assert_eq!(back, values);
        // another width: every clash is named
        let other = Table::new(vec![("net/linear/w".into(), vec![2, 4]), ("net/last/b".into(), vec![3])]);
        let text = file.vector(&other, "flow/").unwrap_err().to_string();
        for part in
            ["flow/net/linear/w has shape [2, 3], the settings need [2, 4]", "flow/net/last/b [3] is missing", "flow/net/linear/b belongs"]
        {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn damaged_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.safetensors");
        ParameterFile::write(&path, &[Part { table: &table(), prefix: "", values: &[1.0; 9] }]).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert_eq!(ParameterFile::read(&path).unwrap_err().exit_code(), 2, "{length} bytes");
        }
        ParameterFile::write(&path, &[Part { table: &table(), prefix: "", values: &[f32::NAN; 9] }]).unwrap();
        assert!(ParameterFile::read(&path).unwrap_err().to_string().contains("not finite"));
        assert_eq!(ParameterFile::read(&folder.path().join("none")).unwrap_err().exit_code(), 2);
    }
}
