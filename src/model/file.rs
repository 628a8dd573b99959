//! Parameter files: safetensors with the published names, checked against a model's table.
//!
//! A file holds `van/…` (occupation network) and `flow/…` (flow) leaves as F32 or F64 (F16 and BF16 are read too), and
//! how they were made ([`Provenance`]).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, TensorView};

use super::parameters::Table;
use super::provenance::Provenance;
use crate::atomic_file;
use crate::error::{Error, Result};
pub use crate::tensors::Tensor;
pub(crate) use crate::tensors::read_tensors;
use crate::tensors::{parse, read_bytes, widen_all};

/// A safetensors file in memory.
#[derive(Clone, Debug)]
pub struct ParameterFile {
    /// Where it was read.
    pub path: PathBuf,
    /// By their published names.
    pub tensors: BTreeMap<String, Tensor>,
    /// How the parameters were made, where the file says.
    pub made: Option<Provenance>,
}

/// One network's parameters to be saved: its table, the prefix of its names and the flat vector.
pub struct Part<'p> {
    /// Names and places.
    pub table: &'p Table,
    /// Put before each name of the table that does not have it (`van/` or `flow/`).
    pub prefix: &'p str,
    /// In the table's order.
    pub values: &'p [f32],
}

fn full(prefix: &str, name: &str) -> String {
    if name.starts_with(prefix) { name.to_string() } else { format!("{prefix}{name}") }
}

impl ParameterFile {
    /// Reads a file of floating-point tensors.
    ///
    /// # Errors
    /// [`Error::User`] for what is no safetensors file, is cut short, does not have its checksum, or holds integers or
    /// values beyond single precision; [`Error::Io`] for what cannot be read.
    pub fn read(path: &Path) -> Result<ParameterFile> {
        ParameterFile::of_bytes(path, &read_bytes(path)?)
    }

    /// The file at `path` that holds `bytes`.
    fn of_bytes(path: &Path, bytes: &[u8]) -> Result<ParameterFile> {
        let shown = path.display();
        let parsed = parse(path, bytes)?;
        let made = Provenance::open(bytes, &parsed).map_err(|e| Error::User(format!("{shown}: {e}; take another copy of it")))?;
        let tensors = widen_all(path, &parsed)?;
        for (name, tensor) in &tensors {
            if matches!(tensor.dtype, Dtype::I32 | Dtype::I64) {
                return Err(Error::User(format!("{shown}: {name} holds integers ({:?}), parameters are F32 or F64", tensor.dtype)));
            }
            if let Some(i) = tensor.data.iter().position(|v| !(*v as f32).is_finite()) {
                return Err(Error::User(format!("{shown}: {name}[{i}] = {} is not finite in single precision", tensor.data[i])));
            }
        }
        Ok(ParameterFile { path: path.into(), tensors, made })
    }

