//! The final table, as text.

use crate::estimate::Estimate;
pub use crate::estimate::plus_minus;
use crate::estimate::value::plain;
use crate::problem::{Exact, Metropolis, Named, Quantity, Role, method};
use crate::run::Summary;
pub use crate::run::duration;

pub(super) fn exact(v: Option<f64>) -> String {
    v.filter(|v| v.is_finite()).map_or("–".into(), plain)
}

/// The share that a positive exact value has been reached by.
pub(super) fn share(run: Estimate, exact: Option<f64>) -> Option<Estimate> {
    let of = exact.filter(|v| *v > 0.0 && run.value.is_finite())?;
    Some(Estimate { value: run.value / of, error: run.error / of, ..run })
}

/// What stands beside the results of a run, and what it is called: those by importance weights, or from before training.
pub(super) fn beside(s: &Summary) -> (Option<&Named<Estimate>>, &'static str) {
    // a run that only measures has no before
    match (&s.reweighted, &s.start) {
        (Some(weighted), _) => (Some(weighted), "reweighted"),
        (None, Some(start)) => (Some(start), "before training"),
        (None, None) => (None, ""),
    }
}

/// The results beside those by importance weights, or the values before training, and the exact ones.
pub fn result_table(s: &Summary) -> String {
    let Exact { name: known, .. } = s.kind.exact;
    let (beside, before) = beside(s);
    let words = s.kind.results().map(|q| q.words().chars().count()).max().unwrap_or(0).max(20);
    let width = s.kind.results().map(|q| q.name.chars().count()).max().unwrap_or(0);
    let mut lines = vec![
        format!("{}: values per {}", s.kind.words(&s.parameters), s.kind.per),
        String::new(),
        format!("  {:width$}  {:words$} {:<7} {:<25} {:<25} {known}, exact", "", "", "unit", "this run", before),
    ];
    let exactly = |q: &Quantity| s.exact.as_ref().and_then(|e| q.exact(e));
    for q in s.kind.results() {
        let (name, unit, meaning) = (q.name, q.unit.name(&s.energy_unit), q.words());
        let start = beside.map_or(String::new(), |t| plus_minus(t[name]));
        let line = format!("  {name:width$}  {meaning:words$} {unit:<7} {:<25} {start:<25}", plus_minus(s.result[name]));
        lines.push(format!("{line} {}", exact(exactly(q))));
    }
    if let Some(q) = s.kind.entropy()
        && let Some(ratio) = share(s.result[q.name], exactly(q))
    {
        let name = format!("{0} / {0} of {known}", q.name);
        lines.push(format!("  {:width$}  {name:words$} {:<7} {:<25} {:<25} 1", "", "", plus_minus(ratio), ""));
    }
    lines.push(String::new());
    lines.extend(remarks(s).iter().map(|line| format!("  {line}")));
    lines.join("\n")
}

/// What is to be said beside the table, a line each: how the averages were made, other roads to them, notes.
pub(super) fn remarks(s: &Summary) -> Vec<String> {
    let mut lines = Vec::new();
    let acceptance = if s.acceptance.is_finite() { format!(", acceptance {:.2}", s.acceptance) } else { String::new() };
    let done = if s.steps == 0 { "measured".into() } else { format!("{} training steps", s.steps) };
    lines.push(format!("{done} in {}{acceptance}; averages over {}", duration(s.seconds), s.averaged_over));
    if !s.errors.is_empty() {
        lines.push(format!("errors: {}", s.errors));
    }
    let told =
        [("error of F by blocking", s.blocked, format!("{:.1e}", s.blocked)), ("split R-hat of F", s.r_hat, format!("{:.3}", s.r_hat))];
    let chains: Vec<String> = told.into_iter().filter(|(_, v, _)| v.is_finite()).map(|(name, _, v)| format!("{name} {v}")).collect();
    if !chains.is_empty() {
        lines.push(format!("chains: {}", chains.join(", ")));
    }
    if s.ess.is_finite() {
        lines.push(format!(
            "reweighted: means over the exact distribution by importance weights; {:.1} % of the samples are effective, std(R)/(β n) = {:.1e} {}",
            100.0 * s.ess,
            s.std_r,
            s.energy_unit
        ));
    }
    if let Some(weighted) = &s.reweighted {
        let last = s.kind.quantities.iter().filter(|q| q.role == Role::Conclusion);
        let shown = |q: &Quantity| {
            let value = plus_minus(*weighted.get(q.name)?);
            Some(format!("{} = {value} {}", q.name, q.unit.name(&s.energy_unit)).trim_end().to_string())
        };
        let all: Vec<String> = last.filter_map(shown).collect();
        if !all.is_empty() {
            lines.push(format!("reweighted, of all samples: {}", all.join(", ")));
        }
    }
    if let Some(m) = &s.metropolis {
        lines.push(markov(s, "independence Metropolis, samples as proposals", m));
    }
    lines.extend(s.roads.iter().map(|(name, m)| markov(s, &way(name), m)));
    lines.extend(s.baselines.iter().map(|(name, b)| b.words(name, &s.energy_unit)));
    for note in &s.notes {
        lines.push(format!("note: {note}"));
    }
    lines
}

/// What Markov chains gave.
fn markov(s: &Summary, how: &str, m: &Metropolis) -> String {
    let mean = |q: &Quantity| Some(format!("{} = {}", q.name, plus_minus(*m.values.get(q.name)?)));
    let means: Vec<String> = s.kind.results().filter_map(mean).collect();
    format!("{how}: {}; {:.1} % accepted, autocorrelation time {:.1}", means.join(", "), 100.0 * m.acceptance, m.tau)
}

/// Ways to the exact distribution in words.
fn way(name: &str) -> String {
    match name {
        "wolff" => "Wolff clusters of spins".into(),
        "hmc" => "Hamiltonian Monte Carlo in the fields".into(),
        "latent_hmc" => "Hamiltonian Monte Carlo in latent variables".into(),
        other => method(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_set_the_digits() {
        let text = |value, error| plus_minus(Estimate::new(value, error));
        assert_eq!(text(-0.168_123_4, 0.000_342), "-0.16812 ± 0.00034");
        assert_eq!(text(12.3456, 0.5), "12.35 ± 0.50");
        assert_eq!(text(12.3456, 0.0996), "12.35 ± 0.10");
        assert_eq!(text(12.3456, 0.0994), "12.346 ± 0.099");
        assert_eq!(text(-4321.5, 38.2), "-4322 ± 38");
        assert_eq!(text(1.0, f64::NAN), "1.000000 ± ?");
        assert_eq!(text(1.0, 0.0), "1.000000 ± 0");
        assert_eq!(text(f64::NAN, 1.0), "–");
        assert_eq!(text(-1.234_567e9, 2e5), "-1.23457e9 ± 2.0e5");
        assert_eq!(text(3e-15, 2e-15), "3.0e-15 ± 2.0e-15");
        assert_eq!(plus_minus(Estimate { at_least: true, ..Estimate::new(-0.168_123_4, 0.000_342) }), "-0.16812 ± ≥ 0.00034");
        assert_eq!(duration(99.4), "99 s");
        assert_eq!(duration(185.0), "3 min 5 s");
        assert_eq!(duration(7620.0), "2 h 7 min");
    }
}
