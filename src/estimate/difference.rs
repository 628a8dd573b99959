//! What free energies at several temperatures say together, and how far a result is from what is known.

use super::Estimate;

/// How far `e` lies above `from`, an exact number or another estimate that is independent of it, in standard errors of the
/// difference; not a number where one of them is unknown.
pub fn deviation(e: Estimate, from: impl Into<Estimate>) -> f64 {
    let from = from.into();
    let (difference, error) = (e.value - from.value, e.error.hypot(from.error));
    if difference == 0.0 && !error.is_nan() { 0.0 } else { difference / error }
}

/// S = -∂F/∂T (k_B = 1) at each of several β in rising or falling order, from the parabola through a point and its neighbours,
/// with the errors of their F, which are independent. The parabola is that of F in T, or with `inverse` that of βF in β, where
/// S = β (∂(βF)/∂β - F): whichever of T and β lies evenly. What a parabola leaves out is of second order in the distance of the
/// points and is in no error. Both ends, and what has an unknown neighbour, are unknown.
///
/// F in the units of 1/β, per particle where S is to be.
pub fn entropies(beta: &[f64], f: &[Estimate], inverse: bool) -> Vec<Estimate> {
    let at = |i: usize| {
        let (first, last) = (i.checked_sub(1)?, Some(i + 1).filter(|j| *j < beta.len())?);
        let points = [first, i, last];
        let x = points.map(|k| if inverse { beta[k] } else { 1.0 / beta[k] });
        let (a, b) = (x[1] - x[0], x[2] - x[1]);
        // dy/dx = Σ w y
        let w = [-b / (a * (a + b)), (b - a) / (a * b), a / (b * (a + b))];
        let share = |k: usize| match inverse {
            true => beta[i] * (w[k] * beta[points[k]] - if k == 1 { 1.0 } else { 0.0 }),
            false => -w[k],
        };
        let sum = |term: &dyn Fn(usize, Estimate) -> f64| (0..3).map(|k| term(k, f[points[k]])).sum::<f64>();
        Some(Estimate {
            value: sum(&|k, e| share(k) * e.value),
            error: sum(&|k, e| (share(k) * e.error).powi(2)).sqrt(),
            at_least: points.iter().any(|k| f[*k].at_least),
        })
    };
    (0..beta.len()).map(|i| at(i).unwrap_or_default()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviations_are_in_errors() {
        assert_eq!(deviation(Estimate::new(-0.5, 0.25), -1.0), 2.0);
        assert_eq!(deviation(Estimate::new(-1.0, 0.0), -1.0), 0.0);
        assert!(deviation(Estimate::new(-1.0, 0.0), -1.5).is_infinite() && deviation(Estimate::default(), 1.0).is_nan());
        assert!(deviation(Estimate::new(1.0, 0.1), f64::NAN).is_nan());
        // 3-4-5: errors of independent numbers add in squares
        let other = Estimate::new(-3.0, 0.4);
        assert!((deviation(Estimate::new(-2.0, 0.3), other) - 2.0).abs() < 1e-14);
        assert!((deviation(other, Estimate::new(-2.0, 0.3)) + 2.0).abs() < 1e-14);
        assert!(deviation(Estimate::new(-3.0, 0.3), Estimate::new(-3.0, f64::NAN)).is_nan());
    }

    /// F = a + bT + cT² and βF = a + bβ + cβ² are met exactly, at uneven points in either order.
    #[test]
    fn parabolas_are_met() {
        for inverse in [false, true] {
            let mut beta = vec![0.3, 0.5, 0.6, 1.1, 2.0];
            for _ in 0..2 {
                let f = |b: f64| if inverse { (0.7 - 1.5 * b + 0.4 * b * b) / b } else { 0.7 - 1.5 / b + 0.4 / (b * b) };
                let s = |b: f64| if inverse { -0.7 + 0.4 * b * b } else { 1.5 - 0.8 / b };
                let values: Vec<Estimate> = beta.iter().map(|b| f(*b).into()).collect();
                let found = entropies(&beta, &values, inverse);
                assert!(found[0].value.is_nan() && found[4].value.is_nan());
                for i in 1..4 {
                    assert!((found[i].value - s(beta[i])).abs() < 1e-12 && found[i].error == 0.0, "{inverse} {i}: {:?}", found[i]);
                }
                beta.reverse();
            }
        }
    }

    /// Errors against the scatter of many noisy copies: 4 % is four standard deviations of a spread of 5000.
    #[test]
    fn errors_are_those_of_noise() {
        let stream = crate::number::philox::Stream { seed: 3, step: 0, purpose: crate::number::philox::purpose::START, first_walker: 0 };
        let mut normals = stream.normals();
        let (beta, sigma) = ([0.4, 0.5, 0.8], [0.01, 0.02, 0.03]);
        for inverse in [false, true] {
            let stated = entropies(&beta, &sigma.map(|s| Estimate::new(-1.0, s)), inverse)[1].error;
            let mut noisy = || entropies(&beta, &sigma.map(|s| (-1.0 + s * normals.next().unwrap()).into()), inverse)[1].value;
            let draws: Vec<f64> = (0..5000).map(|_| noisy()).collect();
            let mean = draws.iter().sum::<f64>() / 5000.0;
            let spread = (draws.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 4999.0).sqrt();
            assert!((spread / stated - 1.0).abs() < 0.04, "{inverse}: {spread} {stated}");
        }
        let unknown = entropies(&beta, &[Estimate::default(), (-1.0).into(), (-1.0).into()], true);
        assert!(unknown[1].value.is_nan());
    }

    /// Two levels at 0 and 1: within what a parabola leaves out, h²/6 of the third derivative.
    #[test]
    fn a_spin_in_a_field_has_its_entropy() {
        let beta: Vec<f64> = (1..=40).map(|k| 0.1 * k as f64).collect();
        let f: Vec<Estimate> = beta.iter().map(|b| (-(1.0 + (-b).exp()).ln() / b).into()).collect();
        for (i, s) in entropies(&beta, &f, true).iter().enumerate().take(39).skip(1) {
            let b = beta[i];
            let p = 1.0 / (1.0 + b.exp());
            let exact = -p * p.ln() - (1.0 - p) * (1.0 - p).ln();
            // |d³ ln Z/dβ³| ≤ 1/(6√3)
            assert!((s.value - exact).abs() <= b * 0.01 / 6.0 * 0.097 + 1e-12, "{b}: {} {exact}", s.value);
        }
    }
}
