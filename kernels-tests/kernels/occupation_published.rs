//! Occupation model: ln p and scores of published and random parameters against values of independent
//! float64 code.

use helmholtz::gpu::Gpu;
use helmholtz::model::file::ParameterFile;
use helmholtz::reference::occupation::Twin;

use crate::harness::{Check, random, verify};
use crate::occupation::{Setup, bound_logp, bound_score, evaluate, shape};
use crate::published::Case;
use crate::reference_data::{find, present};

/// A published case: parameters, orbitals, states.
fn case(name: &str) -> (Setup, Case) {
    let case = Case::load(name);
    let model = shape([
        case.size("n"),
        case.size("num_states"),
        case.size("dim"),
        case.size("modelsize"),
        case.size("nheads"),
        case.size("nhidden"),
        case.size("nlayers"),
    ]);
    let file = ParameterFile::read(&find(&format!("{name}.params.safetensors")).unwrap()).unwrap();
    let parameters = model.parameters().leaves.iter().flat_map(|leaf| file.tensors[&leaf.name].data.clone()).collect();
    let orbitals = case.array("sp_indices_twist").to_vec();
    let states = case.array("state_idx").iter().map(|&v| v as u32).collect();
    (Setup { model, parameters, orbitals, bias: Vec::new(), states }, case)
}

#[test]
fn parameter_table_is_the_published_one() {
    for name in present(&CASES) {
        let path = find(&format!("{name}.json")).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let (setup, _) = case(name);
        let table = setup.model.parameters();
        let leaves = json["leaves_van"].as_array().unwrap();
        assert_eq!(leaves.len(), table.leaves.len());
        for (want, leaf) in leaves.iter().zip(&table.leaves) {
            let shape: Vec<usize> = want["shape"].as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as usize).collect();
            assert_eq!(
                (want["name"].as_str().unwrap(), shape, want["offset"].as_u64().unwrap() as usize),
                (leaf.name.as_str(), leaf.shape.clone(), leaf.offset)
            );
        }
    }
}

const CASES: [&str; 3] = ["n7_d3_random", "n29_d2_rs1", "n29_d2_rs10"];

/// The twin is the published model: float64 against float64.
#[test]
fn twin_agrees_with_published_values() {
    for name in present(&CASES) {
        let (s, case) = case(name);
        let (n, m) = (s.model.n, s.model.orbitals);
        let (conditional, score) = (case.array("van_cond_logp"), case.array("classical_score"));
        for w in 0..s.walkers() {
            let (twin, state) = (s.twin(), s.state(w));
            let logits = twin.logits(&state);
            if let Some(want) = case.array("van_logits").get(w * n * m..(w + 1) * n * m) {
                assert!(logits.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-10), "{name}: logits of walker {w}");
            }
            for i in 0..n {
                let (low, row) = twin.conditional(&state, i);
                assert!((row[state[i] - low] - conditional[w * n + i]).abs() < 1e-10, "{name}: walker {w} row {i}");
            }
            assert!((twin.log_probability(&state) - case.array("logprob")[w]).abs() < 1e-10, "{name}: ln p of walker {w}");
            let p = s.parameters.len();
            let worst = twin.score(&state).iter().zip(&score[w * p..]).fold(0.0_f64, |a, (x, y)| a.max((x - y).abs()));
            assert!(worst < 1e-10, "{name}: score of walker {w} off by {worst:.1e}");
        }
    }
}

/// What rounding the parameters once does to ln p and to the score (largest component) of a state: the
/// conditioning of trained networks, whose logits and scores reach 40.
fn conditioning(s: &Setup, state: &[usize]) -> (f64, f64) {
    let (logp, score) = (s.twin().log_probability(state), s.twin().score(state));
    let mut most = (0.0_f64, 0.0_f64);
    for seed in 0..3 {
        let shift = random(seed, s.parameters.len());
        let parameters: Vec<f64> = s.parameters.iter().zip(&shift).map(|(p, r)| p * (1.0 + f32::EPSILON as f64 * r)).collect();
        let near = Twin { parameters: &parameters, ..s.twin() };
        most.0 = most.0.max((near.log_probability(state) - logp).abs());
        most.1 = near.score(state).iter().zip(&score).fold(most.1, |a, (x, y)| a.max((x - y).abs()));
    }
    most
}

/// The device rounds in several places where the perturbed parameters round once: 4 times their effect,
/// above the bounds of well-conditioned networks.
fn published(gpu: &Gpu) -> Check {
    for name in present(&CASES) {
        let (s, case) = case(name);
        let [logp, scores, _] = evaluate(gpu, &s, s.walkers())?;
        let (n, p) = (s.model.n, s.parameters.len());
        let ld = scores.len() / s.walkers();
        let mut worst = [0.0_f64; 4];
        for w in 0..s.walkers() {
            let (c, want) = (conditioning(&s, &s.state(w)), case.array("logprob")[w]);
            let score = &case.array("classical_score")[w * p..][..p];
            let largest = score.iter().fold(0.0_f64, |a, v| a.max(v.abs()));
            let error = (logp[w] as f64 - want).abs();
            let off = scores[w * ld..].iter().zip(score).fold(0.0_f64, |a, (g, v)| a.max((*g as f64 - v).abs()));
            let allowed = (bound_logp(n) + 4.0 * c.0, bound_score(n) * largest + 4.0 * c.1);
            if !(error <= allowed.0 && off <= allowed.1) {
                return Err(format!("{name} walker {w}: ln p off by {error:.1e}, score by {off:.1e}; allowed {allowed:?}"));
            }
            worst = [worst[0].max(error), worst[1].max(error / allowed.0), worst[2].max(off / largest), worst[3].max(off / allowed.1)];
        }
        println!(
            "{name}: ln p {:.1e} ({:.2} of allowed), scores {:.1e} relative ({:.2} of allowed)",
            worst[0], worst[1], worst[2], worst[3]
        );
    }
    Ok(())
}

#[test]
fn network_agrees_with_published_values() {
    verify(published);
}
