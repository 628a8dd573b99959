//! Two electrons of one spin in a two-dimensional harmonic trap with repulsion Z/r: exact levels and ensembles.
//!
//! The centre of mass is a free oscillator. Relative motion of angular momentum m (odd: the spins are alike) is
//! -R'' - R'/r + (m²/r² + r²/4 + Z/r - E) R = 0; R = r^|m| g e^(-r²/4) has the power series k (k + 2|m|) b_k =
//! Z b_(k-1) - (E - |m| - k + 1) b_(k-2). Levels are the zeros of g far outside, as a function of E: exact but for e^(-r²/2)
//! there. Taut, J. Phys. A 27, 1045 (1994), doi 10.1088/0305-4470/27/3/040, has some in closed form.

use super::oscillator::Canonical;

/// Relative levels above the lowest whose weights in an ensemble are below this are left out.
const NEGLECTED: f64 = 1e-15;
/// How far apart energies are tried in which g changes its sign: levels of one m are about 2 apart.
const STRIDE: f64 = 0.25;

/// g at r, up to a positive factor.
fn outside(m: usize, z: f64, energy: f64, r: f64) -> f64 {
    let (mut before, mut last, mut sum, mut largest) = (0.0, 1.0, 1.0, 1.0f64);
    for k in 1..5000 {
        let factor = energy - m as f64 - k as f64 + 1.0;
        // terms b_k r^k
        let next = (z * r * last - factor * r * r * before) / (k * (k + 2 * m)) as f64;
        (before, last) = (last, next);
        sum += next;
        largest = largest.max(next.abs());
        // those that follow only shrink
        if k as f64 > 2.0 * energy + r * r && next.abs() + before.abs() < 1e-18 * largest {
            break;
        }
        if largest > 1e200 {
            (before, last, sum, largest) = (before * 1e-200, last * 1e-200, sum * 1e-200, largest * 1e-200);
        }
    }
    sum
}

/// Relative levels of angular momentum ±m up to an energy, ħω.
fn levels(m: usize, z: f64, most: f64) -> Vec<f64> {
    let r = 2.0 * most.sqrt() + 7.0;
    let positive = |e: f64| outside(m, z, e, r) > 0.0;
    let (mut found, mut low) = (Vec::new(), m as f64 + 1.0 - 1e-9);
    while low < most {
        let high = low + STRIDE;
        let sign = positive(low);
        if positive(high) != sign {
            let (mut a, mut b) = (low, high);
            for _ in 0..50 {
                let middle = 0.5 * (a + b);
                if positive(middle) == sign { a = middle } else { b = middle }
            }
            found.push(0.5 * (a + b));
        }
        low = high;
    }
    found
}

/// F, E and S at inverse temperature β; infinite: the lowest level.
pub fn exact(z: f64, beta: f64) -> Canonical {
    // the lowest level is that of m = 1, not above its first order 2 + Z √(π/8), which a wide search contains
    let ground = levels(1, z, 3.0 + z)[0];
    if beta.is_infinite() {
        let energy = 1.0 + ground;
        return Canonical { free_energy: energy, energy, entropy: 0.0 };
    }
    let most = ground - NEGLECTED.ln() / beta;
    let (mut sum, mut energy) = (0.0, 0.0);
    // |m| + 1 is below every level of m
    for m in (1..).step_by(2).take_while(|m| (*m as f64) < most) {
        for e in levels(m, z, most) {
            let weight = 2.0 * (-beta * (e - ground)).exp();
            sum += weight;
            energy += weight * e;
        }
    }
    let centre = 2.0 * (0.5 + 1.0 / (beta.exp() - 1.0));
    let centre_free = 2.0 * (0.5 + (-(-beta).exp()).ln_1p() / beta);
    let energy = centre + energy / sum;
    let free_energy = centre_free + ground - sum.ln() / beta;
    Canonical { free_energy, energy, entropy: beta * (energy - free_energy) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data() -> serde_json::Value {
        serde_json::from_str(include_str!("../../kernels-tests/data/dot_two_electrons.json")).unwrap()
    }

    #[test]
    fn analytic_levels_are_found() {
        // E of the whole dot, with the centre of mass at 1
        for (z, e) in [(3f64.sqrt(), 4.0), (14f64.sqrt(), 5.0), (0.0, 3.0)] {
            let got = exact(z, f64::INFINITY).energy;
            assert!((got - e).abs() < 1e-9, "Z = {z}: {got}, want {e}");
        }
    }

    #[test]
    fn ensembles_have_the_exact_rows() {
        let data = data();
        let rows = data["rows"].as_array().unwrap();
        for row in rows {
            let (z, beta) = (row["Z"].as_f64().unwrap(), row["beta"].as_f64().unwrap());
            let got = exact(z, beta);
            for (name, value) in [("F", got.free_energy), ("E", got.energy), ("S", got.entropy)] {
                let want = row[name].as_f64().unwrap();
                assert!((value - want).abs() < 1e-8, "Z = {z} β = {beta} {name}: {value}, want {want}");
            }
        }
        assert!(rows.len() >= 9);
        // without interaction, of as many free electrons
        let (a, b) = (exact(0.0, 1.0), super::super::oscillator::free(2, 1.0).unwrap());
        assert!((a.free_energy - b.free_energy).abs() < 1e-9 && (a.entropy - b.entropy).abs() < 1e-8, "{a:?} {b:?}");
    }
}
