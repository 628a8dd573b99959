//! Every network of spins with every symmetry, against sums over all states of a small lattice: q adds up to 1 and is the same for
//! all images, its gradient is the derivative of β F, and what samples say of it is that up to its error.

use helmholtz::gpu::{Buffer, Gpu, Profile, Recording};
use helmholtz::kernels::bernoulli::Factors;
use helmholtz::kernels::stencil::Stencil;
use helmholtz::kernels::{Chunk, pad4};
use helmholtz::model::made::Made;
use helmholtz::model::parameters::Table;
use helmholtz::model::pixel_cnn::PixelCnn;
use helmholtz::model::transformer::Transformer;
use helmholtz::optimize::{Optimisation, Optimizer};
use helmholtz::problem::Problem;
use helmholtz::problem::spins::{Images, Network, Options, Spins};
use helmholtz::reference::images as mixture;
use helmholtz::reference::made::Twin;
use helmholtz::system::Couplings;
use helmholtz::system::spins::{Boundary, Lattice};

use crate::ancestral::{agrees, frequencies, independent};
use crate::harness::{Check, close, devices, random, verify};
use crate::spins::{Model, Setup, failed, masked, single, states};

const SIDE: usize = 3;
const N: usize = SIDE * SIDE;
const BETA: f64 = 0.4;

type State = Setup<Box<dyn Model>>;
/// Permutations, and whether all spins are flipped as well.
type Symmetry = (Vec<Vec<usize>>, bool);

/// Random parameters such that logits are of order 1.
fn networks() -> Vec<State> {
    let made = |depth, residual| Made { sites: N, depth, width: 3, bias: true, prelu: true, residual };
    let cnn = |depth, last, residual| PixelCnn { side: SIDE, depth, width: 4, half: 1, bias: true, last, residual };
    let all: [(Box<dyn Model>, f64); 8] = [
        (Box::new(made(1, false)), 0.8),
        (Box::new(made(3, false)), 0.6),
        (Box::new(made(4, true)), 0.5),
        (Box::new(cnn(1, false, false)), 0.8),
        (Box::new(cnn(3, false, false)), 0.6),
        (Box::new(cnn(2, true, false)), 0.6),
        (Box::new(cnn(4, false, true)), 0.5),
        (Box::new(Transformer { sites: N, depth: 1, width: 8, heads: 2, bias: true }), 0.6),
    ];
    let mut all: Vec<State> = all.into_iter().map(|(model, scale)| Setup::scaled(model, 1, 31, scale)).collect();
    // the layers alone: fields have tests of their own
    all.iter_mut().for_each(|s| s.known.factor = 0.0);
    all
}

/// Two of the four for each network: each meets those that the others of its kind do not, in the profiles by turns.
fn symmetries(network: usize, profile: Profile) -> [Symmetry; 2] {
    let (none, all) = (vec![(0..N).collect()], Lattice::Square.images(SIDE));
    if network.is_multiple_of(2) == (profile == Profile::Simd) { [(none, false), (all, true)] } else { [(none, true), (all, false)] }
}

fn model() -> Couplings {
    Couplings::lattice(Lattice::Square, SIDE, Boundary::Periodic, 1.0).unwrap()
}

/// E of all states.
fn energies(all: &[f64]) -> Vec<f64> {
    let model = model();
    let energy = |s: &[f64]| -model.bonds().iter().map(|b| b.coupling * s[b.i] * s[b.j]).sum::<f64>();
    all.chunks(N).map(energy).collect()
}

/// ln q of all states, in float64.
fn log_q(twin: &Twin, (permutations, mirrored): &Symmetry) -> Vec<f64> {
    let all = states(N);
    let own: Vec<f64> = all.chunks(N).map(|spins| twin.log_q(spins)).collect();
    let number = |spins: &[f64]| spins.iter().enumerate().map(|(i, s)| if *s > 0.0 { 1 << i } else { 0 }).sum::<usize>();
    let signs: &[f64] = if *mirrored { &[1.0, -1.0] } else { &[1.0] };
    let logs = |spins: &[f64]| {
        let images = signs.iter().flat_map(|sign| permutations.iter().map(move |p| (p, *sign)));
        mixture::join(&images.map(|(p, sign)| own[number(&mixture::image(spins, p, sign))]).collect::<Vec<f64>>())
    };
    all.chunks(N).map(logs).collect()
}

