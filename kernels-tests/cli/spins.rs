//! Spins through the command line: what stands beside a run, what is known without a network, couplings from correlations.

use std::path::Path;
use std::process::Output;

use super::{command, err, out, refused};

fn run(folder: &Path, line: &str) -> Output {
    let o = command(folder, line).output().expect("the binary runs");
    assert_eq!(o.status.code(), Some(0), "{line}: {}", err(&o));
    o
}

fn object(folder: &Path, line: &str) -> serde_json::Value {
    let o = run(folder, line);
    serde_json::from_str(out(&o).trim()).unwrap_or_else(|e| panic!("{line}: {e}: {}", out(&o)))
}

const GLASS: &str = "sk n=8 disorder=3 beta=1";

/// A run has chains and weights beside each other, reads back, and bounds ln Z from both sides; what the sum over all states gives
/// is what tempering gives.
#[test]
fn a_run_is_held_against_the_exact_distribution() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let s = object(at, &format!("train {GLASS} depth=1 steps=150 batch=400 eval_steps=20 --out a --json"));
    let exact = s["exact"]["e"].as_f64().unwrap();
    let (e, m) = (&s["metropolis"]["e"], &s["metropolis"]);
    assert!((e["value"].as_f64().unwrap() - exact).abs() < 5.0 * e["error"].as_f64().unwrap(), "{s}");
    assert!(m["m2"]["error"].as_f64().unwrap() > 0.0 && m["acceptance"].as_f64().unwrap() > 0.5 && m["tau"].as_f64().unwrap() > 0.3, "{s}");
    for name in ["c", "abs_m", "chi", "binder"] {
        assert!(s["reweighted"][name]["error"].as_f64().unwrap() > 0.0, "{name}: {s}");
    }
    let printed = out(&run(at, "report a"));
    for part in
        ["independence Metropolis, samples as proposals: E = ", "% accepted, autocorrelation time", "of all samples: C = ", "binder = "]
    {
        assert!(printed.contains(part), "{part}: {printed}");
    }
    assert_eq!(object(at, "report a --json")["metropolis"], s["metropolis"]);
    // what is exact is of this very system: the page tells distances in standard errors
    assert!(run(at, "report a --html a.html").status.success());
    let page = std::fs::read_to_string(at.join("a.html")).unwrap();
    let of = |road: &str| (s[road]["e"]["value"].as_f64().unwrap() - exact) / s[road]["e"]["error"].as_f64().unwrap();
    let row = page.lines().find(|l| l.contains("<td>E</td>")).expect("a row of E");
    for cell in [format!("<td class=\"n\">{:.1}</td>", of("result")), format!("<td class=\"n\">{:.1}</td></tr>", of("reweighted"))] {
        assert!(row.contains(&cell), "{cell}: {row}");
    }
    assert!(page.contains("alt=\"overlaps\"") && page.contains("<p>independence Metropolis"), "{page}");

    for name in ["energies", "overlaps"] {
        let table = std::fs::read_to_string(at.join(format!("a/plots/{name}.csv"))).unwrap();
        assert!(table.starts_with("curve,") && table.contains("all ") && at.join(format!("a/figures/{name}.svg")).is_file(), "{table}");
    }

    let sum = object(at, "exact a --json");
    let value = |o: &serde_json::Value, name: &str| o["result"][name]["value"].as_f64().unwrap();
    assert!((value(&sum, "e") - exact).abs() < 1e-5 && sum["method"] == "all states", "{sum}");
    let bound = |name: &str| (sum["sandwich"][name]["value"].as_f64().unwrap(), sum["sandwich"][name]["error"].as_f64().unwrap());
    let ((low, low_error), (z, _), (high, high_error)) = (bound("lower"), bound("minus_ln_z"), bound("upper"));
    assert!(
        low < z + 5.0 * low_error && z < high + 5.0 * high_error && high - low < 1.0 && (z + value(&sum, "ln_z")).abs() < 1e-9,
        "{sum}"
    );
    let table = out(&run(at, "exact a"));
    assert!(table.contains("E_p[R] ≤ -ln Z ≤ E_q[R]") && table.contains("KL(p‖q)"), "{table}");
    let tempered = object(at, &format!("exact {GLASS} --tempering --sweeps 1000 --json"));
    let t = &tempered["result"]["ln_z"];
    assert!((t["value"].as_f64().unwrap() - value(&sum, "ln_z")).abs() < 5.0 * t["error"].as_f64().unwrap(), "{tempered}");
    assert!(tempered["tempering"]["thermalised"] == true && tempered["tempering"]["tau"].as_f64().unwrap() >= 0.2, "{tempered}");
}

