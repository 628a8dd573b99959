//! A device that is lost in the midst of a run, and arrays that it cannot allocate: the run goes on from its last checkpoint, and
//! ends with the bits of a run that nothing happened to.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use helmholtz::gpu::choose;
use helmholtz::run::checkpoint::Checkpoint;
use helmholtz::run::checkpoint::folder::{Saving, newest};
use helmholtz::run::train::{Outcome, train};
use helmholtz::run::{Job, Phase};
use helmholtz::{Error, Gpu, Resolved};

use crate::TINY;
use crate::jobs::{Ear, bill, given, job};

/// A device whose loss the test holds in its hand, with arrays of at most `bytes` each.
fn open(bytes: Option<u64>) -> (Gpu, wgpu::Device) {
    let listed = choose(None).expect("a Vulkan driver");
    let mut required_limits = listed.adapter.limits();
    required_limits.max_buffer_size = bytes.unwrap_or(required_limits.max_buffer_size);
    let descriptor = wgpu::DeviceDescriptor { required_limits, ..Default::default() };
    let (device, queue) = pollster::block_on(listed.adapter.request_device(&descriptor)).expect("opens");
    (Gpu::from_device(listed.info, device.clone(), queue).expect("takes it"), device)
}

/// A run that is over.
struct Done {
    outcome: Outcome,
    warnings: Vec<String>,
    /// metrics.csv without its times, and the state that was saved last.
    metrics: Vec<String>,
    last: Option<Checkpoint>,
    /// The chunk that it ended with.
    chunk: usize,
}

/// Runs settings on devices that are destroyed whenever `strike` says so of what a listener hears, or at these times.
fn run(resolved: Resolved, limit: Option<u64>, every: Duration, strike: impl Fn(&str) -> bool + 'static, times: &[u64]) -> Done {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let (gpu, device) = open(limit);
    // planned on a device that has more
    let bill = bill(&open(None).0, &resolved);
    let now = Rc::new(RefCell::new(device));
    let (killed, opened) = (now.clone(), now);
    let warnings: Rc<RefCell<Vec<String>>> = Rc::default();
    let hear = move |text: &str| {
        if strike(text) {
            killed.borrow().destroy();
        }
    };
    let ear = Ear { hear, warnings: warnings.clone() };
    let clock = opened.borrow().clone();
    let mut job: Job = job(&path, resolved, gpu, bill, Box::new(ear)).within(Saving { every, ..Saving::default() }, None);
    job = job.reopening(move || {
        let (gpu, device) = open(limit);
        *opened.borrow_mut() = device;
        Ok(gpu)
    });
    let times = times.to_vec();
    let timer = std::thread::spawn(move || {
        for ms in times {
            std::thread::sleep(Duration::from_millis(ms));
            clock.destroy();
        }
    });
    let outcome = train(&mut job);
    timer.join().unwrap();
    Done {
        outcome,
        warnings: warnings.take(),
        metrics: metrics(&path),
        last: newest(&path, Phase::Frozen).ok().map(|found| found.checkpoint),
        chunk: job.bill.chunk,
    }
}

/// Lines of metrics.csv without what a clock says.
fn metrics(run: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(run.join("metrics.csv")).unwrap();
    let timeless = |name: &str| !name.starts_with("seconds") && !name.starts_with("ms");
    let keep: Vec<bool> = text.lines().next().unwrap().split(',').map(timeless).collect();
    assert!(keep.iter().filter(|k| !**k).count() == 2, "{text}");
    let line = |line: &str| line.split(',').zip(&keep).filter(|(_, k)| **k).map(|(v, _)| v).collect::<Vec<_>>().join(",");
    text.lines().map(line).collect()
}

/// The state without the times of its steps, which a clock wrote.
fn state(done: &Done) -> Vec<(String, Vec<u8>)> {
    let all = done.last.as_ref().expect("a checkpoint").state.0.iter().filter(|(name, _)| *name != "run/steps");
    all.map(|(name, numbers)| (name.clone(), numbers.bytes.clone())).collect()
}

