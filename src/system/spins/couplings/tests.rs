//! Energies, and models that are refused.

use super::super::tests::{close, model};
use super::super::{Boundary, Couplings, Hopfield, Lattice};
use crate::number::philox::{Stream, purpose};

/// Signs of a state.
fn state(n: usize, seed: u64) -> Vec<i8> {
    let stream = Stream { seed, step: 0, purpose: purpose::SPINS, first_walker: 0 };
    (0..n as u32).map(|i| 1 - 2 * (stream.bits(i)[0] & 1) as i8).collect()
}

/// Energies against a double loop over sites and neighbours, each met from one of its ends.
#[test]
fn energies_are_those_of_plain_loops() {
    for (lattice, side) in [Lattice::Square, Lattice::Triangular].into_iter().flat_map(|l| [3, 4, 5, 8].map(|s| (l, s))) {
        for (boundary, coupling) in [(Boundary::Periodic, 1.0), (Boundary::Periodic, -1.0), (Boundary::Open, 1.0), (Boundary::Open, -1.0)] {
            let model = Couplings::lattice(lattice, side, boundary, coupling).unwrap().with_field(0.25).unwrap();
            assert!(!model.is_even());
            for seed in 0..8 {
                let s = state(side * side, seed);
                let at = |i: usize, j: usize| s[(i % side) * side + j % side] as f64;
                let mut want = 0.0;
                for i in 0..side {
                    for j in 0..side {
                        let (down, right) =
                            (boundary == Boundary::Periodic || i + 1 < side, boundary == Boundary::Periodic || j + 1 < side);
                        want -= 0.25 * at(i, j);
                        want -= if down { coupling * at(i, j) * at(i + 1, j) } else { 0.0 };
                        want -= if right { coupling * at(i, j) * at(i, j + 1) } else { 0.0 };
                        want -= if down && right && lattice == Lattice::Triangular { coupling * at(i, j) * at(i + 1, j + 1) } else { 0.0 };
                    }
                }
                assert_eq!(model.energy(&s), want, "{lattice:?} {boundary:?} L = {side}");
            }
            let bonds = match (lattice, boundary) {
                (Lattice::Square, Boundary::Periodic) => 2 * side * side,
                (Lattice::Square, Boundary::Open) => 2 * side * (side - 1),
                (Lattice::Triangular, Boundary::Periodic) => 3 * side * side,
                (Lattice::Triangular, Boundary::Open) => 2 * side * (side - 1) + (side - 1) * (side - 1),
            };
            assert_eq!(model.bonds().len(), bonds);
        }
    }
    let model = model("sk_n10_seed4");
    let (s, dense, near) = (state(10, 1), model.dense(), model.neighbours());
    let double: f64 = (0..100).map(|at| -0.5 * dense[at] * (s[at / 10] * s[at % 10]) as f64).sum();
    let listed: f64 = (0..10).flat_map(|i| near.of(i).map(move |(j, c)| (i, j, c))).map(|(i, j, c)| -0.5 * c * (s[i] * s[j]) as f64).sum();
    close("dense", model.energy(&s), double, 1e-14);
    close("lists", model.energy(&s), listed, 1e-14);
    assert_eq!(model.rounded(), model);
}

/// N(0, 1/n), alike for a seed, held by single precision.
#[test]
fn random_couplings_are_reproducible() {
    let (a, b) = (Couplings::sherrington_kirkpatrick(200, 7).unwrap(), Couplings::sherrington_kirkpatrick(200, 7).unwrap());
    assert!(a == b && a != Couplings::sherrington_kirkpatrick(200, 8).unwrap() && a == a.rounded());
    let count = a.bonds().len() as f64;
    assert_eq!(count, 19_900.0);
    let mean = |power: i32| a.bonds().iter().map(|b| (b.coupling * 200f64.sqrt()).powi(power)).sum::<f64>() / count;
    // five standard errors: 1/√N, √(2/N), √(96/N)
    close("mean", mean(1), 0.0, 5.0 / count.sqrt());
    close("variance", mean(2), 1.0, 5.0 * (2.0 / count).sqrt());
    close("fourth moment", mean(4), 3.0, 5.0 * (96.0 / count).sqrt());
    let patterns = Hopfield::random(1001, 3, 7).unwrap();
    assert_eq!(patterns, Hopfield::random(1001, 3, 7).unwrap());
    let (x, n) = (patterns.patterns(), 1001f64);
    for (p, q) in [(0, 1), (0, 2), (1, 2)] {
        let product: f64 = x[p].iter().zip(&x[q]).map(|(a, b)| (a * b) as f64).sum();
        assert!(product.abs() < 4.0 * n.sqrt() && x[p].iter().map(|a| *a as f64).sum::<f64>().abs() < 4.0 * n.sqrt());
    }
}

#[test]
fn models_that_are_none_are_refused() {
    for (model, part) in [
        (Couplings::lattice(Lattice::Square, 2, Boundary::Open, 1.0), "L = 2; give L ≥ 3"),
        (Couplings::lattice(Lattice::Square, 0, Boundary::Periodic, 1.0), "L = 0"),
        (Couplings::lattice(Lattice::Triangular, usize::MAX, Boundary::Periodic, 1.0), "at most 1024"),
        (Couplings::lattice(Lattice::Square, 3, Boundary::Periodic, 0.0), "J = 0"),
        (Couplings::lattice(Lattice::Square, 3, Boundary::Periodic, f64::NAN), "J = NaN"),
        (Couplings::sherrington_kirkpatrick(1, 0), "n = 1; a model of coupled spins has at least 2"),
        (Couplings::from_bonds(3, [(0, 3, 1.0)]), "sites 0 and 3; the sites are 0 to 2"),
        (Couplings::from_bonds(3, [(1, 1, 1.0)]), "site 1 with itself"),
        (Couplings::from_bonds(3, [(0, 1, 1.0), (1, 0, 2.0)]), "given twice (1 and 2)"),
        (Couplings::from_bonds(3, [(0, 1, 1e39)]), "J[0][1] = 1000000000000000000000000000000000000000 is beyond single precision"),
        (Couplings::from_dense(2, &[0.0; 3]), "3 numbers for J of 2 spins; give n² = 4"),
        (Couplings::chain(3, 1.0).unwrap().with_fields(&[1.0]), "1 fields h for 3 spins"),
        (Couplings::chain(3, 1.0).unwrap().with_field(f64::INFINITY), "h[0] = inf is not a finite number"),
        (Hopfield::canonical(6).map(|h| h.couplings()), "n = 6; the two orthogonal patterns need n divisible by 4"),
        (Hopfield::random(5, 0, 1).map(|h| h.couplings()), "no pattern"),
        (Hopfield::new(vec![vec![1, 1], vec![1]]).map(|h| h.couplings()), "pattern 1 has 1 entries, pattern 0 has 2"),
        (Hopfield::new(vec![vec![1, 0]]).map(|h| h.couplings()), "pattern 0 has 0 at site 1"),
    ] {
        let error = model.unwrap_err();
        assert!(error.exit_code() == 2 && error.to_string().contains(part), "{error}, not {part}");
    }
}