/// ln q of all states, scores of them, and the gradient with given factors, in two chunks.
fn evaluate(gpu: &Gpu, s: &State, (permutations, mirrored): &Symmetry, factors: &[f64]) -> Result<[Vec<f32>; 3], String> {
    let (count, half) = (1 << N, 300);
    let chunks = [Chunk { first: 0, count: half }, Chunk { first: half, count: count - half }];
    let (k, images) = (s.network(half, gpu.profile)?, Images::new(N, count, permutations, *mirrored).map_err(failed)?);
    let (params, spins, factors) = (s.upload(gpu), gpu.upload("spins", &single(&states(N))), gpu.upload("factors", &single(factors)));
    let ld = k.net().leading();
    let (own, log_q, scores) = (Buffer::new("ln q0", count), Buffer::new("ln q", count), Buffer::new("scores", count * ld));
    let (gradient, one) = (Buffer::new("gradient", ld), gpu.upload("one", &[1.0f32; 4]));
    let mut rec = Recording::new();
    k.record_pack(&mut rec, &params);
    for chunk in chunks {
        k.record_log_q(&mut rec, chunk, 1.0, &spins, &own);
    }
    images.record_log_q(&mut rec, &k, &chunks, &spins, &own, &log_q);
    images.record_gradient(&mut rec, &k, &chunks, &spins, Factors { buffer: &factors, first: 0, step: 1 }, &gradient);
    images.record_scores(&mut rec, &k, &chunks, &spins, Factors { buffer: &one, first: 0, step: 0 }, &scores);
    gpu.run(&rec).map_err(failed)?;
    let read = |b: &Buffer, words: usize| gpu.read_words::<f32>(b, words).map_err(failed);
    Ok([read(&log_q, count)?, read(&scores, count * ld)?, read(&gradient, ld)?])
}

/// Σ q R of all states, R = ln q + β E.
fn reduced(log_q: &[f64], e: &[f64]) -> f64 {
    log_q.iter().zip(e).map(|(l, e)| l.exp() * (l + BETA * e)).sum()
}

/// β F_q of parameters moved by h along a direction.
fn moved(s: &State, symmetry: &Symmetry, e: &[f64], direction: &[f64], h: f64) -> f64 {
    let parameters: Vec<f64> = s.parameters.iter().zip(direction).map(|(p, d)| p + h * d).collect();
    reduced(&log_q(&s.model.twin(&parameters), symmetry), e)
}

/// ln q against the twin, Σ q = 1, and the exact gradient Σ q (R - β F) d ln q, by factors and by scores, against finite
/// differences of β F in two directions.
fn enumerated(gpu: &Gpu) -> Check {
    let (all, count) = (states(N), 1 << N);
    let e = energies(&all);
    for (number, s) in networks().into_iter().enumerate() {
        for symmetry in symmetries(number, gpu.profile) {
            let what = |name: &str| format!("{:?}, {} images, mirrored {}: {name}", s.model, symmetry.0.len(), symmetry.1);
            let want = log_q(&s.twin(), &symmetry);
            let free = reduced(&want, &e);
            let factors: Vec<f64> = want.iter().zip(&e).map(|(l, e)| l.exp() * (l + BETA * e - free)).collect();
            let [got, scores, gradient] = evaluate(gpu, &s, &symmetry, &factors)?;
            // ln q0 rounds relative to itself, and so does what is made of several
            close(&what("ln q"), &got, &want, 2.0 * s.bound())?;
            let (sum, most) = (got.iter().map(|l| (*l as f64).exp()).sum::<f64>(), want.iter().fold(0.0_f64, |m, l| m.max(-l)));
            if !((sum - 1.0).abs() <= 2.0 * s.bound() * most) {
                return Err(what(&format!("probabilities add up to {sum}")));
            }
            let (p, ld) = (s.parameters.len(), pad4(s.parameters.len()));
            for seed in [5, 6] {
                let direction = random(seed, p);
                let along = |row: &[f32]| row[..p].iter().zip(&direction).map(|(g, d)| *g as f64 * d).sum::<f64>();
                let terms: Vec<[f64; 2]> = (0..count)
                    .map(|w| {
                        let row = &scores[w * ld..][..p];
                        let size = row.iter().zip(&direction).map(|(g, d)| (*g as f64 * d).abs()).sum::<f64>();
                        [factors[w] * along(row), factors[w].abs() * size]
                    })
                    .collect();
                let [by_scores, size] = terms.iter().fold([0.0, 0.0], |a, t| [a[0] + t[0], a[1] + t[1]]);
                let h = 1e-4;
                let slope = (moved(&s, &symmetry, &e, &direction, h) - moved(&s, &symmetry, &e, &direction, -h)) / (2.0 * h);
                // shares round by ε times differences of ln q, below 20; finite differences by h² times a third derivative, the
                // kink of a PReLU by h times a difference of slopes of few states
                let allowed = 4.0 * s.bound() * size + 1e-5;
                for (name, value) in [("factors", along(&gradient)), ("scores", by_scores)] {
                    if !((value - slope).abs() <= allowed) {
                        return Err(what(&format!("gradient by {name} {value}, finite difference {slope} (allowed {allowed:.1e})")));
                    }
                }
            }
        }
    }
    Ok(())
}

