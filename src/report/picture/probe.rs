//! Reads pictures back, for tests: their texts, lines and scales.

use super::text::advance;

/// A text and the room it takes.
#[derive(Clone, Debug)]
pub struct Shown {
    pub words: String,
    pub left: f64,
    pub right: f64,
    pub top: f64,
    pub bottom: f64,
    x: f64,
    y: f64,
    anchor: String,
}

fn attribute<'e>(element: &'e str, name: &str) -> &'e str {
    element.split(&format!(" {name}=\"")).nth(1).and_then(|rest| rest.split('"').next()).unwrap_or("")
}

fn plain(spans: &str) -> String {
    let mut words = String::new();
    let mut inside = true;
    for c in spans.chars() {
        match c {
            '<' => inside = false,
            '>' => inside = true,
            c if inside => words.push(c),
            _ => {}
        }
    }
    words.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// All texts with their rooms; sub- and superscripts count as large as the line.
pub fn boxes(svg: &str) -> Vec<Shown> {
    svg.split("<text")
        .skip(1)
        .map(|t| {
            let (head, rest) = t.split_once('>').expect("an element");
            let words = plain(rest.split("</text>").next().unwrap_or(""));
            let number = |name| attribute(head, name).parse::<f64>().expect("a number");
            let (x, y, size) = (number("x"), number("y"), number("font-size"));
            let width = size * words.chars().map(advance).sum::<f64>();
            let anchor = attribute(head, "text-anchor").to_string();
            let left = match anchor.as_str() {
                "start" => x,
                "middle" => x - 0.5 * width,
                _ => x - width,
            };
            Shown { words, left, right: left + width, top: y - 0.75 * size, bottom: y + 0.22 * size, x, y, anchor }
        })
        .collect()
}

pub fn words(svg: &str) -> Vec<String> {
    boxes(svg).into_iter().map(|b| b.words).collect()
}

/// Pairs of texts that cover each other.
pub fn overlaps(svg: &str) -> Vec<(String, String)> {
    let all = boxes(svg);
    let mut found = Vec::new();
    for (i, a) in all.iter().enumerate() {
        for b in &all[i + 1..] {
            let apart = a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
            if !apart && !a.words.is_empty() && !b.words.is_empty() {
                found.push((a.words.clone(), b.words.clone()));
            }
        }
    }
    found
}

/// The polylines that are no grid lines.
pub fn lines(svg: &str) -> Vec<String> {
    svg.lines().filter(|l| l.starts_with("<polyline") && !l.contains(super::PALE)).map(str::to_string).collect()
}

pub fn points(line: &str) -> Vec<(f64, f64)> {
    let pair = |p: &str| p.split_once(',').and_then(|(x, y)| Some((x.parse().ok()?, y.parse().ok()?)));
    attribute(line, "points").split(' ').map(|p| pair(p).expect("a point")).collect()
}

/// From pixels to values, from the labels at the ticks of the panel between `left` and `left + width`.
pub fn scales(svg: &str, left: f64, width: f64) -> (impl Fn(f64) -> f64, impl Fn(f64) -> f64) {
    let value = |b: &Shown| b.words.replace('−', "-").parse::<f64>().ok();
    let all = boxes(svg);
    let ticks = |anchor: &str, inside: &dyn Fn(&Shown) -> bool| -> Vec<(f64, f64)> {
        let chosen = all.iter().filter(|b| b.anchor == anchor && inside(b));
        chosen.filter_map(|b| Some((if anchor == "middle" { b.x } else { b.y - 0.35 * 17.0 }, value(b)?))).collect()
    };
    let map = |t: Vec<(f64, f64)>| {
        let (a, b) = (t[0], t[t.len() - 1]);
        assert!(t.len() > 1 && a.0 != b.0, "{t:?}");
        move |pixel: f64| a.1 + (pixel - a.0) / (b.0 - a.0) * (b.1 - a.1)
    };
    let x = ticks("middle", &|b| b.x >= left && b.x <= left + width);
    let y = ticks("end", &|b| b.x < left && b.x > left - 20.0);
    (map(x), map(y))
}
