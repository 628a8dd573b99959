//! Couplings as lines of numbers.

use std::collections::{BTreeMap, HashMap};

use super::couplings::{Couplings, MOST_SPINS};
use super::file::rows;
use crate::error::{Error, Result};

/// The numbers of a line.
struct Line {
    /// From 1.
    number: usize,
    values: Vec<f64>,
}

/// One line of a list.
struct Entry {
    line: usize,
    i: usize,
    j: usize,
    value: f64,
}

fn readable(bytes: &[u8]) -> Result<&str> {
    let text = std::str::from_utf8(bytes).map_err(|e| Error::User(format!("byte {} is no text; save it as UTF-8", e.valid_up_to())))?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// All lines with numbers; those for which `skip` holds, empty ones, and a first one of words are left out.
fn lines(text: &str, skip: impl Fn(&str) -> bool) -> Result<Vec<Line>> {
    let mut read: Vec<Line> = Vec::new();
    let mut header = None;
    for (number, line) in text.lines().enumerate().map(|(n, l)| (n + 1, l.trim())).filter(|(_, l)| !l.is_empty() && !skip(l)) {
        let words: Vec<&str> = match [';', ','].into_iter().find(|c| line.contains(*c)) {
            Some(separator) => line.split(separator).map(str::trim).collect(),
            None => line.split_whitespace().collect(),
        };
        if read.is_empty() && header.is_none() && words.iter().all(|w| w.parse::<f64>().is_err()) {
            header = Some(number);
            continue;
        }
        let mut values = Vec::with_capacity(words.len());
        for (column, word) in words.iter().enumerate() {
            let place = format!("line {number}, column {column}");
            let value: f64 = word.parse().map_err(|_| {
                let hint = if word.contains(',') { "; write decimals with a point" } else { "" };
                Error::User(format!("{place}: {word:?} is not a number{hint}"))
            })?;
            if !(value as f32).is_finite() {
                return Err(Error::User(format!("{place}: {word} is not finite in single precision; every coupling must be")));
            }
            values.push(value);
        }
        read.push(Line { number, values });
    }
    Ok(read)
}

/// The numbers of every line.
pub(super) fn matrix(bytes: &[u8]) -> Result<Vec<Vec<f64>>> {
    Ok(lines(readable(bytes)?, |l| l.starts_with('#'))?.into_iter().map(|l| l.values).collect())
}

/// Lines `i j value` as a list, and one more than the largest site.
fn list(lines: &[Line], symbol: &str) -> Result<(usize, Vec<Entry>)> {
    let mut entries = Vec::with_capacity(lines.len());
    for line in lines {
        let [i, j, value] = line.values[..] else {
            return Err(Error::User(format!("line {} has {} numbers; a list has lines i,j,{symbol}", line.number, line.values.len())));
        };
        for (column, site) in [i, j].into_iter().enumerate() {
            if site.fract() != 0.0 || !(0.0..MOST_SPINS as f64).contains(&site) {
                let place = format!("line {}, column {column}", line.number);
                return Err(Error::User(format!(
                    "{place}: {site} is not a site; a list has lines i,j,{symbol}, sites count 0, 1, … up to {}",
                    MOST_SPINS - 1
                )));
            }
        }
        entries.push(Entry { line: line.number, i: i as usize, j: j as usize, value });
    }
    let Some(most) = entries.iter().map(|e| e.i.max(e.j)).max() else {
        return Err(Error::User(format!("no numbers are in it; give lines i,j,{symbol}")));
    };
    Ok((most + 1, entries))
}

/// Refuses lists that do not begin with site 0, as those of other programs that count from 1.
fn from_zero(entries: &[Entry], symbol: &str) -> Result<()> {
    match entries.iter().map(|e| e.i.min(e.j)).min() {
        Some(0) | None => Ok(()),
        Some(least) => Err(Error::User(format!(
            "its smallest site is {least}; sites count from 0: subtract {least} (if a site 0 without {symbol} is meant, give a line 0,{least},0)"
        ))),
    }
}

/// Refuses an entry whose key stood in an earlier line.
fn once(entries: &[Entry], key: impl Fn(&Entry) -> (usize, usize)) -> Result<()> {
    let mut seen = HashMap::new();
    for e in entries {
        if let Some(first) = seen.insert(key(e), e.line) {
            return Err(Error::User(format!("line {}: sites {} and {} stand in line {first} already; keep one of them", e.line, e.i, e.j)));
        }
    }
    Ok(())
}

/// A matrix, or a list of bonds. Three lines of three numbers are a matrix unless they can be a list; a symmetric matrix with
/// zero diagonal cannot: its first two lines would be one bond.
pub(super) fn couplings(bytes: &[u8]) -> Result<Couplings> {
    let lines = lines(readable(bytes)?, |l| l.starts_with('#'))?;
    let triples = !lines.is_empty() && lines.iter().all(|l| l.values.len() == 3);
    let dense = rows(&lines.iter().map(|l| l.values.clone()).collect::<Vec<_>>(), |i| format!("line {}", lines[i].number));
    let sites = |l: &Line| l.values[..2].iter().all(|v| v.fract() == 0.0 && *v >= 0.0);
    // with a zero diagonal, the same bond in the first two lines, were it a list
    let twice = |l: &[Line]| (0..3).all(|i| l[i].values[i] == 0.0) && l[0].values[1] == l[1].values[0];
    let matrix = triples && lines.len() == 3 && (twice(&lines) || !lines.iter().all(sites));
    if dense.is_ok() || !triples || matrix {
        return dense;
    }
    let (n, entries) = list(&lines, "J")?;
    if let Some(e) = entries.iter().find(|e| e.i == e.j) {
        return Err(Error::User(format!(
            "line {}: a bond of site {} with itself; leave it out (fields h are given in .json, linear terms of x = 0, 1 in .qubo)",
            e.line, e.i
        )));
    }
    from_zero(&entries, "J")?;
    once(&entries, |e| (e.i.min(e.j), e.i.max(e.j)))?;
    Couplings::from_bonds(n, entries.iter().map(|e| (e.i, e.j, e.value)))
}

/// A cost Σ Q_ij x_i x_j over the lines, x = (1 + s)/2. Lines that begin with # or `c` are comments; `p qubo t n …` says n.
pub(super) fn qubo(bytes: &[u8]) -> Result<Couplings> {
    let text = readable(bytes)?;
    let program = text.lines().enumerate().map(|(n, l)| (n + 1, l.trim())).find(|(_, l)| l.starts_with("p "));
    let lines = lines(text, |l| l.starts_with(['#', 'c', 'p']))?;
    let (least, entries) = list(&lines, "Q")?;
    let n = match program {
        None => {
            from_zero(&entries, "Q")?;
            least
        }
        Some((number, line)) => match line.split_whitespace().nth(3).and_then(|w| w.parse().ok()) {
            Some(n) if least <= n => n,
            Some(n) => return Err(Error::User(format!("line {number} says {n} variables, but variable {} is used", least - 1))),
            None => return Err(Error::User(format!("line {number}: {line:?} does not say how many variables there are; give p qubo 0 n"))),
        },
    };
    once(&entries, |e| (e.i, e.j))?;
    super::couplings::sized(n)?;
    let (mut bonds, mut fields, mut offset) = (BTreeMap::new(), vec![0.0; n], 0.0);
    for Entry { i, j, value, .. } in entries {
        if i == j {
            // Q x = Q/2 + (Q/2) s
            offset += 0.5 * value;
            fields[i] -= 0.5 * value;
        } else {
            // Q x x' = (Q/4)(1 + s + s' + s s')
            offset += 0.25 * value;
            fields[i] -= 0.25 * value;
            fields[j] -= 0.25 * value;
            *bonds.entry((i.min(j), i.max(j))).or_insert(0.0) -= 0.25 * value;
        }
    }
    let mut model = Couplings::from_bonds(n, bonds.into_iter().map(|((i, j), c)| (i, j, c)))?.with_fields(&fields)?;
    model.offset = offset;
    Ok(model)
}
