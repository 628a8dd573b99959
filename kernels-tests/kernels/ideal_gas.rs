//! The canonical ideal gas against exact numbers (30 digits) and against enumeration.

use helmholtz::system::IdealGas;
use serde_json::Value;

use crate::harness::random;

/// Ascending states of n out of m orbitals.
pub fn states(n: usize, m: usize) -> Vec<Vec<usize>> {
    fn extend(state: &mut Vec<usize>, n: usize, m: usize, all: &mut Vec<Vec<usize>>) {
        if state.len() == n {
            all.push(state.clone());
            return;
        }
        for j in state.last().map_or(0, |s| s + 1)..=m - n + state.len() {
            state.push(j);
            extend(state, n, m, all);
            state.pop();
        }
    }
    let mut all = Vec::new();
    extend(&mut Vec::new(), n, m, &mut all);
    all
}

/// Levels (2 pi / L)^2 |m + t|^2 with |m|^2 <= emax, highest first, in Ry / rs^2.
fn levels(n: usize, dim: usize, twist: &[f64], emax: i64) -> Vec<f64> {
    let length = if dim == 2 { (std::f64::consts::PI * n as f64).sqrt() } else { (4.0 * std::f64::consts::PI * n as f64 / 3.0).cbrt() };
    let edge = (emax as f64).sqrt() as i64 + 1;
    let side = 2 * edge + 1;
    let mut all = Vec::new();
    for index in 0..side.pow(dim as u32) {
        let m: Vec<i64> = (0..dim).map(|c| index / side.pow(c as u32) % side - edge).collect();
        if m.iter().map(|v| v * v).sum::<i64>() <= emax {
            let k2: f64 = m.iter().zip(twist).map(|(&v, t)| (v as f64 + t).powi(2)).sum();
            all.push((2.0 * std::f64::consts::PI / length).powi(2) * k2);
        }
    }
    all.sort_by(|a, b| b.total_cmp(a));
    all
}

fn beta(dim: usize, theta: f64) -> f64 {
    if dim == 2 { 0.25 / theta } else { (4.5 * std::f64::consts::PI).powf(-2.0 / 3.0) / theta }
}

#[test]
fn thermodynamics_agree_with_thirty_digits() {
    let number = |v: &Value| v.as_str().map_or_else(|| v.as_f64(), |s| s.parse().ok()).unwrap();
    let mut rows = 0;
    for file in ["freefermion_2d.json", "freefermion_3d.json"] {
        let path = crate::reference_data::find(file).unwrap();
        let table: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        for row in table["rows"].as_array().unwrap() {
            let Some(emax) = row["Emax"].as_i64() else { continue };
            let (n, dim) = (row["n"].as_u64().unwrap() as usize, row["dim"].as_u64().unwrap() as usize);
            let twist: Vec<f64> = row["twist"].as_array().unwrap().iter().map(number).collect();
            let gas = IdealGas::new(&levels(n, dim, &twist, emax), n, beta(dim, number(&row["Theta"]))).unwrap();
            for (name, got) in [("F", gas.free_energy), ("E", gas.energy), ("S", gas.entropy)] {
                let error = (got / number(&row[name]) - 1.0).abs();
                assert!(error < 1e-12, "{file} n {n} Emax {emax}: {name} = {got}, relative error {error:.1e}");
            }
            rows += 1;
        }
    }
    assert!(rows > 10);
}

#[test]
fn bias_is_the_exact_conditional() {
    for (n, m) in [(1, 1), (1, 5), (3, 7), (4, 9), (6, 6)] {
        let levels: Vec<f64> = random(n as u64, m).iter().map(|v| 5.0 * v).collect();
        let gas = IdealGas::new(&levels, n, 1.3).unwrap();
        let bias = gas.bias();
        let mut total = 0.0;
        for state in states(n, m) {
            let mut chain = 0.0;
            for i in 0..n {
                let low = if i == 0 { 0 } else { state[i - 1] + 1 };
                let window = &bias[i * m + low..=i * m + m - n + i];
                chain += bias[i * m + state[i]] - window.iter().map(|v| v.exp()).sum::<f64>().ln();
            }
            let exact = gas.log_probability(&state);
            assert!((chain - exact).abs() < 1e-13 * exact.abs().max(1.0), "{state:?}: {chain} instead of {exact}");
            total += exact.exp();
        }
        assert!((total - 1.0).abs() < 1e-13, "probabilities of {n} in {m} add to {total}");
    }
}

