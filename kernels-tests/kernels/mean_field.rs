//! Naive mean fields of many starts: every start as the twin makes it, and the lowest of glasses solved elsewhere.

use helmholtz::gpu::{Gpu, Profile, Recording};
use helmholtz::kernels::mean_field::{self, Starts};
use helmholtz::kernels::philox::{Stream, purpose};
use helmholtz::reference::mean_field as twin;
use helmholtz::system::spins::{Boundary, Couplings, Lattice, MeanField};

use crate::bounds::refuses;
use crate::couplings::matrix;
use crate::harness::{Check, Wanted, close, mutant, random, verify};
use crate::reference_data::find;

const EPS: f64 = f32::EPSILON as f64;
const SWEEPS: usize = 5;

fn stream() -> Stream {
    Stream { seed: 0x1_0000_0007, step: 3, purpose: purpose::START, first_walker: 11 }
}

/// m and βF of a start.
type End = (Vec<f64>, f64);

/// Both of every start. An update rounds β times a field of some √n terms by (√n + 8) ε, and so much is what it makes of what
/// the ones before made; with β ‖J‖ about 1.5 five sweeps make 2⁵ of it. βF sums n such m, over 64 sites in single precision.
fn agrees(gpu: &Gpu, model: &Couplings, beta: f64, starts: usize, launch: usize) -> Check {
    static WANTED: Wanted<(usize, usize, u64), Vec<End>> = Wanted::new();
    let mut s = Starts::new(model, beta, starts, SWEEPS, gpu.profile).map_err(|e| e.to_string())?;
    s.launch = s.launch.min(launch);
    let (n, count) = (model.n(), s.count());
    let want = WANTED.of((n, count, beta.to_bits()), || {
        let twin = twin::Starts { couplings: &model.dense(), fields: model.fields(), beta, starts: count, sweeps: SWEEPS };
        (0..count).map(|start| twin.run(stream(), start)).collect()
    });
    let mut rec = Recording::new();
    s.record(&mut rec, stream());
    gpu.run(&rec).map_err(|e| e.to_string())?;
    let m: Vec<f32> = gpu.read(&s.magnetisations).map_err(|e| e.to_string())?;
    let tolerance = 32.0 * ((n as f64).sqrt() + 8.0) * EPS;
    for (start, (want, _)) in want.iter().enumerate() {
        let got: Vec<f32> = s.of(start, &m).iter().map(|v| *v as f32).collect();
        close(&format!("n = {n}, start {start}: m"), &got, want, tolerance)?;
    }
    let energies: Vec<f32> = gpu.read(&s.energies).map_err(|e| e.to_string())?;
    let found: Vec<f32> = s.exponents(&energies).iter().map(|v| *v as f32).collect();
    let exponents: Vec<f64> = want.iter().map(|(_, f)| *f).collect();
    close(&format!("n = {n}: βF"), &found, &exponents, tolerance)
}

fn glass(n: usize, field: f64) -> Couplings {
    let fields: Vec<f64> = random(5, n).iter().map(|h| field * h).collect();
    Couplings::from_dense(n, &matrix(n, 1)).unwrap().with_fields(&fields).unwrap()
}

/// One start a lane and several, neighbours shared by lanes, a lattice; in one launch and in launches that end within sums of 64
/// sites; saturated spins, which have no entropy.
fn sizes(gpu: &Gpu) -> Check {
    agrees(gpu, &glass(5, 0.3), 1.3, 3, 53)?;
    agrees(gpu, &glass(37, 0.3), 1.3, 40, usize::MAX)?;
    agrees(gpu, &glass(70, 0.3), 1.3, 5, 300)?;
    let lattice = Couplings::lattice(Lattice::Square, 9, Boundary::Open, 1.0).unwrap().with_field(0.25).unwrap();
    agrees(gpu, &lattice, 0.4, 3, 230)?;
    // fields of 3, against which couplings of a glass do nothing
    let strong: Vec<f64> = (0..6).map(|i| if i % 3 == 1 { -9.0 } else { 9.0 }).collect();
    agrees(gpu, &glass(6, 0.0).with_fields(&strong).unwrap(), 40.0, 3, usize::MAX)
}

/// Launches as long as they may be, of a large lattice and of a denser one: bit by bit what short ones give, so that no driver
/// stops a loop before its end.
fn long(gpu: &Gpu) -> Check {
    let lattice = |side: usize| Couplings::lattice(Lattice::Triangular, side, Boundary::Periodic, 1.0).unwrap();
    for model in [lattice(40), glass(257, 0.3)] {
        let run = |launch: usize| {
            let mut s = Starts::new(&model, 0.3, 8, 12, gpu.profile).map_err(|e| e.to_string())?;
            s.launch = s.launch.min(launch);
            let mut rec = Recording::new();
            s.record(&mut rec, stream());
            gpu.run(&rec).map_err(|e| e.to_string())?;
            let read = |b| gpu.read::<f32>(b).map_err(|e| e.to_string());
            Ok::<_, String>((rec.dispatches().count(), read(&s.magnetisations)?, read(&s.energies)?))
        };
        let ((few, m, energies), (many, other, other_energies)) = (run(usize::MAX)?, run(3000)?);
        if m != other || energies != other_energies || !(1 < few && few < many) {
            return Err(format!("{} spins: {few} launches give other starts than {many}", model.n()));
        }
    }
    Ok(())
}

