//! The continuous flow of electrons in a trap: dr_i/dt = Σ_j η(r_ij)(r_i - r_j) + μ(r_i²) r_i, t from 0 (z) to 1 (x).
//!
//! η and μ are sums of logistic functions s, f(q) = Σ_k W2_k s(W1_k q + b_k), η of a distance, μ of a square: as a function of
//! |r| it would have a kink in the middle of the trap. Xie, Zhang, Wang, J. Mach. Learn. 1, 38 (2022), doi
//! 10.4208/jml.220113; Chen et al., arXiv 1806.07366.

use super::parameters::Table;
use crate::number::philox::{Stream, normal4, purpose, uniform4};

/// Shape of the flow; it does not depend on the number of electrons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Continuous {
    /// Logistic functions of η, and of μ.
    pub units: usize,
}

impl Continuous {
    /// Names and shapes of the parameters: b, W1, W2 of η, then of μ, each of `units` numbers.
    pub fn table(&self) -> Table {
        let leaf = |name: &str| (name.to_string(), vec![self.units]);
        Table::new(["eta/b", "eta/w1", "eta/w2", "mu/b", "mu/w1", "mu/w2"].map(leaf).into())
    }

    /// Fresh parameters: W2 = 0, the identity. The functions are rises and falls of different widths whose centres -b/W1 are
    /// spread over a dot of this radius: equal ones would have equal gradients, and stay one function.
    pub fn initial(&self, seed: u64, radius: f64) -> Vec<f32> {
        let stream = Stream { seed, step: 0, purpose: purpose::PARAMETERS, first_walker: u32::MAX - 1 };
        let mut values = vec![0.0; 6 * self.units];
        // distances between electrons, and squares of those from the middle
        for (part, range) in [2.0 * radius, radius * radius].into_iter().enumerate() {
            for k in 0..self.units {
                let index = 2 * (part * self.units + k) as u32;
                let slope = 6.0 / range * normal4(stream.bits(index))[0];
                // one function a part of the range, a little beyond both ends
                let place = (k as f64 + uniform4(stream.bits(index + 1))[0]) / self.units as f64;
                let centre = range * (1.2 * place - 0.1);
                values[3 * part * self.units + k] = (-slope * centre) as f32;
                values[(3 * part + 1) * self.units + k] = slope as f32;
            }
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_starts_as_the_identity_with_functions_that_differ() {
        let flow = Continuous { units: 50 };
        let (table, values) = (flow.table(), flow.initial(3, 2.0));
        assert_eq!((table.len(), values.len()), (300, 300));
        let leaf = |name: &str| {
            let at = table.get(name).unwrap();
            &values[at.offset..at.offset + at.size()]
        };
        for (part, range) in [("eta", 4.0), ("mu", 4.0)] {
            assert!(leaf(&format!("{part}/w2")).iter().all(|v| *v == 0.0));
            let (b, slope) = (leaf(&format!("{part}/b")), leaf(&format!("{part}/w1")));
            let centres: Vec<f64> = b.iter().zip(slope).map(|(b, w)| f64::from(-b / w)).collect();
            assert!(centres.windows(2).all(|c| c[0] < c[1]), "{part}: {centres:?}");
            assert!(centres[0] > -0.11 * range && centres[49] < 1.11 * range);
        }
        assert_ne!(values, flow.initial(4, 2.0));
    }
}
