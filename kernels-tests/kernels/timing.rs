//! Timed runs: every dispatch once, in order, with the same results; work behind a shut gate counts as none.

use helmholtz::gpu::{Buffer, Gpu, Recording, Timed};
use helmholtz::kernels::roof;

use crate::harness::devices;

/// More dispatches than a query set holds, copies between them, and gates.
fn run(gpu: &Gpu) -> Vec<Timed> {
    let (x, y) = (gpu.upload("x", &[0.5f32; 64]), Buffer::new("y", 256));
    let gate = gpu.upload("gate", &[0u32, 1, 0, 0]);
    let kept = Buffer::new("kept", 256);
    let mut rec = Recording::new();
    rec.phase("all");
    for i in 0..2500 {
        rec.gate((i % 5 != 0).then_some((&gate, if i % 5 == 1 { 1 } else { 0 })));
        roof::record_fma(&mut rec, 64, 1 + i % 3, &x, &y);
        rec.gate(None);
        rec.copy(&y, &kept, 256);
    }
    let times = gpu.run_timed(&rec).unwrap();
    let got: Vec<f32> = gpu.read(&kept).unwrap();
    let want = helmholtz::reference::roof::roof_fma(0.5, 1);
    assert!((got[0] as f64 - want[0]).abs() < 1e-5, "{} {}", got[0], want[0]);
    times
}

fn judge(times: &[Timed]) {
    assert_eq!(times.len(), 2500);
    for (i, t) in times.iter().enumerate() {
        assert_eq!((t.name.as_str(), t.kernel), ("all/multiply-adds", "roof_fma"));
        assert_eq!(t.skipped, i % 5 == 1, "dispatch {i}");
        let flops = if t.skipped { 0.0 } else { 64.0 * 64.0 * (1 + i % 3) as f64 };
        assert_eq!(t.flops, flops);
        assert!(t.seconds.is_finite() && t.seconds >= 0.0 && t.seconds < 10.0, "{t:?}");
    }
    assert!(times.windows(2).all(|w| w[0].begin <= w[1].begin), "begins are in order");
    assert!(times.iter().any(|t| t.seconds > 0.0));
}

#[test]
fn many_dispatches_share_a_query_set() {
    judge(&run(devices()[0]));
}

#[test]
fn without_timestamps_the_host_clock_serves() {
    let mut gpu = Gpu::open_checked(None).unwrap();
    gpu.features = Default::default();
    judge(&run(&gpu));
}

/// An array that no device holds is an error with a remedy, at its first use, and the device stays usable.
#[test]
fn memory_that_is_not_there_is_an_error() {
    for checked in [false, true] {
        let mut gpu = Gpu::open(None).unwrap();
        gpu.checked = checked;
        let (x, y) = (gpu.upload("x", &[0.5f32; 64]), Buffer::new("absurd", 1 << 44));
        let mut rec = Recording::new();
        rec.clear(&y);
        roof::record_fma(&mut rec, 64, 1, &x, &Buffer::new("y", 256));
        let error = gpu.run(&rec).and_then(|()| gpu.wait()).unwrap_err();
        assert_eq!(error.exit_code(), 3);
        let text = error.to_string();
        assert!(text.contains("absurd") && text.contains("MiB) cannot be allocated") && text.contains("smaller batch"), "{text}");
        let mut rec = Recording::new();
        roof::record_fma(&mut rec, 64, 1, &x, &Buffer::new("y", 256));
        gpu.run(&rec).and_then(|()| gpu.wait()).unwrap();
    }
}
