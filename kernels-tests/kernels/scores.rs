//! Products with score rows: double-single to 1e-12, sums to one rounding, projections, transposes.

use helmholtz::gpu::{Buffer, Gpu, Recording};
use helmholtz::kernels::pad4;
use helmholtz::kernels::score_projection::{self, Project};
use helmholtz::kernels::scores::{self, Combine, Shape, Weights};
use helmholtz::reference::{optimize, scores as twin};

use crate::harness::{Check, close, mutant, padded, random, unpadded, verify};

/// Splits into (hi, lo) pairs; the numbers need 48 bits at most.
fn pairs(x: &[f64]) -> Vec<f32> {
    x.iter().flat_map(|&v| [v as f32, (v - v as f32 as f64) as f32]).collect()
}

fn joined(x: &[f32]) -> Vec<f64> {
    x.chunks(2).map(|p| p[0] as f64 + p[1] as f64).collect()
}

/// Numbers with 48 significant bits.
fn fine(seed: u64, count: usize) -> Vec<f64> {
    random(seed, count).iter().zip(random(seed + 1, count)).map(|(a, b)| a + b * 1e-8).collect()
}

/// Largest error over the sum of the moduli of the terms.
fn exact(what: &str, got: &[f64], want: &[f64], scale: f64) -> Check {
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        // 48 bits a product, low words rounded once a term: (3e-15 + ε² n) of the terms' size
        let off = (g - w).abs() / scale;
        if !(off <= 1e-12) {
            return Err(format!("{what}[{i}]: {g:e} want {w:e}, {off:.1e} of {scale:.1e}"));
        }
    }
    Ok(())
}

const SHAPES: [(usize, usize, usize); 6] = [(1, 1, 1), (5, 1, 7), (3, 2, 64), (33, 2, 30), (70, 1, 131), (40, 2, 257)];

fn text(e: helmholtz::Error) -> String {
    e.to_string()
}

/// O v, then damping v + scale Oᵀ w and (v - scale Oᵀ w) / regularised.
pub(crate) fn products(gpu: &Gpu) -> Check {
    for (case, &(batch, parts, parameters)) in SHAPES.iter().enumerate() {
        let shape = Shape { batch, parts, parameters };
        let (rows, seed) = (shape.rows(), 10 * case as u64);
        let o = random(seed, rows * parameters);
        let (mut v, w) = (fine(seed + 1, parameters), fine(seed + 4, rows));
        // cancellation: the sum of a row is much smaller than its terms
        for c in (1..parameters).step_by(2) {
            v[c] *= 1e4;
        }
        let mut v_padded = pairs(&v);
        v_padded.resize(2 * shape.ld(), 0.0);
        let mut state = vec![0u32; 20];
        state[7] = 0.25f32.to_bits();
        let scores_buffer = gpu.upload("scores", &padded(&o, parameters));
        let (vb, wb, state) = (gpu.upload("v", &v_padded), gpu.upload("w", &pairs(&w)), gpu.upload("state", &state));
        let u = Buffer::new("u", 2 * rows);
        let partial = Buffer::new("partial", shape.partial_words());
        let (damped, inverse) = (Buffer::new("damped", 2 * shape.ld()), Buffer::new("inverse", 2 * shape.ld()));
        let mut rec = Recording::new();
        scores::apply(&mut rec, "apply", gpu.profile, shape, &scores_buffer, &vb, &u, &state);
        let weights = Weights { stride: 2, two_words: true, ..Weights::default() };
        let blocks = scores::transpose(&mut rec, "transpose", shape, &scores_buffer, &wb, weights, &partial, &state);
        let how = Combine::Damped { damping: 1e-3, scale: 1.0 / 3.0 };
        scores::combine(&mut rec, "damped", shape, blocks, how, &partial, &vb, &damped, &state);
        scores::combine(&mut rec, "Woodbury", shape, blocks, Combine::Woodbury { scale: 0.7 }, &partial, &vb, &inverse, &state);
        gpu.run(&rec).map_err(text)?;
        let want = twin::apply(&o, &v);
        exact("O v", &joined(&gpu.read::<f32>(&u).map_err(text)?), &want, 1e4 * parameters as f64)?;
        let t = twin::weighted_sum(&o, &w, parameters);
        let want: Vec<f64> = t.iter().zip(&v).map(|(t, v)| 1e-3 * v + t / 3.0).collect();
        exact("F v", &joined(&gpu.read::<f32>(&damped).map_err(text)?), &want, 10.0 + rows as f64)?;
        let want: Vec<f64> = t.iter().zip(&v).map(|(t, v)| (v - 0.7 * t) / 0.25).collect();
        exact("Woodbury", &joined(&gpu.read::<f32>(&inverse).map_err(text)?), &want, 4e4 + 4.0 * rows as f64)?;
    }
    Ok(())
}

