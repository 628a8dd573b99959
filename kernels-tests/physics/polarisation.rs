//! Electrons of both spins: the product of two ideal gases, first-order energies, symmetries within each spin, and two electrons of
//! opposite spin against exact diagonalisation.

use std::f64::consts::{PI, TAU};

use helmholtz::model::backflow::{Backflow, Feature};
use helmholtz::{ElectronGas, Settings, Trainer};

use crate::harness::{EPS, Noise, Wave, device, mean, settings, turn};

/// ln p of the present states, and the states.
fn drawn(t: &Trainer) -> (Vec<f64>, Vec<Vec<usize>>) {
    let ln_p: Vec<f32> = device().read_words(&t.log_probability, t.batch).unwrap();
    let states: Vec<u32> = device().read_words(&t.states, t.batch * t.gas.n).unwrap();
    (ln_p.iter().map(|v| f64::from(*v)).collect(), states.chunks(t.gas.n).map(|s| s.iter().map(|&j| j as usize).collect()).collect())
}

/// Plane waves (a flow that does nothing) with an untrained network.
fn plane_waves(text: &str) -> Trainer {
    let s = settings(text);
    Trainer::new(device(), &s, None, Some(vec![0.0; s.backflow().table().len()])).unwrap()
}

/// Subsets of n of the numbers from `first` on, m of them, ascending.
fn subsets(n: usize, m: usize, first: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let with = |top: usize| subsets(n - 1, top, first).into_iter().map(move |s| s.into_iter().chain([first + top]).collect());
    (n - 1..m).flat_map(with).collect()
}

/// All states of a gas: of each spin its electrons.
fn states(gas: &ElectronGas) -> Vec<Vec<usize>> {
    let m = gas.plane_wave_count();
    let down = subsets(gas.down(), m, m);
    subsets(gas.up, m, 0).iter().flat_map(|k| down.iter().map(|l| k.iter().chain(l).copied().collect())).collect()
}

/// Untrained, every state has the probability of two independent canonical gases, F no variance, E and S the exact averages within 5
/// errors (6 numbers: one false alarm in 300,000); the exact ones are also those of a sum over all states. Θ counts in the Fermi
/// temperature of spin up: β = 1/k_F² Θ, k_F² = 4 n↑/n in 2D and (9π n↑/2n)^(2/3) in 3D.
#[test]
fn an_untrained_network_is_two_ideal_gases() {
    for (text, spins, square) in [
        ("n=4 dim=2 polarisation=0 theta=0.4 emax=2", [2, 2], 2.0),
        ("n=3 dim=2 polarisation=0.333 theta=0.5 emax=2 twist=0", [2, 1], 8.0 / 3.0),
        ("n=4 dim=3 polarisation=0.5 theta=0.4 emax=1", [3, 1], (27.0 * PI / 8.0).powf(2.0 / 3.0)),
    ] {
        let mut t = plane_waves(&format!("{text} rs=0 batch=512 laplacian=exact spsize=8 tpsize=8 seed=5"));
        let s = Settings::of(&format!("{text} rs=0")).unwrap();
        let (gas, beta) = (t.gas.clone(), 1.0 / (square * s.theta));
        assert!(s.spins() == spins && (gas.beta() - beta).abs() < 1e-14, "{text}: β = {}, want {beta}", gas.beta());
        t.sample(device()).unwrap();
        let e = t.energies(device()).unwrap();
        let levels = gas.energies();
        let energy = |k: &[usize]| k.iter().map(|j| levels[*j]).sum::<f64>();
        let all = states(&gas);
        let z: f64 = all.iter().map(|k| (-beta * energy(k)).exp()).sum();
        let exact_e = all.iter().map(|k| energy(k) * (-beta * energy(k)).exp()).sum::<f64>() / z;
        let (exact_f, exact_s) = (-z.ln() / beta, beta * exact_e + z.ln());
        assert!((t.ideal.free_energy - exact_f).abs() < 1e-11 * exact_f.abs() && (t.ideal.entropy - exact_s).abs() < 1e-10 * exact_s);
        let (ln_p, drawn) = drawn(&t);
        for (l, k) in ln_p.iter().zip(&drawn) {
            let exact = -beta * energy(k) - z.ln();
            let up = k.iter().filter(|j| **j < gas.plane_wave_count()).count();
            assert!(up == spins[0] && k.windows(2).all(|p| p[0] < p[1]), "{text}: {k:?}");
            assert!((l - exact).abs() < EPS * (8.0 * 4.0 + 4.0 * exact.abs() + 50.0), "{text}: ln p of {k:?} is {l}, exact {exact}");
        }
        for (what, got, exact) in [("E", e.energy, exact_e), ("S", e.entropy, exact_s)] {
            assert!((got.mean - exact).abs() < 5.0 * got.error, "{text}: {what} = {got:?}, exact {exact}");
        }
        assert!(
            e.counted == t.batch && (e.free_energy.mean - exact_f).abs() < 3e-4 * exact_e,
            "{text}: F = {:?}, exact {exact_f}",
            e.free_energy
        );
    }
}

