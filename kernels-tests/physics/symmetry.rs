//! Symmetries of wave functions with random flows: exchange, translation, the twist of the boundary.

use helmholtz::ElectronGas;
use helmholtz::model::backflow::{Backflow, Feature};

use crate::harness::{EPS, Noise, Value, Wave, turn};

/// Positions on a grid of 2^-12, so that sums of them and grid translations are exact in f32.
fn grid(v: f64) -> f32 {
    ((v * 4096.0).round() / 4096.0) as f32
}

/// Error allowed of ln|Ψ| and the phase where positions are exact up to `shift` (rs a0): the positions' own effect
/// through the gradient, and the rounding of the determinants, whose entries carry 32 ε and are as ill-conditioned
/// as ln Ψ is steep: |∇ ln Ψ| over a typical k.
fn tolerance(v: &Value, gas: &ElectronGas, shift: f64) -> f64 {
    let steep = v.square.sqrt();
    64.0 * EPS * (gas.n as f64 + steep * gas.length()) + shift * steep
}

/// Of the local energy: a derivative more of ln Ψ squares the steepness.
fn energy_tolerance(v: &Value, gas: &ElectronGas, shift: f64) -> f64 {
    let scale = v.square + v.kinetic[0].abs() + v.potential.abs() + gas.n as f64;
    let steep = v.square.sqrt() * gas.length() + gas.n as f64;
    64.0 * EPS * scale * steep + 2.0 * shift * scale * v.square.sqrt()
}

#[derive(Clone, Copy)]
struct Case {
    n: usize,
    dim: usize,
    depth: usize,
    feature: Feature,
    deviation: f64,
    twist: [f64; 3],
}

/// Walkers: base; particles 0 and n-1 exchanged; all moved by c; particle 1 moved by L along each axis.
fn check(case: Case) {
    let Case { n, dim, depth, feature, deviation, twist } = case;
    let gas = ElectronGas::with(n, dim, 3.0, 0.3, None, Some(&twist[..dim])).unwrap();
    let model = Backflow { dim, depth, one: 8, pair: 8, feature, unlike: false };
    let (size, kinds, samples) = (n * dim, 3 + dim, 6);
    let mut noise = Noise(900 + 7 * n as u64 + depth as u64);
    let parameters = noise.normals(model.table().len(), deviation);
    let (mut x, mut states, mut moves, mut momenta) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let length = gas.length();
    for _ in 0..samples {
        let state = noise.state(n, gas.orbital_count());
        let total = |a: usize| state.iter().map(|&j| gas.momenta()[j as usize * dim + a]).sum::<f64>() * std::f64::consts::TAU / length;
        momenta.push((0..dim).map(total).collect::<Vec<f64>>());
        let base: Vec<f32> = (0..size).map(|_| grid(noise.uniform() * length)).collect();
        let c: Vec<f32> = (0..dim).map(|_| grid(2.0 * noise.uniform() - 1.0)).collect();
        let mut exchanged = base.clone();
        (0..dim).for_each(|a| exchanged.swap(a, (n - 1) * dim + a));
        let moved: Vec<f32> = base.iter().enumerate().map(|(i, v)| v + c[i % dim]).collect();
        x.extend(base.iter().chain(&exchanged).chain(&moved));
        for a in 0..dim {
            let mut far = base.clone();
            far[dim + a] = (far[dim + a] as f64 + length) as f32;
            x.extend(far);
        }
        moves.push(c);
        (0..kinds).for_each(|_| states.extend(&state));
    }
    let values = Wave::new(&gas, model, &parameters, samples * kinds).at(&x, &states);
    let what = format!("n = {n}, d = {dim}, depth {depth}, {feature:?}");
    for (s, group) in values.chunks(kinds).enumerate() {
        let base = &group[0];
        for (kind, v) in group.iter().enumerate().skip(1) {
            // a lattice vector is rounded to f32, and the sum with it
            let shift = if kind >= 3 { EPS * 2.0 * length } else { 0.0 };
            let phase = match kind {
                1 => std::f64::consts::PI,
                2 => (0..dim).map(|a| momenta[s][a] * moves[s][a] as f64).sum(),
                _ => std::f64::consts::TAU * twist[kind - 3],
            };
            let allowed = tolerance(base, &gas, shift);
            let name = ["", "exchange", "translation", "lattice x", "lattice y", "lattice z"][kind];
            let (ln, angle) = ((v.ln - base.ln).abs(), turn(v.phase - base.phase, phase).abs());
            assert!(ln <= allowed, "{what}: {name} changes ln|Ψ| by {ln:.2e}, tolerance {allowed:.1e}");
            assert!(angle <= allowed, "{what}: {name} turns the phase by {angle:.2e} too much, tolerance {allowed:.1e}");
            let allowed = energy_tolerance(base, &gas, shift);
            let real = (v.kinetic[0] + v.potential - base.kinetic[0] - base.potential).abs();
            let imaginary = (v.kinetic[1] - base.kinetic[1]).abs();
            assert!(real <= allowed, "{what}: {name} changes E by {real:.2e}, tolerance {allowed:.1e}, {base:?}");
            assert!(imaginary <= allowed, "{what}: {name} changes Im E by {imaginary:.2e}, tolerance {allowed:.1e}, {base:?}");
            // tolerances must mean something where Ψ is not steep
            assert!(
                allowed < 0.1 * (base.square + base.potential.abs()) || base.square > 1e4,
                "{what}: tolerance {allowed:.1e} of {base:?}"
            );
        }
    }
}

#[test]
fn wave_functions_keep_their_symmetries() {
    let half = [0.25, 0.25, 0.25];
    let uneven = [0.3, -0.15, 0.4];
    check(Case { n: 4, dim: 2, depth: 1, feature: Feature::Half, deviation: 0.3, twist: half });
    check(Case { n: 7, dim: 2, depth: 2, feature: Feature::Half, deviation: 0.3, twist: uneven });
    check(Case { n: 7, dim: 2, depth: 2, feature: Feature::Legacy, deviation: 0.2, twist: half });
    check(Case { n: 5, dim: 2, depth: 3, feature: Feature::Half, deviation: 0.2, twist: uneven });
    check(Case { n: 4, dim: 3, depth: 2, feature: Feature::Half, deviation: 0.3, twist: uneven });
    check(Case { n: 4, dim: 3, depth: 3, feature: Feature::Legacy, deviation: 0.2, twist: half });
    check(Case { n: 7, dim: 3, depth: 1, feature: Feature::Legacy, deviation: 0.3, twist: [0.0; 3] });
}
