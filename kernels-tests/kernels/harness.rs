//! Shared devices, comparison with stated tolerances, mutants.
//!
//! Register kernels are compiled for each shape of a network, for seconds: tests of whole systems keep to layers of 8 in two
//! dimensions and in three, and of 16, the default, in two.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use helmholtz::gpu::{Gpu, Kernel, Profile, SHARED};

use crate::devices;
use crate::noise::Noise;

/// What a check returns: `Err` says which quantity is off and by how much.
pub type Check = Result<(), String>;

fn open(profile: Profile) -> Gpu {
    let mut gpu = Gpu::open_checked(None).expect("a Vulkan driver; see README");
    gpu.profile = profile;
    // a driver that is slow, on a machine with other work, is not hung
    gpu.deadline = Duration::from_secs(1200);
    gpu
}

/// This test's device in the `simd` and in the `gpu` profile.
pub fn devices() -> [&'static Gpu; 2] {
    static OPEN: [[OnceLock<Gpu>; 2]; devices::MOST] = [const { [const { OnceLock::new() }; 2] }; devices::MOST];
    let [simd, wide] = &OPEN[devices::mine()];
    [simd.get_or_init(|| open(Profile::Simd)), wide.get_or_init(|| open(Profile::Gpu))]
}

/// Runs a check in both profiles.
pub fn verify(check: impl Fn(&Gpu) -> Check) {
    for gpu in devices() {
        if let Err(text) = check(gpu) {
            panic!("profile {}: {text}", gpu.profile.name());
        }
    }
}

/// Breaks the kernel (`from` becomes `to`) in both profiles and requires that the check notices in each: their texts may
/// differ, by their constants.
pub fn mutant(kernel: &'static Kernel, from: &str, to: &str, check: impl Fn(&Gpu) -> Check) {
    for gpu in devices() {
        mutant_in(gpu.profile, kernel, from, to, &check);
    }
}

/// The same in one profile: for kernels that only one has, and as a second mutant for checks that take long.
pub fn mutant_in(profile: Profile, kernel: &'static Kernel, from: &str, to: &str, check: impl Fn(&Gpu) -> Check) {
    assert!(kernel.source.contains(from), "{}: no {from:?} to break", kernel.name);
    must_fail(profile, kernel, from, to, check);
}

/// Breaks a fragment of `shaders/shared/` in a kernel that uses it.
pub fn fragment(name: &str, profile: Profile, kernel: &'static Kernel, from: &str, to: &str, check: impl Fn(&Gpu) -> Check) {
    let text = SHARED.iter().find(|(n, _)| *n == name).map_or("", |(_, text)| text);
    assert!(kernel.shared.contains(&name) && text.contains(from), "{}: no {from:?} in its fragment {name} to break", kernel.name);
    must_fail(profile, kernel, from, to, check);
}

fn must_fail(profile: Profile, kernel: &'static Kernel, from: &str, to: &str, check: impl Fn(&Gpu) -> Check) {
    let [simd, wide] = devices();
    let gpu = if profile == Profile::Simd { simd } else { wide }.broken(kernel, from, to);
    match check(&gpu) {
        Ok(()) => panic!("{} with {to:?} in place of {from:?} passes its test in profile {}", kernel.name, profile.name()),
        // a mutant without one of its bindings is refused by the driver, not noticed by the check
        Err(text) => assert!(
            !text.contains("does not compile") && !text.contains("Validation Error"),
            "the mutant of {} with {to:?} must be valid WGSL and use its bindings: {text}",
            kernel.name
        ),
    }
}

/// Float64 results, computed once a process whatever the number of profiles and mutants that ask for them.
pub struct Wanted<K, V: 'static>(Mutex<BTreeMap<K, &'static OnceLock<V>>>);

impl<K: Ord, V> Wanted<K, V> {
    pub const fn new() -> Self {
        Wanted(Mutex::new(BTreeMap::new()))
    }

    pub fn of(&self, key: K, compute: impl FnOnce() -> V) -> &'static V {
        let place: &'static OnceLock<V> = self.0.lock().unwrap().entry(key).or_insert_with(|| Box::leak(Box::default()));
        place.get_or_init(compute)
    }
}

/// Largest |a - b| / (scale of b) must stay below `tolerance`; non-finite values fail.
pub fn close(what: &str, got: &[f32], want: &[f64], tolerance: f64) -> Check {
    if got.len() < want.len() {
        return Err(format!("{what}: {} values, want {}", got.len(), want.len()));
    }
    let scale = want.iter().fold(1e-30_f64, |m, v| m.max(v.abs()));
    let (mut worst, mut at) = (0.0_f64, 0);
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        let e = (*g as f64 - w).abs() / scale;
        if e.is_nan() || e > worst {
            (worst, at) = (e, i);
        }
    }
    if worst <= tolerance {
        Ok(())
    } else {
        Err(format!("{what}[{at}]: got {}, want {}; error {worst:.2e} of scale {scale:.3e}, tolerance {tolerance:.1e}", got[at], want[at]))
    }
}

/// Uniform numbers in (-1, 1) from a seed, rounded to f32 so that device and twin start from the same.
pub fn random(seed: u64, count: usize) -> Vec<f64> {
    let mut noise = Noise(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    (0..count).map(|_| (2.0 * noise.uniform() - 1.0) as f32 as f64).collect()
}

/// Rows of `cols` numbers padded with zeros to multiples of 4, as f32.
pub fn padded(x: &[f64], cols: usize) -> Vec<f32> {
    let ld = helmholtz::kernels::pad4(cols);
    let mut out = Vec::new();
    for row in x.chunks(cols) {
        out.extend(row.iter().map(|&v| v as f32));
        out.resize(out.len() + ld - cols, 0.0);
    }
    out
}

/// Inverse of [`padded`].
pub fn unpadded(x: &[f32], cols: usize) -> Vec<f32> {
    x.chunks(helmholtz::kernels::pad4(cols)).flat_map(|row| row[..cols].to_vec()).collect()
}
