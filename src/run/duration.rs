//! Times as people read them.

/// Seconds as `41 s`, `3 min 5 s` or `2 h 7 min`.
pub fn duration(seconds: f64) -> String {
    let t = seconds.max(0.0);
    match t {
        _ if t < 100.0 => format!("{t:.0} s"),
        _ if t < 6000.0 => format!("{} min {} s", (t / 60.0) as u64, t as u64 % 60),
        _ => format!("{} h {} min", (t / 3600.0) as u64, (t / 60.0) as u64 % 60),
    }
}
