//! Times as people read and write them.

use std::time::Duration;

/// Seconds as `41 s`, `3 min 5 s` or `2 h 7 min`.
pub fn duration(seconds: f64) -> String {
    let t = seconds.max(0.0);
    match t {
        _ if t < 100.0 => format!("{t:.0} s"),
        _ if t < 6000.0 => format!("{} min {} s", (t / 60.0) as u64, t as u64 % 60),
        _ => format!("{} h {} min", (t / 3600.0) as u64, (t / 60.0) as u64 % 60),
    }
}

/// The time that a text means: `90s`, `10min`, `1h30min`, or `[days-]hours:minutes:seconds` as queues have it.
///
/// # Errors
/// What is wrong, in words.
pub fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || "no time; give for example 90s, 10min, 1h30min, 2d or 12:00:00".to_string();
    let seconds = if text.contains(':') { clock(text) } else { units(text) };
    seconds.and_then(|s| Duration::try_from_secs_f64(s).ok()).ok_or_else(wrong)
}

/// `[days-]hours:minutes:seconds`.
fn clock(text: &str) -> Option<f64> {
    let (days, rest) = text.split_once('-').unwrap_or(("0", text));
    let parts: Vec<f64> = rest.split(':').map(|part| part.parse::<u32>().ok().map(f64::from)).collect::<Option<_>>()?;
    let [hours, minutes, seconds] = parts[..] else { return None };
    Some(86_400.0 * days.parse::<u32>().ok()? as f64 + 3600.0 * hours + 60.0 * minutes + seconds)
}

/// Numbers with units, one after another.
fn units(text: &str) -> Option<f64> {
    let (mut rest, mut sum) = (text.trim(), 0.0);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let number = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let (value, after) = rest.split_at(number);
        let unit = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        let seconds = match unit {
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        sum += seconds * value.parse::<f64>().ok()?;
        rest = after.trim_start();
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        for (text, seconds) in [
            ("90s", 90.0),
            ("0s", 0.0),
            ("0.5s", 0.5),
            ("10min", 600.0),
            ("2h", 7200.0),
            ("1h30min", 5400.0),
            ("1h 30m", 5400.0),
            ("2d", 172_800.0),
            ("12:00:00", 43_200.0),
            ("1-00:00:30", 86_430.0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
        for text in ["", "90", "h", "1x", "-1s", "1:00", "1:00:00:00", "1.5.2s", "a-1:00:00", "1h30"] {
            assert!(parse(text).is_err_and(|why| why.contains("1h30min")), "{text}");
        }
    }
}
