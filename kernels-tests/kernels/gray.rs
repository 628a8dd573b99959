//! Enumeration of all states against the float64 twin, and against published-size instances enumerated elsewhere.

use helmholtz::gpu::{Buffer, Gpu};
use helmholtz::kernels::gray::{self, Enumeration, Exact};
use helmholtz::reference::gray as twin;

use crate::bounds::refuses;
use crate::couplings::matrix;
use crate::harness::{Check, Wanted, mutant, random, verify};
use crate::reference_data::find;

const EPS: f64 = f32::EPSILON as f64;

/// Sums of up to 64 positive terms thrice round by less than 20 ε in the root mean square, weights by (3 + 2 βd) ε, βd below
/// their mean βd for most of the weight; rounding of J is far below. ⟨d⟩ and ⟨d²⟩ round by as much, relatively.
fn compare(got: &Exact, want: [f64; 7], beta: f64) -> Check {
    let [log_z, energy, capacity, square, m, least, degeneracy] = want;
    let excess = beta * (energy - least);
    let relative = (30.0 + 2.0 * excess) * EPS;
    let checks = [
        ("ln Z", got.log_z, log_z, relative + EPS * log_z.abs()),
        ("E", beta * got.energy, beta * energy, 2.0 * relative * excess + EPS * (beta * energy).abs()),
        ("C", got.heat_capacity, capacity, 4.0 * relative * (capacity + excess * excess)),
        ("S", got.entropy, log_z + beta * energy, 2.0 * relative * (1.0 + excess) + EPS * log_z.abs()),
        ("m2", got.square, square, 2.0 * relative * square),
        ("m", got.magnetisation, m, 2.0 * relative * square.sqrt()),
        ("ground states", got.degeneracy as f64, degeneracy, 0.0),
    ];
    for (name, got, want, tolerance) in checks {
        if !((got - want).abs() <= tolerance) {
            return Err(format!("{name}: {got} instead of {want} ± {tolerance:.1e}"));
        }
    }
    Ok(())
}

/// Even and odd numbers of spins, in one block and in several, one to three vec4 of fields in registers; with a field and
/// without; in one launch and in two.
fn instance(gpu: &Gpu, n: usize, field: bool, betas: &[f64]) -> Check {
    static WANTED: Wanted<(usize, bool, u64), [f64; 7]> = Wanted::new();
    let (j, h) = (matrix(n, n as u64), if field { random(9, n) } else { vec![0.0; n] });
    let mut e = Enumeration::new(n, &j, &h).map_err(|e| e.to_string())?;
    e.launch = 64;
    let (ground, exact) = e.solve(gpu, betas).map_err(|e| e.to_string())?;
    for (beta, got) in betas.iter().zip(&exact) {
        let want = WANTED.of((n, field, beta.to_bits()), || twin::enumerate(&j, &h, *beta));
        if !((ground.energy - want[5]).abs() <= 1e-12) {
            return Err(format!("n = {n}: least energy {} instead of {}", ground.energy, want[5]));
        }
        compare(got, *want, *beta).map_err(|e| format!("n = {n}, field {field}, β = {beta}: {e}"))?;
    }
    Ok(())
}

fn instances(gpu: &Gpu) -> Check {
    for (n, field) in [(3, false), (3, true), (6, true), (11, false), (12, true)] {
        instance(gpu, n, field, &[0.25, 4.0])?;
    }
    instance(gpu, 16, true, &[1.0])
}

/// For the mutants: two launches, of which the second has 64 blocks as well.
fn small(gpu: &Gpu) -> Check {
    instance(gpu, 11, true, &[0.25, 4.0])
}

/// The antiferromagnetic triangle in a field of 1: E = -2 of (+ + -), 0 of (+ - -) and (+ + +), 6 of (- - -).
fn whole(gpu: &Gpu) -> Check {
    let j: Vec<f64> = (0..9).map(|k| if k % 4 == 0 { 0.0 } else { -1.0 }).collect();
    let (ground, exact) = Enumeration::new(3, &j, &[1.0; 3]).and_then(|e| e.solve(gpu, &[1.0])).map_err(|e| e.to_string())?;
    let log_z = (3.0 * 2.0_f64.exp() + 4.0 + (-6.0_f64).exp()).ln();
    if (ground.energy, exact[0].degeneracy) != (-2.0, 3) || !((exact[0].log_z - log_z).abs() < 10.0 * EPS) {
        return Err(format!("{ground:?} {exact:?}, want ln Z {log_z}"));
    }
    Ok(())
}