/// R and d ln q of `samples` drawn samples against the sums over all states.
fn drawn(gpu: &Gpu) -> Check {
    let (all, samples) = (states(N), 1500);
    let e = energies(&all);
    for (number, s) in networks().into_iter().enumerate() {
        for symmetry in symmetries(number, gpu.profile) {
            let (permutations, mirrored) = symmetry.clone();
            let exact = log_q(&s.twin(), &symmetry);
            let free = reduced(&exact, &e);
            let [_, scores, _] = evaluate(gpu, &s, &symmetry, &vec![0.0; 1 << N])?;
            let (count, ld) = (s.parameters.len(), pad4(s.parameters.len()));
            let network = Network {
                layers: s.model.layers(),
                table: Table::new(vec![("network/w".into(), vec![count])]),
                initial: std::sync::Arc::new(|_| Vec::new()),
                one_layer: None,
            };
            let images = if permutations.len() > 1 { permutations } else { Vec::new() };
            let mut options = Options { beta: BETA, z2: mirrored, images, ..Options::adam(samples, 1, 0.01) };
            options.training.chunk = 900;
            // scores of every sample need as many words as there are parameters
            if number.is_multiple_of(3) {
                options.optimisation = Optimisation { optimizer: Optimizer::Sr, damping: 1e-3, max_norm: 1.0, ..options.optimisation };
            }
            let lattice = Stencil { side: SIDE, triangular: false, periodic: true, coupling: 1.0, field: 0.0 };
            let mut spins = Spins::new(gpu, Box::new(lattice), network, options, Some(single(&s.parameters))).map_err(failed)?;
            spins.draw(gpu).map_err(failed)?;
            let measured = spins.measure(gpu, false).map_err(failed)?;
            spins.gradients(gpu).map_err(failed)?;
            let gradient: Vec<f32> = gpu.read_words(&spins.learners()[0].gradient, count).map_err(failed)?;
            let what = |name: &str| format!("{:?}, {} images, mirrored {}: {name}", s.model, symmetry.0.len(), symmetry.1);
            let f = measured.values["F"];
            if !((f.value * BETA * N as f64 - free).abs() <= 4.5 * f.error * BETA * N as f64) {
                return Err(what(&format!("F {f:?}, exact {}", free / (BETA * N as f64))));
            }
            for (k, got) in gradient.iter().enumerate() {
                let mean = |f: &dyn Fn(f64) -> f64| {
                    let term = |(w, l): (usize, &f64)| l.exp() * f((l + BETA * e[w] - free) * scores[w * ld + k] as f64);
                    exact.iter().enumerate().map(term).sum::<f64>()
                };
                let want = mean(&|v| v);
                let error = (mean(&|v| (v - want).powi(2)) / samples as f64).sqrt();
                if !((*got as f64 - want).abs() <= 5.0 * error + 1e-6) {
                    return Err(what(&format!("gradient {k}: {got}, exact {want} ± {error}")));
                }
            }
        }
    }
    Ok(())
}

/// No logit sees its own site or a later one; what is drawn, in whatever chunks, comes from the logits of a full pass, as often as
/// q says.
fn causal(gpu: &Gpu) -> Check {
    networks().into_iter().try_for_each(|s| masked(gpu, s))?;
    networks().into_iter().try_for_each(|s| agrees(gpu, s, 37, 20))?;
    networks().into_iter().try_for_each(|s| independent(gpu, s))?;
    networks().into_iter().try_for_each(|s| frequencies(gpu, s))
}

#[test]
fn networks_are_causal_and_draw_what_their_logits_say() {
    verify(causal);
}

#[test]
fn states_add_up_and_gradients_are_derivatives() {
    verify(enumerated);
}

#[test]
fn means_of_draws_are_those_of_all_states() {
    // what is recorded is the same in both profiles, and their kernels agree above
    drawn(devices()[0]).unwrap();
}
