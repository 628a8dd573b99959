//! The two bounds of ln Z: R = ln q + βE averaged over q lies above -ln Z by the divergence of q from p = e^{-βE}/Z, averaged over p
//! below it by that of p from q.

use serde::Serialize;

use super::{Method, Oracle};
use crate::error::{Error, Result};
use crate::estimate::Estimate;
use crate::gpu::Gpu;
use crate::problem::Problem;
use crate::problem::spins::Spins;

/// E_p\[R\] ≤ -ln Z ≤ E_q\[R\] of the whole system, in nats.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Sandwich {
    /// E_p\[R\].
    pub lower: Estimate,
    /// -ln Z.
    pub minus_ln_z: Estimate,
    /// E_q\[R\].
    pub upper: Estimate,
    /// KL(p‖q) = -ln Z - E_p\[R\]: large where q lacks states.
    pub kl_p_q: Estimate,
    /// KL(q‖p) = E_q\[R\] + ln Z.
    pub kl_q_p: Estimate,
    /// States of p.
    pub states: usize,
}

impl Sandwich {
    /// R on the oracle's states and on `batches` fresh batches of a trained network.
    ///
    /// # Errors
    /// [`Error::User`] if the oracle kept no states; those of the device.
    pub fn new(gpu: &Gpu, spins: &mut Spins, beta: f64, oracle: &Oracle, batches: usize) -> Result<Sandwich> {
        let n = spins.sites();
        if oracle.states.is_empty() || batches == 0 {
            let states = oracle.states.len();
            return Err(Error::User(format!(
                "bounds of ln Z: {states} states of the exact distribution, {batches} batches; give some of both"
            )));
        }
        let reduced = spins.reduced(gpu, &oracle.states)?;
        let lower = match &oracle.method {
            Method::Sum => mean(&reduced),
            // of each ladder, which know nothing of each other
            Method::Tempering(run) => {
                let ladders = run.ladders();
                let of = |l: usize| {
                    let own: Vec<f64> = reduced.iter().skip(l).step_by(ladders).copied().collect();
                    own.iter().sum::<f64>() / own.len() as f64
                };
                mean(&(0..ladders).map(of).collect::<Vec<_>>())
            }
        };
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..batches {
            spins.draw(gpu)?;
            let f = spins.measure(gpu, false)?.values["F"];
            (sum, squares) = (sum + f.value, squares + f.error * f.error);
        }
        let scale = beta * n as f64 / batches as f64;
        let upper = Estimate::new(scale * sum, scale * squares.sqrt());
        let log_z = oracle.value("ln_z");
        let minus_ln_z = Estimate { value: -log_z.value, ..log_z };
        let less = |a: Estimate, b: Estimate| Estimate::new(a.value - b.value, a.error.hypot(b.error));
        let (kl_p_q, kl_q_p) = (less(minus_ln_z, lower), less(upper, minus_ln_z));
        Ok(Sandwich { lower, minus_ln_z, upper, kl_p_q, kl_q_p, states: reduced.len() })
    }
}

/// Of numbers that know nothing of each other.
fn mean(values: &[f64]) -> Estimate {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    Estimate::new(mean, (squares / (count * (count - 1.0))).sqrt())
}
