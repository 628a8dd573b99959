//! Several values of one setting in one text: `0.1,0.2..1.0,1.5`.

/// Most values of a list.
const MOST: i128 = 10_000;

/// A decimal number as it is written: `digits` / 10^`decimals`.
#[derive(Clone, Copy)]
struct Decimal {
    digits: i128,
    decimals: u32,
}

impl Decimal {
    fn parse(text: &str) -> Option<Decimal> {
        let text = text.trim();
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = |t: &str| t.chars().all(|c| c.is_ascii_digit());
        if !digits(whole.trim_start_matches(['-', '+'])) || !digits(fraction) || text.len() > 12 {
            return None;
        }
        let decimals = fraction.len() as i32 - exponent.parse::<i32>().ok().filter(|e| e.abs() <= 6)?;
        let value: i128 = format!("{whole}{fraction}").parse().ok()?;
        Some(Decimal { digits: value * 10i128.pow((-decimals).max(0) as u32), decimals: decimals.max(0) as u32 })
    }

    /// Its digits at more decimals.
    fn at(self, decimals: u32) -> i128 {
        self.digits * 10i128.pow(decimals - self.decimals)
    }
}

fn written(digits: i128, decimals: u32) -> String {
    let scale = 10i128.pow(decimals);
    let (sign, digits) = (if digits < 0 { "-" } else { "" }, digits.abs());
    let fraction = format!("{:0>width$}", digits % scale, width = decimals as usize);
    if decimals == 0 { format!("{sign}{digits}") } else { format!("{sign}{}.{fraction}", digits / scale) }
}

/// The values that a text lists: separated by semicolons where there is one, else by commas unless values have commas of their
/// own (`whole`). `a,b..c` goes on from a and b in equal steps to c, in decimal arithmetic.
///
/// # Errors
/// What is wrong with a progression.
pub fn list(text: &str, whole: bool) -> Result<Vec<String>, String> {
    let parts: Vec<&str> = match text.contains(';') {
        true => text.split(';').filter(|p| !p.trim().is_empty()).collect(),
        false if whole => vec![text],
        false => text.split(',').collect(),
    };
    let mut values: Vec<String> = Vec::new();
    for part in parts {
        let part = part.trim();
        // a path may hold two dots as well
        let ends = part.split_once("..").and_then(|(from, to)| Some((Decimal::parse(from)?, Decimal::parse(to)?)));
        let Some((from, to)) = ends else {
            values.push(part.into());
            continue;
        };
        let Some(before) = values.last().and_then(|v| Decimal::parse(v)) else {
            return Err(format!("{part} has no step: write the value before it too, as in 0.1,0.2..1.0"));
        };
        let decimals = before.decimals.max(from.decimals).max(to.decimals);
        let [first, from, to] = [before, from, to].map(|d| d.at(decimals));
        let (step, way) = (from - first, to - from);
        if step == 0 || way % step != 0 || way / step < 0 {
            let by = written(step, decimals);
            return Err(format!("{part} does not end at {} in steps of {by}, the difference from the value before", written(to, decimals)));
        }
        if way / step >= MOST {
            return Err(format!("{part} has {} values, at most {MOST}", way / step + 1));
        }
        values.extend((0..=way / step).map(|k| written(from + k * step, decimals)));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::list;

    #[test]
    fn progressions_are_exact_decimals() {
        for (text, wanted) in [
            ("0.1,0.2..1.0", "0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9 1.0"),
            ("4,6..12,16", "4 6 8 10 12 16"),
            ("1,0.75..0", "1 0.75 0.50 0.25 0.00"),
            ("-1,-0.5..1", "-1 -0.5 0.0 0.5 1.0"),
            ("1e-3,2e-3..0.004", "1e-3 0.002 0.003 0.004"),
            ("1e3,2e3..4000", "1e3 2000 3000 4000"),
            ("0.1,0.2..0.4,0.6..1", "0.1 0.2 0.3 0.4 0.6 0.8 1.0"),
            ("2,3..3", "2 3"),
            ("made,pixelcnn", "made pixelcnn"),
            ("../a.csv,../b.csv", "../a.csv ../b.csv"),
            ("0.25,0.25;0.1,0.1", "0.25,0.25 0.1,0.1"),
            ("a,b.csv;", "a,b.csv"),
            ("5", "5"),
        ] {
            assert_eq!(list(text, false).unwrap().join(" "), wanted, "{text}");
        }
        assert_eq!(list("0.25,0.25", true).unwrap(), ["0.25,0.25"]);
    }

    #[test]
    fn what_is_no_progression_is_told() {
        for (text, why) in [
            ("0.1..1.0", "has no step"),
            ("x,0.1..1.0", "has no step"),
            ("0.1,0.3..1.0", "does not end at 1.0 in steps of 0.2"),
            ("0.1,0.1..1.0", "steps of 0.0"),
            ("0.1,0.2..0.1", "does not end at 0.1"),
            ("0,1..1e6", "at most 10000"),
        ] {
            assert!(list(text, false).unwrap_err().contains(why), "{text}: {:?}", list(text, false));
        }
    }
}
