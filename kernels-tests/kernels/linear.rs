//! linear, outer, pack against dense products at odd sizes and tile edges.

use helmholtz::gpu::{Buffer, Gpu, Recording};
use helmholtz::kernels::{column_sum, linear, outer, pack, pad4};
use helmholtz::reference::linear as twin;

use crate::harness::{Check, close, mutant, padded, random, unpadded, verify};

/// Products of k terms of size 1: rounding grows like k ε; 4 k ε is a safe bound on the worst term.
fn bound(k: usize) -> f64 {
    4.0 * k as f64 * f32::EPSILON as f64
}

fn product(gpu: &Gpu) -> Check {
    for (case, &(rows, k, n)) in [(1, 1, 1), (7, 5, 3), (8, 16, 16), (33, 37, 21), (64, 4, 9), (250, 131, 141)].iter().enumerate() {
        let (x, w, b) = (random(case as u64, rows * k), random(10 + case as u64, k * n), random(20 + case as u64, n));
        let mut stored: Vec<f32> = b.iter().map(|&v| v as f32).collect();
        stored.extend(w.iter().map(|&v| v as f32));
        let mut layout = pack::Layout::default();
        let w_at = layout.matrix(n, n, 0, k);
        let b_at = layout.vector(0, n);
        let t_at = layout.transposed(n, n, 0, k);
        let (params, map) = (gpu.upload("parameters", &stored), gpu.upload("map", &layout.map()));
        let packed = Buffer::new("packed", layout.words());
        let xb = gpu.upload("x", &padded(&x, k));
        let y = Buffer::new("y", rows * pad4(n));
        let back = Buffer::new("x w w^T", rows * pad4(k));
        let mut rec = Recording::new();
        pack::record(&mut rec, "pack", layout.words(), (&params, stored.len()), &map, &packed);
        let p = linear::Params::new(rows, pad4(k) / 4, pad4(n) / 4, w_at);
        let [first, again] = [p.bias(b_at, 3), p.accumulate()];
        linear::record_in(&mut rec, gpu.profile, "product", first, &xb, &packed, &y);
        linear::record_in(&mut rec, gpu.profile, "again", again, &xb, &packed, &y);
        let p = linear::Params::new(rows, pad4(n) / 4, pad4(k) / 4, t_at);
        linear::record_in(&mut rec, gpu.profile, "back", p, &y, &packed, &back);
        gpu.run(&rec).map_err(|e| e.to_string())?;
        let mut want = twin::linear(&x, &w, &[], k, n);
        for (i, v) in want.iter_mut().enumerate() {
            *v = 2.0 * *v + if (i / n) % 3 == 0 { b[i % n] } else { 0.0 };
        }
        let got: Vec<f32> = gpu.read(&y).map_err(|e| e.to_string())?;
        close("x w + b", &unpadded(&got[..rows * pad4(n)], n), &want, bound(k))?;
        let wt: Vec<f64> = (0..n * k).map(|i| w[(i % k) * n + i / k]).collect();
        let got: Vec<f32> = gpu.read(&back).map_err(|e| e.to_string())?;
        close("y w^T", &unpadded(&got[..rows * pad4(k)], k), &twin::linear(&want, &wt, &[], n, k), bound(k + n))?;
    }
    Ok(())
}

/// Batches that share a matrix in pairs.
fn batched(gpu: &Gpu) -> Check {
    let (batches, rows, k, n) = (6, 9, 5, 7);
    let (x, w) = (random(1, batches * rows * k), random(2, 3 * k * n));
    let mut wp = Vec::new();
    for b in 0..3 {
        wp.extend(padded(&w[b * k * n..][..k * n], n));
        wp.resize((b + 1) * pad4(k) * pad4(n), 0.0);
    }
    let (xb, wb) = (gpu.upload("x", &padded(&x, k)), gpu.upload("w", &wp));
    let y = Buffer::new("y", batches * rows * pad4(n));
    let mut rec = Recording::new();
    let p = linear::Params {
        batches: batches as u32,
        x_stride: (rows * pad4(k) / 4) as u32,
        w_stride: (pad4(k) * pad4(n) / 4) as u32,
        w_div: 2,
        y_stride: (rows * pad4(n) / 4) as u32,
        ..linear::Params::new(rows, pad4(k) / 4, pad4(n) / 4, 0)
    };
    linear::record(&mut rec, "batched", p, &xb, &wb, &y);
    gpu.run(&rec).map_err(|e| e.to_string())?;
    let mut want = Vec::new();
    for b in 0..batches {
        want.extend(twin::linear(&x[b * rows * k..][..rows * k], &w[b / 2 * k * n..][..k * n], &[], k, n));
    }
    close("batched", &unpadded(&gpu.read(&y).map_err(|e| e.to_string())?, n), &want, bound(k))
}

