//! The kernels of occupations, estimators and updates refuse buffers that are a word short, and keep to their tables
//! whatever the states are.

use helmholtz::gpu::{Buffer, Gpu, Profile, Recording, SHARED};
use helmholtz::kernels::cholesky::{Factor, SKIP_FACTOR, SKIP_SOLVE, STATE_WORDS};
use helmholtz::kernels::distinct::DistinctStates;
use helmholtz::kernels::estimators::{Baseline, CLIP, COLUMNS, Chunk, Estimators};
use helmholtz::kernels::krylov::{Phase, Settings, Vectors};
use helmholtz::kernels::occupation;
use helmholtz::kernels::score_projection::{self as projection, Project};
use helmholtz::kernels::scores::{self, Combine, Shape, Weights};
use helmholtz::kernels::{adam, krylov};
use helmholtz::number::philox::{Stream, purpose};

use crate::bounds::refuses;
use crate::harness::{Check, devices, mutant, verify};
use crate::occupation::{Setup, shape};

/// Walkers and electrons: odd, and no multiples of a tile.
const W: usize = 7;
const N: usize = 5;

#[test]
fn of_estimators_and_states() {
    // walkers 3 to 9 of a batch, their ln p from word 2 on
    refuses("energies", &[4 * W, W, W, 2 + W, 8 * (3 + W)], |rec, b| {
        let mut e = Estimators::new(3 + W);
        e.records = b[4].clone();
        let chunk = Chunk {
            first: 3,
            walkers: W,
            kinetic: &b[0],
            potential: &b[1],
            log_amplitude: &b[2],
            log_probability: &b[3],
            probability_first: 2,
        };
        e.record_energies(rec, chunk, 1.0);
    });
    refuses("averages", &[4 * W, 8 * W, COLUMNS, COLUMNS, COLUMNS, 4 * W, 2 * W], |rec, b| {
        let mut e = Estimators::new(W);
        [e.records, e.centre, e.deviation, e.partial, e.weights, e.flow_weights] = std::array::from_fn(|i| b[i + 1].clone());
        e.record_averages(rec, &b[0], Baseline::Energy, CLIP);
    });
    refuses("states", &[W * N, 2 * W, W, W, W * N, W], |rec, b| {
        let mut d = DistinctStates::new(W, N);
        [d.hash, d.first, d.place, d.states, d.factors] = std::array::from_fn(|i| b[i + 1].clone());
        d.record(rec, &b[0]);
    });
    // 5 rows; a weight in every third word
    refuses("weights of rows", &[3 * (W - 1) + 1, W, 5, 5], |rec, b| {
        let mut d = DistinctStates::new(W, N);
        [d.place, d.factors, d.weights] = std::array::from_fn(|i| b[i + 1].clone());
        d.record_weights(rec, 5, &b[0], 3);
    });
}

#[test]
fn of_score_products() {
    let s = Shape { batch: W, parts: 2, parameters: 9 };
    let (rows, ld, gate) = (s.rows(), s.ld(), Buffer::new("gate", 4));
    for profile in [Profile::Simd, Profile::Gpu] {
        refuses("apply", &[rows * ld, 2 * ld, 2 * rows], |rec, b| {
            scores::apply(rec, "O v", profile, s, &b[0], &b[1], &b[2], &gate);
        });
        refuses("basis", &[2 * W, 16 * W], |rec, b| projection::basis(rec, "Q", profile, W, &b[0], 2, &b[1]));
        for (load, store, words) in [(true, None, rows), (false, Some((1.0, 20)), 20), (true, Some((1.0, 3)), rows)] {
            let p = Project { rows, parts: 2, columns: 3, load, store };
            refuses("project", &[8 * rows, 2 * rows, words], |rec, b| {
                projection::project(rec, "u", profile, p, &b[0], &b[1], &b[2], &gate);
            });
        }
    }
    // the last real row is the last but one; a weight of two words in every fifth word
    let w = Weights { offset: 3, stride: 5, two_words: true, part: Some(0) };
    refuses("transpose", &[(rows - 1) * ld, 3 + 5 * (rows - 2) + 2, 2 * ld], |rec, b| {
        scores::transpose(rec, "O w", s, &b[0], &b[1], w, &b[2], &gate);
    });
    refuses("weighted sum", &[rows * ld, rows, 2 * ld, 4 + 9], |rec, b| {
        scores::weighted_sum(rec, "g", s, &b[0], &b[1], Weights::default(), 1.0, &b[2], &b[3], 4);
    });
    refuses("combine", &[6 * ld, 2 * ld, 2 * ld, STATE_WORDS], |rec, b| {
        scores::combine(rec, "y", s, 3, Combine::Woodbury { scale: 1.0 }, &b[0], &b[1], &b[2], &b[3]);
    });
    for (columns, transposed, coefficients, out) in [(3, false, 8 * ld, 12 * ld), (1, true, 5 * ld, 12 * 16), (1, false, 5 * ld, 12 * ld)] {
        // 10 rows in blocks of 4; of the last row of Q the high words alone
        refuses("rows", &[rows * ld, 8 * rows - 4, coefficients, out], |rec, b| {
            projection::rows(rec, "S", s, columns, 1.0, transposed, 10, &b[0], &b[1], &b[2], &b[3]);
        });
    }
}

