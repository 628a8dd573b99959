//! Occupation model: ln p, scores and gradients against the float64 twin, which is checked against
//! finite differences.

use helmholtz::gpu::{Buffer, Gpu, Recording};
use helmholtz::kernels::Chunk;
use helmholtz::kernels::occupation;
use helmholtz::model::occupation::{Occupation, Prior};
use helmholtz::network::OccupationKernels;
use helmholtz::reference::occupation::Twin;

use crate::harness::{Check, close, mutant, random, verify};

/// A model with numbers to run it on.
pub struct Setup {
    pub model: Occupation,
    pub parameters: Vec<f64>,
    pub orbitals: Vec<f64>,
    pub bias: Vec<f64>,
    pub states: Vec<u32>,
}

impl Setup {
    /// Random parameters of the size `scale`, momenta, prior and `walkers` states.
    pub fn random(model: Occupation, scale: f64, walkers: usize) -> Setup {
        let seed = (model.n * 100 + model.orbitals + model.heads) as u64;
        let parameters = random(seed, model.parameters().len()).iter().map(|v| (scale * v) as f32 as f64).collect();
        let orbitals = random(seed + 1, model.orbitals * model.dim).iter().map(|v| (2.0 * v) as f32 as f64).collect();
        let bias = random(seed + 2, model.n * model.orbitals);
        // the n smallest of M random keys, walker by walker
        let states = random(seed + 3, walkers * model.orbitals)
            .chunks(model.orbitals)
            .flat_map(|keys| {
                let mut order: Vec<u32> = (0..model.orbitals as u32).collect();
                order.sort_by(|a, b| keys[*a as usize].total_cmp(&keys[*b as usize]));
                order.truncate(model.n);
                order.sort();
                order
            })
            .collect();
        Setup { model, parameters, orbitals, bias, states }
    }

    pub fn twin(&self) -> Twin<'_> {
        Twin { model: &self.model, parameters: &self.parameters, orbitals: &self.orbitals, bias: &self.bias }
    }

    pub fn kernels(&self, batch: usize, gpu: &Gpu) -> Result<OccupationKernels, String> {
        let bias = (!self.bias.is_empty()).then_some(self.bias.as_slice());
        OccupationKernels::new(&self.model, batch, &self.orbitals, bias, gpu).map_err(|e| e.to_string())
    }

    pub fn walkers(&self) -> usize {
        self.states.len() / self.model.n
    }

    pub fn state(&self, w: usize) -> Vec<usize> {
        self.states[w * self.model.n..][..self.model.n].iter().map(|&s| s as usize).collect()
    }

    pub fn parameters32(&self) -> Vec<f32> {
        self.parameters.iter().map(|&v| v as f32).collect()
    }
}

pub fn shape([n, orbitals, dim, model_size, heads, hidden, layers]: [usize; 7]) -> Occupation {
    Occupation { n, orbitals, dim, model_size, heads, hidden, layers }
}

/// ln p, scores and the gradient with factors 1, -2, 3, ..., all in chunks of `batch`.
pub fn evaluate(gpu: &Gpu, s: &Setup, batch: usize) -> Result<[Vec<f32>; 3], String> {
    let k = s.kernels(batch, gpu)?;
    let (walkers, ld) = (s.walkers(), k.leading());
    let factors: Vec<f32> = (0..walkers).map(factor).map(|v| v as f32).collect();
    let (params, states, factors) =
        (gpu.upload("parameters", &s.parameters32()), gpu.upload("states", &s.states), gpu.upload("f", &factors));
    let (logp, again) = (Buffer::new("logp", walkers), Buffer::new("again", walkers));
    let (scores, gradient) = (Buffer::new("scores", walkers * ld), Buffer::new("gradient", ld));
    let mut rec = Recording::new();
    k.record_pack(&mut rec, &params);
    for chunk in k.chunks(walkers) {
        k.record_logp(&mut rec, chunk, &states, &logp);
        k.record_scores(&mut rec, chunk, &states, &scores, chunk.first);
        k.record_gradient(&mut rec, chunk, &states, &factors, &gradient, chunk.first > 0);
        k.record_logp(&mut rec, chunk, &states, &again);
    }
    gpu.run(&rec).map_err(|e| e.to_string())?;
    let read = |b: &Buffer, words: usize| gpu.read_words::<f32>(b, words).map_err(|e| e.to_string());
    let first = read(&logp, walkers)?;
    if first != read(&again, walkers)? {
        return Err("ln p differs between two runs".into());
    }
    Ok([first, read(&scores, walkers * ld)?, read(&gradient, ld)?])
}