fn gradient(gpu: &Gpu) -> Check {
    for (batches, rows, f, c) in [(1, 1, 1, 1), (3, 11, 5, 9), (2, 40, 16, 6)] {
        let (x, y) = (random(3, batches * rows * f), random(4, batches * rows * c));
        let (xb, yb) = (gpu.upload("x", &padded(&x, f)), gpu.upload("y", &padded(&y, c)));
        let stride = f * c + c;
        let g = Buffer::new("g", batches * stride);
        let (f4, c4) = (pad4(f) as u32 / 4, pad4(c) as u32 / 4);
        let p = outer::Params {
            batches: batches as u32,
            outer: 1,
            inner: rows as u32,
            rows_out: f as u32,
            cols: c as u32,
            x_stride: rows as u32 * f4,
            x_inner: f4,
            y_stride: rows as u32 * c4,
            y_inner: c4,
            g_stride: stride as u32,
            ..Default::default()
        };
        let mut rec = Recording::new();
        outer::record(&mut rec, "weights", p, &xb, &yb, &g);
        outer::record(&mut rec, "bias", outer::Params { rows_out: 1, g_offset: (f * c) as u32, flags: outer::ONES, ..p }, &xb, &yb, &g);
        // the same rows once more, as an outer loop
        let again = outer::Params { outer: rows as u32, inner: 1, x_outer: f4, y_outer: c4, flags: outer::ACCUMULATE, ..p };
        outer::record(&mut rec, "again", again, &xb, &yb, &g);
        gpu.run(&rec).map_err(|e| e.to_string())?;
        let got: Vec<f32> = gpu.read(&g).map_err(|e| e.to_string())?;
        for b in 0..batches {
            let (xs, ys) = (&x[b * rows * f..][..rows * f], &y[b * rows * c..][..rows * c]);
            let want: Vec<f64> = twin::outer(xs, ys, f, c).iter().map(|v| 2.0 * v).collect();
            close("outer", &got[b * stride..], &want, bound(rows))?;
            close("bias", &got[b * stride + f * c..], &twin::outer(&vec![1.0; rows], ys, 1, c), bound(rows))?;
        }
    }
    Ok(())
}

fn sums(gpu: &Gpu) -> Check {
    for (batches, rows, inner, c) in [(1, 1, 1, 1), (3, 33, 11, 9), (2, 700, 7, 70)] {
        let y = random(4, batches * rows * c);
        let (yb, c4, stride) = (gpu.upload("y", &padded(&y, c)), pad4(c) / 4, c + 3);
        let g = gpu.upload("g", &vec![0.5f32; batches * stride]);
        let p = outer::Params {
            batches: batches as u32,
            outer: (rows / inner) as u32,
            inner: inner as u32,
            cols: c as u32,
            y_stride: (rows * c4) as u32,
            y_outer: (inner * c4) as u32,
            y_inner: c4 as u32,
            g_offset: 1,
            g_stride: stride as u32,
            ..Default::default()
        };
        let mut rec = Recording::new();
        column_sum::record(&mut rec, "bias", p, &yb, &g);
        // the rows but the first of `inner` once more
        let again = outer::Params { outer: p.outer - 1, y_offset: p.y_outer, flags: outer::ACCUMULATE, ..p };
        column_sum::record(&mut rec, "again", again, &yb, &g);
        gpu.run(&rec).map_err(|e| e.to_string())?;
        let got: Vec<f32> = gpu.read(&g).map_err(|e| e.to_string())?;
        for b in 0..batches {
            let ys = &y[b * rows * c..][..rows * c];
            let [all, rest] = [0, inner].map(|from| twin::outer(&vec![1.0; rows - from], &ys[from * c..], 1, c));
            let want: Vec<f64> = all.iter().zip(&rest).map(|(a, r)| a + r).collect();
            close("sums", &got[b * stride + 1..][..c], &want, bound(2 * rows))?;
        }
        // what is no column of a batch stays
        if got[0] != 0.5 || got[c + 1..].iter().take(3).any(|v| *v != 0.5) {
            return Err("sums where no column is".into());
        }
    }
    Ok(())
}

#[test]
fn linear_agrees_with_dense_products() {
    verify(product);
    verify(batched);
}

#[test]
fn outer_agrees_with_dense_products() {
    verify(gradient);
}

#[test]
fn sums_of_rows_are_those_of_the_twin() {
    verify(sums);
}

#[test]
fn broken_kernels_are_noticed() {
    mutant(&linear::KERNEL, "a.w * w3", "a.w * w2", product);
    mutant(&linear::KERNEL, "(b / p.w_div)", "b", batched);
    mutant(&linear::KERNEL, "min(row + $ru, last)", "row", product);
    mutant(&outer::KERNEL, "a[3] += v.w * u", "a[3] += v.z * u", gradient);
    for (from, to) in [
        ("half >= COLS", "half > COLS"),
        ("r / p.inner * p.y_outer", "r / p.inner"),
        ("r += WG / COLS", "r += WG"),
        ("b * p.y_stride", "p.y_stride"),
        ("id % blocks * COLS", "0u"),
        ("4u * c + k >= p.cols", "4u * c + k > p.cols"),
        ("(p.flags & 1u) != 0u", "false"),
    ] {
        mutant(&column_sum::KERNEL, from, to, sums);
    }
    mutant(&pack::KERNEL, "packed[id] = 0.0", "packed[id] = 1.0", product);
}
