//! The page of runs in a headless Chromium, if one is installed; where none is this says so and tests nothing.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

fn chromium() -> Option<&'static str> {
    let found = NAMES.into_iter().find(|name| Command::new(name).arg("--version").output().is_ok_and(|o| o.status.success()));
    if found.is_none() {
        // past the capture of the test runner
        let _ = writeln!(std::io::stderr(), "report --html: no Chromium on PATH, not tested in a browser; to test it, install chromium");
    }
    found
}

/// Put at the end of a copy of the page, which has no script of its own: what the browser made of each figure. Widths of texts
/// are those of the browser's fonts.
const ASK: &str = r#"<div id="rest"></div><pre id="told"></pre><script>
addEventListener("load", () => {
    const told = [...document.images].map(image => {
        const text = decodeURIComponent(image.src.slice(image.src.indexOf(",") + 1));
        const parsed = new DOMParser().parseFromString(text, "image/svg+xml");
        const seen = {name: image.alt, width: image.naturalWidth, shown: image.complete && image.clientHeight > 50};
        if (parsed.querySelector("parsererror")) return {...seen, broken: true};
        const svg = document.getElementById("rest").appendChild(document.importNode(parsed.documentElement, true));
        const texts = [...svg.querySelectorAll("text")];
        const boxes = texts.map(t => t.getBBox ? t.getBBox() : {x: 0, y: 0, width: 0, height: 0});
        const apart = (a, b) => a.x + a.width <= b.x + 1 || b.x + b.width <= a.x + 1
            || a.y + 0.8 * a.height <= b.y + 0.2 * b.height || b.y + 0.8 * b.height <= a.y + 0.2 * a.height;
        const meet = [];
        boxes.forEach((a, i) => boxes.forEach((b, j) => {
            if (i < j && !apart(a, b)) meet.push(texts[i].textContent + " | " + texts[j].textContent);
        }));
        const outside = texts.filter((t, i) => boxes[i].x < 0 || boxes[i].x + boxes[i].width > svg.viewBox.baseVal.width);
        return {
            ...seen, broken: false, lines: svg.querySelectorAll("polyline").length,
            errors: svg.querySelectorAll(".errors > *").length, texts: texts.map(t => t.textContent), meet,
            outside: outside.map(t => t.textContent),
        };
    });
    document.getElementById("rest").remove();
    document.getElementById("told").textContent = JSON.stringify(told);
});
</script></body>"#;

/// What the browser made of each figure of a page.
fn figures(chromium: &str, page: &Path) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("page.html");
    let text = fs::read_to_string(page).unwrap();
    assert!(!text.contains("<script") && text.matches("</body>").count() == 1);
    fs::write(&copy, text.replace("</body>", ASK)).unwrap();
    let mut browser = Command::new(chromium);
    browser.args(["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000", "--dump-dom"]);
    let o = browser.arg(format!("--user-data-dir={}", folder.path().join("profile").display())).arg(&copy).output().unwrap();
    let dom = String::from_utf8_lossy(&o.stdout).into_owned();
    let told = dom.split("<pre id=\"told\">").nth(1).and_then(|t| t.split("</pre>").next()).unwrap_or_else(|| panic!("{dom}"));
    let told = told.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    serde_json::from_str(&told).unwrap_or_else(|e| panic!("{e}: {told}"))
}

fn has(figure: &Value, words: &str) -> bool {
    figure["texts"].as_array().is_some_and(|all| all.iter().any(|t| t.as_str().is_some_and(|t| t.contains(words))))
}

#[test]
fn a_browser_shows_every_figure_of_a_page() {
    let Some(chromium) = chromium() else { return };
    let folder = tempfile::tempdir().unwrap();
    for line in [
        "train sk n=8 disorder=3 beta=1 depth=1 steps=6 batch=400 eval_steps=4 --out a --quiet",
        "train sk n=8 disorder=3 beta=1 depth=1 steps=8 batch=400 eval_steps=4 seed=2 --out b --quiet",
        "profile a",
        "report a b --html page.html",
    ] {
        let o = super::command(folder.path(), line).output().unwrap();
        assert!(o.status.success(), "{line}: {}", super::err(&o));
    }
    let page = folder.path().join("page.html");
    let figures = figures(chromium, &page);
    let names: Vec<&str> = figures.iter().filter_map(|f| f["name"].as_str()).collect();
    // all that the runs have left
    let left = |run: &str| {
        let names = fs::read_dir(folder.path().join(run).join("figures")).unwrap().flatten();
        names.filter(|e| e.path().extension().is_some_and(|x| x == "svg")).count()
    };
    assert_eq!(names.len(), 1 + left("a") + 1 + left("b"), "{names:?}");
    assert!(left("a") > 2 && names[..3] == ["comparison", "run", "time per kernel"], "{names:?}");
    for f in &figures {
        let name = f["name"].as_str().unwrap();
        assert!(f["shown"] == true && f["broken"] == false && f["width"].as_u64() > Some(300), "{name}: {f}");
        assert_eq!((&f["meet"], &f["outside"]), (&json!([]), &json!([])), "{name}: texts that overlap, or leave the picture");
        // galleries have no axes
        if f["lines"].as_u64() == Some(0) {
            continue;
        }
        let labels: &[&str] = match name {
            "run" => &["step", "J", "Values per spin"],
            "comparison" => &["time of training (s)", "step", "(J)"],
            "time per kernel" => &["time (ms)", "timestamps of the device"],
            "energies" => &["(J)"],
            "overlaps" => &["overlap"],
            _ => &[],
        };
        assert!(labels.iter().all(|l| has(f, l)), "{name}: {labels:?} in {f}");
        // the time per kernel is measured once, and says so
        assert!(f["errors"].as_u64() > Some(0) || has(f, "Once measured"), "{name} has no error bars: {f}");
    }
    // a figure that is no XML is found
    let broken = folder.path().join("broken.html");
    fs::write(&broken, fs::read_to_string(&page).unwrap().replacen("%3C/text%3E", "%3C/tex%3E", 1)).unwrap();
    let found = self::figures(chromium, &broken);
    assert!(found[0]["broken"] == true && found[0]["width"] == 0 && found[1]["broken"] == false, "{}", found[0]);
}
