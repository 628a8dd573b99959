//! Electrons in a trap: flow, local energies and scores against their twins, and the twins against differences.

use helmholtz::gpu::{Buffer, Gpu, Profile, Recording};
use helmholtz::kernels::pad4;
use helmholtz::kernels::trap::{self, Occupied, Outputs, Shape};
use helmholtz::reference::trap::{self as twin, Energy, Flow, Point};
use helmholtz::system::Dot;
use helmholtz::system::oscillator::{Orbital, orbitals};

use crate::harness::{Check, Wanted, close, mutant, mutant_in, random, verify};

/// A flow of a few tenths at all distances, as training makes it.
fn flow(units: usize, steps: usize, size: f64) -> Flow {
    let (b, w1, w2) = (random(1, 2 * units), random(2, 2 * units), random(3, 2 * units));
    let mut parameters = Vec::new();
    for part in 0..2 {
        let of = |v: &[f64], factor: f64| v[part * units..][..units].iter().map(|v| (factor * v) as f32 as f64).collect::<Vec<_>>();
        parameters.extend([of(&b, 2.0), of(&w1, 1.5), of(&w2, size / (units as f64).sqrt())].concat());
    }
    Flow { parameters, steps }
}

/// Electrons that are no closer to each other than a random draw brings them.
fn points(seed: u64, n: usize) -> Vec<Point> {
    random(seed, 2 * n).chunks(2).map(|c| [(2.0 * c[0]) as f32 as f64, (2.0 * c[1]) as f32 as f64]).collect()
}

/// Determinants of n electrons, the lowest and others up to the highest shell.
pub(crate) fn dot(n: usize) -> Dot {
    let mut dot = Dot::new(n, 2).unwrap();
    let last = dot.orbitals.len();
    let mut high = dot.states[0].clone();
    high[n - 1] = last - 4;
    dot.energies.push(high.iter().map(|j| dot.orbitals[*j].energy() as f64).sum());
    dot.states.push(high);
    dot
}

pub(crate) fn state(dot: &Dot, index: usize) -> Vec<Orbital> {
    dot.states[index].iter().map(|j| dot.orbitals[*j]).collect()
}

fn flat(walkers: &[Vec<Point>]) -> Vec<f32> {
    walkers.iter().flatten().flatten().map(|v| *v as f32).collect()
}

/// Electrons, units, steps, walkers: pairs below, at and above a row of lanes.
const CASES: [(usize, usize, usize, usize); 6] = [(1, 3, 2, 3), (2, 7, 3, 5), (3, 50, 10, 9), (4, 5, 2, 4), (6, 16, 4, 5), (12, 6, 2, 2)];

struct Case {
    s: Shape,
    dot: Dot,
    flow: Flow,
    x: Vec<Vec<Point>>,
    index: Vec<u32>,
    energies: Vec<(Energy, Vec<f64>)>,
    scores: Vec<Vec<f64>>,
    forward: Vec<Vec<Point>>,
    reverse: Vec<Vec<Point>>,
}

fn case(at: usize) -> &'static Case {
    static CASE: Wanted<usize, Case> = Wanted::new();
    CASE.of(at, || {
        let (n, units, steps, walkers) = CASES[at];
        let (dot, flow) = (dot(n), flow(units, steps, 0.15));
        let x: Vec<Vec<Point>> = (0..walkers).map(|w| points(100 * at as u64 + w as u64, n)).collect();
        // the last is the excited one
        let index: Vec<u32> = (0..walkers).map(|w| if w % 2 == 1 { dot.states.len() - 1 } else { w % dot.states.len() } as u32).collect();
        let state = |w: usize| state(&dot, index[w] as usize);
        Case {
            s: Shape { n, units, steps, walkers },
            energies: (0..walkers).map(|w| twin::trap_energy(&flow, &x[w], &state(w))).collect(),
            scores: (0..walkers).map(|w| flow.scores(&x[w], &state(w))).collect(),
            forward: x.iter().map(|x| flow.forward(x)).collect(),
            reverse: x.iter().map(|x| flow.reverse(x).0).collect(),
            dot,
            flow,
            x,
            index,
        }
    })
}

/// What the device makes of a case: x of z, records, scores.
struct Made {
    forward: Vec<f32>,
    records: Vec<f32>,
    slope: Vec<f32>,
    scores: Vec<f32>,
}