/// Weighted sums of all rows and of one part, into the middle of a buffer.
fn sums(gpu: &Gpu) -> Check {
    for (case, &(batch, parts, parameters)) in SHAPES.iter().enumerate() {
        let shape = Shape { batch, parts, parameters };
        let seed = 100 + 10 * case as u64;
        let (o, w) = (random(seed, shape.rows() * parameters), random(seed + 1, shape.rows()));
        let scores_buffer = gpu.upload("scores", &padded(&o, parameters));
        let weights = gpu.upload("weights", &w.iter().map(|&x| x as f32).collect::<Vec<_>>());
        let partial = Buffer::new("partial", shape.partial_words());
        let out = Buffer::new("out", 2 * parameters + 3);
        let mut rec = Recording::new();
        let last = Weights { part: Some(parts - 1), ..Weights::default() };
        scores::weighted_sum(&mut rec, "all", shape, &scores_buffer, &weights, Weights::default(), 0.5, &partial, &out, 0);
        scores::weighted_sum(&mut rec, "part", shape, &scores_buffer, &weights, last, 2.0, &partial, &out, parameters + 3);
        gpu.run(&rec).map_err(text)?;
        let got: Vec<f32> = gpu.read(&out).map_err(text)?;
        let want: Vec<f64> = twin::weighted_sum(&o, &w, parameters).iter().map(|x| 0.5 * x).collect();
        // one rounding of the result and one of the product with the scale
        close("all rows", &got[..parameters], &want, 1.5 * f32::EPSILON as f64)?;
        let chosen: Vec<f64> = w.iter().enumerate().map(|(r, &x)| if r % parts == parts - 1 { 2.0 * x } else { 0.0 }).collect();
        close("one part", &got[parameters + 3..], &twin::weighted_sum(&o, &chosen, parameters), 1.5 * f32::EPSILON as f64)?;
    }
    Ok(())
}