    /// What a file of these parameters at `path` would hold.
    pub fn of_parts(path: &Path, parts: &[Part<'_>], made: Provenance) -> ParameterFile {
        let leaves = parts.iter().flat_map(|part| part.table.leaves.iter().map(move |leaf| (part, leaf)));
        let tensor = |(part, leaf): (&Part<'_>, &super::parameters::Leaf)| {
            let values = part.values.iter().skip(leaf.offset).take(leaf.size());
            let data = values.map(|v| *v as f64).collect();
            (full(part.prefix, &leaf.name), Tensor { shape: leaf.shape.clone(), dtype: Dtype::F32, data })
        };
        ParameterFile { path: path.into(), tensors: leaves.map(tensor).collect(), made: Some(made) }
    }

    /// The flat vector of `table`, whose names get `prefix` where they lack it; tensors of other groups (the part of a
    /// name before its first `/`) are left alone.
    ///
    /// # Errors
    /// [`Error::User`] names every leaf that is missing, mis-shaped, or of this network but not of the table.
    pub fn vector(&self, table: &Table, prefix: &str) -> Result<Vec<f64>> {
        let group = |name: &str| name.split('/').next().unwrap_or("").to_string();
        let own = table.leaves.first().map(|leaf| group(&full(prefix, &leaf.name)));
        let vectors = self.matched(&[(table, prefix)], |name| Some(group(name)) == own)?;
        Ok(vectors.concat())
    }

    /// The flat vectors of all networks of a model, which together must claim every tensor of the file.
    ///
    /// # Errors
    /// [`Error::User`] names every leaf that is missing, mis-shaped, or of no network.
    pub fn vectors(&self, networks: &[(&Table, &str)]) -> Result<Vec<Vec<f64>>> {
        self.matched(networks, |_| true)
    }

    /// The vectors of `networks`; tensors for which `asked` holds must belong to one of them.
    fn matched(&self, networks: &[(&Table, &str)], asked: impl Fn(&str) -> bool) -> Result<Vec<Vec<f64>>> {
        let (mut wrong, mut known) = (Vec::new(), BTreeSet::new());
        let vectors = networks.iter().map(|(table, prefix)| {
            let mut out = vec![0.0; table.len()];
            for leaf in &table.leaves {
                let name = full(prefix, &leaf.name);
                match self.tensors.get(&name) {
                    None => wrong.push(format!("{name} {:?} is missing", leaf.shape)),
                    Some(t) if t.shape != leaf.shape => {
                        wrong.push(format!("{name} has shape {:?}, the settings need {:?}", t.shape, leaf.shape))
                    }
                    Some(t) => out[leaf.offset..leaf.offset + leaf.size()].copy_from_slice(&t.data),
                }
                known.insert(name);
            }
            out
        });
        let vectors: Vec<Vec<f64>> = vectors.collect();
        for name in self.tensors.keys().filter(|n| asked(n) && !known.contains(*n)) {
            wrong.push(format!("{name} belongs to no layer of this model (deeper or other network?)"));
        }
        if wrong.is_empty() {
            return Ok(vectors);
        }
        Err(Error::User(format!(
            "{} does not fit the settings:\n  {}\nset prior, dim, emax, depth, nlayers and the widths as they were when it was made",
            self.path.display(),
            wrong.join("\n  ")
        )))
    }

    /// Writes parameters as F32 under their published names, with how they were made: aside, synced, renamed.
    pub fn write(path: &Path, parts: &[Part<'_>], made: &Provenance) -> Result<()> {
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
        let encode = |metadata: HashMap<String, String>| -> Result<Vec<u8>> {
            let views: std::result::Result<Vec<_>, _> = leaves
                .iter()
                .map(|(name, shape, bytes)| TensorView::new(Dtype::F32, shape.clone(), bytes).map(|v| (name.as_str(), v)))
                .collect();
            views
                .and_then(|v| safetensors::serialize(v, Some(metadata)))
                .map_err(|e| Error::Io(format!("{}: cannot be encoded: {e}", path.display())))
        };
        atomic_file::write(path, &made.seal(encode)?)
    }
}

#[cfg(test)]
mod tests {
    use safetensors::SafeTensors;

    use super::*;

    fn table() -> Table {
        Table::new(vec![("net/linear/w".into(), vec![2, 3]), ("net/linear/b".into(), vec![3])])
    }

    fn made() -> Provenance {
        let settings = BTreeMap::from([("rs".to_string(), "5".to_string()), ("feature".into(), "half".into())]);
        Provenance { version: "0.1.0".into(), system: "electron-gas".into(), settings, steps: 7 }
    }

    fn written(folder: &Path, values: &[f32]) -> PathBuf {
        let path = folder.join("p ä.safetensors");
        ParameterFile::write(&path, &[Part { table: &table(), prefix: "flow/", values }], &made()).unwrap();
        path
    }

    /// A file of one tensor besides those of the table, with or without provenance.
    fn with(folder: &Path, name: &str, dtype: Dtype, bytes: &[u8]) -> PathBuf {
        let path = written(folder, &[1.0; 9]);
        let whole = std::fs::read(&path).unwrap();
        let file = SafeTensors::deserialize(&whole).unwrap();
        let size = match dtype {
            Dtype::F16 | Dtype::BF16 => 2,
            Dtype::I64 => 8,
            Dtype::U8 => 1,
            _ => 4,
        };
        let mut views: Vec<_> = file.tensors().into_iter().filter(|(n, _)| n != name).collect();
        views.push((name.into(), TensorView::new(dtype, vec![bytes.len() / size], bytes).unwrap()));
        std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
        path
    }

    #[test]
    fn parameters_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let values: Vec<f32> = (0..9).map(|i| i as f32 / 3.0).collect();
        let file = ParameterFile::read(&written(folder.path(), &values)).unwrap();
        assert_eq!((&file.tensors["flow/net/linear/b"].shape[..], file.made.as_ref()), (&[3][..], Some(&made())));
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
        let path = written(folder.path(), &[1.0; 9]);
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            assert_eq!(ParameterFile::of_bytes(&path, &whole[..length]).unwrap_err().exit_code(), 2, "{length} bytes");
        }
        let path = written(folder.path(), &[f32::NAN; 9]);
        assert!(ParameterFile::read(&path).unwrap_err().to_string().contains("not finite"));
        assert_eq!(ParameterFile::read(&folder.path().join("none")).unwrap_err().exit_code(), 2);
    }

