//! Correlations C_ij = ⟨s_i s_j⟩ from a user's file. Rows and columns count from 0, lines from 1.

use std::path::Path;

use super::couplings::sized;
use super::file::{array, number, of};
use super::{npy, text};
use crate::error::{Error, Result};
use crate::tensors::read_bytes;

/// How far a diagonal may be from 1, and an entry from its mirror image: numbers written with seven digits.
const ROUNDING: f64 = 1e-6;

/// C_ij of n spins whose magnetisations are 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Correlations {
    n: usize,
    values: Vec<f64>,
}

impl Correlations {
    /// Row-major, n x n.
    ///
    /// # Errors
    /// [`Error::User`] with place and remedy for another shape than n x n, n < 2, a number that is not finite or outside
    /// \[-1, 1\], a diagonal that is not 1, and entries that differ from their mirror images.
    pub fn new(n: usize, values: Vec<f64>) -> Result<Correlations> {
        sized(n)?;
        let wrong = |text: String| Err(Error::User(text));
        if values.len() != n * n {
            return wrong(format!("{} correlations of {n} spins; give n² = {}", values.len(), n * n));
        }
        for (at, c) in values.iter().enumerate() {
            let (i, j, mirror) = (at / n, at % n, values[at % n * n + at / n]);
            if !(c.abs() <= 1.0 + ROUNDING) {
                return wrong(format!(
                    "C[{i}][{j}] = {c}; correlations ⟨s_i s_j⟩ of spins ±1 lie between -1 and 1 (not covariances of other units)"
                ));
            }
            if i == j && (c - 1.0).abs() > ROUNDING {
                return wrong(format!(
                    "C[{i}][{i}] = {c}; s² = 1, so that the diagonal of ⟨s_i s_j⟩ is 1: give correlations, not C - 1 or covariances"
                ));
            }
            if (c - mirror).abs() > ROUNDING {
                return wrong(format!("C[{i}][{j}] = {c}, but C[{j}][{i}] = {mirror}; correlations are symmetric: give both halves alike"));
            }
        }
        // rounding must not stand in the way of what takes artanh C
        Ok(Correlations { n, values: values.into_iter().map(|c| c.clamp(-1.0, 1.0)).collect() })
    }

    /// Reads n x n numbers: `.csv`, `.txt`, `.dat` (n lines of n numbers), `.npy`, or `.json` (n arrays of n numbers, or an object
    /// with them under `C`, `correlations` or `spin_spin_correlation`).
    ///
    /// # Errors
    /// Those of [`Correlations::new`] with the path; [`Error::Io`] for what cannot be read.
    pub fn read(path: &Path) -> Result<Correlations> {
        let bytes = read_bytes(path)?;
        let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
        let rows = match ending.as_str() {
            _ if bytes.is_empty() => Err(Error::User("the file is empty; give correlations ⟨s_i s_j⟩, n x n".into())),
            "csv" | "txt" | "dat" => text::matrix(&bytes),
            "npy" => npy::matrix(&bytes).and_then(|(shape, values)| match shape[..] {
                [n, m] if n == m => Ok(values.chunks(n.max(1)).map(<[f64]>::to_vec).collect()),
                _ => Err(Error::User(format!("C has shape {shape:?}; it must be n x n"))),
            }),
            "json" => json(&bytes),
            _ => Err(Error::User("correlations are read from .csv, .txt, .dat, .npy and .json; convert or rename it".into())),
        };
        rows.and_then(|rows| {
            let n = rows.len();
            match rows.iter().position(|r| r.len() != n) {
                Some(i) => Err(Error::User(format!("row {i} has {} numbers, and there are {n} rows; C must be n x n", rows[i].len()))),
                None => Correlations::new(n, rows.concat()),
            }
        })
        .map_err(|e| of(path, e))
    }

    /// Number of spins.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Row-major, n x n.
    pub fn values(&self) -> &[f64] {
        &self.values
    }
}

fn json(bytes: &[u8]) -> Result<Vec<Vec<f64>>> {
    let value: serde_json::Value = serde_json::from_slice(bytes).map_err(|e| Error::User(format!("it is not JSON ({e})")))?;
    let known = ["C", "correlations", "spin_spin_correlation"];
    let matrix = match &value {
        serde_json::Value::Array(_) => &value,
        _ => known
            .iter()
            .find_map(|key| value.get(key))
            .ok_or_else(|| Error::User(format!("it has none of the keys {}", known.join(", "))))?,
    };
    let rows = array(|| "C".into(), matrix)?.iter().enumerate();
    rows.map(|(i, row)| {
        let row = array(|| format!("C[{i}]"), row)?;
        row.iter().enumerate().map(|(j, v)| number(|| format!("C[{i}][{j}]"), v)).collect()
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_correlations_are_read_and_bad_ones_refused_with_the_place() {
        let folder = tempfile::tempdir().unwrap();
        let read = |name: &str, content: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            Correlations::read(&path)
        };
        let want = Correlations::new(2, vec![1.0, -0.25, -0.25, 1.0]).unwrap();
        for (name, content) in [
            ("a.csv", "1,-0.25\n-0.25,1\n"),
            ("a.txt", "# C\n1 -0.25\n-0.25 1.0000001\n"),
            ("a.json", "[[1, -0.25], [-0.25, 1]]"),
            ("b.json", r#"{"spin_spin_correlation": [[1, -0.25], [-0.25, 1]]}"#),
        ] {
            assert_eq!(read(name, content).unwrap(), want, "{name}");
        }
        for (name, content, said) in [
            ("c.csv", "1,0.5\n0.4,1\n", "C[0][1] = 0.5, but C[1][0] = 0.4"),
            ("c.csv", "1,1.5\n1.5,1\n", "C[0][1] = 1.5; correlations"),
            ("c.csv", "0,0.5\n0.5,0\n", "C[0][0] = 0; s² = 1"),
            ("c.csv", "1,0.5,0\n0.5,1,0\n", "row 0 has 3 numbers, and there are 2 rows"),
            ("c.csv", "1,x\n0.5,1\n", "line 1, column 1: \"x\" is not a number"),
            ("c.csv", "1,NaN\nNaN,1\n", "line 1, column 1: NaN is not finite"),
            ("c.csv", "1\n", "n = 1; a model of coupled spins has at least 2"),
            ("c.csv", "", "the file is empty"),
            ("c.json", "{\"J\": []}", "it has none of the keys C, correlations"),
            ("c.json", "[[1, \"a\"], [0, 1]]", "C[0][1] = \"a\" is not a number"),
            ("c.mat", "1", "correlations are read from .csv"),
        ] {
            let text = read(name, content).unwrap_err().to_string();
            assert!(text.contains(said) && text.contains(name), "{said}: {text}");
        }
    }
}