/// The projection of a vector (to the square of ε) and of the score rows (to a few ε of the unprojected rows).
fn projections(gpu: &Gpu) -> Check {
    for (case, &(batch, dim, parameters)) in [(4, 0, 5), (33, 2, 30), (70, 3, 131), (300, 2, 9)].iter().enumerate() {
        let shape = Shape { batch, parts: 2, parameters };
        let (rows, seed) = (shape.rows(), 200 + 10 * case as u64);
        let mut o = random(seed, rows * parameters);
        let momenta: Vec<f64> = random(seed + 1, batch * dim).iter().map(|x| (9.0 * x).round()).collect();
        let mut u = fine(seed + 2, rows);
        for r in 0..rows {
            u[r] += 50.0 + if r % 2 == 1 && dim > 0 { 20.0 * momenta[r / 2 * dim] } else { 0.0 };
        }
        let scores_buffer = gpu.upload("scores", &padded(&o, parameters));
        let mut stored: Vec<f32> = momenta.iter().map(|&x| x as f32).collect();
        stored.resize(stored.len().max(4), 0.0);
        let (mb, ub) = (gpu.upload("momenta", &stored), gpu.upload("u", &pairs(&u)));
        let (basis, gate) = (Buffer::new("basis", 8 * rows), gpu.upload("gate", &[0u32; 20]));
        let (coefficients, partial) = (Buffer::new("coefficients", 8 * shape.ld()), Buffer::new("partial", shape.partial_words()));
        let out = pad4(rows) + 4;
        let (vector, projected) = (Buffer::new("vector", out), Buffer::new("rows", out * shape.ld()));
        let (wide, columns) = (pad4(parameters) + 8, 1 + dim);
        let turned = Buffer::new("turned", wide * pad4(rows));
        let mut rec = Recording::new();
        rec.clear(&coefficients);
        score_projection::basis(&mut rec, "basis", gpu.profile, batch, &mb, dim, &basis);
        let p = Project { rows, parts: 2, columns, load: false, store: Some((2.0, out)) };
        score_projection::project(&mut rec, "project", gpu.profile, p, &basis, &ub, &vector, &gate);
        for part in 0..2 {
            for column in 0..if part == 0 { 1 } else { columns } {
                let weights = Weights { offset: column, stride: 8, two_words: false, part: Some(part) };
                let at = (4 * part + column) * shape.ld();
                scores::weighted_sum(&mut rec, "means", shape, &scores_buffer, &basis, weights, 1.0, &partial, &coefficients, at);
            }
        }
        score_projection::rows(&mut rec, "rows", shape, columns, 3.0, false, out, &scores_buffer, &basis, &coefficients, &projected);
        score_projection::rows(&mut rec, "turned", shape, columns, 3.0, true, wide, &scores_buffer, &basis, &coefficients, &turned);
        gpu.run(&rec).map_err(text)?;
        optimize::project_rows(&mut u, batch, 2, 1, &momenta);
        exact("projected vector", &joined(&gpu.read::<f32>(&ub).map_err(text)?), &u, 100.0)?;
        let got: Vec<f32> = gpu.read(&vector).map_err(text)?;
        let mut want: Vec<f64> = u.iter().map(|x| 2.0 * x).collect();
        want.resize(out, 0.0);
        close("stored vector", &got, &want, 2.0 * f32::EPSILON as f64)?;
        optimize::project_rows(&mut o, batch, 2, parameters, &momenta);
        let mut want: Vec<f64> = o.iter().map(|x| 3.0 * x).collect();
        want.resize(out * parameters, 0.0);
        // rows of size 1, four columns of Q with means of size 1: each adds a few ε
        let got: Vec<f32> = gpu.read(&projected).map_err(text)?;
        close("projected rows", &unpadded(&got, parameters), &want, 2e-6)?;
        let got: Vec<f32> = gpu.read(&turned).map_err(text)?;
        let want: Vec<f64> = (0..wide)
            .flat_map(|c| (0..rows).map(move |r| (r, c)))
            .map(|(r, c)| if c < parameters { 3.0 * o[r * parameters + c] } else { 0.0 })
            .collect();
        close("transposed rows", &unpadded(&got, rows), &want, 2e-6)?;
    }
    Ok(())
}

#[test]
fn score_products_keep_48_bits() {
    verify(products);
    verify(sums);
}

#[test]
fn score_projections_agree_with_regressions() {
    verify(projections);
}

#[test]
fn broken_score_kernels_are_noticed() {
    mutant(&scores::APPLY, "t.lo += o * low;", "", products);
    mutant(&scores::TRANSPOSE, "if (p.two_words != 0u)", "if (false)", products);
    mutant(&scores::TRANSPOSE, "i < end; i++", "i + 1u < end; i++", sums);
    mutant(&scores::COMBINE, "vec2<f32>(p.damping, p.damping_low)", "vec2<f32>(p.damping, 0.0)", products);
    mutant(&scores::SUM, "b < p.blocks", "b < 1u", sums);
    mutant(&score_projection::BASIS, "step < 2u * j", "step < 1u", projections);
    mutant(&score_projection::PROJECT, "step < 2u * p.columns", "step < p.columns", projections);
    mutant(&score_projection::ROWS, "q.z * coefficients", "q.y * coefficients", projections);
    mutant(&score_projection::ROWS, "out[(4u * c + q) * p.out4 + i] = block[q]", "out[(4u * c + q) * p.out4 + i] = block[0]", projections);
}