fn same(what: &str, a: &Done, b: &Done) {
    assert!(a.outcome.error.is_none(), "{what}: {:?} {:?}", a.outcome.error, a.warnings);
    assert_eq!(a.metrics, b.metrics, "{what}: other steps, or a step twice, or none");
    let progress = |d: &Done| d.last.as_ref().expect("a checkpoint").head.progress;
    assert_eq!(progress(a), progress(b), "{what}");
    assert!(state(a) == state(b), "{what}: another state");
    let of = |d: &Done| format!("{:?}", d.outcome.summary.as_ref().expect("a result").result);
    assert_eq!(of(a), of(b), "{what}: another result");
}

const NOW: Duration = Duration::ZERO;
const NEVER: Duration = Duration::from_secs(3600);

/// Lost while kernels are compiled, in pretraining, while a step is saved, in a step after one that was not saved, in evaluation.
#[test]
fn a_lost_device_is_replaced_and_nothing_is_lost() {
    let line = format!("electron-gas {TINY} rs=2 batch=8 chunk=8 prior=none pretrain_steps=3 steps=4 eval_steps=3 seed=3");
    let plain = run(given(&line), None, NOW, |_| false, &[]);
    assert!(plain.warnings.iter().all(|w| !w.contains("lost")), "{:?}", plain.warnings);
    for (at, every) in
        [("compiling kernels 0", NOW), ("pretraining 2", NEVER), ("training 1", NOW), ("training 2", NEVER), ("frozen 6", NEVER)]
    {
        let struck = RefCell::new(false);
        let done = run(given(&line), None, every, move |text| text == at && !struck.replace(true), &[]);
        let said: Vec<&String> = done.warnings.iter().filter(|w| w.contains("the device is lost")).collect();
        assert_eq!(said.len(), 1, "{at}: {:?}", done.warnings);
        assert!(
            said[0].contains("opened again (1 of at most 3 times): device: ")
                && (at.contains("compiling") || said[0].contains("going on from")),
            "{}",
            said[0]
        );
        same(at, &done, &plain);
    }
    // at some moment, by the clock
    let done = run(given(&line), None, NOW, |_| false, &[90]);
    same("after 90 ms", &done, &plain);
}

/// Lost again and again: three times it is opened again, then the run ends with exit code 3 and says that it can go on.
#[test]
fn a_device_that_is_always_lost_ends_the_run() {
    let line = format!("electron-gas {TINY} rs=2 batch=8 chunk=8 steps=9 eval_steps=3 seed=3");
    let done = run(given(&line), None, NOW, |text| text == "training 3", &[]);
    let Some(e @ Error::Lost(text)) = &done.outcome.error else { panic!("{:?}", done.outcome.error) };
    assert_eq!(e.exit_code(), 3);
    for part in ["the device is lost", "lost 4 times", "the same command goes on from the last checkpoint", "--device"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(done.warnings.iter().filter(|w| w.contains("opened again")).count(), 3);
    assert_eq!(done.last.expect("a checkpoint").head.progress.training, 3);
    assert_eq!(done.metrics.len(), 1 + 4, "a line of the header, and a line a step");
}

/// Arrays of a chunk that cannot be allocated: half the chunk, said aloud, with the bits of a run that
/// was told to; those of the batch are no matter of
/// chunks, and end the run with exit code 3 and their bytes.
#[test]
fn what_cannot_be_allocated_is_tried_in_smaller_chunks() {
    let line = "ising L=8 beta=0.4 batch=600 chunk=600 width=8 steps=2 eval_steps=1 anneal=0";
    let largest = bill(&open(None).0, &given(line)).largest.expect("arrays").bytes;
    let done = run(given(line), Some(largest / 3), NOW, |_| false, &[]);
    let said: Vec<&String> = done.warnings.iter().filter(|w| w.contains("cannot be allocated")).collect();
    assert!(said[0].contains("the chunk is halved to 300 walkers, going on from"), "{:?}", done.warnings);
    assert!(said[0].contains(" bytes (") && done.chunk < 300 && said.len() > 1, "{}", said[0]);
    let plain = run(given(&line.replace("chunk=600", &format!("chunk={}", done.chunk))), None, NOW, |_| false, &[]);
    assert_eq!(plain.chunk, done.chunk);
    same("halved", &done, &plain);
    let done = run(given(line), Some(1 << 17), NOW, |_| false, &[]);
    let Some(e @ Error::Device(text)) = &done.outcome.error else { panic!("{:?}", done.outcome.error) };
    assert!(e.exit_code() == 3 && text.contains("a smaller chunk than") && text.contains("use a smaller batch"), "{text}");
}
