//! The comparison with reference cases: what is planted in any tensor or computed value fails its row.

use helmholtz::verify::{Case, Values, compare, compute};

use crate::device;

#[path = "../reference_data.rs"]
mod reference_data;

/// Rows that fail.
fn failing(case: &Case, values: &Values) -> Vec<String> {
    let report = compare(case, "device", values);
    assert_eq!(report.pass, report.quantities.iter().all(|q| q.pass));
    report.quantities.iter().filter(|q| !q.pass).map(|q| q.name.clone()).collect()
}

fn read(name: &str) -> Case {
    Case::read(&reference_data::find(&format!("{name}.json")).unwrap()).unwrap()
}

/// A relative error of each tensor, or computed value.
const SMALL: f64 = 1e-3;

fn plant(values: &mut [f64]) {
    values.iter_mut().for_each(|v| *v *= 1.0 + SMALL);
}

#[test]
fn small_errors_fail_their_rows() {
    let name = "n7_d3_random";
    let (case, values) = (read(name), compute(&read(name), device()).unwrap());
    let report = compare(&case, "device", &values);
    assert!(report.pass && report.absent.is_empty(), "{}", report.text());
    assert!(report.quantities.iter().all(|q| q.used < 0.5), "{}", report.text());
    let rows: Vec<String> = report.quantities.iter().map(|q| q.name.clone()).collect();
    // in the stored tensors
    let tensors: Vec<&String> = rows.iter().filter(|r| case.samples.contains_key(*r)).collect();
    assert!(tensors.len() >= 27, "{tensors:?}");
    for tensor in &tensors {
        let mut broken = read(name);
        let data = &mut broken.samples.get_mut(*tensor).unwrap().data;
        if *tensor == "jac" {
            data.truncate(2 * 21 * 21);
        }
        plant(data);
        assert!(failing(&broken, &values).contains(tensor), "{tensor} of the case: {:?}", failing(&broken, &values));
        // a tensor that is not there is said to be missing
        broken.samples.remove(*tensor);
        let report = compare(&broken, "device", &values);
        assert!(report.absent.contains(tensor), "{tensor}");
        assert!(report.text().contains("1 tensors are missing"), "{}", report.text());
    }
    // in what was computed
    type Plant = (&'static str, fn(&mut Values));
    let plants: &[Plant] = &[
        ("z", |v| plant(&mut v.z)),
        ("logphi.re", |v| plant(&mut v.log_phi[0])),
        ("logphi.im", |v| plant(&mut v.log_phi[1])),
        ("half_logdetjac", |v| plant(&mut v.half_logdet)),
        ("jac", |v| plant(&mut v.jacobian)),
        ("logpsi.re", |v| plant(&mut v.log_psi)),
        ("logpsi.im", |v| plant(&mut v.log_phi[1])),
        ("grad_logpsi.re", |v| plant(&mut v.gradient[0])),
        ("grad_logpsi.im", |v| plant(&mut v.gradient[1])),
        ("grad_half_logdetjac", |v| plant(&mut v.half_gradient)),
        ("lap_half_logdetjac", |v| plant(&mut v.half_laplacian)),
        ("lap_logpsi.re", |v| plant(&mut v.laplacian[0])),
        ("lap_logpsi.im", |v| plant(&mut v.laplacian[1])),
        ("kinetic.re", |v| plant(&mut v.kinetic[0])),
        ("kinetic.im", |v| plant(&mut v.kinetic[1])),
        ("potential", |v| plant(&mut v.potential)),
        ("logprob", |v| plant(&mut v.log_probability)),
        ("eloc.re", |v| v.records.iter_mut().for_each(|r| r[4] *= 1.0 + SMALL)),
        ("eloc.im", |v| v.records.iter_mut().for_each(|r| r[5] *= 1.0 + SMALL)),
        ("floc", |v| v.records.iter_mut().for_each(|r| r[6] *= 1.0 + SMALL)),
        ("mean of eloc.re", |v| v.records.iter_mut().for_each(|r| r[4] *= 1.0 + SMALL)),
        ("classical_score", |v| plant(&mut v.occupation.scores)),
        ("quantum_score.im", |v| plant(&mut v.flow.scores)),
        ("grad_van, own", |v| plant(&mut v.occupation.gradient)),
        ("grad_flow, own", |v| plant(&mut v.flow.gradient)),
        ("update_van, own", |v| v.occupation.update.iter_mut().for_each(|u| *u *= 1.0 + SMALL)),
        ("update_flow, own", |v| v.flow.update.iter_mut().for_each(|u| *u *= 1.0 + SMALL)),
        ("update_flow, own", |v| plant(&mut v.flow.solved)),
    ];
    for (row, plant) in plants {
        let mut broken = values.clone();
        plant(&mut broken);
        assert!(failing(&case, &broken).iter().any(|r| r == row), "{row} computed: {:?}", failing(&case, &broken));
    }
    let planted = |row: &String| plants.iter().any(|(r, _)| r == row) || row.starts_with("grad_") || row.starts_with("update_");
    let untouched: Vec<&String> = rows.iter().filter(|r| !planted(r) && *r != "quantum_score.re").collect();
    assert!(untouched.is_empty(), "{untouched:?}");
}

/// Published parameters, where they are: every row within half of what it allows, so that another driver passes as well.
#[test]
fn published_cases_keep_half_of_what_is_allowed() {
    let all = ["n29_d2_rs1", "n29_d2_rs10", "n29_d2_rs1_legacy", "n29_d2_rs10_legacy", "n49_d2_rs5_legacy", "n57_d2_rs10_legacy"];
    for name in reference_data::present(&all) {
        let case = read(name);
        let report = compare(&case, "device", &compute(&case, device()).unwrap());
        assert!(report.pass && report.quantities.iter().all(|q| q.used < 0.5) && report.absent.is_empty(), "{}", report.text());
    }
}