/// Whatever the network, probabilities of all states add to 1, with and without a prior; draws have them: χ² of the states within 5 of
/// its standard deviations, and none is left of what cannot be.
#[test]
fn probabilities_of_spins_add_to_one() {
    for (prior, seed) in [("ideal", 1), ("none", 2)] {
        let line = "n=3 dim=2 polarisation=0.333 theta=0.6 emax=1 rs=1 batch=2048 nlayers=1 modelsize=8 nhidden=6 spsize=4 tpsize=4";
        let s = settings(&format!("{line} prior={prior} seed={seed}"));
        let network = Noise(seed).normals(s.occupation(&s.gas().unwrap()).parameters().len(), 0.5);
        let mut t = Trainer::new(device(), &s, Some(network), None).unwrap();
        let all = states(&t.gas);
        assert_eq!(all.len(), 10 * 5);
        let batch: Vec<u32> = (0..t.batch).flat_map(|w| all[w % all.len()].iter().map(|j| *j as u32)).collect();
        t.load(device(), &vec![0.1; t.batch * 6], &batch).unwrap();
        let p: Vec<f64> = drawn(&t).0[..all.len()].iter().map(|l| l.exp()).collect();
        let total: f64 = p.iter().sum();
        assert!((total - 1.0).abs() < 1e-5, "prior={prior}: probabilities add to {total}");
        t.sample(device()).unwrap();
        let (_, states) = drawn(&t);
        let (mut chi, mut cells, mut seen) = (0.0, 0.0, 0);
        for (k, p) in all.iter().zip(&p) {
            let (got, want) = (states.iter().filter(|s| *s == k).count(), p * t.batch as f64);
            seen += got;
            if want > 5.0 {
                chi += (got as f64 - want).powi(2) / want;
                cells += 1.0;
            }
        }
        assert!(seen == t.batch && cells > 12.0, "prior={prior}: {seen} of {} draws are states, {cells} are likely", t.batch);
        assert!(chi < cells + 5.0 * (2.0_f64 * cells).sqrt(), "prior={prior}: χ² = {chi} of {cells} states");
    }
}

/// V of plane waves in the canonical ideal gas: n rs ξ/L of the box itself and the exchange of electrons of one spin,
/// -(rs/L) Σ_{p≠q} ⟨n_p n_q⟩ v(p - q), v = 1/|m| in 2D and 1/(π m²) in 3D; electrons of unlike spins give nothing. Ry/rs².
fn first_order(gas: &ElectronGas) -> f64 {
    let (pairs, m) = (gas.ideal().unwrap().pairs(), gas.orbitals());
    let mut exchange = 0.0;
    for p in 0..m.len() {
        for q in (0..m.len()).filter(|q| *q != p && pairs.alike(p, *q)) {
            let square = (0..3).map(|c| f64::from(m[p][c] - m[q][c]).powi(2)).sum::<f64>();
            exchange += pairs.of(p, q) * if gas.dim == 2 { 1.0 / square.sqrt() } else { 1.0 / (PI * square) };
        }
    }
    let xi = if gas.dim == 2 { -3.900_264_92 } else { -2.837_297_48 };
    gas.rs / gas.length() * (gas.n as f64 * xi - exchange)
}

