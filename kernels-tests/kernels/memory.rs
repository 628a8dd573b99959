//! The memory bill against what a step allocates, and the arrays that a run goes on from.

use helmholtz::Resolved;
use helmholtz::gpu::Role;
use helmholtz::problem::electron_gas::{Settings, Trainer};
use helmholtz::problem::{memory, resolve};

use crate::harness::devices;

/// A small gas; `more` replaces settings.
fn settings(more: &str) -> Resolved {
    let line = "n=5 rs=1 theta=0.3 batch=96 modelsize=8 nheads=2 nhidden=8 nlayers=1 spsize=8 tpsize=8";
    let mut words: Vec<String> = line.split(' ').map(String::from).collect();
    for word in more.split_whitespace().map(String::from) {
        let key = word.split('=').next().unwrap().to_string();
        words.retain(|w| w.split('=').next() != Some(key.as_str()));
        words.push(word);
    }
    resolve("electron-gas", &words).unwrap()
}

/// Parameters and what updates them; chains, but not exact draws. Nothing else outlives a step.
#[test]
fn a_run_goes_on_from_few_arrays() {
    let [gpu, _] = devices();
    let parameters = ["flow parameters", "flow parameters kept", "occupation parameters"];
    let solvers = ["flow solver state", "occupation solver state"];
    let moments = ["Adam first moments", "Adam second moments", "Adam state"];
    let chains = ["metropolis", "x"];
    for (more, names) in [
        ("", [&parameters[..], &solvers].concat()),
        ("optimizer=adam", [&moments[..], &moments, &parameters].concat()),
        ("sampler=metropolis mc_steps=1", [&parameters[..], &solvers, &chains].concat()),
    ] {
        let mut s: Settings = settings(more).read();
        s.training.chunk = 96;
        let step = Trainer::new(gpu, &s, None, None).unwrap().record_step(gpu).unwrap();
        let mut found: Vec<&str> = step.arrays().iter().filter(|(b, _)| b.role() == Role::State).map(|(b, _)| b.name()).collect();
        let mut wanted = names;
        found.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(found, wanted, "{more}");
    }
}

/// Sweeps are planned by one of them; what is kept of each is billed for all.
#[test]
fn chains_are_billed_with_all_their_sweeps() {
    let [gpu, _] = devices();
    let kept = |sweeps: &str| {
        let given = settings(&format!("sampler=metropolis mc_steps={sweeps}"));
        let bill = memory::bill(gpu, given.kind(), &given.values).unwrap();
        bill.items.iter().find(|i| i.name == "chain of ln|psi|^2").map(|i| i.bytes)
    };
    assert_eq!((kept("1"), kept("500")), (Some(4 * 96), Some(500 * 4 * 96)));
}

/// Uploads of a model's tables are made twice (for the bill, and for the run), and stand-ins of 16 bytes are no
/// part of it: 5 % are allowed for both; what is billed and never used is 10 % at most.
#[test]
fn the_bill_is_what_a_step_allocates() {
    let [gpu, _] = devices();
    for more in ["", "sampler=metropolis mc_steps=2", "optimizer=adam", "chunk=40", "dim=3 theta=1 batch=20"] {
        let given = settings(more);
        let bill = memory::fitting(gpu, &given).unwrap();
        assert!(bill.fits);
        let mut settings: Settings = given.read();
        (settings.training.batch, settings.training.chunk) = (bill.batch, bill.chunk);
        let before = gpu.allocated();
        let mut trainer = Trainer::new(gpu, &settings, None, None).unwrap();
        trainer.sample(gpu).unwrap();
        trainer.energies(gpu).unwrap();
        trainer.update(gpu).unwrap();
        let used = (gpu.allocated() - before) as f64 / bill.total_bytes as f64;
        println!("{more}: allocated {used:.3} of the bill of {} KiB", bill.total_bytes >> 10);
        assert!((0.9..1.05).contains(&used), "{more}: allocated {used:.3} of the bill");
    }
}