fn run(gpu: &Gpu, c: &Case) -> Result<Made, String> {
    let text = |e: helmholtz::Error| e.to_string();
    let s = c.s;
    s.check().map_err(text)?;
    let theta: Vec<f32> = c.flow.parameters.iter().map(|v| *v as f32).collect();
    let (theta, x) = (gpu.upload("theta", &theta), gpu.upload("x", &flat(&c.x)));
    let (map, weights) = (trap::weight_map(s.units), Buffer::new("weights", s.weight_words()));
    let z = gpu.upload("z", &flat(&c.reverse));
    let (table, index) = (gpu.upload("occupied", &trap::occupied(&c.dot)), gpu.upload("index", &c.index));
    let (out, forward) = (Outputs::new(s), Buffer::new("forward", 2 * s.walkers * s.n));
    let scores = Buffer::new("scores", s.walkers * pad4(s.parameters()));
    let occupied = Occupied { table: &table, states: c.dot.states.len(), index: &index };
    let mut rec = Recording::new();
    trap::record_pack(&mut rec, s, &theta, &map, &weights);
    trap::record_flow(&mut rec, gpu.profile, s, &weights, &x, &forward);
    trap::record_energy(&mut rec, gpu.profile, s, &weights, &x, &z, occupied, &out);
    trap::record_scores(&mut rec, gpu.profile, s, &weights, &out, &scores);
    gpu.run(&rec).map_err(text)?;
    Ok(Made {
        forward: gpu.read_words(&forward, 2 * s.walkers * s.n).map_err(text)?,
        records: gpu.read_words(&out.records, 8 * s.walkers).map_err(text)?,
        slope: gpu.read_words(&out.slope, 2 * s.walkers * s.n).map_err(text)?,
        scores: gpu.read_words(&scores, s.walkers * pad4(s.parameters())).map_err(text)?,
    })
}

pub(crate) fn moves(gpu: &Gpu) -> Check {
    for at in 0..CASES.len() {
        let c = case(at);
        let want: Vec<f64> = c.forward.iter().flatten().flatten().copied().collect();
        // 4 stages a step add to places of size 2, with sums over units below 1
        close(&format!("x, case {at}"), &run(gpu, c)?.forward, &want, 16.0 * f32::EPSILON as f64)?;
    }
    Ok(())
}

/// Every number of a record. The Laplacian has terms ∂∂Φ/Φ and 1/r³ of differences: their sizes are those of the slopes, squared,
/// of the walker, which its own scale holds.
fn energies(gpu: &Gpu) -> Check {
    for at in 0..CASES.len() {
        let c = case(at);
        let made = run(gpu, c)?;
        for (w, (want, slope)) in c.energies.iter().enumerate() {
            let got = &made.records[8 * w..][..8];
            let log_phi = 0.5 * (want.log_p + want.delta);
            // cancellation of the second derivatives against the squared slopes near nodes
            let scale = 1.0 + want.gradient_kinetic + slope.iter().map(|g| g * g).sum::<f64>();
            let rows = [
                ("K", want.kinetic, scale),
                ("|grad ln p|^2/8", want.gradient_kinetic, scale),
                ("trap", want.trap, want.trap),
                ("coulomb", want.coulomb, want.coulomb),
                ("ln|Phi|", log_phi, scale.sqrt()),
                ("delta", want.delta, 1.0),
                ("ln|det|", want.log_det, 1.0),
            ];
            for ((name, want, scale), got) in rows.into_iter().zip(got) {
                let bound = 1e-4 * scale;
                if !((f64::from(*got) - want).abs() <= bound) {
                    return Err(format!("case {at} walker {w}: {name} = {got}, want {want}, bound {bound:.1e}"));
                }
            }
            // z(x) is where it was said to have come from
            if !(got[7] < 1e-10) {
                return Err(format!("case {at} walker {w}: round trip {}", got[7]));
            }
            let part = &made.slope[2 * w * c.s.n..][..2 * c.s.n];
            close(&format!("slope, case {at} walker {w}"), part, slope, 1e-4 * scale.sqrt())?;
        }
    }
    Ok(())
}

fn scores(gpu: &Gpu) -> Check {
    for at in 0..CASES.len() {
        let c = case(at);
        let (made, ld) = (run(gpu, c)?, pad4(c.s.parameters()));
        for (w, want) in c.scores.iter().enumerate() {
            let row = &made.scores[w * ld..][..ld];
            close(&format!("scores, case {at} walker {w}"), &row[..want.len()], want, 2e-4)?;
            if row[want.len()..].iter().any(|v| *v != 0.0) {
                return Err(format!("case {at} walker {w}: padding {:?}", &row[want.len()..]));
            }
        }
    }
    Ok(())
}

