//! The numbers of a run as files for other programs: each table as CSV and as NPY, one named field a column.

use std::fs;
use std::path::Path;

use super::published::beside as published_beside;
use super::read::RunDir;
use super::table::beside;
use crate::atomic_file;
use crate::error::{Error, Result};
use crate::estimate::Estimate;
use crate::estimate::difference::deviation;
use crate::estimate::plot::cell;
use crate::run::record;

/// Cells as text; a column is of numbers if every cell is one, or empty.
struct Table {
    /// `name [unit]`.
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// Writes the tables of `run` into `folder`, which is made: its steps (`metrics`), its `results`, `published` values, and a table
/// for each of its pictures; `NAME.csv` has units in its header, `NAME.npy` is a structured array with the same columns.
///
/// # Errors
/// [`Error::Io`] if a table cannot be read or written.
pub fn write_tables(folder: &Path, run: &RunDir) -> Result<()> {
    fs::create_dir_all(folder).map_err(|e| Error::Io(format!("{}: cannot be made: {e}", folder.display())))?;
    let mut tables = vec![("metrics".to_string(), metrics(run)), ("results".into(), results(run))];
    tables.extend(Some(published(run)).filter(|t| !t.rows.is_empty()).map(|t| ("published".to_string(), t)));
    let plots = fs::read_dir(run.path.join("plots")).into_iter().flatten().flatten().map(|e| e.path());
    for path in plots.filter(|p| p.extension().is_some_and(|e| e == "csv")) {
        let text = fs::read_to_string(&path).map_err(|e| Error::Io(format!("{}: cannot be read: {e}", path.display())))?;
        tables.push((path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), Table::of_csv(&text)));
    }
    for (name, table) in tables {
        atomic_file::write(&folder.join(format!("{name}.csv")), table.csv().as_bytes())?;
        atomic_file::write(&folder.join(format!("{name}.npy")), &table.npy())?;
    }
    Ok(())
}

fn number(v: f64) -> String {
    if v.is_nan() { String::new() } else { v.to_string() }
}

/// Whole lines of steps, those of pretraining left out.
fn metrics(run: &RunDir) -> Table {
    let lines = run.records.iter().map(|r| record::csv_line(run.summary.kind, r));
    let head = record::csv_header(run.summary.kind, &run.summary.energy_unit);
    Table::of_csv(&[head].into_iter().chain(lines).collect::<Vec<_>>().join("\n"))
}

/// A row a quantity.
fn results(run: &RunDir) -> Table {
    let s = &run.summary;
    let (other, what) = beside(s);
    let what = if what.is_empty() { "beside" } else { what }.replace(' ', "_");
    let solved = (s.kind.solved)(&run.resolved.values);
    let head = ["quantity", "unit", "value", "error", &what, &format!("{what}_err"), "exact", "distance"].map(String::from).into();
    let row = |q: &crate::problem::Quantity| {
        let (own, other) = (s.result[q.name], other.map_or(Estimate::default(), |t| t[q.name]));
        let exact = s.exact.as_ref().and_then(|e| q.exact(e)).unwrap_or(f64::NAN);
        let distance = if solved { deviation(own, exact) } else { f64::NAN };
        let numbers = [own.value, own.error, other.value, other.error, exact, distance].map(number);
        [q.name.to_string(), q.unit.name(&s.energy_unit).to_string()].into_iter().chain(numbers).collect()
    };
    Table { head, rows: s.kind.results().map(row).collect() }
}

/// A row a published value.
fn published(run: &RunDir) -> Table {
    let head = ["quantity", "unit", "value", "error", "published", "published_err", "distance", "doi", "source"].map(String::from).into();
    let row = |b: &super::published::Beside| {
        let (p, own) = (b.published, b.run);
        let numbers = [own.value, own.error, p.value.value, p.value.error, b.distance()].map(number);
        let (names, words) = ([p.quantity.to_string(), b.unit.clone()], [p.source.doi.clone(), cell(&b.source())]);
        names.into_iter().chain(numbers).chain(words).collect()
    };
    Table { head, rows: published_beside(run).iter().map(row).collect() }
}

impl Table {
    /// A table without commas in its cells.
    fn of_csv(text: &str) -> Table {
        let mut lines = text.lines().map(|l| l.split(',').map(String::from).collect::<Vec<_>>());
        let head = lines.next().unwrap_or_default();
        Table { rows: lines.filter(|row| row.len() == head.len()).collect(), head }
    }

