//! Whether averages over Metropolis chains mean anything: chains that do not move, and what short ones are off by.

use super::{KIND, Sampler, Settings, Trainer};
use crate::error::{Error, Result};
use crate::estimate::{Batch, Draws, Estimate, average};
use crate::gpu::Gpu;
use crate::problem::{Ending, Named, Unit};
use crate::sample::Round;

/// Electrons have left the random positions where the chains begin when the mean squared distance of a coordinate from there
/// is above this, (rs a0)²: a sixth of the distance between electrons.
const LEFT: f64 = 0.05;
/// Share of chains that may stay where they began.
const MOST_STILL: f64 = 0.05;
/// Least share of accepted proposals.
const LEAST_ACCEPTED: f64 = 0.01;
/// Frozen steps for one step of exact draws that they are compared with.
const COMPARED: usize = 4;
/// Standard deviations from which on a difference is called a bias.
const BIASED: f64 = 3.0;

/// Refuses chains that stand still with `ahead` sweeps to go; until then diffusion goes on in proportion.
///
/// `drawn`: rounds so far and the last of them.
///
/// # Errors
/// [`Error::Numerics`] with how far they came and what to change.
pub fn refuse_still(s: &Settings, (rounds, round): &(usize, Round), ahead: usize) -> Result<()> {
    let done = rounds * s.mc_steps;
    let hope = (done + ahead) as f64 / done.max(1) as f64;
    let left = round.moved * hope >= LEFT;
    // at the end also the chains that stay behind count, and whether any still moves
    let alive = ahead > 0 || (round.still <= MOST_STILL && round.acceptance >= LEAST_ACCEPTED);
    if s.sampler == Sampler::Exact || *rounds == 0 || (left && alive) {
        return Ok(());
    }
    let fixed = if s.mc_acceptance == 0.0 { ", or let it adapt itself with mc_acceptance=0.5" } else { ", or more sweeps: therm_steps" };
    let remedy = if round.acceptance < 0.1 { "smaller" } else { "larger" };
    Err(Error::Numerics(format!(
        "the Metropolis chains do not move: after {done} sweeps a coordinate is {:.1e} rs a0 from its random start, {:.0} % of the chains are still there (acceptance {:.3}, width {:.1e} rs a0); averages would be those of the start. Give a {remedy} mc_width (usually 0.1){fixed}, or sampler=exact",
        round.moved.sqrt(),
        100.0 * round.still,
        round.acceptance,
        round.width
    )))
}

/// What averages over chains need at the end of a run with steps of frozen parameters: refuses those of chains that stand
/// still, and says by how much others differ from exact draws at the same parameters. K and V of chains that lag behind their
/// occupied states are off, each in its own way, and no error bar shows it.
///
/// # Errors
/// As [`refuse_still`].
pub fn conclude(s: &Settings, trainer: &mut Trainer, gpu: &Gpu, end: &Ending, say: &mut dyn FnMut(&str)) -> Result<Option<String>> {
    if s.sampler == Sampler::Exact {
        return Ok(None);
    }
    refuse_still(s, &trainer.drawn, 0)?;
    let steps = compared(end.frozen);
    Ok(Some(match end.frozen {
        0 => "the bias of the chains was not measured: that takes steps with frozen parameters (eval_steps)".into(),
        _ if end.stopped => "the run was stopped before the bias of the chains was measured".into(),
        _ => {
            say(&format!("comparing the chains with {steps} steps of exact draws"));
            match exact(s, trainer, gpu, steps) {
                Ok(reference) => difference(end.result, &reference, s.units().energy_name, steps * trainer.batch),
                Err(e) => format!("the bias of the chains could not be measured with exact draws: {e}"),
            }
        }
    }))
}

/// Averages over exact draws.
fn exact(s: &Settings, trainer: &mut Trainer, gpu: &Gpu, steps: usize) -> Result<Named<Estimate>> {
    trainer.draw_exactly()?;
    let mut measured = Vec::new();
    for _ in 0..steps {
        let round = trainer.sample(gpu)?;
        if !round.usable() {
            return Err(Error::Numerics(format!("the flow is not invertible, {} of {} draws failed", round.failed, round.walkers)));
        }
        measured.push(trainer.energies(gpu)?.measured(s));
    }
    let averaged = KIND.averaged().map(|q| {
        let batch =
            |m: &crate::problem::Measured| Batch { mean: m.values[q.name].value, error: m.values[q.name].error, walkers: m.counted };
        (q.name, average(&measured.iter().map(batch).collect::<Vec<_>>(), Draws::Independent).into())
    });
    Ok(averaged.collect())
}

