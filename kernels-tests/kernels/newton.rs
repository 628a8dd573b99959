//! The damped Newton iteration against its twin, phase by phase.

use helmholtz::gpu::{Buffer, Gpu, Recording};
use helmholtz::kernels::newton::{self, Inputs, Iteration, NOT_CONVERGED, NOT_POSITIVE, Phase, Settings};
use helmholtz::kernels::pad4;
use helmholtz::reference::newton as twin;

use crate::harness::{Check, close, mutant, random, verify};
use crate::published::{rounded, single};

/// Walkers with different fates over four launches: z and J⁻¹ are given, not computed from x.
fn agrees(gpu: &Gpu) -> Check {
    let text = |e: helmholtz::Error| e.to_string();
    for (case, size) in [10, 58, 303].into_iter().enumerate() {
        let (walkers, length, tolerance, ld) = (11, 3.0, 1e-3, pad4(size));
        let zeta: Vec<f64> = rounded(&random(case as u64, walkers * size).iter().map(|v| 1.5 + 1.4 * v).collect::<Vec<_>>());
        let inverse = rounded(&random(50 + case as u64, walkers * size * size));
        let mut padded = vec![0.0f32; walkers * ld * ld];
        for (row, values) in inverse.chunks(size).enumerate() {
            let (w, c) = (row / size, row % size);
            padded[(w * ld + c) * ld..][..size].copy_from_slice(&single(values));
        }
        let sign: Vec<f32> = (0..walkers).map(|w| if w == 2 { -1.0 } else { 1.0 }).collect();
        let (zb, sb) = (Buffer::new("z", walkers * size), gpu.upload("zeta", &single(&zeta)));
        let (ib, gb) = (gpu.upload("inverse", &padded), gpu.upload("sign", &sign));
        let (x, it) = (Buffer::new("x", walkers * size), Iteration::new(walkers, size).map_err(text)?);
        let settings = Settings { walkers, size, length, tolerance };
        // residuals launch by launch: convergence of 0, 1, 2; growth of 3 (once), 4 (for good), 6 not a number, others shrink
        let residual = |launch: usize, w: usize| -> f64 {
            match (w, launch) {
                (0, 1) | (1, 2) | (2, 3) => 4e-4,
                (3, 2) => 0.3,
                (4, l) => 0.2 + 0.1 * l as f64,
                (5, 1) => 40.0,
                _ => 0.2 * 0.5f64.powi(launch as i32),
            }
        };
        let mut want: Vec<twin::Walker> = Vec::new();
        for launch in 0..7 {
            let noise = random(1000 + launch as u64, walkers * size);
            let mut z: Vec<f64> = (0..walkers * size).map(|c| zeta[c] + noise[c] * residual(launch, c / size)).collect();
            z = rounded(&z);
            if launch > 0 {
                z[6 * size + 3] = f64::NAN;
            }
            gpu.write(&zb, &single(&z));
            let mut rec = Recording::new();
            let phase = if launch == 0 { Phase::Start } else { Phase::Step };
            let inputs = Inputs { z: &zb, zeta: &sb, inverse: &ib, sign: &gb };
            newton::record(&mut rec, gpu.profile, phase, settings, inputs, &x, &it);
            gpu.run(&rec).map_err(text)?;
            for w in 0..walkers {
                let (zeta, z) = (&zeta[w * size..][..size], &z[w * size..][..size]);
                if launch == 0 {
                    want.push(twin::start(zeta, z));
                } else {
                    twin::newton(&mut want[w], zeta, z, &inverse[w * size * size..][..size * size], length, tolerance);
                }
            }
            let got: Vec<f32> = gpu.read_words(&x, walkers * size).map_err(text)?;
            let all: Vec<f64> = want.iter().flat_map(|w| w.x.clone()).collect();
            // products of `size` numbers of order 1, scaled down to a quarter box
            close(&format!("x after launch {launch}"), &got, &all, (4.0 + size as f64) * f32::EPSILON as f64)?;
            let status: Vec<u32> = gpu.read_words(&it.status, walkers).map_err(text)?;
            if let Some(w) = (0..walkers).find(|&w| status[w] != want[w].converged as u32) {
                return Err(format!("walker {w} after launch {launch}: status {}, converged {}", status[w], want[w].converged));
            }
        }
        let state: Vec<f32> = gpu.read_words(&it.state, 4 * walkers).map_err(text)?;
        for w in 0..3 {
            // differences of numbers of order 3
            close(
                "residual and |J^-1|",
                &[state[4 * w], state[4 * w + 2]],
                &[want[w].residual, want[w].largest],
                4.0 * f32::EPSILON as f64,
            )?;
        }
        let mut rec = Recording::new();
        let inputs = Inputs { z: &zb, zeta: &sb, inverse: &ib, sign: &gb };
        newton::record(&mut rec, gpu.profile, Phase::Finish, settings, inputs, &x, &it);
        gpu.run(&rec).map_err(text)?;
        let status: Vec<u32> = gpu.read_words(&it.status, walkers).map_err(text)?;
        let bits: Vec<u32> = (0..walkers).map(|w| [0, 0, NOT_POSITIVE].get(w).copied().unwrap_or(NOT_CONVERGED)).collect();
        if status != bits {
            return Err(format!("status {status:?}, want {bits:?}"));
        }
        let got: Vec<f32> = gpu.read_words(&x, walkers * size).map_err(text)?;
        for w in 0..walkers {
            for (g, v) in got[w * size..].iter().zip(twin::finish(&want[w], &zeta[w * size..][..size], length)) {
                let off = (*g as f64 - v) / length;
                if !((0.0..length as f32).contains(g) && (off - off.round()).abs() < (4.0 + size as f64) * f32::EPSILON as f64) {
                    return Err(format!("walker {w}: folded {g}, want {v}"));
                }
            }
        }
    }
    Ok(())
}

