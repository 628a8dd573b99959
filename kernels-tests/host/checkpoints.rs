//! What problems keep in checkpoints: all state that a step works on.

use helmholtz::archive::Archive;
use helmholtz::config::Group;
use helmholtz::gpu::Role;
use helmholtz::problem::{Training, resolve};

use crate::{TINY, device};

/// Every array that a step goes on from is in the state of its problem.
#[test]
fn the_state_of_a_step_is_kept() {
    let gpu = device();
    let gas = format!("electron-gas {TINY} rs=2 batch=8 chunk=8");
    let cases = [
        gas.clone(),
        format!("{gas} sampler=metropolis mc_steps=3 optimizer=adam"),
        format!("{gas} prior=none"),
        format!("{gas} prior=quasiparticle"),
        "ising L=4 beta=0.4 batch=20 chunk=20".into(),
        "ising L=4 beta=0.4 batch=20 chunk=12 network=pixelcnn symmetry=lattice optimizer=sr".into(),
        "quantum-dot n=3 Z=1 beta=2 batch=20 chunk=20 units=4 n_steps=2".into(),
        "quantum-dot n=2 Z=1 batch=20 chunk=20 units=4 n_steps=2 optimizer=adam".into(),
        "sk n=6 beta=1 batch=20 chunk=20 depth=1".into(),
        "dual-ising L=4 T=2.3 batch=20 chunk=20".into(),
    ];
    for case in &cases {
        let (system, words) = case.split_once(' ').unwrap();
        let words: Vec<String> = words.split_whitespace().map(String::from).collect();
        let resolved = resolve(system, &words).unwrap_or_else(|e| panic!("{case}: {e}"));
        assert!(Training::read(&resolved.values).batch > 0);
        let mut problem = (resolved.kind().open)(gpu, &resolved.values, None).unwrap();
        let step = problem.record_step(gpu).unwrap();
        let mut archive = Archive::saving(gpu);
        problem.state(&mut archive).unwrap();
        let arrays = step.arrays();
        let state: Vec<_> = arrays.iter().filter(|(buffer, _)| buffer.role() == Role::State).collect();
        assert!(state.len() >= 2, "{case}: {state:?}");
        for (buffer, _) in &state {
            assert!(archive.holds(buffer), "{case}: {buffer:?} is not in the checkpoint");
        }
    }
}
