//! Walkers of runs computed again in float64: every kind of network and sampler agrees, and errors that are planted are found.

use helmholtz::config::Resolved;
use helmholtz::number::philox::{Stream, purpose};
use helmholtz::problem::{Parameters, Walkers, resolve};
use helmholtz::verify::audit::{self, audit};

use crate::{TINY, device};

const GAS: &str = "rs=2 batch=20 chunk=8";
const SPINS: &str = "beta=0.7 batch=20 chunk=8";

fn resolved(line: &str) -> Resolved {
    let line = line.replace("GAS", &format!("electron-gas {TINY} {GAS}"));
    let line = if line.contains("electron-gas") { line } else { format!("{line} {SPINS}") };
    let words: Vec<String> = line.split_whitespace().map(String::from).collect();
    resolve(&words[0], &words[1..]).unwrap_or_else(|e| panic!("{line}: {e}"))
}

/// Parameters that make something of every layer, and walkers of a frozen step at them.
fn measured(run: &Resolved, count: usize) -> (Parameters, Walkers) {
    let tables = (run.kind().tables)(&run.values).unwrap();
    let vector = |k: usize, len: usize| {
        let at = Stream { seed: 3, step: k as u32, purpose: purpose::PARAMETERS, first_walker: 0 };
        at.normals().take(len).map(|v| (0.15 * v) as f32).collect()
    };
    let parameters: Parameters = tables.iter().enumerate().map(|(k, (table, _))| vector(k, table.len())).collect();
    let mut problem = (run.kind().open)(device(), &run.values, Some(parameters.clone())).unwrap();
    while problem.warm_up(device()).unwrap().is_some() {}
    problem.draw(device()).unwrap();
    problem.measure(device(), false).unwrap();
    let walkers = problem.walkers(device(), count).unwrap().expect("walkers");
    assert_eq!(walkers.count, count.min(20));
    (parameters, walkers)
}

/// Each kind agrees within what rounding allows, over three chunks; and a parameter, or one number of one walker, that is off is
/// found in its own rows.
#[test]
fn walkers_agree_with_float64_and_errors_are_found() {
    for (line, rows) in [
        ("sk n=8 disorder=3 depth=1", &["ln q", "E", "F"][..]),
        ("sk n=8 disorder=3 depth=2 width=2 activation=prelu fields=no", &["ln q", "E", "F"]),
        ("sk n=8 network=transformer", &["ln q", "E", "F"]),
        ("ising L=3 depth=2 width=2 h=0.5", &["ln q", "E", "F"]),
        ("ising L=3 network=pixelcnn half=1 symmetry=z2-lattice", &["ln q", "E", "F"]),
        ("hopfield n=8", &["ln q", "E", "F"]),
        ("GAS laplacian=exact", &["ln p", "ln|Ψ|", "K", "V_local", "K_local", "F"]),
        ("GAS laplacian=exact polarisation=0.333", &["ln p", "ln|Ψ|", "K", "V_local", "K_local", "F"]),
        ("GAS laplacian=exact polarisation=0.333 prior=none", &["ln p", "ln|Ψ|", "K", "V_local", "K_local", "F"]),
        ("GAS sampler=metropolis mc_steps=20 therm_steps=100 prior=none twist=0.1,0.3", &["ln p", "ln|Ψ|", "K", "V_local"]),
    ] {
        let run = resolved(line);
        let (parameters, walkers) = measured(&run, 7);
        let report = audit(&run, &parameters, &walkers, "").unwrap();
        println!("{line}\n{}", report.text());
        let names: Vec<&str> = report.quantities.iter().map(|q| q.name.as_str()).collect();
        assert_eq!(names, rows, "{line}");
        assert!(report.pass && report.quantities.iter().all(|q| q.count == 7), "{line}:\n{}", report.text());
        // something is told: what is allowed is a small part of the numbers themselves
        assert!(report.quantities.iter().all(|q| q.tolerance < 2e-3 * q.scale.max(1.0)), "{line}:\n{}", report.text());
        let off = |parameters: &Parameters, walkers: &Walkers| -> Vec<String> {
            let report = audit(&run, parameters, walkers, "").unwrap();
            let failed = audit::failed(&report).map(|e| e.exit_code());
            assert_eq!(failed, (!report.pass).then_some(4), "{line}");
            report.quantities.into_iter().filter(|q| !q.pass).map(|q| q.name).collect()
        };
        // parameters of another file, one vector at a time
        let vectors: &[(usize, &str)] = if rows[0] == "ln q" { &[(0, "ln q")] } else { &[(0, "ln p"), (1, "ln|Ψ|")] };
        for (k, row) in vectors {
            let mut other = parameters.clone();
            other[*k].iter_mut().for_each(|v| *v *= 1.01);
            assert!(off(&other, &walkers).iter().any(|name| name == row), "{line}: vector {k}");
        }
        // a number of one walker
        for (name, row) in [("ln q", "ln q"), ("E", "E"), ("ln p", "ln p"), ("ln|psi|", "ln|Ψ|"), ("K", "K"), ("V_local", "V_local")] {
            let mut other = walkers.clone();
            let Some(column) = other.numbers.get_mut(name) else { continue };
            column[3] += 0.02;
            assert!(off(&parameters, &other).iter().any(|name| name == row), "{line}: {name}");
            other.numbers.get_mut(name).unwrap()[3] = f64::NAN;
            assert!(off(&parameters, &other).iter().any(|name| name == row), "{line}: {name} that is no number");
        }
        // a spin turned over, an electron moved; not of one walker alone, whose force may vanish there
        let mut other = walkers.clone();
        let (input, row) = if rows[0] == "ln q" { ("spins", "E") } else { ("x", "V_local") };
        let inputs = other.numbers.get_mut(input).unwrap();
        let width = inputs.len() / 7;
        inputs.iter_mut().step_by(width).for_each(|v| *v = if input == "x" { *v + 0.05 } else { -*v });
        assert!(off(&parameters, &other).iter().any(|name| name == row), "{line}: {input}");
        let none = Walkers { count: 0, numbers: walkers.numbers.keys().map(|name| (*name, Vec::new())).collect() };
        assert!(!audit(&run, &parameters, &none, "").unwrap().pass, "{line}: nothing was compared");
    }
}