fn leaves_out(gpu: &Gpu) -> Check {
    let walkers = 70;
    let status: Vec<u32> = (0..walkers).map(|w| if w == 3 { NOT_CONVERGED } else { 0 }).collect();
    let progress: Vec<u32> = (0..4 * walkers).map(|i| if i == 4 * 65 { 6 } else { 7 }).collect();
    let log_psi = gpu.upload("ln|psi|", &vec![-2.5f32; walkers as usize]);
    let (sb, pb) = (gpu.upload("status", &status), gpu.upload("progress", &progress));
    let mut rec = Recording::new();
    newton::record_leave_out(&mut rec, walkers as usize, 7, &sb, &pb, &log_psi);
    gpu.run(&rec).map_err(|e| e.to_string())?;
    let got: Vec<f32> = gpu.read_words(&log_psi, walkers as usize).map_err(|e| e.to_string())?;
    match got.iter().enumerate().find(|(w, v)| **v != if [3, 65].contains(w) { -1e30 } else { -2.5 }) {
        Some((w, v)) => Err(format!("walker {w}: {v}")),
        None => Ok(()),
    }
}

#[test]
fn kernels_agree_with_their_twins() {
    verify(agrees);
    verify(leaves_out);
}

#[test]
fn too_many_coordinates_are_refused() {
    assert!(Iteration::new(1, newton::MAX_COORDINATES + 1).is_err_and(|e| e.to_string().contains("sampler=metropolis")));
}

#[test]
fn broken_kernels_are_noticed() {
    mutant(&newton::NEWTON, "before.z >= 2.0", "before.z >= 3.0", agrees);
    mutant(&newton::NEWTON, "0.25 * p.length", "0.5 * p.length", agrees);
    mutant(&newton::NEWTON, "select(0.0, step, finite(step))", "step", agrees);
    mutant(&newton::NEWTON, "sign_in[w] <= 0.0", "sign_in[w] < -2.0", agrees);
    mutant(&newton::LEAVE_OUT, "status[w] != 0u ||", "status[w] == 99u ||", leaves_out);
    mutant(&newton::LEAVE_OUT, "< p.particles", "> p.particles", leaves_out);
}
