//! Couplings from a user's file. Rows, columns and sites count from 0, lines from 1.

use std::path::Path;

use serde_json::Value;

use super::couplings::Couplings;
use super::{npy, text};
use crate::error::{Error, Result};
use crate::tensors::{parse, read_bytes, widen_all};

impl Couplings {
    /// Reads a model; the ending of the name says how:
    ///
    /// - `.json`: an object with `J` (n arrays of n numbers) and perhaps `h` (n numbers) and `n`, or J alone; other keys are
    ///   left alone
    /// - `.csv`, `.txt`, `.dat`: n lines of n numbers, or a list of lines `i,j,J`, each pair once; which of them, its shape says. Commas,
    ///   semicolons or blanks; a first line of names and lines that begin with # are skipped. A list's n is its largest
    ///   site + 1
    /// - `.npy`: n x n numbers of numpy, `<f8`, `<f4` or small integers
    /// - `.safetensors`: `J` (n x n) and perhaps `h` (n)
    /// - `.qubo`: lines `i j Q` of a cost Σ Q_ij x_i x_j of x = 0, 1 that is to be small, i = j the linear terms (qbsolv's format, or as
    ///   above). x = (1 + s)/2 makes it a model whose energies are the costs
    ///
    /// # Errors
    /// [`Error::User`] with the path, the place, the value and a remedy; [`Error::Io`] for what cannot be read.
    pub fn read(path: &Path) -> Result<Couplings> {
        let bytes = read_bytes(path)?;
        if bytes.is_empty() {
            return Err(Error::User(format!("{}: the file is empty; give couplings J", path.display())));
        }
        let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
        let model = match ending.as_str() {
            "json" => json(&bytes),
            "csv" | "txt" | "dat" => text::couplings(&bytes),
            "npy" => npy::matrix(&bytes).and_then(|(shape, values)| square("J", &shape, &values)),
            "safetensors" => return tensors(path, &bytes),
            "qubo" => text::qubo(&bytes),
            _ => Err(Error::User(
                "couplings are read from .json, .csv, .txt, .dat, .npy, .safetensors and .qubo; convert or rename it".into(),
            )),
        };
        model.map_err(|e| of(path, e))
    }
}

/// A fault with the file it is in.
pub(super) fn of(path: &Path, error: Error) -> Error {
    match error {
        Error::User(text) => Error::User(format!("{}: {text}", path.display())),
        other => other,
    }
}

/// The model of an array that should be n x n.
fn square(name: &str, shape: &[usize], values: &[f64]) -> Result<Couplings> {
    match shape {
        [n, m] if n == m => Couplings::from_dense(*n, values),
        _ => Err(Error::User(format!("{name} has shape {shape:?}; it must be n x n"))),
    }
}

/// Numbers of rows that should all be as long as there are rows; `place` names a row.
pub(super) fn rows(rows: &[Vec<f64>], place: impl Fn(usize) -> String) -> Result<Couplings> {
    let n = rows.len();
    let Some(first) = rows.first() else { return Err(Error::User("no numbers are in it; give couplings J".into())) };
    if let Some(i) = rows.iter().position(|r| r.len() != first.len()) {
        let (own, other) = (rows[i].len(), first.len());
        return Err(Error::User(format!(
            "{} has {own} numbers, {} has {other}; every row has as many as there are rows",
            place(i),
            place(0)
        )));
    }
    if first.len() != n {
        return Err(Error::User(format!("{n} rows of {} numbers; J must be n x n (or a list of lines i,j,J)", first.len())));
    }
    Couplings::from_dense(n, &rows.concat())
}

/// A number of a JSON file.
pub(super) fn number(name: impl Fn() -> String, value: &Value) -> Result<f64> {
    value.as_f64().ok_or_else(|| Error::User(format!("{} = {value} is not a number", name())))
}

/// An array of a JSON file.
pub(super) fn array(name: impl Fn() -> String, value: &Value) -> Result<&Vec<Value>> {
    value.as_array().ok_or_else(|| {
        let shown: String = value.to_string().chars().take(40).collect();
        Error::User(format!("{} = {shown} is not an array of numbers", name()))
    })
}

fn json(bytes: &[u8]) -> Result<Couplings> {
    let value: Value = serde_json::from_slice(bytes).map_err(|e| Error::User(format!("it is not JSON ({e})")))?;
    let matrix = match &value {
        Value::Array(_) => &value,
        _ => value.get("J").ok_or_else(|| Error::User("it has no key J; give {\"J\": [[…], …]} and perhaps \"h\": […]".into()))?,
    };
    let mut read = Vec::new();
    for (i, row) in array(|| "J".into(), matrix)?.iter().enumerate() {
        let row = array(|| format!("J[{i}]"), row)?;
        read.push(row.iter().enumerate().map(|(j, v)| number(|| format!("J[{i}][{j}]"), v)).collect::<Result<Vec<f64>>>()?);
    }
    let model = rows(&read, |i| format!("J[{i}]"))?;
    if let Some(n) = value.get("n").filter(|n| n.as_u64() != Some(model.n() as u64)) {
        return Err(Error::User(format!("n = {n}, but J is {} x {}; correct n or leave it out", model.n(), model.n())));
    }
    match value.get("h") {
        None => Ok(model),
        Some(fields) => {
            let fields = array(|| "h".into(), fields)?.iter().enumerate();
            model.with_fields(&fields.map(|(i, v)| number(|| format!("h[{i}]"), v)).collect::<Result<Vec<f64>>>()?)
        }
    }
}

fn tensors(path: &Path, bytes: &[u8]) -> Result<Couplings> {
    let tensors = widen_all(path, &parse(path, bytes)?)?;
    let read = || {
        if let Some(other) = tensors.keys().find(|name| !["J", "h"].contains(&name.as_str())) {
            return Err(Error::User(format!("it holds a tensor {other:?}; a model has J and perhaps h, leave others out")));
        }
        let couplings = tensors.get("J").ok_or_else(|| Error::User("it has no tensor J; give the couplings as J, n x n".into()))?;
        let model = square("J", &couplings.shape, &couplings.data)?;
        match tensors.get("h") {
            Some(h) if h.shape.len() != 1 => Err(Error::User(format!("h has shape {:?}; it must be [n]", h.shape))),
            Some(h) => model.with_fields(&h.data),
            None => Ok(model),
        }
    };
    read().map_err(|e| of(path, e))
}

#[cfg(test)]
mod tests;