/// The lowest F of the reference, at every temperature, from 64 starts.
fn published(gpu: &Gpu) -> Check {
    for file in ["sk_n10_seed4.json", "sk_n20_seed1.json"] {
        let path = find(file).ok_or("reference data are missing")?;
        let model = Couplings::read(&path).map_err(|e| e.to_string())?;
        let text: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        for row in text["rows"].as_array().unwrap() {
            let (beta, want) = (row["beta"].as_f64().unwrap(), row["nmf_F_per_site"].as_f64().unwrap());
            let s = Starts::new(&model, beta, 64, 40, gpu.profile).map_err(|e| e.to_string())?;
            let lowest = s.lowest(gpu, stream(), 2).map_err(|e| e.to_string())?;
            let got = MeanField::settle(&model, beta, &lowest, 10_000).map_err(|e| e.to_string())?.free_energy / model.n() as f64;
            if !((got - want).abs() <= 1e-12) {
                return Err(format!("{file} β = {beta}: F = {got} instead of {want}"));
            }
        }
    }
    Ok(())
}

#[test]
fn starts_are_those_of_the_twin() {
    verify(sizes);
    verify(long);
}

#[test]
fn lowest_starts_have_the_published_values() {
    verify(published);
}

/// Launches of dense couplings and of large lattices; β and couplings as large as they come; what no launch holds.
#[test]
fn launches_stay_short_and_large_numbers_count() {
    for profile in [Profile::Simd, Profile::Gpu] {
        for model in [glass(300, 0.0), Couplings::lattice(Lattice::Square, 128, Boundary::Periodic, 1.0).unwrap()] {
            let mut rec = Recording::new();
            Starts::new(&model, 1.0, 8, 12, profile).unwrap().record(&mut rec, stream());
            assert!(rec.dispatches().count() > 2 && rec.check().is_ok());
        }
    }
    let [gpu, _] = crate::harness::devices();
    let pair = Couplings::from_bonds(2, [(0, 1, 1e38)]).unwrap();
    let s = Starts::new(&pair, 1e30, 8, 8, gpu.profile).unwrap();
    let lowest = &s.lowest(gpu, stream(), 1).unwrap()[0];
    assert!(lowest[0] * lowest[1] == 1.0, "{lowest:?}");
    assert_eq!(MeanField::settle(&pair, 1e30, std::slice::from_ref(lowest), 3).unwrap().free_energy, -1e38);
    for (beta, sweeps) in [(-1.0, 1), (f64::NAN, 1), (1.0, 0), (1.0, 1 << 31)] {
        assert!(Starts::new(&pair, beta, 8, sweeps, gpu.profile).is_err());
    }
    let star = Couplings::from_bonds(61_000, (1..61_000).map(|j| (0, j, 1.0))).unwrap();
    assert!(Starts::new(&star, 1.0, 8, 8, gpu.profile).err().unwrap().to_string().contains("60999 neighbours"));
}

#[test]
fn short_buffers_are_refused() {
    // 70 sites: two sums
    refuses("mean field", &[70 * 8, 2 * 8], |rec, b| {
        let mut s = Starts::new(&glass(70, 0.3), 1.0, 5, 2, Profile::Simd).unwrap();
        (s.magnetisations, s.energies) = (b[0].clone(), b[1].clone());
        s.record(rec, stream());
    });
}

#[test]
fn broken_kernels_are_noticed() {
    for (from, to) in [
        ("p.first_walker + start$t", "start$t"),
        ("site / 4u, p.first", "site, p.first"),
        ("start$t == 0u)", "start$t == 1u)"),
        ("quenched$t * quenched$t", "quenched$t"),
        ("min(1.0, f32(pass_)", "min(2.0, f32(pass_)"),
        ("(field$t + h)", "field$t"),
        ("2.0 * h", "h"),
        ("+ entropy(m$t)", "- entropy(m$t)"),
        ("-0.99999994, 0.99999994", "-1.0, 1.0"),
        ("else if (u == p.first)", "else if (u == 0u)"),
        ("site % 64u == 63u", "site % 64u == 62u"),
        ("site / 64u * p.starts", "site / 128u * p.starts"),
        ("+ part; k < last", "; k < last"),
        ("place * SPLIT + k]", "place * SPLIT]"),
        ("field$t = 0.0;\n      #end\n      workgroup", "field$t += 0.0;\n      #end\n      workgroup"),
    ] {
        mutant(&mean_field::KERNEL, from, to, sizes);
    }
}
