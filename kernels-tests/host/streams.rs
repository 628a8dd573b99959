//! No random number is drawn twice: what whole training steps draw, told from their recordings. Nothing runs.

use std::ops::Range;

use helmholtz::gpu::{Buffer, Dispatch, Kernel, Profile, Recording};
use helmholtz::kernels;
use helmholtz::kernels::mean_field::Starts;
use helmholtz::kernels::observables::Positions;
use helmholtz::number::philox::{Stream, purpose};
use helmholtz::problem::electron_gas::Momentum;
use helmholtz::problem::resolve;
use helmholtz::sample::{Exact, Metropolis, Sampler, Settings, exact};
use helmholtz::system::spins::Couplings;

use crate::{TINY, device, trainer};

/// The random numbers of a launch: counters of walkers of a stream.
#[derive(Debug)]
struct Numbers {
    launch: String,
    seed: [u32; 2],
    step: u32,
    purpose: u32,
    walkers: Range<u64>,
    counters: Range<u64>,
}

impl Numbers {
    fn meet(&self, other: &Numbers) -> bool {
        let meet = |a: &Range<u64>, b: &Range<u64>| a.start.max(b.start) < a.end.min(b.end);
        (self.seed, self.step, self.purpose) == (other.seed, other.step, other.purpose)
            && meet(&self.walkers, &other.walkers)
            && meet(&self.counters, &other.counters)
    }
}

/// Names of the words of a kernel's Params.
fn fields(kernel: &Kernel) -> Vec<&'static str> {
    let inside = kernel.source.split("struct Params {").nth(1).and_then(|s| s.split('}').next()).unwrap();
    inside.split(',').filter_map(|f| f.split_once(':')).map(|(name, _)| name.trim()).collect()
}

/// What a launch draws; a launch that goes on with the numbers of an earlier one draws none of its own.
fn numbers(d: &Dispatch) -> Option<Numbers> {
    if !d.kernel.shared.contains(&"philox") {
        return None;
    }
    let names = fields(d.kernel);
    let word = |name: &str| {
        let at = names.iter().position(|f| *f == name).unwrap_or_else(|| panic!("{}: no {name}", d.kernel.name));
        u32::from_le_bytes(d.params[4 * at..][..4].try_into().unwrap())
    };
    let number = |name: &str| u64::from(word(name));
    let (walkers, counters) = match d.kernel.name {
        // the site is drawn with its last stage
        "ancestral_attention" if word("stage_end") < word("stages") => return None,
        "ancestral" | "ancestral_convolution" | "ancestral_attention" => (number("count"), number("site")..number("end")),
        "occupation_sample" => (number("count"), number("token")..number("token") + number("tokens")),
        "dpp" if word("begin") == 0 => return None,
        "dpp" => (number("walkers"), 0..number("n") << 16),
        "displace" => (number("walkers"), number("index")..number("index") + 1),
        "metropolis_propose" => (number("walkers"), 0..number("size").div_ceil(4)),
        "metropolis_accept" => (number("walkers"), u64::from(u32::MAX)..1 << 32),
        "hmc_accept" => (number("chains"), u64::from(u32::MAX)..1 << 32),
        "independence" => (number("chains"), 0..number("length").div_ceil(4)),
        "made_bits" => (number("count"), 0..number("sites")),
        "tempering_sweep" => (number("chains"), number("site") / 4..number("end").div_ceil(4)),
        "tempering_swap" => (number("rungs") * number("ladders"), u64::from(u32::MAX)..1 << 32),
        // what is drawn first
        "mean_field" if word("first") >= word("sites") => return None,
        "mean_field" => (number("starts"), number("first") / 4..number("end").div_ceil(4)),
        "trap_states" => (number("walkers"), 0..1),
        "trap_draw" => (number("walkers"), 0..u64::from(helmholtz::system::oscillator::MOST_ELECTRONS as u32) << 16),
        "renorm_base" if !d.constants.contains(&("DRAW", 1)) => return None,
        "renorm_base" => (number("count"), 0..number("blocks")),
        "z2_flip" => (number("count"), 0..1),
        "backflow_directions" if word("flags") == 0 => return None,
        "backflow_directions" => {
            let (first, order) = (number("first"), number("order"));
            (d.groups[1].into(), first * order..(first + number("probes")) * order)
        }
        other => panic!("{other} draws: say here which numbers"),
    };
    let first = number("first_walker");
    Some(Numbers {
        launch: d.name.clone(),
        seed: [word("seed_low"), word("seed_high")],
        step: word("step"),
        purpose: word("purpose"),
        walkers: first..first + walkers,
        counters,
    })
}