/// Sherrington-Kirkpatrick instances enumerated in float64: ln Z within 1e-6 of itself at every temperature.
fn published(gpu: &Gpu) -> Check {
    for file in ["sk_n10_seed4.json", "sk_n20_seed1.json"] {
        let text = std::fs::read_to_string(find(file).ok_or("reference data are missing")?).map_err(|e| e.to_string())?;
        let case: serde_json::Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
        let numbers = |v: &serde_json::Value| v.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect::<Vec<f64>>();
        let j: Vec<f64> = case["J"].as_array().unwrap().iter().flat_map(numbers).collect();
        let (n, rows) = (case["n"].as_u64().unwrap() as usize, case["rows"].as_array().unwrap());
        let betas: Vec<f64> = rows.iter().map(|r| r["beta"].as_f64().unwrap()).collect();
        let (ground, exact) = Enumeration::new(n, &j, &[]).and_then(|e| e.solve(gpu, &betas)).map_err(|e| e.to_string())?;
        let per_site = |v: f64| v / n as f64;
        if !((per_site(ground.energy) - case["E_min_per_site"].as_f64().unwrap()).abs() < 1e-12) {
            return Err(format!("{file}: {ground:?}"));
        }
        for (row, got) in rows.iter().zip(&exact) {
            let want = |name: &str| row[name].as_f64().unwrap();
            for (name, value, want, tolerance) in [
                ("ln Z", got.log_z, want("lnZ"), 1e-6 * want("lnZ")),
                ("E", per_site(got.energy), want("E_per_site"), 2e-6),
                ("S", per_site(got.entropy), want("S_per_site"), 5e-6),
                ("C", per_site(got.heat_capacity), want("C_per_site"), 1e-5),
                ("ground states", got.degeneracy as f64, case["ground_state_degeneracy"].as_f64().unwrap(), 0.0),
            ] {
                if !((value - want).abs() <= tolerance) {
                    return Err(format!("{file} {row}: {name} {value} instead of {want} ± {tolerance:.1e}"));
                }
            }
        }
    }
    Ok(())
}

#[test]
fn averages_are_those_of_the_twin() {
    verify(instances);
    verify(whole);
}

#[test]
fn glasses_are_enumerated_to_a_millionth() {
    verify(published);
}

#[test]
fn bad_instances_are_refused() {
    for (n, said) in [(2, "2 spins; it takes 3 to 30"), (31, "31 spins"), (4, "no 4 x 4 matrix")] {
        let text = Enumeration::new(n, &[0.0; 9], &[]).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(text.contains(said), "{text}");
    }
}

#[test]
fn short_buffers_are_refused() {
    // 2^9 states in 32 blocks, then 2^17 in 1024: 16 groups
    let e = |n: usize, rows: &Buffer| {
        let mut e = Enumeration::new(n, &matrix(n, 1), &[]).unwrap();
        e.rows = rows.clone();
        e
    };
    let ground = |e: &Enumeration| e.ground(&[0; 8]);
    refuses("states", &[8], |rec, b| e(10, &b[0]).record_sums(rec, 1.0, ground(&e(10, &b[0]))));
    refuses("states", &[15 * 8 + 2], |rec, b| e(18, &b[0]).record_search(rec));
}

#[test]
fn broken_kernels_are_noticed() {
    mutant(&gray::KERNEL, "var f = 2 * table[fields + q];", "var f = table[fields + q];", small);
    mutant(&gray::KERNEL, "f$q -= s * second$q;", "f$q -= s * first$q;", small);
    mutant(&gray::KERNEL, "{ field = f$q[k % 4u]; }", "{ field = f$q[0]; }", small);
    mutant(&gray::KERNEL, "e < lowest", "e > lowest", small);
    mutant(&gray::KERNEL, "bitcast<i32>(least[l].x) < bitcast<i32>(best.x)", "least[l].x < best.x", whole_or_small);
    mutant(&gray::KERNEL, "t % 16u == 15u || t + 1u == steps", "t % 16u == 15u", small);
    mutant(&gray::KERNEL, "vec2<f32>(w * m,", "vec2<f32>(w,", small);
    mutant(&gray::KERNEL, "p.first / WG + flat_group", "flat_group", small);
    mutant(&gray::KERNEL, "block < p.blocks", "true", whole);
}

fn whole_or_small(gpu: &Gpu) -> Check {
    whole(gpu).and_then(|()| instances(gpu))
}