/// The same of fields: parameters, a logarithm, an action or a field that is off is found.
#[test]
fn fields_agree_with_float64_and_errors_are_found() {
    for symmetry in ["z2", "none"] {
        let line = format!("L=4 T=2.3 couplings=3 hidden=4 batch=20 symmetry={symmetry}");
        let words: Vec<String> = line.split_whitespace().map(String::from).collect();
        let mut run = resolve("dual-ising", &words).unwrap();
        run.values.set("chunk", "20").unwrap();
        let (parameters, walkers) = measured(&run, 7);
        let report = audit(&run, &parameters, &walkers, "").unwrap();
        println!("{line}\n{}", report.text());
        assert!(
            report.pass && report.quantities.iter().all(|q| q.count == 7 && q.tolerance < 2e-3 * q.scale.max(1.0)),
            "{}",
            report.text()
        );
        let off = |parameters: &Parameters, walkers: &Walkers, row: &str| {
            audit(&run, parameters, walkers, "").unwrap().quantities.iter().any(|q| q.name == row && !q.pass)
        };
        let mut other = parameters.clone();
        other[0].iter_mut().for_each(|v| *v *= 1.01);
        assert!(off(&other, &walkers, "ln q"), "{line}: parameters");
        // a field moves U by its force alone, which may be small
        for (name, row, by) in [("ln q", "ln q", 0.02), ("U", "U", 0.02), ("ln q", "F", 0.02), ("x", "U", 0.5)] {
            let mut other = walkers.clone();
            other.numbers.get_mut(name).unwrap()[3] += by;
            assert!(off(&parameters, &other, row), "{line}: {name}");
        }
    }
}

/// All walkers of a batch, and no more; those that failed are left out.
#[test]
fn walkers_are_spread_over_the_batch() {
    assert_eq!(Walkers::chosen(&[0, 1, 2, 5, 6, 7, 8, 9], 4), [0, 2, 6, 8]);
    assert_eq!((Walkers::chosen(&[3, 4], 9), Walkers::chosen(&[], 3)), (vec![3, 4], vec![]));
    let (_, all) = measured(&resolved("sk n=8 disorder=3 depth=1"), 50);
    assert_eq!((all.of("E").len(), all.of("spins").len(), all.of("x").len()), (20, 160, 0));
}