/// The mean of V over exact draws of plane waves is the first-order energy, within 5 errors (3 numbers: one false alarm in 500,000),
/// and the errors tell the exchange of one spin from that of both. Two electrons of opposite spins have none.
#[test]
fn plane_waves_have_the_canonical_exchange() {
    for (text, batch) in [
        ("n=6 dim=3 polarisation=0 theta=0.3", 2048),
        ("n=5 dim=3 polarisation=0.6 theta=0.3 twist=0.25", 2048),
        ("n=2 dim=3 polarisation=0 theta=0.3", 1024),
    ] {
        let mut t = plane_waves(&format!("{text} rs=0.5 prior=ideal batch={batch} spsize=8 tpsize=8 seed=9"));
        let exact = first_order(&t.gas);
        t.sample(device()).unwrap();
        let e = t.energies(device()).unwrap();
        let polarised = first_order(&ElectronGas::new(t.gas.n, 3, 0.5, 0.3).unwrap());
        eprintln!("{text}: V = {:.4} ± {:.4}, exact {exact:.4}, of one spin {polarised:.4}", e.potential.mean, e.potential.error);
        assert!((e.potential.mean - exact).abs() < 5.0 * e.potential.error, "{text}: V = {:?}, exact {exact}", e.potential);
        assert!(exact - polarised > 5.0 * e.potential.error, "{text}: {exact}, of one spin {polarised}");
    }
}

/// With a random flow, exchange of two electrons of one spin turns the phase by π, of electrons of unlike spins it changes |Ψ| (if their
/// layer differs); translation and the twist of the boundary do what they do to any state.
#[test]
fn wave_functions_are_antisymmetric_within_a_spin() {
    for ([up, down], dim) in [([3, 2], 2), ([2, 2], 3)] {
        let twist = [0.3, -0.15, 0.4];
        let gas = ElectronGas::of_spins([up, down], dim, 3.0, 0.3, None, Some(&twist[..dim])).unwrap();
        let model = Backflow { dim, depth: 2, one: 8, pair: 8, feature: Feature::Half, unlike: true };
        let (n, m, length) = (gas.n, gas.plane_wave_count(), gas.length());
        let mut noise = Noise(70 + n as u64);
        let parameters = noise.normals(model.table().len(), 0.3);
        let state: Vec<u32> = noise.state(up, m).into_iter().chain(noise.state(down, m).into_iter().map(|j| j + m as u32)).collect();
        // sums of these and their translations are exact
        let grid = |v: f64| ((v * 4096.0).round() / 4096.0) as f32;
        let base: Vec<f32> = (0..n * dim).map(|_| grid(noise.uniform() * length)).collect();
        let shift: Vec<f32> = (0..dim).map(|_| grid(2.0 * noise.uniform() - 1.0)).collect();
        let swapped = |i: usize, j: usize| {
            let mut x = base.clone();
            (0..dim).for_each(|c| x.swap(i * dim + c, j * dim + c));
            x
        };
        let moved = base.iter().enumerate().map(|(c, v)| v + shift[c % dim]).collect();
        let mut far = base.clone();
        far[dim] = (f64::from(far[dim]) + length) as f32;
        let all = [base.clone(), swapped(0, up - 1), swapped(n - 2, n - 1), moved, far, swapped(0, n - 1)];
        let values = Wave::new(&gas, model, &parameters, all.len()).at(&all.concat(), &state.repeat(all.len()));
        let total = |c: usize| state.iter().map(|&j| gas.momenta()[j as usize * dim + c]).sum::<f64>() * TAU / length;
        let translated = (0..dim).map(|c| total(c) * f64::from(shift[c])).sum::<f64>();
        let v = &values[0];
        let steep = v.square.sqrt();
        let allowed = 64.0 * EPS * (n as f64 + steep * length) + 2.0 * EPS * length * steep;
        for (what, phase, w) in [
            ("exchange of spins up", PI, &values[1]),
            ("exchange of spins down", PI, &values[2]),
            ("translation", translated, &values[3]),
            ("a lattice vector", TAU * twist[0], &values[4]),
        ] {
            let (ln, angle) = ((w.ln - v.ln).abs(), turn(w.phase - v.phase, phase).abs());
            assert!(ln < allowed && angle < allowed, "{what}: ln|Ψ| by {ln:.1e}, phase by {angle:.1e}, tolerance {allowed:.1e}");
            let energy = (w.kinetic[0] + w.potential - v.kinetic[0] - v.potential).abs();
            let scale = v.square + v.kinetic[0].abs() + v.potential.abs();
            assert!(energy < 256.0 * EPS * scale * (steep * length + n as f64), "{what}: E by {energy:.1e} of {scale}");
        }
        let ln = (values[5].ln - v.ln).abs();
        assert!(ln > 1e-3, "exchange of unlike spins changes ln|Ψ| by {ln:.1e}");
    }
}