/// Two spins on as many levels each: probabilities, conditionals, F, E, S, occupations and their products are those of the sum over
/// all pairs of states.
#[test]
fn spins_are_independent_gases() {
    for (numbers, m) in [([2, 1], 4), ([2, 2], 4), ([3, 1], 5), ([4, 4], 4)] {
        let [up, down] = numbers;
        let levels: Vec<f64> = random(7 + up as u64, 2 * m).iter().map(|v| 2.0 * v).collect();
        let (beta, n) = (1.3, up + down);
        let gas = IdealGas::of_species(&levels, &numbers, beta).unwrap();
        let (bias, windows) = (gas.bias(), gas.windows());
        let pairs_of_states = states(up, m).into_iter().flat_map(|k| {
            states(down, m).into_iter().map(move |l| k.iter().copied().chain(l.iter().map(|j| m + j)).collect::<Vec<usize>>())
        });
        let all: Vec<Vec<usize>> = pairs_of_states.collect();
        let energy = |k: &[usize]| k.iter().map(|j| levels[*j]).sum::<f64>();
        let z: f64 = all.iter().map(|k| (-beta * energy(k)).exp()).sum();
        let weight = |k: &[usize]| (-beta * energy(k)).exp() / z;
        let mean = |f: &dyn Fn(&[usize]) -> f64| all.iter().map(|k| weight(k) * f(k)).sum::<f64>();
        for k in &all {
            // the windows of orbitals of one spin: s_(i-1) < j <= M - n + i, which the table narrows
            let mut chain = 0.0;
            let mut choices = 0.0;
            for i in 0..n {
                let low = if i == 0 { 0 } else { k[i - 1] + 1 };
                let row =
                    |table: &[f64]| -> Vec<f64> { table[i * 2 * m + low..=i * 2 * m + 2 * m - n + i].iter().map(|v| v.exp()).collect() };
                chain += bias[i * 2 * m + k[i]] - row(&bias).iter().sum::<f64>().ln();
                choices += row(&windows).iter().sum::<f64>() - 1.0;
            }
            assert!((chain - weight(k).ln()).abs() < 1e-12 && (gas.log_probability(k) - weight(k).ln()).abs() < 1e-12, "{k:?}: {chain}");
            assert!(choices >= 0.0 && (numbers != [4, 4] || choices == 0.0), "{k:?}");
        }
        let exact = [-z.ln() / beta, mean(&energy), mean(&|k| -weight(k).ln())];
        for (got, exact) in [gas.free_energy, gas.energy, gas.entropy].into_iter().zip(exact) {
            assert!((got - exact).abs() < 1e-12, "{numbers:?}: {got}, exact {exact}");
        }
        let (occupations, pairs) = (gas.occupations(), gas.pairs());
        for i in 0..2 * m {
            let exact = mean(&|k| f64::from(k.contains(&i)));
            assert!((occupations[i] - exact).abs() < 1e-12, "{numbers:?}: {} of level {i}, exact {exact}", occupations[i]);
            for j in (0..2 * m).filter(|j| *j != i) {
                let exact = mean(&|k| f64::from(k.contains(&i) && k.contains(&j)));
                assert!((pairs.of(i, j) - exact).abs() < 1e-11, "{numbers:?}: {} of {i}, {j}, exact {exact}", pairs.of(i, j));
            }
        }
        // an effective mass is one of both
        let heavy = gas.scaled(0.4).unwrap();
        let of = |own: &[f64], n: usize| IdealGas::new(&own.iter().map(|e| 0.4 * e).collect::<Vec<_>>(), n, beta).unwrap().entropy;
        assert!((heavy.entropy - of(&levels[..m], up) - of(&levels[m..], down)).abs() < 1e-12);
    }
    assert!(IdealGas::of_species(&[1.0, 2.0, 1.0, 2.0], &[2, 0], 1.0).is_err() && IdealGas::of_species(&[1.0; 4], &[2, 3], 1.0).is_err());
}

#[test]
fn bad_input_is_refused() {
    assert!(IdealGas::new(&[1.0, 2.0], 3, 1.0).is_err());
    assert!(IdealGas::new(&[1.0, 2.0], 0, 1.0).is_err());
    assert!(IdealGas::new(&[1.0, f64::NAN], 1, 1.0).is_err());
    assert!(IdealGas::new(&[1.0, 2.0], 1, -1.0).is_err());
}