fn factor(w: usize) -> f64 {
    (w as f64 + 1.0) * if w.is_multiple_of(2) { 1.0 } else { -1.0 }
}

/// A logit is a short chain of sums of terms of order 1 (width 16, tanh in between), so that its error is
/// a few eps; ln p adds n rows, each the difference of a logit and a log-sum: 16 eps (n + 4).
pub fn bound_logp(n: usize) -> f64 {
    16.0 * (n as f64 + 4.0) * f32::EPSILON as f64
}

/// A score sums n terms through the transposed chain; relative to the largest component.
pub fn bound_score(n: usize) -> f64 {
    16.0 * ((n as f64).sqrt() + 4.0) * f32::EPSILON as f64
}

fn compare(gpu: &Gpu, s: &Setup, batch: usize) -> Check {
    let [logp, scores, gradient] = evaluate(gpu, s, batch)?;
    let (n, walkers, count) = (s.model.n, s.walkers(), s.parameters.len());
    let ld = scores.len() / walkers;
    let twin = s.twin();
    let mut sum = vec![0.0; count];
    let mut size = 1e-30;
    let mut errors = [0.0_f64; 3];
    for w in 0..walkers {
        let state = s.state(w);
        let (want, score) = (twin.log_probability(&state), twin.score(&state));
        let error = (logp[w] as f64 - want).abs();
        errors[0] = errors[0].max(error);
        if !(error <= bound_logp(n)) {
            return Err(format!("{:?}: ln p of {state:?} is {}, want {want}; error {error:.1e}", s.model, logp[w]));
        }
        let got = &scores[w * ld..][..ld];
        close(&format!("{:?} score {w}", s.model), got, &score, bound_score(n))?;
        if got[count..].iter().any(|v| v.to_bits() != 0) {
            return Err(format!("padding of score {w}: {:?}", &got[count..]));
        }
        let largest = score.iter().fold(0.0_f64, |a, v| a.max(v.abs()));
        let worst = got.iter().zip(&score).fold(0.0_f64, |a, (g, v)| a.max((*g as f64 - v).abs()));
        errors[1] = errors[1].max(worst / largest);
        sum.iter_mut().zip(&score).for_each(|(t, v)| *t += factor(w) * v);
        size += factor(w).abs() * largest;
    }
    // rounding of a sum: relative to the sizes of its terms, not to what is left of them
    for (i, (g, v)) in gradient.iter().zip(&sum).enumerate() {
        let error = (*g as f64 - v).abs() / size;
        errors[2] = errors[2].max(error);
        if !(error <= bound_score(n)) {
            return Err(format!("{:?} gradient[{i}]: got {g}, want {v}", s.model));
        }
    }
    println!(
        "n {n} M {}: ln p {:.1e} (allowed {:.1e}), scores {:.1e}, gradient {:.1e} (allowed {:.1e})",
        s.model.orbitals,
        errors[0],
        bound_logp(n),
        errors[1],
        errors[2],
        bound_score(n)
    );
    Ok(())
}

fn odd_sizes(gpu: &Gpu) -> Check {
    for sizes in [[5, 11, 2, 8, 2, 12, 2], [1, 6, 3, 4, 1, 4, 1], [7, 7, 2, 6, 2, 5, 1], [4, 19, 1, 15, 5, 7, 3], [9, 33, 3, 16, 4, 32, 2]]
    {
        compare(gpu, &Setup::random(shape(sizes), 0.5, 19), 19)?;
    }
    Ok(())
}

/// 37 walkers in chunks of 17: two full ones and a rest, more than one partial sum each.
fn chunks(gpu: &Gpu) -> Check {
    compare(gpu, &Setup::random(shape([5, 9, 2, 8, 4, 10, 1]), 0.5, 37), 17)
}