    fn csv(&self) -> String {
        let line = |cells: &Vec<String>| cells.join(",") + "\n";
        [&self.head].into_iter().chain(&self.rows).map(line).collect()
    }

    /// A one-dimensional structured array: format 1.0, or 3.0 where a name is not ASCII. Numbers are f64, not a number where a
    /// cell is empty; words are padded with zeros (UTF-32).
    fn npy(&self) -> Vec<u8> {
        let column = |k: usize| self.rows.iter().map(move |row| row[k].as_str());
        let wide = |k: usize| column(k).map(|c| c.chars().count()).max().unwrap_or(0).max(1);
        // none: numbers
        let widths: Vec<Option<usize>> =
            (0..self.head.len()).map(|k| column(k).any(|c| !c.is_empty() && c.parse::<f64>().is_err()).then(|| wide(k))).collect();
        let field = |(head, width): (&String, &Option<usize>)| {
            let name = head.split(" [").next().unwrap_or(head).replace('\\', "\\\\").replace('\'', "\\'");
            format!("('{name}', '{}')", width.map_or("<f8".into(), |w| format!("<U{w}")))
        };
        let fields: Vec<String> = self.head.iter().zip(&widths).map(field).collect();
        let header = format!("{{'descr': [{}], 'fortran_order': False, 'shape': ({},), }}", fields.join(", "), self.rows.len());
        let ascii = header.is_ascii() && header.len() < 0xff00;
        let before = if ascii { 10 } else { 12 };
        // with its newline the header ends at a multiple of 64 bytes
        let length = (before + header.len() + 1).next_multiple_of(64) - before;
        let mut out = [b"\x93NUMPY".as_slice(), if ascii { &[1, 0] } else { &[3, 0] }].concat();
        let counted = (length as u32).to_le_bytes();
        out.extend(&counted[..if ascii { 2 } else { 4 }]);
        out.extend(header.bytes());
        out.resize(before + length - 1, b' ');
        out.push(b'\n');
        for row in &self.rows {
            for (cell, width) in row.iter().zip(&widths) {
                match width {
                    None => out.extend(cell.parse().unwrap_or(f64::NAN).to_le_bytes()),
                    Some(w) => out.extend(cell.chars().map(u32::from).chain(std::iter::repeat(0)).take(*w).flat_map(u32::to_le_bytes)),
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parts of a file: version, header, whether it is padded to 64 bytes, and what follows.
    fn parts(npy: &[u8]) -> (u8, String, bool, &[u8]) {
        assert_eq!(&npy[..6], b"\x93NUMPY");
        let (before, length) = match npy[6] {
            1 => (10, u16::from_le_bytes([npy[8], npy[9]]) as usize),
            _ => (12, u32::from_le_bytes(npy[8..12].try_into().unwrap()) as usize),
        };
        let end = before + length;
        (npy[6], String::from_utf8(npy[before..end].to_vec()).unwrap(), end % 64 == 0 && npy[end - 1] == b'\n', &npy[end..])
    }

    /// Empty cells are no numbers, words are padded, names that are not ASCII take the third version of the format.
    #[test]
    fn arrays_are_structured_with_named_fields() {
        let (version, header, padded, body) = {
            let bytes = Table::of_csv("F [Ry],phase\n-0.5,é\n,frozen\n1,torn,line").npy();
            let (v, h, p, b) = parts(&bytes);
            (v, h, p, b.to_vec())
        };
        assert!(version == 1 && padded && header.starts_with("{'descr': [('F', '<f8'), ('phase', '<U6')], "), "{header}");
        assert!(header.contains("'shape': (2,), }") && body.len() == 2 * (8 + 24), "{header}");
        assert_eq!(body[..12], [(-0.5f64).to_le_bytes().as_slice(), &0xe9u32.to_le_bytes()].concat());
        assert!(body[12..32].iter().all(|b| *b == 0) && f64::from_le_bytes(body[32..40].try_into().unwrap()).is_nan());
        let bytes = Table::of_csv("β'").npy();
        let (version, header, padded, body) = parts(&bytes);
        assert!(version == 3 && padded && header.contains("('β\\'', '<f8')") && body.is_empty(), "{header}");
    }
}
