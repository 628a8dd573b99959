//! Runs as one self-contained HTML page: results beside what is known, notes, figures, settings.
//!
//! Figures stand in it as images of their own, so that names inside one do not meet those of another, and nothing in a
//! file runs as a script.

use std::fs;
use std::path::Path;

use super::comparison;
use super::figure;
use super::kernels;
use super::published;
use super::read::RunDir;
use super::table::{beside, exact, plus_minus, remarks, share};
use crate::atomic_file;
use crate::error::{Error, Result};
use crate::estimate::Estimate;
use crate::estimate::difference::deviation;
use crate::problem::Quantity;

const STYLE: &str = "body{font:16px/1.45 system-ui,sans-serif;color:#222;max-width:1250px;margin:2em auto;padding:0 1em}\
    h1{font-size:1.5em}h2{font-size:1.25em;margin-top:2.2em;border-top:1px solid #ccc;padding-top:1em}\
    table{border-collapse:collapse;margin-top:1em}caption{text-align:left;color:#666;padding-bottom:.4em}\
    th,td{text-align:left;padding:.25em 1.1em .25em 0;border-bottom:1px solid #ddd}\
    td.n{font-variant-numeric:tabular-nums;white-space:nowrap}img{width:100%;height:auto}figure{margin:1.5em 0}\
    figcaption{color:#666}pre{background:#f6f6f6;padding:1em;overflow:auto}.note{background:#fff6d8;padding:.3em .6em}";

/// Fails as [`page`] would for the file's ending or its folder, before any work.
pub fn check(path: &Path) -> Result<()> {
    match path.extension().map(|e| e.to_string_lossy().to_lowercase()).as_deref() {
        Some("html" | "htm") => atomic_file::check(path),
        _ => Err(Error::User(format!("{}: a page is HTML; name a file that ends in .html", path.display()))),
    }
}

/// Writes `runs` as one HTML file, which refers to nothing outside of it.
///
/// # Errors
/// [`Error::Io`] if a figure of a run cannot be read or the page not be written.
pub fn page(path: &Path, runs: &[RunDir]) -> Result<()> {
    check(path)?;
    let files = runs.iter().map(files).collect::<Result<Vec<_>>>()?;
    atomic_file::write(path, html(runs, &files).as_bytes())
}

/// What a page takes from a run's folder.
struct Files {
    /// `config.toml`, which tells where each setting came from.
    settings: String,
    /// Names and SVG texts: the figure of the run as it is now, and the others that it has left.
    figures: Vec<(String, String)>,
}

fn files(run: &RunDir) -> Result<Files> {
    let text = |file: &Path| fs::read_to_string(file).map_err(|e| Error::Io(format!("{}: cannot be read: {e}", file.display())));
    let folder = run.path.join("figures");
    let mut left: Vec<_> = fs::read_dir(&folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
    left.retain(|f| f.extension().is_some_and(|e| e == "svg") && f.file_stem().is_some_and(|n| n != "run"));
    left.sort();
    let mut figures = vec![("run".to_string(), figure::svg(&run.summary, &run.records))];
    figures.extend(kernels::times(&run.path)?.map(|svg| ("time per kernel".to_string(), svg)));
    for file in left {
        figures.push((file.file_stem().unwrap_or_default().to_string_lossy().into_owned(), text(&file)?));
    }
    Ok(Files { settings: text(&run.path.join("config.toml"))?, figures })
}

fn html(runs: &[RunDir], files: &[Files]) -> String {
    let title = match runs {
        [one] => one.summary.kind.words(&one.summary.parameters),
        all => format!("{} runs", all.len()),
    };
    let title = escaped(&title);
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
    );
    if runs.len() > 1 {
        out += &match comparison::svg(runs) {
            Ok(svg) => image("comparison", &svg),
            Err(e) => format!("<p>Not drawn together: {}</p>\n", escaped(&e.to_string())),
        };
    }
    for (run, files) in runs.iter().zip(files) {
        out += &section(run, files);
    }
    out + "</body>\n</html>\n"
}

fn section(run: &RunDir, files: &Files) -> String {
    let s = &run.summary;
    let name = run.path.display().to_string();
    let mut out = format!("<h2>{}: {}</h2>\n{}", escaped(&name), escaped(&s.kind.words(&s.parameters)), results(run) + &published(run));
    for line in remarks(s) {
        let class = if line.starts_with("note:") { " class=\"note\"" } else { "" };
        out += &format!("<p{class}>{}</p>\n", escaped(&line));
    }
    out += &format!("<p>{}; {}</p>\n", escaped(&s.device), escaped(&s.ended));
    for (name, svg) in &files.figures {
        out += &image(name, svg);
    }
    out + &format!("<details><summary>Settings, and where each came from</summary><pre>{}</pre></details>\n", escaped(&files.settings))
}