/// The simpler methods beside a run have the numbers of the reference file: the naive mean field is the lowest of thousands of
/// starts, and iterations that converge from no start have no value.
#[test]
fn simpler_methods_have_the_published_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels-tests/data/sk_n10_seed4.json");
    let reference: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    for row in reference["rows"].as_array().unwrap() {
        let beta = row["beta"].as_f64().unwrap();
        let line = format!("train sk couplings={} beta={beta} depth=1 batch=8 steps=2 eval_steps=0 --out b{beta} --json", file.display());
        let s = object(at, &line);
        let all = &s["baselines"];
        let equal = |method: &str, key: &str| (all[method]["f"].as_f64().unwrap() - row[key].as_f64().unwrap()).abs() < 1e-9;
        assert!(equal("naive_mean_field", "nmf_F_per_site") && all["naive_mean_field"]["starts"] == 4096, "{beta}: {all}");
        if row["bethe_bp_converged"] == "0/24" {
            assert!(all["bethe"]["f"].is_null() && all["bethe"]["converged"] == 0, "{beta}: {all}");
        } else {
            assert!(equal("bethe", "bethe_bp_F_per_site") && all["bethe"]["converged"] == all["bethe"]["starts"], "{beta}: {all}");
        }
        // above its transition TAP is at zero magnetisation
        assert!(beta > 0.7 || equal("tap", "tap_para_F_per_site"), "{beta}: {all}");
        assert!(beta < 1.5 || all["tap"]["f"].is_null(), "{beta}: {all}");
    }
    let printed = out(&run(at, "report b0.6"));
    for part in ["Naive mean field: F = -1.161393 J, a bound too (lowest of 4096 starts)", "TAP: F = -1.330687 J, no bound (50 of 50"] {
        assert!(printed.contains(part), "{part}: {printed}");
    }
}

/// Correlations of a model lead back to its couplings, from the file of one command to the next one's.
#[test]
fn couplings_come_back_from_a_file_of_correlations() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    run(at, &format!("exact {GLASS} --correlations c.csv"));
    let o = object(at, "inverse c.csv beta=1 depth=1 batch=500 steps=200 eval_steps=5 --out j.csv --json");
    let network = &o["methods"]["network"];
    assert!(network["error"].is_null() && network["residual"].as_f64().unwrap() < 0.03 && o["exact_residual"] == true, "{o}");
    // the couplings it wrote have nearly the free energy of the true ones; without any it would be -0.69
    let [found, true_] = [object(at, "exact couplings couplings=j.csv beta=1 --json"), object(at, &format!("exact {GLASS} --json"))];
    let f = |o: &serde_json::Value| o["result"]["f"]["value"].as_f64().unwrap();
    assert!((f(&found) - f(&true_)).abs() < 0.05, "{} {}", f(&found), f(&true_));
    let table = out(&run(at, &format!("inverse {GLASS} depth=1 batch=500 steps=200 eval_steps=5")));
    let error = |name: &str| {
        let line = table.lines().find(|l| l.contains(name)).unwrap_or_else(|| panic!("{name}: {table}"));
        line.trim().strip_prefix(name).unwrap().split_whitespace().next().unwrap().parse::<f64>().unwrap()
    };
    for other in ["mean field", "independent pairs", "Sessak–Monasson"] {
        assert!(error("network") < error(other), "{other}: {table}");
    }
    assert!(at.join("couplings.csv").is_file());
    // several temperatures, one figure
    let line =
        format!("inverse {} beta=0.5,1 depth=1 batch=400 steps=60 eval_steps=2 --figure e.svg --json", GLASS.trim_end_matches(" beta=1"));
    let o = object(at, &line);
    assert_eq!(o["betas"].as_array().map(|b| b.iter().map(|r| r["beta"].as_f64().unwrap()).collect()), Some(vec![0.5, 1.0]), "{o}");
    assert!(["couplings-beta0.5.csv", "couplings-beta1.csv", "e.svg"].iter().all(|name| at.join(name).is_file()));
}

#[test]
fn bad_questions_are_refused_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bad.csv"), "1,0.5\n0.4,1\n").unwrap();
    std::fs::write(folder.path().join("good.csv"), "1,0.5\n0.5,1\n").unwrap();
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    for (line, fragments) in [
        ("exact electron-gas n=3 rs=1 theta=1", &["electron-gas has no couplings", "ising, sk, hopfield, couplings"] as &[&str]),
        ("exact ising L=33 beta=0.4", &["1089 spins", "1024 at the most"]),
        ("exact empty", &["empty is no run directory"]),
        ("exact empty beta=2", &["beta=2: a run directory has its settings"]),
        ("exact sk beta=1 --tempering --sweeps 10", &["10 sweeps", "at least 100"]),
        ("exact sk beta=1 --correlations none/c.csv", &["there is no folder none"]),
        ("inverse bad.csv beta=1", &["bad.csv: C[0][1] = 0.5, but C[1][0] = 0.4", "symmetric"]),
        ("inverse nothing.csv beta=1", &["nothing.csv: no such file"]),
        ("inverse bad.csv", &["beta is missing"]),
        ("inverse bad.csv beta=1 n=2", &["unknown key \"n\""]),
        ("inverse ising L=3 beta=0.4 h=0.1", &["drop the field"]),
        ("inverse good.csv beta=0.4,0.5", &["are those of one beta"]),
        ("inverse ising L=3 beta=0.4 --figure e.svg", &["give several, as in beta=0.2,0.4..2"]),
        ("inverse ising L=3 beta=0.4,0.5 --figure e.jpg", &[".svg, .png or .pdf"]),
    ] {
        let o = command(folder.path(), line).output().unwrap();
        let code = if line.contains("none/") { 5 } else { 2 };
        let text = err(&o);
        // what comes after the device says on stdout which one it is
        if out(&o).is_empty() {
            refused(&o, code, fragments, line);
        } else {
            assert_eq!(o.status.code(), Some(code), "{line}: {text}");
            fragments.iter().for_each(|f| assert!(text.contains(f), "{line}: {text}"));
        }
    }
}