/// All of them, none twice.
fn distinct(recordings: &[Recording]) -> Result<Vec<Numbers>, String> {
    let all: Vec<Numbers> = recordings.iter().flat_map(|r| r.dispatches()).filter_map(numbers).collect();
    for (i, a) in all.iter().enumerate() {
        if let Some(b) = all[..i].iter().find(|b| a.meet(b)) {
            return Err(format!("{} and {}: {a:?}, {b:?}", a.launch, b.launch));
        }
    }
    Ok(all)
}

#[test]
fn params_of_kernels_that_draw_begin_with_the_address() {
    let drawing: Vec<_> = kernels::ALL.iter().filter(|k| k.shared.contains(&"philox")).collect();
    for kernel in &drawing {
        assert_eq!(fields(kernel)[..5], ["seed_low", "seed_high", "step", "purpose", "first_walker"], "{}", kernel.name);
    }
    assert!(drawing.len() >= 6);
}

/// Three steps in chunks of 4, 4 and 2 walkers, with probes in every form.
#[test]
fn no_number_is_drawn_twice() {
    for (sampler, own) in [("exact", purpose::POSITIONS), ("metropolis mc_steps=3", purpose::METROPOLIS)] {
        for laplacian in ["probes probes=2", "hutchinson probes=3", "exact"] {
            let mut t = trainer(&format!("{TINY} rs=2 batch=10 chunk=4 seed=7 sampler={sampler} laplacian={laplacian}"));
            let steps: Vec<Recording> = (0..3).map(|_| t.record_step(device()).unwrap()).collect();
            let all = distinct(&steps).unwrap_or_else(|e| panic!("{sampler} {laplacian}: {e}"));
            let probes = if laplacian == "exact" { None } else { Some(purpose::PROBES) };
            for purpose in [Some(purpose::OCCUPATION), Some(own), probes].into_iter().flatten() {
                let mut walkers: Vec<_> = all.iter().filter(|n| n.purpose == purpose).map(|n| n.walkers.clone()).collect();
                walkers.sort_by_key(|w| w.start);
                walkers.dedup();
                assert_eq!(walkers, [0..4, 4..8, 8..10], "{sampler} {laplacian}: walkers of purpose {purpose}");
            }
            // what the host draws is nobody else's
            assert!(all.iter().all(|n| n.seed == [7, 0] && ![purpose::PARAMETERS, purpose::START].contains(&n.purpose)));
        }
    }
}

/// Three steps of spins in chunks of 4, 4 and 2 samples, drawn at once, site by site, and on a lattice.
#[test]
fn no_number_of_spins_is_drawn_twice() {
    for line in [
        "sk n=8 depth=1",
        "sk n=8 depth=2 width=2",
        "ising L=3 depth=2 width=2 h=0.5",
        "ising L=3 network=pixelcnn half=1",
        "sk n=8 network=transformer",
    ] {
        let words: Vec<String> = format!("{line} beta=1 batch=10 chunk=4 seed=7").split_whitespace().map(String::from).collect();
        let run = resolve(&words[0], &words[1..]).unwrap();
        let mut problem = (run.kind().open)(device(), &run.values, None).unwrap();
        let steps: Vec<Recording> = (0..3).map(|_| problem.record_step(device()).unwrap()).collect();
        let all = distinct(&steps).unwrap_or_else(|e| panic!("{line}: {e}"));
        let mut walkers: Vec<_> = all.iter().filter(|n| n.purpose == purpose::SPINS).map(|n| n.walkers.clone()).collect();
        walkers.sort_by_key(|w| w.start);
        walkers.dedup();
        assert_eq!(walkers, [0..4, 4..8, 8..10], "{line}");
        assert!(all.iter().all(|n| n.seed == [7, 0] && ![purpose::PARAMETERS, purpose::COUPLINGS].contains(&n.purpose)), "{line}");
    }
}

/// Electrons moved to measure n(k), three a walker in chunks of 4, 4 and 2.
#[test]
fn no_displacement_is_drawn_twice() {
    let t = trainer(&format!("{TINY} rs=2 batch=10 chunk=4 seed=7"));
    let momentum = Momentum::new(&t.gas, 4, 3, 3);
    let mut rec = Recording::new();
    for (first, walkers) in [(0, 4), (4, 4), (8, 2)] {
        let (x, states) = (Buffer::new("x", walkers * 6), Buffer::new("states", walkers * 3));
        let at = Positions { x: &x, walkers, n: 3, dim: 2, length: t.gas.length() };
        let stream = Stream { seed: 7, step: 5, purpose: purpose::DISPLACEMENT, first_walker: 0 };
        momentum.record(&mut rec, &t.wave, at, &states, stream.skip(first));
    }
    let all = distinct(&[rec]).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(all.len(), 9);
    assert_eq!(all.iter().map(|n| n.counters.end - n.counters.start).sum::<u64>(), 9);
}