/// The table of results. Distances in standard errors stand where the exact values are those of the system itself.
fn results(run: &RunDir) -> String {
    let s = &run.summary;
    let (second, before) = beside(s);
    let solved = (s.kind.solved)(&run.resolved.values);
    let mut head = vec!["", "", "unit", "this run"];
    head.extend(second.map(|_| before));
    let known = format!("{}, exact", s.kind.exact.name);
    head.push(&known);
    if solved {
        head.push("(this run − exact) / error");
    }
    if solved && s.reweighted.is_some() {
        head.push("(reweighted − exact) / error");
    }
    let exactly = |q: &Quantity| s.exact.as_ref().and_then(|e| q.exact(e)).filter(|v| v.is_finite());
    let mut rows = Vec::new();
    for q in s.kind.results() {
        let mut row = vec![q.name.to_string(), q.words()];
        row.extend([q.unit.name(&s.energy_unit).to_string(), plus_minus(s.result[q.name])]);
        row.extend(second.map(|t| plus_minus(t[q.name])));
        row.push(exact(exactly(q)));
        if solved {
            row.push(distance(s.result[q.name], exactly(q)));
            row.extend(s.reweighted.as_ref().map(|t| distance(t[q.name], exactly(q))));
        }
        rows.push(row);
    }
    if let Some(q) = s.kind.entropy()
        && let Some(ratio) = share(s.result[q.name], exactly(q))
    {
        rows.push(vec![String::new(), format!("{0} / {0} of {1}", q.name, s.kind.exact.name), String::new(), plus_minus(ratio)]);
    }
    table(&format!("Values per {}", s.kind.per), &head, &rows)
}

/// Published values of the same system, a table for each publication.
fn published(run: &RunDir) -> String {
    let head = ["", "unit", "this run", "published", "(this run − published) / error of both"];
    let row = |b: &published::Beside| {
        vec![b.published.quantity.to_string(), b.unit.clone(), plus_minus(b.run), plus_minus(b.published.value), b.told()]
    };
    let all = published::beside(run);
    let tables = all.chunk_by(|a, b| a.published.source == b.published.source);
    tables.map(|rows| table(&rows[0].source(), &head, &rows.iter().map(row).collect::<Vec<_>>())).collect()
}

fn table(caption: &str, head: &[&str], rows: &[Vec<String>]) -> String {
    let mut out = format!("<table>\n<caption>{}</caption>\n<tr>", escaped(caption));
    out.extend(head.iter().map(|h| format!("<th>{}</th>", escaped(h))));
    out += "</tr>\n";
    // numbers stay in one line
    let number = |c: &str| c.starts_with(|first: char| first.is_ascii_digit() || "-+–≤".contains(first));
    for row in rows {
        let cells = row.iter().map(|c| format!("<td{}>{}</td>", if number(c) { " class=\"n\"" } else { "" }, escaped(c)));
        out += &format!("<tr>{}</tr>\n", cells.collect::<String>());
    }
    out + "</table>\n"
}

/// How many standard errors a value lies above the exact one.
fn distance(of: Estimate, exact: Option<f64>) -> String {
    match deviation(of, exact.unwrap_or(f64::NAN)) {
        d if d.is_finite() && of.error > 0.0 => format!("{}{d:.1}", if of.at_least { "≤ " } else { "" }),
        _ => "–".into(),
    }
}

fn image(name: &str, svg: &str) -> String {
    let name = escaped(name);
    format!(
        "<figure><img alt=\"{name}\" src=\"data:image/svg+xml;charset=utf-8,{}\"><figcaption>{name}</figcaption></figure>\n",
        quoted(svg)
    )
}

/// Text as HTML shows it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Text inside of a data URL (RFC 2397) in quotes.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 5 / 4);
    for c in text.chars() {
        match c {
            '%' | '#' | '"' | '<' | '>' | '&' | '\'' | '?' | '\n' | '\r' | '\t' => out += &format!("%{:02X}", c as u32),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_in_standard_errors() {
        assert_eq!(distance(Estimate::new(-1.5, 0.25), Some(-2.0)), "2.0");
        assert_eq!(distance(Estimate::new(-2.5, 0.25), Some(-2.0)), "-2.0");
        assert_eq!(distance(Estimate { at_least: true, ..Estimate::new(-1.5, 0.25) }, Some(-2.0)), "≤ 2.0");
        for (error, exact) in [(0.0, Some(1.0)), (f64::NAN, Some(1.0)), (0.1, None)] {
            assert_eq!(distance(Estimate::new(1.0, error), exact), "–");
        }
    }

    /// A picture comes back from its URL as it was, and nothing of it ends the attribute or the tag.
    #[test]
    fn pictures_survive_their_urls() {
        let svg = "<svg viewBox='0 0 1 1'>\n<text fill=\"#222\">50 % &lt; β – ?</text></svg>";
        let url = quoted(svg);
        assert!(!url.contains(['"', '<', '>', '#', '\n']), "{url}");
        let mut back = Vec::new();
        let mut bytes = url.bytes();
        while let Some(b) = bytes.next() {
            let mut hex = || (bytes.next().unwrap() as char).to_digit(16).unwrap() as u8;
            back.push(if b == b'%' { 16 * hex() + hex() } else { b });
        }
        assert_eq!(String::from_utf8(back).unwrap(), svg);
    }

    #[test]
    fn names_are_no_markup() {
        assert_eq!(escaped("a<b & \"c\">"), "a&lt;b &amp; &quot;c&quot;&gt;");
    }
}