#[test]
fn network_agrees_with_its_twin() {
    verify(odd_sizes);
    verify(chunks);
}

#[test]
fn twin_score_is_the_derivative() {
    let mut s = Setup::random(shape([4, 9, 2, 6, 2, 5, 2]), 0.7, 1);
    let state = s.state(0);
    let score = s.twin().score(&state);
    let h = 1e-5;
    for i in 0..s.parameters.len() {
        let mut at = |shift: f64| {
            let keep = s.parameters[i];
            s.parameters[i] = keep + shift;
            let value = s.twin().log_probability(&state);
            s.parameters[i] = keep;
            value
        };
        let slope = (at(h) - at(-h)) / (2.0 * h);
        // h^2 / 6 times a third derivative of order 1, and 1e-16 / h of rounding
        assert!((slope - score[i]).abs() < 1e-9, "parameter {i}: {slope} instead of {}", score[i]);
    }
}

#[test]
fn initial_values_are_those_of_the_publication() {
    let model = shape([13, 81, 2, 16, 4, 32, 2]);
    let table = model.parameters();
    let (free, ideal) = (model.initial(3, Prior::None), model.initial(3, Prior::Ideal));
    assert_eq!((free.len(), ideal.len()), (5826, 5826));
    for leaf in &table.leaves {
        let part = |v: &[f32]| v[leaf.offset..][..leaf.size()].to_vec();
        let (a, b) = (part(&free), part(&ideal));
        let output = leaf.name.contains("x1hat") || leaf.name.contains("output_mlp");
        let bias = leaf.name.ends_with("/b");
        assert_eq!(b.iter().all(|&v| v == 0.0), output || bias, "{}", leaf.name);
        if bias {
            assert!(a.iter().all(|&v| v == 0.0));
        } else {
            let fan = if leaf.name.contains("embedding") { 16 } else { leaf.shape[0] } as f64;
            let variance = a.iter().map(|&v| (v as f64).powi(2)).sum::<f64>() / a.len() as f64;
            let want = 0.01 / fan * if leaf.name.contains("x1hat") { 0.879_625_66_f64.powi(2) } else { 1.0 };
            // a variance of k numbers scatters by sqrt(2/k), less for truncated ones
            assert!((variance / want - 1.0).abs() < 5.0 / (a.len() as f64).sqrt(), "{}: {variance} instead of {want}", leaf.name);
            let most = a.iter().fold(0.0_f32, |m, v| m.max(v.abs())) as f64;
            assert!(most <= 2.0 * want.sqrt() / 0.879_625, "{}", leaf.name);
        }
    }
    assert_ne!(free, model.initial(4, Prior::None));
}

#[test]
fn bad_models_are_refused() {
    for sizes in [[0, 9, 2, 8, 2, 4, 1], [10, 9, 2, 8, 2, 4, 1], [3, 9, 2, 8, 3, 4, 1], [3, 9, 5, 8, 2, 4, 1]] {
        assert!(shape(sizes).check().is_err(), "{sizes:?}");
    }
}

#[test]
fn broken_kernels_are_noticed() {
    mutant(&occupation::EMBED, "p.first + w", "w", chunks);
    mutant(&occupation::LOGITS, "p.orbitals - p.n + i", "p.orbitals - 1u", chunks);
    mutant(&occupation::LOGITS, "orbital(s - 1u) + 1u", "orbital(s - 1u)", chunks);
    mutant(&occupation::LOGITS, "p.factor_step * w", "w", chunks);
    mutant(&occupation::TOTAL, "p.first + w", "w", chunks);
}

#[test]
fn chunks_cover_all_rows() {
    let s = Setup::random(shape([3, 6, 2, 4, 1, 4, 1]), 0.5, 1);
    let k = s.kernels(4, crate::harness::devices()[0]).unwrap();
    let chunks: Vec<Chunk> = k.chunks(10).collect();
    assert_eq!(chunks, [Chunk { first: 0, count: 4 }, Chunk { first: 4, count: 4 }, Chunk { first: 8, count: 2 }]);
}
