//! Typesetting: italic symbols, true sub- and superscripts, a true minus sign.

use crate::estimate::Estimate;
use crate::report::table::plus_minus;

/// The family that PNG and PDF are set in, and that SVG asks for first.
pub const FAMILY: &str = "Noto Sans";
/// Size of sub- and superscripts, and how far they are moved, in the size of their line.
const SMALL: f64 = 0.72;
const LOWERED: f64 = 0.22;
const RAISED: f64 = -0.38;

#[derive(Clone, Debug, PartialEq)]
struct Span {
    text: String,
    italic: bool,
    /// Baseline below that of the line, in the size of the line; 0 for the line itself.
    shift: f64,
}

/// A line of text with its typesetting.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Text(Vec<Span>);

impl Text {
    /// Text as it is; nothing in it is markup.
    pub fn plain(text: &str) -> Text {
        // control characters are no XML
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        Text(vec![Span { text, italic: false, shift: 0.0 }])
    }

    /// `*T*` is italic, `_{F}` lowered, `^{2}` raised; braces and stars mean nothing else.
    pub fn math(markup: &str) -> Text {
        let (mut spans, mut italic, mut shift) = (Vec::new(), false, 0.0);
        let mut span = String::new();
        let mut end = |span: &mut String, italic: bool, shift: f64| {
            if !span.is_empty() {
                spans.push(Span { text: std::mem::take(span), italic, shift });
            }
        };
        let mut rest = markup.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '*' => {
                    end(&mut span, italic, shift);
                    italic = !italic;
                }
                '_' | '^' if rest.peek() == Some(&'{') => {
                    rest.next();
                    end(&mut span, italic, shift);
                    shift = if c == '_' { LOWERED } else { RAISED };
                }
                '}' if shift != 0.0 => {
                    end(&mut span, italic, shift);
                    shift = 0.0;
                }
                c => span.push(c),
            }
        }
        end(&mut span, italic, shift);
        Text(spans)
    }

    /// The words alone, as a reader would say them.
    pub fn words(&self) -> String {
        self.0.iter().map(|s| s.text.as_str()).collect()
    }

    /// Estimate of the width in pixels, rather too large: the viewer's font may differ.
    pub fn width(&self, size: f64) -> f64 {
        let scale = |s: &Span| if s.shift == 0.0 { size } else { SMALL * size };
        self.0.iter().map(|s| scale(s) * s.text.chars().map(advance).sum::<f64>()).sum()
    }

    /// Shortened in its middle to at most `width` pixels: both ends of a long name tell.
    pub fn fitted(self, size: f64, width: f64) -> Text {
        if self.width(size) <= width {
            return self;
        }
        let all: Vec<char> = self.words().chars().collect();
        let cut = |kept: usize| {
            let (head, tail) = (kept.div_ceil(2), kept / 2);
            let text: String = all[..head].iter().chain(&['…']).chain(&all[all.len() - tail..]).collect();
            Text::plain(&text)
        };
        let kept = (1..all.len()).rev().find(|kept| cut(*kept).width(size) <= width);
        cut(kept.unwrap_or(1))
    }

    /// The spans of an SVG `text` of this size.
    pub fn svg(&self, size: f64) -> String {
        let (mut out, mut moved) = (String::new(), 0.0);
        for s in &self.0 {
            let mut style = String::new();
            if s.italic {
                style.push_str(r#" font-style="italic""#);
            }
            if s.shift != 0.0 {
                style.push_str(&format!(r#" font-size="{:.2}""#, SMALL * size));
            }
            if s.shift != moved {
                style.push_str(&format!(r#" dy="{:.2}""#, (s.shift - moved) * size));
                moved = s.shift;
            }
            let text = s.text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            if style.is_empty() { out.push_str(&text) } else { out.push_str(&format!("<tspan{style}>{text}</tspan>")) }
        }
        out
    }
}

/// `−0.16812 ± 0.00034`, set with a true minus sign.
pub fn measured(e: Estimate) -> String {
    plus_minus(e).replace('-', "−")
}

/// A number in as few digits as tell it, with a true minus sign.
pub fn number(v: f64) -> String {
    format!("{v}").replace('-', "−")
}

/// Width of a character in the size of its line.
pub(super) fn advance(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' => 0.29,
        'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '/' | '-' => 0.40,
        'm' | 'w' | 'M' | 'W' | '…' | '@' | '%' => 0.92,
        'A'..='Z' | 'Θ' => 0.67,
        c if c as u32 > 0x2fff => 1.05,
        _ => 0.59,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_italic_and_subscripts_lowered() {
        let text = Text::math("*r*_{s} = 10, *x*^{2}");
        assert_eq!(text.words(), "rs = 10, x2");
        let svg = text.svg(10.0);
        assert!(svg.starts_with(r#"<tspan font-style="italic">r</tspan><tspan font-size="7.20" dy="2.20">s</tspan>"#), "{svg}");
        // the line comes back to its baseline
        assert!(svg.contains(r#"<tspan dy="-2.20"> = 10, </tspan>"#) && svg.ends_with(r#"dy="-3.80">2</tspan>"#), "{svg}");
    }

    #[test]
    fn names_are_no_markup() {
        let name = "a*b_{c}<d>&\u{1}e";
        assert_eq!(Text::plain(name).svg(10.0), "a*b_{c}&lt;d&gt;&amp; e");
        let long = "x".repeat(300) + "end";
        let fitted = Text::plain(&long).fitted(10.0, 100.0);
        assert!(fitted.width(10.0) <= 100.0 && fitted.words().starts_with("xx") && fitted.words().ends_with("xend"), "{}", fitted.words());
        assert_eq!(Text::plain("short").fitted(10.0, 100.0), Text::plain("short"));
        assert!(Text::plain(&long).fitted(10.0, 0.0).words().starts_with('x'));
    }

    #[test]
    fn minus_is_a_minus() {
        assert_eq!(measured(Estimate::new(-0.168_123_4, 0.000_342)), "−0.16812 ± 0.00034");
        assert_eq!(number(-2.5), "−2.5");
    }
}
