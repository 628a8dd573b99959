//! Published values beside a run of the same settings: in the table, in JSON, on the page, as arrays. The run is written by hand.

use std::fs;

#[test]
fn published_values_are_shown_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("a")).unwrap();
    fs::write(at("a/config.toml"), "system = \"electron-gas\"\nn = 29\nrs = 10.0\ntheta = 0.15\n").unwrap();
    // 3-4-5 with the published F = -0.1690684(231): this run is 5/3 of its error above it, with 4/3 of it as the error of two steps
    let (f, error) = (-0.1690684 + 0.0000385, 0.0000308 * 2f64.sqrt());
    let line = |step: usize| format!("{step},1,{f},{error},{f},{error},0.03,0.001,-0.2,0.001,0.16,0.005,0,5,frozen\n");
    let head = "step,seconds [s],F [Ry],F_err [Ry],E [Ry],E_err [Ry],K [Ry],K_err [Ry],V [Ry],V_err [Ry],S [k_B],S_err [k_B],nonfinite,ms [ms],phase\n";
    fs::write(at("a/metrics.csv"), [head, &line(0), &line(1)].concat()).unwrap();

    let o = super::command(folder.path(), "report a --html a.html --tables t").output().unwrap();
    let text = super::out(&o);
    assert!(o.status.success(), "{}", super::err(&o));
    let row = text.lines().find(|l| l.contains("published -0.169068 ± 0.000023")).unwrap_or_else(|| panic!("{text}"));
    assert!(row.trim_start().starts_with("F ") && row.ends_with(" +1.0"), "{row}");
    let doi = "10.21468/SciPostPhys.14.6.154";
    assert!(text.contains(doi) && text.contains("S/S_ideal"), "{text}");

    let o = super::command(folder.path(), "report a --json").output().unwrap();
    let json: serde_json::Value = serde_json::from_str(super::out(&o).trim()).unwrap();
    let published = &json["published"][0];
    assert!(published["quantity"] == "F" && published["doi"] == doi, "{published}");
    assert!((published["distance"].as_f64().unwrap() - 1.0).abs() < 1e-3, "{published}");

    let page = fs::read_to_string(at("a.html")).unwrap();
    let row = page.lines().find(|l| l.contains("-0.169068 ± 0.000023")).unwrap_or_else(|| panic!("{page}"));
    assert!(row.starts_with("<tr><td>F</td>") && row.ends_with("<td class=\"n\">+1.0</td></tr>"), "{row}");
    assert_eq!(page.matches(doi).count(), 1, "a table for each publication");

    let table = fs::read_to_string(at("t/published.csv")).unwrap();
    let cells: Vec<&str> = table.lines().nth(1).unwrap().split(',').collect();
    assert!(cells[0] == "F" && cells[4] == "-0.1690684" && cells[7] == doi, "{table}");
    assert!((cells[6].parse::<f64>().unwrap() - 1.0).abs() < 1e-3 && at("t/published.npy").is_file(), "{table}");

    // another system has none
    fs::write(at("a/config.toml"), "system = \"electron-gas\"\nn = 28\nrs = 10.0\ntheta = 0.15\n").unwrap();
    let o = super::command(folder.path(), "report a").output().unwrap();
    assert!(o.status.success() && !super::out(&o).contains("published"), "{}", super::out(&o));
}
