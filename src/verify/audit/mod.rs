//! Samples of a run computed again in float64, with the parameters as they were given.

mod electrons;
mod fields;
mod spins;

use super::Report;
use crate::config::{Group, Resolved};
use crate::error::{Error, Result};
use crate::problem::dual_ising;
use crate::problem::electron_gas::{KIND, Settings};
use crate::problem::spins::kinds::has_couplings;
use crate::problem::{Kind, Parameters, Walkers};

/// Refuses systems whose samples nobody computes again.
///
/// # Errors
/// [`Error::User`] for those.
pub fn check(kind: &Kind) -> Result<()> {
    match kind == &KIND || kind == &dual_ising::KIND || has_couplings(kind) {
        true => Ok(()),
        false => Err(Error::User(format!("{} has no energy in float64 to compare with", kind.name()))),
    }
}

/// Everything that the device made of `walkers`, against float64; energies as tables have them.
///
/// # Errors
/// [`Error::User`] for settings and parameters that do not belong together.
pub fn audit(resolved: &Resolved, parameters: &Parameters, walkers: &Walkers, device: &str) -> Result<Report> {
    let kind = resolved.kind();
    let mut report = Report::new(&format!("{} walkers in float64", walkers.count), device);
    let rows = match kind {
        _ if kind == &KIND => electrons::rows(&Settings::read(&resolved.values), parameters, walkers)?,
        _ if kind == &dual_ising::KIND => fields::rows(&resolved.values, parameters, walkers)?,
        _ => spins::rows(kind, &resolved.values, parameters, walkers)?,
    };
    rows.into_iter().for_each(|q| report.push(q));
    Ok(report)
}

/// The largest gaps, for the notes of a result: what is not compared, too.
pub fn note(resolved: &Resolved, report: &Report) -> String {
    let gap = |q: &super::Quantity| {
        let unit = if q.unit.is_empty() { String::new() } else { format!(" {}", q.unit) };
        format!("{} {:.1e}{unit} ({:.1e} allowed)", q.name, q.largest_error, q.tolerance)
    };
    let gaps: Vec<String> = report.quantities.iter().map(gap).collect();
    let random = resolved.kind() == &KIND && !electrons::exact(&Settings::read(&resolved.values));
    let rest = if random { "; the part of F that its random probes make is not compared (laplacian)" } else { "" };
    format!("{} differ from the device by at most: {} per {}{rest}", report.case, gaps.join(", "), resolved.kind().per)
}

/// Why a report that does not pass ends a command.
pub fn failed(report: &Report) -> Option<Error> {
    let off: Vec<&str> = report.quantities.iter().filter(|q| !q.pass).map(|q| q.name.as_str()).collect();
    let what = if report.quantities.is_empty() { "nothing could be compared".into() } else { format!("off: {}", off.join(", ")) };
    (!report.pass).then(|| {
        Error::Numerics(format!(
            "the numbers of {} are not those of the device with the parameters that were given ({what}): quote nothing of this result",
            report.case
        ))
    })
}
