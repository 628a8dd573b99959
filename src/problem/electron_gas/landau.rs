//! A second road to the entropy: the canonical gas of quasi-particles ε_k = c k² with the c that local energies have (Landau).
//!
//! A variational S can be far off where F is good: F is flat where p(K) is best. c is a slope of energies, whatever p(K) is.

use super::{Settings, ideal};
use crate::error::Result;
use crate::estimate::{Estimate, plus_minus};
use crate::problem::Named;

/// Standard deviations from which on two slopes are said to differ.
const DIFFERENT: f64 = 3.0;

/// What slopes say of a result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Landau {
    /// c = m/m*, slope of the local energies over Σ k².
    pub energies: Estimate,
    /// The same of -kT ln p(K).
    pub occupations: Estimate,
    /// S of the canonical gas of ε_k = c k², k_B per electron, its error that of c.
    pub entropy: Estimate,
    /// F of the canonical gas of the occupations' slope above that of the energies', both with these energies, in printed units: what a
    /// p(K) of this slope costs.
    pub excess: Estimate,
    /// S of p(K), k_B per electron.
    pub own: Estimate,
}

impl Landau {
    /// From the averages of a run; none where all walkers had one Σ k².
    ///
    /// # Errors
    /// Those of settings that make no gas.
    pub fn new(s: &Settings, result: &Named<Estimate>) -> Result<Option<Landau>> {
        let (energies, occupations) = (result["slope_E"], result["slope_p"]);
        let c = energies.value;
        // nor a slope that no gas has
        if !(c > 0.0 && occupations.value > 0.0 && c.is_finite() && occupations.value.is_finite()) {
            return Ok(None);
        }
        let (gas, units) = (s.gas()?, s.units());
        let ideal = gas.ideal()?;
        let step = 1e-3;
        let [own, more, less] = [c, c * (1.0 + step), c * (1.0 - step)].map(|c| ideal.scaled(c));
        let (own, rise) = (own?, (more?.entropy - less?.entropy) / (2.0 * step * c));
        // Σ k² of quasi-particles of slope a, which costs c ⟨Σ k²⟩ - S/β here; its own derivative is (c - a) d⟨Σ k²⟩/da
        let of = |a: f64| Ok((ideal.scaled(a)?.energy / a, ideal.scaled(a)?.entropy));
        let a = occupations.value;
        let ((mean, entropy), (up, down)) = (of(a)?, (of(a * (1.0 + step))?.0, of(a * (1.0 - step))?.0));
        let excess = c * mean - entropy / gas.beta() - own.free_energy;
        let by_c = (mean - own.energy / c) * energies.error;
        let by_a = (c - a) * (up - down) / (2.0 * step * a) * occupations.error;
        Ok(Some(Landau {
            energies,
            occupations,
            entropy: Estimate::new(units.entropy * own.entropy, units.entropy * rise.abs() * energies.error),
            own: result["S"],
            excess: Estimate::new(units.energy * excess, units.energy * by_c.hypot(by_a)),
        }))
    }

    /// In two sentences.
    ///
    /// # Errors
    /// Those of settings that make no gas.
    pub fn words(&self, s: &Settings) -> Result<String> {
        let Landau { energies: c, occupations: p, entropy, excess, own } = self;
        let far = |a: &Estimate, b: &Estimate| (a.value - b.value).abs() > DIFFERENT * a.error.hypot(b.error);
        let over = |e: &Estimate, by: f64| plus_minus(Estimate::new(e.value / by, e.error / by));
        let mass = plus_minus(Estimate::new(1.0 / c.value, c.error / (c.value * c.value)));
        let exact = ideal(s)?.get("S").copied().unwrap_or(f64::NAN);
        let verdict = if far(c, p) {
            format!(
                "they differ, so p(K) is not at its best for this flow: F could be lower by about {} {}",
                plus_minus(*excess),
                s.units().energy_name
            )
        } else {
            "no difference is seen".into()
        };
        let gap = match far(own, entropy) && !far(c, p) {
            true => ": p(K) has another, so E_K is no line in Σ k² (a gap, curvature, interactions)",
            false => "",
        };
        Ok(format!(
            "Landau fit: per unit of Σ k² local energies rise by {} (m*/m = {mass}) and -kT ln p(K) by {}; {verdict}. The canonical gas of these quasi-particles has S = {} k_B, S/S_ideal = {}{gap}",
            plus_minus(*c),
            plus_minus(*p),
            plus_minus(*entropy),
            over(entropy, exact)
        ))
    }
}
