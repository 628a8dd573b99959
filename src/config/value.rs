//! Types of settings: how each is read from text and written as TOML.

/// A type a setting can have. Values come as text from the command line and from TOML alike.
pub trait Value: Sized + Default + PartialEq {
    /// What the user is asked for.
    const KIND: &'static str;
    fn parse(text: &str) -> Result<Self, String>;
    /// The value in TOML.
    fn toml(&self) -> String;
    /// The value as it is given in `key=value`.
    fn text(&self) -> String {
        self.toml().trim_matches('"').to_string()
    }
    /// The numbers a [`Range`] applies to.
    fn numbers(&self) -> Vec<f64> {
        Vec::new()
    }
}

/// Allowed numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Range {
    Any,
    AtLeast(f64),
    Above(f64),
    /// Both ends included.
    Within(f64, f64),
    /// From above the first to the second (included).
    AboveTo(f64, f64),
    /// One of two values.
    Either(f64, f64),
    /// 0, or between the two, ends included.
    ZeroOr(f64, f64),
}

impl Range {
    pub fn holds(self, v: f64) -> bool {
        match self {
            Range::Any => true,
            Range::AtLeast(low) => v >= low,
            Range::Above(low) => v > low,
            Range::Within(low, high) => (low..=high).contains(&v),
            Range::AboveTo(low, high) => v > low && v <= high,
            Range::Either(a, b) => v == a || v == b,
            Range::ZeroOr(low, high) => v == 0.0 || (low..=high).contains(&v),
        }
    }

    /// The condition in words, empty for any number.
    pub fn text(self) -> String {
        let c = compact;
        match self {
            Range::Any => String::new(),
            Range::AtLeast(low) => format!("at least {}", c(low)),
            Range::Above(low) => format!("greater than {}", c(low)),
            Range::Within(low, high) => format!("from {} to {}", c(low), c(high)),
            Range::AboveTo(low, high) => format!("above {} to {}", c(low), c(high)),
            Range::Either(a, b) => format!("{} or {}", c(a), c(b)),
            Range::ZeroOr(low, high) => format!("0 or from {} to {}", c(low), c(high)),
        }
    }
}

/// A number in as few characters as give it back: 0.15, 1e-300.
pub fn compact(v: f64) -> String {
    if v == 0.0 || (1e-4..1e9).contains(&v.abs()) { format!("{v}") } else { format!("{v:e}") }
}

fn number(text: &str) -> Result<f64, String> {
    let text = text.trim();
    let parse = |t: &str| t.trim().parse::<f64>().ok().filter(|v| v.is_finite());
    let value = match text.split_once('/') {
        Some((a, b)) => parse(a).zip(parse(b)).map(|(a, b)| a / b).filter(|v| v.is_finite()),
        None => parse(text),
    };
    value.ok_or_else(|| match text.replace(',', ".").parse::<f64>() {
        Ok(_) if text.contains(',') => "not a number (decimals take a point, not a comma)".to_string(),
        Ok(_) => "not a finite number".to_string(),
        Err(_) => "not a number".to_string(),
    })
}

impl Value for f64 {
    const KIND: &'static str = "number";
    fn parse(text: &str) -> Result<Self, String> {
        number(text)
    }
    fn toml(&self) -> String {
        format!("{self:?}")
    }
    fn text(&self) -> String {
        compact(*self)
    }
    fn numbers(&self) -> Vec<f64> {
        vec![*self]
    }
}

/// The whole numbers that every f64 and every reader of JSON has exactly.
const EXACT: u64 = (1 << 53) - 1;

/// Whole numbers up to `most`; `8192`, `8192.0` and `8_192` are the same.
fn whole(text: &str, most: u64) -> Result<u64, String> {
    let plain = text.trim().replace('_', "");
    if let Some(v) = plain.parse().ok().filter(|v| *v <= most) {
        return Ok(v);
    }
    match number(&plain) {
        Ok(v) if v < 0.0 => Err("negative, where a whole number is needed".into()),
        Ok(v) if v > most as f64 => Err(format!("too large (at most {most})")),
        Ok(v) if v.fract() == 0.0 => Ok(v as u64),
        _ => Err("not a whole number".into()),
    }
}

impl Value for u32 {
    const KIND: &'static str = "whole number";
    fn parse(text: &str) -> Result<Self, String> {
        whole(text, u32::MAX as u64).map(|v| v as u32)
    }
    fn toml(&self) -> String {
        self.to_string()
    }
    fn numbers(&self) -> Vec<f64> {
        vec![*self as f64]
    }
}

impl Value for u64 {
    const KIND: &'static str = "whole number";
    fn parse(text: &str) -> Result<Self, String> {
        whole(text, EXACT)
    }
    fn toml(&self) -> String {
        self.to_string()
    }
    fn numbers(&self) -> Vec<f64> {
        vec![*self as f64]
    }
}

impl Value for usize {
    const KIND: &'static str = "whole number";
    fn parse(text: &str) -> Result<Self, String> {
        whole(text, u32::MAX as u64).map(|v| v as usize)
    }
    fn toml(&self) -> String {
        self.to_string()
    }
    fn numbers(&self) -> Vec<f64> {
        vec![*self as f64]
    }
}

impl Value for String {
    const KIND: &'static str = "text";
    fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() { Err("empty".into()) } else { Ok(text.into()) }
    }
    fn toml(&self) -> String {
        toml::Value::from(self.as_str()).to_string()
    }
    fn text(&self) -> String {
        self.clone()
    }
}

impl Value for bool {
    const KIND: &'static str = "yes or no";
    fn parse(text: &str) -> Result<Self, String> {
        match text.trim().to_lowercase().as_str() {
            "yes" | "true" | "1" => Ok(true),
            "no" | "false" | "0" => Ok(false),
            _ => Err("neither yes nor no".into()),
        }
    }
    fn toml(&self) -> String {
        self.to_string()
    }
    fn text(&self) -> String {
        if *self { "yes".into() } else { "no".into() }
    }
}

impl Value for Vec<f64> {
    const KIND: &'static str = "numbers separated by commas";
    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        // as TOML has them, or bare
        let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        inner.split(',').map(number).collect()
    }
    fn toml(&self) -> String {
        format!("[{}]", self.iter().map(|v| format!("{v:?}")).collect::<Vec<_>>().join(", "))
    }
    fn text(&self) -> String {
        self.iter().map(|v| compact(*v)).collect::<Vec<_>>().join(",")
    }
    fn numbers(&self) -> Vec<f64> {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::compact;

    #[test]
    fn numbers_are_short_and_exact() {
        for (v, text) in [(0.15, "0.15"), (25.0, "25"), (1e-300, "1e-300"), (1e300, "1e300"), (0.0, "0"), (16_777_216.0, "16777216")] {
            assert_eq!(compact(v), text);
        }
        for v in [1.0 / 3.0, -2.5e-7, 123456789012.0] {
            assert_eq!(compact(v).parse(), Ok(v));
        }
    }
}
