//! Whole runs whose problem is spoiled from outside at one stage: what is shown, saved and returned.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use helmholtz::archive::Archive;
use helmholtz::config::System;
use helmholtz::problem::electron_gas::KIND;
use helmholtz::problem::{Drawn, Exact, Kind, Measured, Problem, Walkers, WarmUp, register};
use helmholtz::run::train::{Outcome, train};
use helmholtz::{Error, Gpu, Learner, Recording, Result};

use crate::TINY;
use crate::jobs::{Ear, bill, given, job};

/// What is spoiled, and in which steps.
#[derive(Clone, Copy)]
struct Spoil {
    stage: Stage,
    steps: (usize, usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    /// A gradient on the device.
    Gradient,
    /// Parameters on the device, before samples are drawn.
    Parameters,
    /// Averages, though walkers are sound.
    Average,
    /// All walkers of a step but one.
    Walkers,
    /// One walker of a step.
    Walker,
}

thread_local! {
    static SPOIL: Cell<Option<Spoil>> = const { Cell::new(None) };
}

struct Spoiled {
    inner: Box<dyn Problem>,
    step: usize,
}

impl Spoiled {
    fn hit(&self, stage: Stage) -> bool {
        SPOIL.get().is_some_and(|s| s.stage == stage && (s.steps.0..s.steps.1).contains(&self.step))
    }
}

impl Problem for Spoiled {
    fn learners(&mut self) -> Vec<&mut Learner> {
        self.inner.learners()
    }

    fn state(&mut self, archive: &mut Archive) -> Result<()> {
        self.inner.state(archive)
    }

    fn record_step(&mut self, gpu: &Gpu) -> Result<Recording> {
        self.inner.record_step(gpu)
    }

    fn warm_up(&mut self, gpu: &Gpu) -> Result<Option<WarmUp>> {
        self.inner.warm_up(gpu)
    }

    fn draw(&mut self, gpu: &Gpu) -> Result<Drawn> {
        if self.hit(Stage::Parameters) {
            let flow = &self.inner.learners()[1].parameters.clone();
            gpu.write(flow, &[f32::NAN]);
            // a fault of memory comes once
            SPOIL.set(None);
        }
        self.inner.draw(gpu)
    }

    fn take_back(&mut self, gpu: &Gpu) -> Result<f64> {
        self.inner.take_back(gpu)
    }

    fn measure(&mut self, gpu: &Gpu, learn: bool) -> Result<Measured> {
        let mut measured = self.inner.measure(gpu, learn)?;
        if self.hit(Stage::Average) {
            measured.values.set("F", f64::NAN.into());
        }
        let all = measured.counted;
        if self.hit(Stage::Walkers) {
            (measured.counted, measured.failed) = (1, all - 1);
        }
        if self.hit(Stage::Walker) {
            (measured.counted, measured.failed) = (all - 1, 1);
        }
        Ok(measured)
    }

    fn gradients(&mut self, gpu: &Gpu) -> Result<()> {
        self.inner.gradients(gpu)?;
        if self.hit(Stage::Gradient) {
            let gradient = self.inner.learners()[0].gradient.clone();
            gpu.write(&gradient, &[f32::NAN]);
        }
        self.step += 1;
        Ok(())
    }

    fn walkers(&mut self, gpu: &Gpu, count: usize) -> Result<Option<Walkers>> {
        self.inner.walkers(gpu, count)
    }
}

/// The electron gas under another name, spoiled.
fn kind() -> &'static Kind {
    static ONCE: std::sync::OnceLock<&'static Kind> = std::sync::OnceLock::new();
    ONCE.get_or_init(|| {
        let System { example, keys, defaults, derive, mistakes, bearing, .. } = *KIND.system;
        let system = Box::leak(Box::new(System { name: "spoiled-gas", example, keys, defaults, derive, mistakes, bearing }));
        let kind: &'static Kind = Box::leak(Box::new(Kind {
            system,
            open: |gpu, values, parameters| Ok(Box::new(Spoiled { inner: (KIND.open)(gpu, values, parameters)?, step: 0 })),
            exact: Exact { name: KIND.exact.name, index: KIND.exact.index, of: KIND.exact.of },
            ..KIND
        }));
        register([kind]);
        kind
    })
}

/// How a run of these settings ends, and what it says.
fn run(spoil: Option<Spoil>, more: &str) -> (Outcome, Vec<String>, Vec<f64>) {
    kind();
    SPOIL.set(spoil);
    let folder = tempfile::tempdir().unwrap();
    let resolved = given(&format!("spoiled-gas {TINY} rs=2 batch=16 chunk=16 seed=3 {more}"));
    let gpu = Gpu::open(None).unwrap();
    let bill = bill(&gpu, &resolved);
    let warnings: Rc<RefCell<Vec<String>>> = Rc::default();
    let ear = Ear { hear: |_: &str| {}, warnings: warnings.clone() };
    let mut job = job(&folder.path().join("run"), resolved, gpu, bill, Box::new(ear));
    let outcome = train(&mut job);
    SPOIL.set(None);
    let saved = helmholtz::ParameterFile::read(&folder.path().join("run/params.safetensors"));
    let numbers = saved.map_or(Vec::new(), |file| file.tensors.into_values().flat_map(|t| t.data).collect());
    (outcome, warnings.take(), numbers)
}

/// Once, it costs what it reached; again and again, it ends the run with exit code 4 and words; parameters that are saved are
/// sound in every case.
#[test]
fn spoiled_runs_go_on_or_stop_with_words() {
    let once = |stage| Some(Spoil { stage, steps: (2, 3) });
    let ever = |stage| Some(Spoil { stage, steps: (2, usize::MAX) });
    for (spoil, said, stops) in [
        (None, "", None),
        (once(Stage::Walker), "step 2: 1 of 16 walkers left out", None),
        (ever(Stage::Walkers), "step 2: 15 of 16 walkers left out", Some("15 of 16 walkers are not drawn or have no finite local energy")),
        (once(Stage::Gradient), "step 2: update not applied: stochastic reconfiguration: no update, scores or gradient", None),
        (ever(Stage::Gradient), "step 6: update not applied", Some("scores or gradient are not finite")),
        (once(Stage::Parameters), "its last update is taken back, the next step is 5.00e-1 of the usual", None),
        (once(Stage::Average), "", Some("step 2: F is not finite, although 16 walkers are")),
    ] {
        let what = spoil.map_or("nothing".to_string(), |s| format!("{:?} {:?}", s.stage, s.steps));
        let (outcome, warnings, saved) = run(spoil, "steps=9 eval_steps=2");
        assert!(warnings.iter().any(|w| w.contains(said)) || said.is_empty(), "{what}: {warnings:?}");
        assert!(!saved.is_empty() && saved.iter().all(|v| v.is_finite()), "{what}: {} numbers are saved", saved.len());
        match (stops, outcome.error) {
            (None, None) => {
                let f = outcome.summary.expect("a result").result["F"];
                assert!(f.value.is_finite() && f.error.is_finite(), "{what}: {f:?}");
            }
            (Some(words), Some(Error::Numerics(text))) => assert!(text.contains(words), "{what}: {text}"),
            (_, other) => panic!("{what}: {other:?}"),
        }
    }
}