#[test]
fn of_solvers() {
    for profile in [Profile::Simd, Profile::Gpu] {
        // two blocks; of the factor the one below the diagonal
        let lower = 127 * 128 + 64;
        refuses("factor", &[128 * 12, 128 * 128, lower, STATE_WORDS], |rec, b| {
            let [matrix, lower, state] = std::array::from_fn(|i| b[i + 1].clone());
            Factor { matrix, lower, ..Factor::new("f", 70, 12, &state) }.record(rec, profile, &b[0], 0.1, 1e-3, 2);
        });
        refuses("solve", &[128 * 128, lower, 128, 128], |rec, b| {
            let factor = Factor::new("f", 70, 12, &Buffer::new("state", STATE_WORDS));
            Factor { matrix: b[0].clone(), lower: b[1].clone(), ..factor }.solve(rec, &b[2], &b[3]);
        });
        refuses("conjugate gradients", &[STATE_WORDS, 18, 18, 18, 18, 18, 9, 9], |rec, b| {
            let [state, solution, residual, preconditioned, direction, image] = std::array::from_fn(|i| b[i].clone());
            let v = Vectors { state, solution, residual, preconditioned, direction, image };
            let s = Settings { parameters: 9, damping: 1e-3, tolerance: 1e-5, max_norm: 1.0 };
            for phase in [Phase::Start, Phase::FirstDirection, Phase::Step, Phase::Direction, Phase::Finish] {
                krylov::record(rec, profile, phase, s, &v, &b[6], &b[7]);
            }
        });
        refuses("Adam", &[9, 9, 9, 9, adam::STATE, 1], |rec, b| {
            let s = adam::Settings { parameters: 9, rate: 1.0, beta1: 0.5, beta2: 0.5, epsilon: 1.0, clip: 1.0 };
            let [gradient, parameters, m, v, state, partial] = std::array::from_fn(|i| &b[i]);
            adam::record(rec, profile, s, adam::Vectors { gradient, parameters, m, v, state, partial });
        });
    }
}

#[test]
fn words_of_the_solver_state_are_those_of_the_shaders() {
    let (_, text) = SHARED.iter().find(|(name, _)| *name == "solver_state").unwrap();
    for (name, word) in [("SKIP_SOLVE", SKIP_SOLVE), ("SKIP_FACTOR", SKIP_FACTOR)] {
        assert!(text.contains(&format!("const {name}: u32 = {word}u;")), "{name} is not {word}");
    }
    let words: Vec<usize> = text.split(": u32 = ").skip(1).map(|rest| rest.split('u').next().unwrap().parse().unwrap()).collect();
    assert!(words.len() > 10 && words.iter().all(|w| *w < STATE_WORDS), "{words:?}");
}

#[test]
fn of_occupations() {
    let setup = Setup::random(shape([N, 11, 2, 8, 2, 12, 2]), 0.5, 1);
    for gpu in devices() {
        let k = setup.kernels(W, gpu).unwrap();
        // rows 3 to 9 of the caller's buffers
        let (chunk, all) = (helmholtz::kernels::Chunk { first: 3, count: W }, 3 + W);
        refuses("ln p", &[all * N, all], |rec, b| k.record_logp(rec, chunk, &b[0], &b[1]));
        let at = Stream { seed: 1, step: 0, purpose: purpose::OCCUPATION, first_walker: 0 };
        refuses("draws", &[all * N, all], |rec, b| k.record_sample(rec, at, chunk, &b[0], &b[1]));
        refuses("scores", &[all * N, all, all * k.leading()], |rec, b| {
            k.record_scaled_scores(rec, chunk, &b[0], &b[1], &b[2], 3);
        });
        refuses("gradient", &[all * N, all, k.leading()], |rec, b| k.record_gradient(rec, chunk, &b[0], &b[1], &b[2], true));
    }
}

/// What is no orbital counts as the last one.
fn no_orbitals(gpu: &Gpu) -> Check {
    let s = Setup::random(shape([3, 6, 2, 4, 1, 4, 1]), 0.5, 1);
    let k = s.kernels(2, gpu)?;
    let bits = |states: [u32; 6]| -> Result<Vec<u32>, String> {
        let (parameters, states) = (gpu.upload("parameters", &s.parameters32()), gpu.upload("states", &states));
        let (logp, scores) = (Buffer::new("ln p", 2), Buffer::new("scores", 2 * k.leading()));
        let mut rec = Recording::new();
        k.record_pack(&mut rec, &parameters);
        k.record_logp(&mut rec, helmholtz::kernels::Chunk { first: 0, count: 2 }, &states, &logp);
        k.record_scores(&mut rec, helmholtz::kernels::Chunk { first: 0, count: 2 }, &states, &scores, 0);
        gpu.run(&rec).map_err(|e| e.to_string())?;
        let read = |b: &Buffer, words: usize| gpu.read_words::<u32>(b, words).map_err(|e| e.to_string());
        Ok([read(&logp, 2)?, read(&scores, 2 * k.leading())?].concat())
    };
    // a choice; and orbitals that the network and the windows see
    let same = bits([0, 1, 6, 5, u32::MAX, 100])? == bits([0, 1, 5, 5, 5, 5])?;
    if same { Ok(()) } else { Err("states with what is no orbital have other ln p or scores".into()) }
}

#[test]
fn states_lead_to_no_place_outside_the_tables() {
    verify(no_orbitals);
    let (clamped, other) =
        ("min(states[(p.first + w) * p.n + id % p.tokens], p.orbitals - 1u)", "states[(p.first + w) * p.n + id % p.tokens] % p.orbitals");
    mutant(&occupation::EMBED, clamped, other, no_orbitals);
    mutant(&occupation::LOGITS, "min(states[at], p.orbitals - 1u)", "states[at] % p.orbitals", no_orbitals);
}
