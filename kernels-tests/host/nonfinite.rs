//! A NaN behind every kernel of a step, one at a time: a walker that it reaches is left out and counted, a gradient or a solve
//! that it reaches makes no update, and no number that is shown has seen it.

use helmholtz::archive::{Archive, State};
use helmholtz::gpu::{Access, Buffer, Op, Recording};
use helmholtz::problem::electron_gas::Energies;
use helmholtz::{Learner, Trainer};

use crate::{TINY, device, trainer};

const BATCH: usize = 16;

/// The bits of a quiet NaN.
const NAN: u32 = 0x7fc0_0000;

/// Every array that a recording writes, with the place behind which it is there, and its first word.
fn written(rec: &Recording) -> Vec<(usize, Buffer, usize)> {
    let of = |(at, op): (usize, &Op)| match op {
        Op::Dispatch(d) => {
            d.bindings.iter().filter(|b| b.access != Access::Read).map(|b| (at + 1, b.buffer.clone(), b.words.start)).collect::<Vec<_>>()
        }
        Op::Copy { to, to_word, .. } => vec![(at + 1, to.clone(), *to_word)],
        Op::Clear(_) => Vec::new(),
    };
    rec.ops.iter().enumerate().flat_map(of).collect()
}

/// The recording with a word of an array replaced in its midst.
fn spoiled(rec: &Recording, (at, array, word): &(usize, Buffer, usize)) -> Recording {
    let spoil = device().upload("spoil", &[NAN; 4]);
    let mut rec = rec.clone();
    rec.ops.insert(*at, Op::Copy { from: spoil, from_word: 0, to: array.clone(), to_word: *word, words: 1 });
    rec
}

fn records(t: &Trainer) -> Vec<[u32; 8]> {
    let words: Vec<u32> = device().read_words(&t.estimators.records, 8 * t.batch).unwrap();
    words.as_chunks::<8>().0.to_vec()
}

fn finite(record: &[u32; 8]) -> bool {
    record.iter().all(|bits| f32::from_bits(*bits).is_finite())
}

fn energies(t: &Trainer) -> Energies {
    Energies::finish(&device().read(&t.estimators.centre).unwrap(), &device().read(&t.estimators.partial).unwrap())
}

/// Positions, the flow's output, determinants, ln|Ψ|, local energies, ln p: each walker keeps its numbers or is left out.
#[test]
fn nonfinite_numbers_leave_their_walkers_out() {
    let gpu = device();
    let mut t = trainer(&format!("{TINY} rs=2 batch={BATCH} seed=2"));
    t.sample(gpu).unwrap();
    let x = &t.sampler.chunks()[0].x;
    let positions: Vec<f32> = gpu.read(x).unwrap();
    let mut rec = Recording::new();
    t.record_energies(&mut rec);
    gpu.run(&rec).unwrap();
    let (good, mean) = (records(&t), energies(&t));
    assert!(good.iter().all(finite) && mean.counted == BATCH && mean.failed == 0);
    let (mut one, mut all, mut sums) = (Vec::new(), 0, 0);
    let places = written(&rec);
    for place in [(0, x.clone(), 0), (0, t.log_probability.clone(), 0)].iter().chain(&places) {
        let (at, name) = (place.0, place.1.name());
        gpu.write(x, &positions);
        let log_p: Vec<f32> = gpu.read(&t.log_probability).unwrap();
        gpu.run(&spoiled(&rec, place)).unwrap();
        gpu.write(&t.log_probability, &log_p);
        let (now, e) = (records(&t), energies(&t));
        let lost: Vec<usize> = (0..BATCH).filter(|w| !finite(&now[*w])).collect();
        for w in (0..BATCH).filter(|w| !lost.contains(w)) {
            assert_eq!(now[w], good[w], "NaN in {name} behind launch {at}: walker {w} has another number, and counts");
        }
        if lost.is_empty() && (e.counted != BATCH || !e.free_energy.mean.is_finite() || e != mean) {
            // in the sums themselves, which no walker's fault explains: the loop stops at these
            assert!(!e.free_energy.mean.is_finite() || e.counted < BATCH, "NaN in {name} behind launch {at}: {e:?}");
            sums += 1;
            continue;
        }
        assert_eq!((e.counted, e.failed), (BATCH - lost.len(), lost.len()), "NaN in {name} behind launch {at}");
        match lost.len() {
            0 => {}
            1 => {
                one.push(name.to_string());
                let rest = good.iter().skip(1).map(|r| f64::from(f32::from_bits(r[0])) + f64::from(f32::from_bits(r[2])));
                let want = rest.sum::<f64>() / (BATCH - 1) as f64;
                let gap = (e.energy.mean - want).abs();
                assert!(lost == [0] && gap < 1e-5 * want.abs().max(1.0), "{name}: {e:?}, the others give E = {want}");
            }
            _ => all += 1,
        }
    }
    one.dedup();
    eprintln!("one walker left out: {one:?}; more than one: {all} places; sums: {sums}");
    let stages = [x.name(), "ln p", t.wave.flow.z.name(), "ln|psi|", t.estimators.records.name()];
    assert!(stages.iter().all(|stage| one.iter().any(|name| name == stage)), "{stages:?}: {one:?}");
}

