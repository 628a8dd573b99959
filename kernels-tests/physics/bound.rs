//! The variational bound: without interaction no parameters give less than the exact F.

use helmholtz::Trainer;

use crate::harness::{Noise, device, mean, settings};

/// Random parameters of both networks on top of the prior. F of the batch must not lie below the exact value by more
/// than 5 errors (4 cases: one false alarm in 800 000), and lies above it by many where the occupations differ.
#[test]
fn no_parameters_beat_the_ideal_gas() {
    let gpu = device();
    for (text, van, flow) in [
        ("n=7 dim=2 theta=0.15", 0.0, 0.12),
        ("n=7 dim=2 theta=0.15", 0.3, 0.0),
        ("n=5 dim=2 theta=0.5", 0.2, 0.12),
        ("n=4 dim=3 theta=0.5", 0.2, 0.12),
    ] {
        let s = settings(&format!("{text} rs=0 batch=512 seed=6 spsize=8 tpsize=8"));
        let gas = s.gas().unwrap();
        let occupation = Noise(3).normals(s.occupation(&gas).parameters().len(), van);
        let mut t = Trainer::new(gpu, &s, Some(occupation), Some(Noise(4).normals(s.backflow().table().len(), flow))).unwrap();
        let round = t.sample(gpu).unwrap();
        assert!(round.failed == 0 && round.usable(), "{text}: the flow of this test folds space: {round:?}");
        let e = t.energies(gpu).unwrap();
        let (f, exact) = (e.free_energy, t.ideal.free_energy);
        let above = (f.mean - exact) / f.error;
        eprintln!("{text} ({van}, {flow}): F = {:.3} ± {:.3}, exact {exact:.3}: {above:.1} errors above", f.mean, f.error);
        assert!(above > -5.0, "{text}: F = {} ± {} below the exact {exact}", f.mean, f.error);
        // a flow that hardly changes plane waves loses little; other occupations lose much
        assert!(above > 3.0 || van == 0.0, "{text}: the parameters of this test are too small");
        // the real part is what counts; the imaginary part of E vanishes on average
        let records: Vec<f32> = gpu.read_words(&t.estimators.records, 8 * t.batch).unwrap();
        let (im, error) = mean(&records.chunks(8).map(|r| r[5] as f64).collect::<Vec<_>>());
        assert!(im.abs() < 5.0 * error + 1e-4 * exact.abs(), "{text}: Im E = {im} ± {error}");
    }
}