/// A case whose flow is the identity.
fn still(c: &Case) -> Case {
    Case {
        s: c.s,
        dot: c.dot.clone(),
        flow: Flow { parameters: c.flow.parameters.iter().map(|_| 0.0).collect(), steps: c.s.steps },
        x: c.x.clone(),
        index: c.index.clone(),
        energies: Vec::new(),
        scores: Vec::new(),
        forward: Vec::new(),
        reverse: c.x.clone(),
    }
}

/// An electron, not the last, of which it is not known where it came from: its walker's round trip is no number, whatever the others'.
fn lost(gpu: &Gpu) -> Check {
    for at in 0..CASES.len() {
        let mut c = still(case(at));
        c.reverse[0][0][1] = f64::NAN;
        let made = run(gpu, &c)?;
        for (w, r) in made.records.chunks(8).enumerate() {
            if r[7].is_nan() != (w == 0) || !r[..7].iter().all(|v| v.is_finite()) {
                return Err(format!("case {at} walker {w}: {r:?}"));
            }
        }
    }
    Ok(())
}

/// The identity flow: every determinant has its energy at every point, and ∫ div v = ln|det| = 0.
fn eigenstates(gpu: &Gpu) -> Check {
    for at in 0..CASES.len() {
        let c = case(at);
        let made = run(gpu, &still(c))?;
        for (w, r) in made.records.chunks(8).enumerate() {
            let want = c.dot.energies[c.index[w] as usize];
            let (got, scale) = (f64::from(r[0] + r[2]), want + f64::from(r[1] + r[2]));
            // rounding of second derivatives against squared slopes; at high shells also of the inverse
            if !((got - want).abs() < 3e-5 * scale) || r[5] != 0.0 || r[6] != 0.0 || r[7] != 0.0 {
                return Err(format!("case {at} walker {w}: E = {got}, want {want}: {r:?}"));
            }
        }
    }
    Ok(())
}

#[test]
fn the_flow_moves_electrons_as_its_twin() {
    verify(moves);
}

#[test]
fn local_energies_agree_with_their_twin() {
    verify(energies);
}

#[test]
fn an_origin_that_is_no_number_is_told() {
    verify(lost);
}

#[test]
fn scores_agree_with_their_twin() {
    verify(scores);
}

#[test]
fn determinants_are_eigenstates_of_the_trap() {
    verify(eigenstates);
}

/// Float64: Laplacian and gradient of ln p by second differences of the discrete map.
#[test]
fn the_forward_laplacian_is_that_of_second_differences() {
    for (n, index) in [(2, 1), (3, 0), (3, 4), (6, 2)] {
        let (dot, flow) = (dot(n), flow(7, 3, 0.3));
        let (x, state) = (points(n as u64, n), state(&dot, index));
        let log_p = |x: &[Point]| {
            let (z, delta) = flow.reverse(x);
            2.0 * twin::slater(&z, &state).log - delta
        };
        let (energy, _) = twin::trap_energy(&flow, &x, &state);
        let (centre, h) = (log_p(&x), 1e-3);
        let (mut laplacian, mut square) = (0.0, 0.0);
        for c in 0..2 * n {
            let at = |by: f64| {
                let mut x = x.clone();
                x[c / 2][c % 2] += by * h;
                log_p(&x)
            };
            let (a, b, far, near) = (at(1.0), at(-1.0), at(2.0), at(-2.0));
            // fourth order: what is left is h⁴ times a sixth derivative
            laplacian += (16.0 * (a + b) - far - near - 30.0 * centre) / (12.0 * h * h);
            square += ((8.0 * (a - b) - far + near) / (12.0 * h)).powi(2);
        }
        let want = -0.25 * laplacian - 0.125 * square;
        assert!((energy.kinetic - want).abs() < 1e-6 * (1.0 + energy.gradient_kinetic), "{n} {index}: {} {want}", energy.kinetic);
        assert!((energy.gradient_kinetic - 0.125 * square).abs() < 1e-7 * (1.0 + square), "{n} {index}");
        assert!((energy.log_p - centre).abs() < 1e-12);
    }
}

