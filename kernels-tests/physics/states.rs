//! Plane waves have no variance; states with different orbitals are orthonormal whatever the flow.

use helmholtz::ElectronGas;
use helmholtz::model::backflow::{Backflow, Feature};
use helmholtz::reference::slater;
use helmholtz::sample::{Metropolis, Sampler, Settings};

use crate::harness::{EPS, Noise, Wave, device, mean, turn};

/// Wave vectors of a state, `[orbital][d]`.
fn vectors(gas: &ElectronGas, state: &[u32]) -> Vec<f64> {
    let scale = std::f64::consts::TAU / gas.length();
    state.iter().flat_map(|&j| gas.momenta()[j as usize * gas.dim..][..gas.dim].to_vec()).map(|m| m * scale).collect()
}

/// Condition number of the plane-wave matrix in the Frobenius norm.
fn condition(gas: &ElectronGas, x: &[f32], state: &[u32]) -> f64 {
    let z: Vec<f64> = x.iter().map(|v| *v as f64).collect();
    let matrix = slater::matrix(&z, &vectors(gas, state), gas.dim, gas.up);
    let (_, inverse) = slater::ln_det_inverse(&matrix, gas.n);
    let norm = |m: &[helmholtz::reference::complex::Complex]| m.iter().map(|c| c.norm2()).sum::<f64>().sqrt();
    norm(&matrix) * norm(&inverse)
}

/// With z = x + const the local energy is Σ k², real, at every position.
///
/// The kinetic energy is a difference of terms of size Σ|∇ ln Ψ|² + Σ k², each with the relative error of the
/// inverse: that of the matrix entries, whose argument k.x of up to 5 turns leaves 32 ε, times the condition.
#[test]
fn plane_waves_have_no_variance() {
    for (n, dim, walkers) in [(13, 2, 64), (7, 3, 64), (2, 2, 16), (1, 3, 4)] {
        let gas = ElectronGas::new(n, dim, 0.0, 0.3).unwrap();
        let model = Backflow { dim, depth: 2, one: 8, pair: 8, feature: Feature::Half, unlike: false };
        let mut noise = Noise(n as u64);
        let mut states: Vec<u32> = gas.ground_state().map(|j| j as u32).collect();
        (1..walkers).for_each(|_| states.extend(noise.state(n, gas.orbital_count())));
        let x: Vec<f32> = (0..walkers * n * dim).map(|_| (noise.uniform() * gas.length()) as f32).collect();
        // all parameters 0; then a shift of all electrons by the output bias, the first leaf
        for shift in [0.0, 0.7] {
            let mut parameters = vec![0.0; model.table().len()];
            parameters[..dim].fill(shift);
            let values = Wave::new(&gas, model, &parameters, walkers).at(&x, &states);
            let mut relative = Vec::new();
            for (w, v) in values.iter().enumerate() {
                let state = &states[w * n..][..n];
                let exact: f64 = vectors(&gas, state).iter().map(|k| k * k).sum();
                let tolerance = 32.0 * EPS * condition(&gas, &x[w * n * dim..][..n * dim], state) * (v.square + exact);
                let error = (v.kinetic[0] - exact).abs().max(v.kinetic[1].abs());
                assert!(error <= tolerance, "n = {n}, walker {w}: K = {:?}, exact {exact}, tolerance {tolerance:.1e}", v.kinetic);
                assert_eq!(v.potential, 0.0, "rs = 0 has no interaction");
                relative.push(error / exact);
            }
            relative.sort_by(f64::total_cmp);
            // typical walkers are far from nodes and lose a digit or two
            assert!(relative[walkers / 2] < 1e-4, "n = {n}: half of the walkers are off by more than {:.1e}", relative[walkers / 2]);
        }
    }
}

/// Flow with random parameters that still keeps its orientation everywhere it is looked at.
fn warped(gas: &ElectronGas, walkers: usize, depth: usize, deviation: f64) -> Wave {
    let model = Backflow { dim: gas.dim, depth, one: 6, pair: 6, feature: Feature::Half, unlike: false };
    let parameters = Noise(5 + depth as u64).normals(model.table().len(), deviation);
    Wave::new(gas, model, &parameters, walkers)
}

/// The few states of the lowest orbitals that differ from the first by one orbital or more.
fn some_states(gas: &ElectronGas) -> Vec<Vec<u32>> {
    let (m, n) = (gas.orbital_count() as u32, gas.n as u32);
    let ground: Vec<u32> = (m - n..m).collect();
    let mut one = ground.clone();
    one[0] -= 2;
    let two: Vec<u32> = ground.iter().map(|j| j - n).collect();
    let mut twice = ground.clone();
    twice[0] -= 1;
    vec![ground, one, two, twice]
}