/// Eigenvalues of a symmetric matrix by Jacobi's rotations.
fn eigenvalues(mut a: Vec<f64>, n: usize) -> Vec<f64> {
    for _ in 0..30 {
        let off: f64 = (0..n * n).filter(|e| e / n != e % n).map(|e| a[e] * a[e]).sum();
        if off < 1e-16 {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                if a[p * n + q].abs() < 1e-14 {
                    continue;
                }
                let angle = 0.5 * (2.0 * a[p * n + q]).atan2(a[q * n + q] - a[p * n + p]);
                let (s, c) = angle.sin_cos();
                for k in 0..n {
                    let (x, y) = (a[p * n + k], a[q * n + k]);
                    (a[p * n + k], a[q * n + k]) = (c * x - s * y, s * x + c * y);
                }
                for k in 0..n {
                    let (x, y) = (a[k * n + p], a[k * n + q]);
                    (a[k * n + p], a[k * n + q]) = (c * x - s * y, s * x + c * y);
                }
            }
        }
    }
    (0..n).map(|k| a[k * n + k]).collect()
}

/// F and S of two electrons of opposite spins in a square box, by diagonalisation in their relative momentum 2π/L (m₁ - m₂)/2 up to
/// `most`, which is a whole or half a number by the parity of the total m₁ + m₂; Ry/rs² and k_B of both.
fn two_electrons(gas: &ElectronGas, most: f64) -> (f64, f64) {
    let (unit, reach) = (TAU / gas.length(), most as i32 + 1);
    let constant = -3.900_264_92 * 2.0 * gas.rs / gas.length();
    let mut energies = Vec::new();
    for parity in [[0, 0], [0, 1], [1, 0], [1, 1]] {
        let axis = |c: usize| (-reach..=reach).map(move |m| f64::from(m) + 0.5 * f64::from(parity[c]));
        let q: Vec<[f64; 2]> =
            axis(0).flat_map(|x| axis(1).map(move |y| [x, y])).filter(|q| q[0] * q[0] + q[1] * q[1] <= most * most).collect();
        let n = q.len();
        let element = |i: usize, j: usize| match i == j {
            true => 2.0 * unit * unit * (q[i][0].powi(2) + q[i][1].powi(2)),
            false => 2.0 * gas.rs / gas.length() / (q[i][0] - q[j][0]).hypot(q[i][1] - q[j][1]),
        };
        let relative = eigenvalues((0..n * n).map(|e| element(e / n, e % n)).collect(), n);
        for x in (-12..=12).filter(|x: &i32| x.rem_euclid(2) == parity[0]) {
            for y in (-12..=12).filter(|y: &i32| y.rem_euclid(2) == parity[1]) {
                let square = (f64::from(x) + 2.0 * gas.twist[0]).powi(2) + (f64::from(y) + 2.0 * gas.twist[1]).powi(2);
                energies.extend(relative.iter().map(|e| e + 0.5 * unit * unit * square + constant));
            }
        }
    }
    let (beta, lowest) = (gas.beta(), energies.iter().copied().fold(f64::INFINITY, f64::min));
    let z: f64 = energies.iter().map(|e| (-beta * (e - lowest)).exp()).sum();
    let e = energies.iter().map(|e| e * (-beta * (e - lowest)).exp()).sum::<f64>() / z;
    let f = lowest - z.ln() / beta;
    (f, beta * (e - f))
}