/// Float64: every parameter's score against differences of ln p.
#[test]
fn the_adjoint_is_that_of_finite_differences() {
    for (n, index) in [(1, 0), (2, 1), (3, 4)] {
        let (dot, flow) = (dot(n), flow(4, 2, 0.3));
        let (x, state) = (points(20 + n as u64, n), state(&dot, index));
        let scores = flow.scores(&x, &state);
        for (k, score) in scores.iter().enumerate() {
            let at = |by: f64| {
                let mut moved = flow.clone();
                moved.parameters[k] += by;
                let (z, delta) = moved.reverse(&x);
                2.0 * twin::slater(&z, &state).log - delta
            };
            let h = 1e-4;
            let want = (8.0 * (at(h) - at(-h)) - at(2.0 * h) + at(-2.0 * h)) / (12.0 * h);
            assert!((score - want).abs() < 1e-8 * (1.0 + want.abs()), "n = {n}, parameter {k}: {score}, want {want}");
        }
        // one electron has no pairs
        assert!(scores.iter().skip(if n == 1 { 12 } else { 0 }).all(|s| *s != 0.0));
    }
}

/// Float64: forth and back, and δ against the determinant, fall as the fourth power of the step.
#[test]
fn the_integrator_is_of_fourth_order() {
    for n in [2, 3, 6] {
        let z = points(40 + n as u64, n);
        let gaps = [4, 8].map(|steps| {
            let flow = flow(16, steps, 1.0);
            let x = flow.forward(&z);
            let r = flow.reversed(&x);
            let away = r.z.iter().flatten().zip(z.iter().flatten()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            let energy = twin::trap_energy(&flow, &x, &state(&dot(n), 0)).0;
            [away, (r.delta + energy.log_det).abs()]
        });
        for (k, (a, b)) in gaps[0].iter().zip(&gaps[1]).enumerate() {
            let order = (a / b).log2();
            assert!((3.4..5.6).contains(&order) && *a < 1e-2, "n = {n}, monitor {k}: {a:.1e}, {b:.1e}, order {order:.2}");
        }
    }
}

/// Permuted and turned electrons have the same ln p and local energy, where the state is a closed shell.
#[test]
fn permutations_and_rotations_change_nothing() {
    let (flow, dot) = (flow(7, 3, 0.3), dot(3));
    let (x, closed) = (points(5, 3), state(&dot, 0));
    let (sine, cosine) = 0.7f64.sin_cos();
    let turned: Vec<Point> = x.iter().map(|x| [cosine * x[0] - sine * x[1], sine * x[0] + cosine * x[1]]).collect();
    let swapped = vec![x[2], x[0], x[1]];
    let (a, _) = twin::trap_energy(&flow, &x, &closed);
    for other in [turned, swapped] {
        let (b, _) = twin::trap_energy(&flow, &other, &closed);
        assert!((a.log_p - b.log_p).abs() < 1e-10 && (a.kinetic - b.kinetic).abs() < 1e-9, "{a:?} {b:?}");
    }
}

#[test]
fn what_is_too_large_is_refused() {
    let s = Shape { n: 12, units: 50, steps: 10, walkers: 1 };
    s.check().unwrap();
    let text = Shape { steps: 1000, ..s }.check().unwrap_err().to_string();
    assert!(text.contains("n_steps = 1000: at most"), "{text}");
    assert!(Shape { n: 17, ..s }.check().is_err() && Shape { n: 16, ..s }.check().is_ok());
    assert_eq!(orbitals(8).len(), 36);
}

#[test]
fn broken_kernels_are_noticed() {
    mutant(&trap::FLOW, "start += h * sum", "start += sum", moves);
    mutant(&trap::ENERGY, "2.0 * dr * r + rr * d", "dr * r + rr * d", energies);
    mutant(&trap::ENERGY, "- own_turn * own_turn", "", eigenstates);
    mutant(&trap::ENERGY, "finite(off) && (!finite(checks[k].y) || checks[k].y > off)", "checks[k].y > off", lost);
    mutant(&trap::SCORES, "v.x * rise + v.z * l.y", "v.x * rise", scores);
    mutant(&trap::SCORES, "select(2.0, 4.0, pair)", "2.0", scores);
    mutant_in(Profile::Simd, &trap::FLOW_LANE, "rate[j] -= v", "rate[j] += v", moves);
    mutant_in(Profile::Simd, &trap::ENERGY_LANE, "(dm + trace) * d + 2.0 * pd", "(dm + trace) * d + pd", energies);
    mutant_in(Profile::Simd, &trap::ENERGY_LANE, "- dot(turn, turn)", "", eigenstates);
    mutant_in(Profile::Simd, &trap::ENERGY_LANE, "finite(off) && (!finite(far) || far > off)", "far > off", lost);
    mutant_in(Profile::Simd, &trap::SCORES_LANE, "v$t.x * rise + v$t.z * l.s1", "v$t.x * rise", scores);
    mutant_in(Profile::Simd, &trap::SCORES_LANE, "-4.0 * weight - dot(d", "-2.0 * weight - dot(d", scores);
}
