//! Electrons in a two-dimensional harmonic trap at T ≥ 0: ρ = Σ_n p_n |Ψ_n⟩⟨Ψ_n|, Ψ_n(x) = Φ_n(z(x)) |det ∂z/∂x|^(1/2).
//!
//! Φ_n are determinants of oscillator orbitals, carried by one continuous flow, which keeps them orthonormal, so that S is the
//! entropy of p_n alone (Xie, Zhang, Wang, J. Mach. Learn. 1, 38 (2022), doi 10.4208/jml.220113). Energies in ħω of the whole
//! dot, lengths in √(ħ/mω), entropies in nats.

pub mod averages;
pub mod settings;
mod state;

use serde_json::json;

pub use settings::Settings;
pub use state::QuantumDot;

use super::{Beside, Exact, Kind, Means, Named, Parameter, Quantity, Unit};
use crate::config::Group;
use crate::error::Result;
use crate::estimate::Draws;
use crate::system::Dot;
use crate::system::oscillator::free;
use crate::system::two_electrons;

/// F, E and its parts in ħω and S in nats, all of the whole dot.
pub static KIND: Kind = Kind {
    system: &settings::SYSTEM,
    per: "dot",
    count: "dot",
    quantities: &[
        Quantity::result("F", "free energy", "E − TS", Unit::Energy, Beside::Own),
        Quantity::result("E", "energy", "E_kinetic + E_trap + E_coulomb", Unit::Energy, Beside::Own),
        Quantity::result("S", "entropy", "−⟨ln p⟩", Unit::Entropy, Beside::Own),
        Quantity::result("E_kinetic", "kinetic energy", "", Unit::Energy, Beside::Nothing),
        Quantity::result("E_trap", "energy in the trap", "⟨Σ r²⟩/2", Unit::Energy, Beside::Nothing),
        Quantity::result("E_coulomb", "repulsion", "Z ⟨Σ 1/r⟩", Unit::Energy, Beside::Nothing),
        // 0 at the optimum, as a constant μ is a dilation
        Quantity::result("virial", "virial", "2 E_kinetic − 2 E_trap + E_coulomb", Unit::Energy, Beside::Number(0.0)),
        Quantity::logged("K_gradient", "kinetic energy as |∇ ln p|²/8, whose variance is infinite at nodes"),
        Quantity::diagnostic("std_E", "standard deviation of the local energies of a determinant: 0 for eigenstates", "ħω"),
        Quantity::diagnostic("acceptance", "accepted share of the candidates of exact draws", ""),
        Quantity::diagnostic("round_trip", "largest distance of a walker carried back from where it was drawn", "√(ħ/mω)"),
        Quantity::diagnostic("log_det", "largest difference of ∫ div v and ln|det ∂x/∂z|", ""),
        Quantity::diagnostic("grad_p", "Euclidean norm of the gradient of the weights of the determinants", ""),
        Quantity::diagnostic("grad_flow", "Euclidean norm of the gradient of the flow", "ħω"),
    ],
    parameters: &[
        Parameter { name: "n", short: "n", meaning: "number of electrons", usual: None },
        Parameter { name: "Z", short: "Z", meaning: "strength of the repulsion", usual: None },
        Parameter { name: "beta", short: "beta", meaning: "inverse temperature", usual: None },
    ],
    scanned: &[("Z", "*Z*"), ("beta", "*β*"), ("n", "*n*")],
    temperature: "beta",
    warm: &[],
    landmarks: |_| Vec::new(),
    pictures: |_| Ok(Vec::new()),
    title: "Quantum dot, *n* = <n>, *Z* = <Z>, *β* = <beta>",
    exact: Exact { name: "exact", index: "exact", of: |v| exact(&Settings::read(v)) },
    solved: |_| true,
    energy_unit: |_| "ħω",
    means: |v| means(&Settings::read(v)),
    // of a ground state differences are told in units of ħω
    beta: |v| Ok(Settings::read(v).inverse_temperature().unwrap_or(1.0)),
    caveat: |_, _| Some("F is an upper bound of the exact free energy, up to its error and that of the integrator".into()),
    draws: |_| Draws::Independent,
    sampling: |_| "exact draws".into(),
    sizes: &[("n", None), ("n_steps", None), ("units", None), ("delta_e", None)],
    tables: |v| {
        let s = Settings::read(v);
        let weights = s.inverse_temperature().map(|_| s.dot()).transpose()?;
        let weights = weights.map(|dot| (state::weights(dot.states.len()), state::PREFIXES[0]));
        Ok(weights.into_iter().chain([(s.flow().table(), state::PREFIXES[1])]).collect())
    },
    settle: |gpu, v| settings::settle(gpu, &Settings::read(v)),
    open: state::open,
};

/// F, E and S where they are known: without interaction, all determinants together, and of two electrons.
pub fn exact(s: &Settings) -> Result<Named<f64>> {
    let beta = s.inverse_temperature().unwrap_or(f64::INFINITY);
    let all = match s.n {
        _ if s.Z == 0.0 => free(s.n, beta)?,
        2 => two_electrons::exact(s.Z, beta),
        _ => return Ok(Named::default()),
    };
    Ok([("F", all.free_energy), ("E", all.energy), ("S", all.entropy)].into())
}

/// F of free electrons that determinants which are not listed are worth, from which on it is told with the result, ħω.
const TOLD: f64 = 1e-4;

/// What the list leaves out, if it matters.
fn truncation(s: &Settings, dot: &Dot) -> Option<String> {
    let beta = s.inverse_temperature()?;
    let error = dot.truncated(beta).free_energy - free(s.n, beta).ok()?.free_energy;
    (error > TOLD).then(|| {
        format!(
            "{} determinants are listed (delta_e={}), the highest with a weight of {:.1e} without interaction: F of free electrons is {error:.1e} ħω too high by what is left out, and F here by about as much; raise delta_e",
            dot.states.len(),
            s.delta_e,
            dot.highest_weight(beta)
        )
    })
}

fn means(s: &Settings) -> Result<Means> {
    let dot = s.dot()?;
    let (states, parameters) = (dot.states.len(), s.flow().table().len());
    let mut lines = vec![format!("{states} determinants of {} electrons, the lowest of {} ħω", s.n, dot.lowest())];
    let mut json = json!({ "determinants": states, "lowest": dot.lowest(), "parameters": { "flow": parameters } });
    lines.push(format!("{parameters} parameters of the flow"));
    if let Some(beta) = s.inverse_temperature() {
        let (all, listed) = (free(s.n, beta)?, dot.truncated(beta));
        lines.push(format!(
            "without interaction F = {:.6} ħω, {:.6} of the listed determinants; the highest have a weight of {:.1e}",
            all.free_energy,
            listed.free_energy,
            dot.highest_weight(beta)
        ));
        json["truncation"] =
            json!({ "F_free": all.free_energy, "F_free_listed": listed.free_energy, "highest_weight": dot.highest_weight(beta) });
        lines.extend(truncation(s, &dot).map(|text| format!("warning: {text}")));
    }
    Ok(Means { lines, json })
}