/// Puts learner and solver back to where they were.
fn restore(learner: &mut Learner, state: &State) {
    let mut archive = Archive::restoring(device(), state.clone());
    learner.state(&mut archive).unwrap();
    archive.finish().unwrap();
}

fn state(learner: &mut Learner) -> State {
    let mut archive = Archive::saving(device());
    learner.state(&mut archive).unwrap();
    archive.finish().unwrap()
}

/// Local energies, scores, weights and gradients as a training step makes them: the update is refused and nothing moves, it is the
/// one that it was, or it is made without the walker, which is counted as left out.
#[test]
fn nonfinite_gradients_make_no_update() {
    let gpu = device();
    for optimizer in ["sr", "adam"] {
        let mut t = trainer(&format!("{TINY} rs=2 batch={BATCH} seed=2 optimizer={optimizer}"));
        t.sample(gpu).unwrap();
        let step = t.record_step(gpu).unwrap();
        let phase = |name: &str| {
            let of = |op: &Op| matches!(op, Op::Dispatch(d) if d.name.starts_with(name));
            step.ops.iter().position(of).unwrap_or_else(|| panic!("no {name} in\n{}", step.listing()))
        };
        let (energies, update) = (phase("local energy/"), phase("update/"));
        let part = |ops: &[Op]| {
            let mut rec = Recording::new();
            rec.ops = ops.to_vec();
            rec
        };
        gpu.run(&part(&step.ops[..energies])).unwrap();
        let rec = part(&step.ops[energies..update]);
        let update = |learner: &mut Learner, state: &State| {
            restore(learner, state);
            let before = learner.values(gpu).unwrap();
            let refused = learner.update_of(gpu, &learner.parameters.clone()).unwrap();
            let after = learner.values(gpu).unwrap();
            restore(learner, state);
            (refused, before, after)
        };
        let states = [state(&mut t.occupation), state(&mut t.flow)];
        gpu.run(&rec).unwrap();
        let good = [update(&mut t.occupation, &states[0]), update(&mut t.flow, &states[1])];
        assert!(good.iter().all(|(refused, before, after)| refused.is_none() && before != after));
        let (mut refusals, mut without) = ([0, 0], [0, 0]);
        for place in written(&rec) {
            let name = format!("{optimizer}, NaN in {} behind launch {}", place.1.name(), place.0);
            gpu.run(&spoiled(&rec, &place)).unwrap();
            let failed = self::energies(&t).failed;
            for (i, learner) in [&mut t.occupation, &mut t.flow].into_iter().enumerate() {
                let (refused, before, after) = update(learner, &states[i]);
                assert!(after.iter().all(|v| v.is_finite()), "{name}: {} is spoiled", learner.name);
                match refused {
                    Some(why) => {
                        assert!(before == after && why.exit_code() == 4 && why.to_string().contains("not finite"), "{name}: {why}");
                        refusals[i] += 1;
                    }
                    None if failed == 0 => assert!(after == good[i].2, "{name}: another update of {}", learner.name),
                    None => without[i] += 1,
                }
            }
        }
        eprintln!("{optimizer}: refused {refusals:?}, without the walker {without:?}");
        assert!(refusals.iter().chain(&without).all(|n| *n >= 2), "{optimizer}: {refusals:?} {without:?}");
    }
}