/// ∫ conj(Ψ_K) Ψ_K' = δ from uniform positions: 32 768 of them, each number within 5 errors (2 states x 4 numbers
/// of 2 parts in 2 gases: one false alarm in 50 000). Without |det J|^½, or with a wrong one, the norm fails:
/// det J itself must have a spread for the check to mean anything.
#[test]
fn states_are_orthonormal_over_uniform_positions() {
    let walkers = 4096;
    for (n, dim) in [(2, 2), (3, 2), (2, 3)] {
        let gas = ElectronGas::new(n, dim, 0.0, 0.3).unwrap();
        let wave = warped(&gas, walkers, 2, 0.3);
        let states = some_states(&gas);
        let ln_volume = (n * dim) as f64 * gas.length().ln() - (1..=n).map(|i| (i as f64).ln()).sum::<f64>();
        let mut noise = Noise(70 + n as u64);
        let mut products = vec![[Vec::new(), Vec::new()]; 2 * states.len()];
        let mut spread = Vec::new();
        for _ in 0..8 {
            let x: Vec<f32> = (0..walkers * n * dim).map(|_| (noise.uniform() * gas.length()) as f32).collect();
            let x = device().upload("x", &x);
            let values: Vec<_> = states.iter().map(|s| wave.amplitudes(&x, &s.repeat(walkers))).collect();
            let logdet: Vec<f32> = device().read(&wave.wave.jacobian.logdet).unwrap();
            spread.extend(logdet.iter().map(|v| *v as f64));
            for a in 0..2 {
                for b in 0..states.len() {
                    for w in 0..walkers {
                        let ([la, pa, sign], [lb, pb, _]) = (values[a][w], values[b][w]);
                        assert_eq!(sign, 1.0, "the flow of this test turns space inside out");
                        let size = (la + lb + ln_volume).exp();
                        products[a * states.len() + b][0].push(size * (pb - pa).cos());
                        products[a * states.len() + b][1].push(size * (pb - pa).sin());
                    }
                }
            }
        }
        let (centre, _) = mean(&spread);
        let deviation = mean(&spread.iter().map(|v| (v - centre).powi(2)).collect::<Vec<_>>()).0.sqrt();
        assert!(deviation > 0.05, "det J is the same everywhere ({deviation:.3}): the flow of this test does nothing");
        for (at, parts) in products.iter().enumerate() {
            let (a, b) = (at / states.len(), at % states.len());
            for (part, values) in parts.iter().enumerate() {
                let want = if a == b && part == 0 { 1.0 } else { 0.0 };
                let (got, error) = mean(values);
                // a vanishing imaginary part of |Ψ|² has no error bar
                assert!(
                    (got - want).abs() <= 5.0 * error + 1e-6,
                    "n = {n}, d = {dim}: <{a}|{b}> part {part} = {got} ± {error}, want {want}"
                );
            }
        }
    }
}

/// ⟨Ψ_K'/Ψ_K⟩ over |Ψ_K|² from Metropolis chains is ⟨Ψ_K|Ψ_K'⟩ = 0; its modulus squared averages to 1, so 1024 chains
/// leave an error of 0.022 a part (5 errors, 6 numbers: one false alarm in 300 000). Sampled from another state, the
/// modulus would not average to 1 but that average has long tails; the orthogonality is the sharp test.
#[test]
fn states_are_orthogonal_over_metropolis_positions() {
    let gpu = device();
    let walkers = 1024;
    let gas = ElectronGas::new(5, 2, 0.0, 0.3).unwrap();
    let wave = warped(&gas, walkers, 2, 0.15);
    let states = some_states(&gas);
    let here = gpu.upload("states", &states[0].repeat(walkers));
    let size = gas.n * gas.dim;
    let set =
        Settings { walkers, chunk: walkers, first: 0, size, length: gas.length(), sweeps: 100, width: 0.4, acceptance: Some(0.4), seed: 3 };
    let mut sampler = Metropolis::new(set).unwrap();
    let round = sampler.draw(gpu, &wave.wave, &[here]).unwrap();
    assert!(round.acceptance > 0.15 && round.tau < 30.0, "{round:?}: the chains forget their start too slowly for this test");
    let x = &sampler.chunks()[0].x;
    let base = wave.amplitudes(x, &states[0].repeat(walkers));
    for (k, state) in states.iter().enumerate().skip(1) {
        let other = wave.amplitudes(x, &state.repeat(walkers));
        let ratio = |part: fn(f64) -> f64| -> Vec<f64> {
            base.iter().zip(&other).map(|(a, b)| (b[0] - a[0]).exp() * part(turn(b[1], a[1]))).collect()
        };
        for part in [f64::cos, f64::sin] {
            let (got, error) = mean(&ratio(part));
            assert!(got.abs() <= 5.0 * error && error < 0.05, "⟨0|{k}⟩ = {got} ± {error}");
        }
    }
}
