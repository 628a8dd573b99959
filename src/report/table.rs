//! The final table, as text.

use std::io::Write;

use crate::run::{Estimate, Summary};

/// Prints a line to stdout; a reader that went away (`| head`) is no error.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// `-0.16812 ± 0.00034`: two digits of error; the bare value where the error is unknown.
pub fn plus_minus(e: Estimate) -> String {
    if !e.value.is_finite() {
        return "–".into();
    }
    if !e.error.is_finite() || e.error <= 0.0 {
        return format!("{:.6}", e.value);
    }
    let digits = (1 - e.error.log10().floor() as i32).clamp(0, 12) as usize;
    format!("{:.digits$} ± {:.digits$}", e.value, e.error)
}

fn exact(v: Option<f64>) -> String {
    v.map_or("–".into(), |v| format!("{v:.6}"))
}

/// F, E, K, V, S per electron beside the values before training and those of the ideal gas.
pub fn result_table(s: &Summary) -> String {
    let unit = s.energy_unit.as_str();
    let ideal = s.ideal;
    let rows = [
        ("F", "free energy E − TS", unit, s.result.f, s.start.map(|t| t.f), ideal.map(|i| i.f)),
        ("E", "energy K + V", unit, s.result.e, s.start.map(|t| t.e), ideal.map(|i| i.e)),
        ("K", "kinetic energy", unit, s.result.k, s.start.map(|t| t.k), ideal.map(|i| i.e)),
        ("V", "potential energy", unit, s.result.v, s.start.map(|t| t.v), ideal.map(|_| 0.0)),
        ("S", "entropy", "k_B", s.result.s, s.start.map(|t| t.s), ideal.map(|i| i.s)),
    ];
    let mut lines = vec![
        format!("electron gas, n={} dim={} rs={} theta={}: values per electron", s.n, s.dim, s.rs, s.theta),
        String::new(),
        format!("     {:<20} {:<7} {:<25} {:<25} {}", "", "unit", "this run", "before training", "ideal gas, exact"),
    ];
    for (name, meaning, unit, run, start, ideal) in rows {
        let start = start.map_or("–".into(), plus_minus);
        lines.push(format!("  {name}  {meaning:<20} {unit:<7} {:<25} {start:<25} {}", plus_minus(run), exact(ideal)));
    }
    if let Some(i) = ideal
        && i.s > 0.0
        && s.result.s.value.is_finite()
    {
        let ratio = Estimate::new(s.result.s.value / i.s, s.result.s.error / i.s);
        lines.push(format!("     {:<20} {:<7} {:<25} {:<25} 1", "S / S of ideal gas", "", plus_minus(ratio), ""));
    }
    lines.push(String::new());
    let acceptance = if s.acceptance.is_finite() { format!(", acceptance {:.2}", s.acceptance) } else { String::new() };
    let tau = if s.tau.is_finite() { format!(", autocorrelation time {:.1} steps", s.tau) } else { String::new() };
    lines.push(format!("  {} training steps in {}{acceptance}{tau}; averages over {}", s.steps, duration(s.seconds), s.averaged_over));
    for note in &s.notes {
        lines.push(format!("  note: {note}"));
    }
    lines.join("\n")
}

/// Seconds as `41 s`, `3 min 5 s` or `2 h 7 min`.
pub(super) fn duration(seconds: f64) -> String {
    let t = seconds.max(0.0);
    match t {
        _ if t < 100.0 => format!("{t:.0} s"),
        _ if t < 6000.0 => format!("{} min {} s", (t / 60.0) as u64, t as u64 % 60),
        _ => format!("{} h {} min", (t / 3600.0) as u64, (t / 60.0) as u64 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_set_the_digits() {
        assert_eq!(plus_minus(Estimate::new(-0.168_123_4, 0.000_342)), "-0.16812 ± 0.00034");
        assert_eq!(plus_minus(Estimate::new(12.3456, 0.5)), "12.35 ± 0.50");
        assert_eq!(plus_minus(Estimate::new(1.0, f64::NAN)), "1.000000");
        assert_eq!(plus_minus(Estimate::new(f64::NAN, 1.0)), "–");
        assert_eq!(duration(7620.0), "2 h 7 min");
    }
}