/// Steps of exact draws that frozen steps are compared with.
fn compared(frozen: usize) -> usize {
    frozen.div_ceil(COMPARED).clamp(2, 25)
}

/// The energies of chains, F left out, less those of exact draws.
fn difference(chains: &Named<Estimate>, exact: &Named<Estimate>, unit: &str, draws: usize) -> String {
    let (mut biased, mut parts) = (false, Vec::new());
    for name in KIND.results().skip(1).filter(|q| q.unit == Unit::Energy).map(|q| q.name) {
        let (a, b) = (chains[name], exact[name]);
        let (off, error) = (a.value - b.value, a.error.hypot(b.error));
        // what is not a number is no agreement
        biased |= !(off.abs() <= BIASED * error);
        parts.push(format!("{name} {off:+.1e} ± {error:.1e}"));
    }
    let verdict = if biased { "the chains are biased: raise mc_steps, or use sampler=exact" } else { "no bias is seen" };
    let (per, parts) = (KIND.per, parts.join(", "));
    format!("chains less {draws} exact draws at the same parameters, {unit} per {per}: {parts}; {verdict}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::resolve;

    fn settings(more: &str) -> Settings {
        let words = format!("n=5 rs=10 theta=0.3 sampler=metropolis {more}");
        resolve("electron-gas", &words.split_whitespace().map(String::from).collect::<Vec<_>>()).unwrap().read()
    }

    #[test]
    fn chains_that_stand_still_are_refused() {
        let moving = Round { acceptance: 0.5, width: 0.3, moved: 2.0, ..Round::default() };
        let refused = |round: Round, rounds: usize, ahead, more: &str| {
            refuse_still(&settings(more), &(rounds, round), ahead).err().map(|e| e.to_string())
        };
        assert!(refused(moving, 10, 0, "").is_none());
        // half way to it, and as many sweeps ahead
        let slow = Round { moved: 0.03, still: 0.2, ..moving };
        assert!(refused(slow, 10, 500, "").is_none());
        assert!(refused(slow, 10, 100, "").unwrap().contains("larger mc_width"));
        assert!(refused(slow, 10, 0, "").is_some());
        let frozen = Round { acceptance: 1.0, width: 1e-9, moved: 1e-15, still: 1.0, ..moving };
        let text = refused(frozen, 10, 10_000, "mc_acceptance=0 mc_width=1e-9").unwrap();
        assert!(text.contains("100 % of the chains") && text.contains("larger mc_width") && text.contains("mc_acceptance=0.5"), "{text}");
        // some chains never move, or none moves any more
        assert!(refused(Round { still: 0.1, ..moving }, 10, 0, "").unwrap().contains("10 % of the chains"));
        assert!(refused(Round { acceptance: 0.001, ..moving }, 10, 0, "").unwrap().contains("smaller mc_width"));
        assert!(refused(Round { moved: f64::NAN, ..moving }, 10, 500, "").is_some());
        let mut exact = settings("");
        exact.sampler = Sampler::Exact;
        assert!(refuse_still(&exact, &(3, Round { moved: f64::NAN, ..Round::default() }), 0).is_ok());
    }

    #[test]
    fn a_bias_is_told_from_noise() {
        let at = |e: f64, k: f64, error: f64| [("E", e), ("K", k), ("V", e - k)].map(|(name, v)| (name, Estimate::new(v, error))).into();
        let difference = |a, b| difference(&a, &b, "Ry", 512);
        let text = difference(at(-0.17, 0.03, 4e-5), at(-0.1702, 0.03, 3e-5));
        assert!(text.contains("512 exact draws") && text.contains("E +2.0e-4 ± 5.0e-5") && text.contains("biased"), "{text}");
        assert!(difference(at(-0.17, 0.03, 4e-5), at(-0.1701, 0.03003, 3e-5)).contains("no bias is seen"));
        assert!(difference(at(f64::NAN, 0.03, 4e-5), at(-0.1701, 0.03003, 3e-5)).contains("biased"));
        assert_eq!([1, 8, 50, 1000].map(compared), [2, 2, 13, 25]);
    }
}