/// Inside of a solve: the parameters stay as they are, or get the update of another, sound attempt.
#[test]
fn nonfinite_solves_make_no_update() {
    let gpu = device();
    let mut t = trainer(&format!("{TINY} rs=2 batch={BATCH} seed=2"));
    t.sample(gpu).unwrap();
    t.energies_and_scores(gpu).unwrap();
    t.gradients(gpu).unwrap();
    for learner in [&mut t.occupation, &mut t.flow] {
        let kept = state(learner);
        let before = learner.values(gpu).unwrap();
        let mut rec = Recording::new();
        learner.record_update(&mut rec, gpu).unwrap();
        gpu.run(&rec).unwrap();
        let good = learner.values(gpu).unwrap();
        let step = |after: &[f32]| after.iter().zip(&before).map(|(a, b)| f64::from(a - b)).collect::<Vec<_>>();
        let norm = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
        let (want, mut refused, mut all) = (step(&good), 0, 0);
        // of the many iterations the first ones: later ones are the same kernels
        for place in written(&rec).into_iter().take(60) {
            restore(learner, &kept);
            gpu.run(&spoiled(&rec, &place)).unwrap();
            let after = learner.values(gpu).unwrap();
            restore(learner, &kept);
            let name = format!("{}: NaN in {} behind launch {}", learner.name, place.1.name(), place.0);
            if place.1.same(&learner.parameters) {
                continue;
            }
            let got = step(&after);
            let gap = norm(&got.iter().zip(&want).map(|(a, b)| a - b).collect::<Vec<_>>());
            assert!(after.iter().all(|v| v.is_finite()), "{name}: not finite");
            all += 1;
            if after == before {
                refused += 1;
            } else {
                assert!(gap <= 1e-3 * norm(&want), "{name}: the step differs by {gap:e} of {:e}", norm(&want));
            }
        }
        eprintln!("{}: {refused} of {all} refused", learner.name);
        assert!(refused > 5, "{}: {refused} of {all}", learner.name);
    }
}

/// In the parameters themselves, as a fault of memory would put it there: draws of the flow fail, and its last sound parameters
/// come back; without p(K) there are no walkers to count.
#[test]
fn nonfinite_parameters_are_taken_back_or_stop() {
    let gpu = device();
    let mut t = trainer(&format!("{TINY} rs=2 batch={BATCH} seed=2"));
    assert!(t.sample(gpu).unwrap().usable());
    let sound = t.flow.values(gpu).unwrap();
    let spoil = |learner: &Learner| {
        let mut values = learner.values(gpu).unwrap();
        values[0] = f32::NAN;
        gpu.write(&learner.parameters, &values);
    };
    spoil(&t.flow);
    let round = t.sample(gpu).unwrap();
    assert!(!round.usable(), "{round:?}");
    assert_eq!(t.take_back(gpu).unwrap(), 0.5);
    assert!(t.flow.values(gpu).unwrap() == sound && t.sample(gpu).unwrap().usable());
    spoil(&t.occupation);
    t.sample(gpu).unwrap();
    let e = t.energies(gpu).unwrap();
    assert!(e.counted + e.failed == BATCH && e.failed > 0, "{e:?}");
    let counted: Vec<_> = records(&t).into_iter().filter(finite).collect();
    assert_eq!(counted.len(), e.counted);
}