/// Two electrons of opposite spins at rs = 2, Θ = 0.15, a closed shell, by diagonalisation: training comes down to the exact F from
/// above, most of the way from plane waves (first order), and never under it by more than 4 errors. Without interaction the
/// diagonalisation is the ideal gas.
#[test]
fn two_electrons_of_opposite_spins_approach_the_exact_free_energy() {
    let free = ElectronGas::of_spins([1, 1], 2, 0.0, 0.5, Some(49), None).unwrap();
    let (f, s) = two_electrons(&free, 7.0);
    let ideal = free.ideal().unwrap();
    assert!(
        (f - ideal.free_energy).abs() < 1e-6 && (s - ideal.entropy).abs() < 1e-6,
        "{f} {s}, ideal {} {}",
        ideal.free_energy,
        ideal.entropy
    );

    let mut t = Trainer::new(device(), &settings("n=2 dim=2 polarisation=0 rs=2 theta=0.15 emax=2 batch=256 seed=4 optimizer=adam learning_rate=0.01 nlayers=1 modelsize=8 nhidden=8 spsize=8 tpsize=8"), None, None).unwrap();
    let gas = t.gas.clone();
    // the cusp leaves an error of the square of one over the largest momentum
    let ([four, six], weight) = ([4.0, 6.0].map(|most| two_electrons(&gas, most)), 1.0 / (2.25 - 1.0));
    let exact = six.0 + weight * (six.0 - four.0);
    let start = t.ideal.free_energy + first_order(&gas);
    let step = |t: &mut Trainer, learn: bool| {
        assert!(t.sample(device()).unwrap().usable());
        let e = if learn { t.energies_and_scores(device()).unwrap() } else { t.energies(device()).unwrap() };
        if learn {
            assert!(t.update(device()).unwrap().is_none());
        }
        // with the kinetic energy of the smaller spread
        let records: Vec<f32> = device().read_words(&t.estimators.records, 8 * t.batch).unwrap();
        assert!(e.failed <= 1);
        let f = |r: &[f32]| f64::from(r[7]) + f64::from(r[2]) + f64::from(r[3]) / t.gas.beta();
        mean(&records.chunks(8).filter(|r| r.iter().all(|v| v.is_finite())).map(f).collect::<Vec<_>>())
    };
    (0..80).for_each(|_| {
        step(&mut t, true);
    });
    let all: Vec<(f64, f64)> = (0..24).map(|_| step(&mut t, false)).collect();
    let (f, error) = (all.iter().map(|a| a.0).sum::<f64>() / 24.0, all.iter().map(|a| a.1.powi(2)).sum::<f64>().sqrt() / 24.0);
    eprintln!("F = {f:.4} ± {error:.4}, exact {exact:.4}, first order {start:.4} Ry/rs² of both");
    assert!(f > exact - 4.0 * error, "F = {f} ± {error} lies under the exact {exact}");
    assert!(
        f - exact < 0.15 * (start - exact) + 4.0 * error && start - exact > 10.0 * error,
        "F = {f} ± {error}, exact {exact}, first order {start}"
    );
}