/// Three steps of a dot.
#[test]
fn no_number_of_a_dot_is_drawn_twice() {
    for line in ["n=3 Z=1 beta=2 delta_e=2", "n=2 Z=1"] {
        let words: Vec<String> = format!("{line} batch=10 seed=7 units=4 n_steps=2").split_whitespace().map(String::from).collect();
        let run = resolve("quantum-dot", &words).unwrap();
        let mut problem = (run.kind().open)(device(), &run.values, None).unwrap();
        let steps: Vec<Recording> = (0..3).map(|_| problem.record_step(device()).unwrap()).collect();
        let all = distinct(&steps).unwrap_or_else(|e| panic!("{line}: {e}"));
        for purpose in [purpose::OCCUPATION, purpose::POSITIONS] {
            let drawn: Vec<_> = all.iter().filter(|n| n.purpose == purpose).map(|n| (n.step, n.walkers.clone())).collect();
            assert_eq!(drawn, [(0, 0..10), (1, 0..10), (2, 0..10)], "{line}");
        }
        assert!(all.len() == 6 && all.iter().all(|n| n.seed == [7, 0]), "{line}");
    }
}

/// Three steps of fields, and their chains.
#[test]
fn no_number_of_fields_is_drawn_twice() {
    let words = ["L=4", "T=2.3", "batch=10", "seed=12884901895"].map(String::from);
    let run = resolve("dual-ising", &words).unwrap();
    let mut problem = (run.kind().open)(device(), &run.values, None);
    let problem = problem.as_mut().unwrap();
    let steps: Vec<Recording> = (0..3).map(|_| problem.record_step(device()).unwrap()).collect();
    let all = distinct(&steps).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(all.len(), 3);
    assert!(all.iter().all(|n| n.purpose == purpose::LATENT && n.walkers == (0..10) && n.counters == (0..4) && n.seed == [7, 3]));
}

/// Evaluations draw with keys whose upper half is their number: it reaches every launch.
#[test]
fn the_upper_half_of_a_seed_reaches_every_launch() {
    let seed = "seed=12884901895";
    for sampler in ["exact", "metropolis mc_steps=3"] {
        let mut t = trainer(&format!("{TINY} rs=2 batch=10 {seed} sampler={sampler} laplacian=probes"));
        let all = distinct(&[t.record_step(device()).unwrap()]).unwrap();
        assert!(all.len() > 2 && all.iter().all(|n| n.seed == [7, 3]), "{sampler}: {all:?}");
    }
    let words = ["n=8", "depth=2", "width=2", "beta=1", "batch=10", "chunk=10", seed].map(String::from);
    let run = resolve("sk", &words).unwrap();
    let mut problem = (run.kind().open)(device(), &run.values, None).unwrap();
    let all = distinct(&[problem.record_step(device()).unwrap()]).unwrap();
    assert!(!all.is_empty() && all.iter().all(|n| n.seed == [7, 3]), "{all:?}");
}

/// Starts of mean fields of 30 spins, in many launches.
#[test]
fn no_start_is_drawn_twice() {
    let model = Couplings::chain(30, 1.0).unwrap();
    let mut starts = Starts::new(&model, 1.0, 8, 2, Profile::Simd).unwrap();
    starts.launch = 30;
    let mut rec = Recording::new();
    starts.record(&mut rec, Stream { seed: 7, step: 1, purpose: purpose::START, first_walker: 5 });
    let all = distinct(&[rec]).unwrap_or_else(|e| panic!("{e}"));
    assert!(all.len() > 2 && all.iter().all(|n| n.walkers == (5..13)));
    assert_eq!(all.iter().map(|n| n.counters.end - n.counters.start).sum::<u64>(), 8);
}

/// Samplers of two devices that share a batch; with the same first walker the test must notice.
#[test]
fn two_devices_draw_other_numbers() {
    let t = trainer(&format!("{TINY} rs=2 batch=10 chunk=4"));
    let record = |first: usize| {
        let mut rec = Recording::new();
        let chains =
            Settings { walkers: 10, chunk: 4, first, size: 6, length: t.gas.length(), sweeps: 2, width: 0.1, acceptance: None, seed: 5 };
        Metropolis::new(chains).unwrap().record_moves(&mut rec, &mut |rec, chunk, x, to| rec.copy(x, to, chunk.walkers));
        let states: Vec<Buffer> = [4, 4, 2].iter().map(|w| Buffer::new("states", w * 3)).collect();
        let mut exact = Exact::new(&t.gas, exact::Settings { first, ..exact::Settings::new(10, 4, 5) }).unwrap();
        exact.record(&mut rec, &t.wave, &states).unwrap();
        rec
    };
    assert_eq!(distinct(&[record(0), record(10)]).unwrap().iter().map(|n| n.walkers.end).max(), Some(20));
    assert!(distinct(&[record(0), record(9)]).is_err());
}