    /// A flipped bit, and a byte replaced, anywhere in a file: refused, or of no effect but that the file's settings
    /// are not found (which is said).
    #[test]
    fn flipped_bits_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let values: Vec<f32> = (0..9).map(|i| 0.1 + i as f32).collect();
        let path = written(folder.path(), &values);
        let (whole, good) = (std::fs::read(&path).unwrap(), ParameterFile::read(&path).unwrap());
        let (mut refused, mut harmless) = (0, 0);
        for at in 0..whole.len() {
            for flip in (0..8).map(|b| 1u8 << b).chain([0xff]) {
                let mut damaged = whole.clone();
                damaged[at] ^= flip;
                match ParameterFile::of_bytes(&path, &damaged).and_then(|f| f.vectors(&[(&table(), "flow/")]).map(|v| (v, f.made))) {
                    Err(e) => {
                        assert_eq!(e.exit_code(), 2, "{e}");
                        refused += 1;
                    }
                    Ok((vectors, made)) => {
                        assert_eq!(vectors[0], good.vector(&table(), "flow/").unwrap(), "byte {at}");
                        assert!(made.is_none() || made == good.made, "byte {at}: {made:?}");
                        harmless += 1;
                    }
                }
            }
        }
        // the name of the metadata's key, and white space behind the header
        assert!(refused > 10 * harmless && harmless < 120, "{refused} {harmless}");
    }

    #[test]
    fn tensors_of_no_layer_and_integers_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["flow/net/more/b", "van/net/b", "optimiser/m", "lonely"] {
            let file = ParameterFile::read(&with(folder.path(), name, Dtype::F32, &[0; 12])).unwrap();
            assert_eq!(file.made, None);
            let text = file.vectors(&[(&table(), "flow/")]).unwrap_err().to_string();
            assert!(text.contains(&format!("{name} belongs to no layer of this model")), "{text}");
        }
        for (dtype, bytes) in [(Dtype::I32, &[0u8; 12][..]), (Dtype::I64, &[0; 24])] {
            let path = with(folder.path(), "flow/net/linear/b", dtype, bytes);
            let text = ParameterFile::read(&path).unwrap_err().to_string();
            assert!(text.contains("flow/net/linear/b holds integers") && text.contains("F32 or F64"), "{text}");
            assert!(read_tensors(&path).is_ok());
        }
        let text = ParameterFile::read(&with(folder.path(), "flow/net/linear/b", Dtype::U8, &[0; 12])).unwrap_err().to_string();
        assert!(text.contains("has type U8"), "{text}");
    }

    /// 1, -2 and 0.5 in both half precisions.
    #[test]
    fn half_precision_is_widened() {
        let folder = tempfile::tempdir().unwrap();
        for (dtype, words) in [(Dtype::F16, [0x3c00u16, 0xc000, 0x3800]), (Dtype::BF16, [0x3f80, 0xc000, 0x3f00])] {
            let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
            let file = ParameterFile::read(&with(folder.path(), "flow/net/linear/b", dtype, &bytes)).unwrap();
            assert_eq!(file.tensors["flow/net/linear/b"].data, [1.0, -2.0, 0.5]);
        }
    }
}
