//! Causal attention and tanh against their twins, and a network with both and residuals against finite differences.

use helmholtz::gpu::{Buffer, Gpu, Recording};
use helmholtz::kernels::attention::{self, Columns, Shape};
use helmholtz::kernels::{activate, pad4};
use helmholtz::network::{Dense, Layer, Net};
use helmholtz::reference::attention as twin;
use helmholtz::reference::linear::linear;

use crate::bounds::refuses;
use crate::harness::{Check, close, mutant, padded, random, unpadded, verify};

/// Aligned heads and others, one token and many, more rows than a workgroup.
const SHAPES: [Shape; 4] = [
    Shape { count: 3, tokens: 5, heads: 2, size: 4 },
    Shape { count: 1, tokens: 1, heads: 1, size: 1 },
    Shape { count: 5, tokens: 9, heads: 5, size: 3 },
    Shape { count: 2, tokens: 17, heads: 3, size: 6 },
];

/// A product of two columns of a head, a softmax of at most 17 of them, a sum over tokens: chains of terms of order 1.
const BOUND: f64 = 32.0 * f32::EPSILON as f64;

/// Rows of q, k, v side by side, each padded.
fn side_by_side(parts: &[Vec<f64>; 3], units: usize) -> Vec<f32> {
    let rows = parts[0].len() / units;
    (0..rows).flat_map(|r| parts.iter().flat_map(move |p| padded(&p[r * units..][..units], units))).collect()
}

/// Weights and mixed values, and the reverse mode, in rows of their own and in those of q, k, v.
fn heads(gpu: &Gpu) -> Check {
    for shape in SHAPES {
        let Shape { count, tokens, heads, size } = shape;
        let (units, rows) = (heads * size, count * tokens);
        let (ld, squares) = (pad4(units), shape.squares());
        let parts = [1, 2, 3].map(|seed| random(seed, rows * units).iter().map(|v| 2.0 * v).collect::<Vec<f64>>());
        let d = random(4, rows * units);
        let (qkv, d_mixed) = (gpu.upload("q k v", &side_by_side(&parts, units)), gpu.upload("d", &padded(&d, units)));
        let new = |words: usize| Buffer::new("out", words);
        let (a, mixed, ds, d_parts) = (new(squares), new(rows * ld), new(squares), new(3 * rows * ld));
        let third = |buffer, k: usize| Columns { buffer, first: k * ld / 4, ld4: 3 * ld / 4 };
        let [q, k, v] = [0, 1, 2].map(|k| third(&qkv, k));
        let d_all = Columns::all(&d_mixed, units);
        let mut rec = Recording::new();
        attention::record(&mut rec, "a", shape, q, k, &a);
        attention::record_mix(&mut rec, "mix", shape, false, &a, v, Columns::all(&mixed, units));
        attention::record_vjp(&mut rec, "ds", shape, d_all, v, &a, &ds);
        attention::record_mix(&mut rec, "dq", shape, false, &ds, k, third(&d_parts, 0));
        attention::record_mix(&mut rec, "dk", shape, true, &ds, q, third(&d_parts, 1));
        attention::record_mix(&mut rec, "dv", shape, true, &a, d_all, third(&d_parts, 2));
        gpu.run(&rec).map_err(|e| e.to_string())?;
        let read = |b: &Buffer, words: usize| gpu.read_words::<f32>(b, words).map_err(|e| e.to_string());
        let (mixed, d_parts) = (unpadded(&read(&mixed, rows * ld)?, units), read(&d_parts, 3 * rows * ld)?);
        for w in 0..count {
            let sample = w * tokens * units..(w + 1) * tokens * units;
            let [q, k, v] = [0, 1, 2].map(|part| &parts[part][sample.clone()]);
            let (weights, want) = twin::attention(q, k, v, heads, units);
            close(&format!("{shape:?} mixed {w}"), &mixed[sample.clone()], &want, BOUND)?;
            for (part, want) in twin::attention_vjp(q, k, v, &weights, &d[sample.clone()], heads, units).iter().enumerate() {
                let rows = d_parts[3 * w * tokens * ld..].chunks(ld).skip(part).step_by(3).take(tokens);
                let got: Vec<f32> = rows.flat_map(|row| row[..units].to_vec()).collect();
                close(&format!("{shape:?} d part {part} of {w}"), &got, want, 2.0 * BOUND)?;
            }
        }
    }
    Ok(())
}

fn tanh(gpu: &Gpu) -> Check {
    let (x, d): (Vec<f64>, Vec<f64>) = (random(1, 300).iter().map(|v| 4.0 * v).collect(), random(2, 300));
    let (from, back, y) = (gpu.upload("x", &padded(&x, 4)), gpu.upload("d", &padded(&d, 4)), Buffer::new("y", 300));
    let mut rec = Recording::new();
    activate::record(&mut rec, "tanh", 75, &from, &y);
    activate::record_vjp(&mut rec, "vjp", 75, &y, &back);
    gpu.run(&rec).map_err(|e| e.to_string())?;
    let read = |b: &Buffer| gpu.read_words::<f32>(b, 300).map_err(|e| e.to_string());
    let (want, slope): (Vec<f64>, Vec<f64>) = x.iter().map(|v| (v.tanh(), v.cosh().powi(-2))).unzip();
    // a few eps of 1 in tanh, in 1 - y and in 1 + y
    close("tanh", &read(&y)?, &want, 4.0 * f32::EPSILON as f64)?;
    close("its vjp", &read(&back)?, &slope.iter().zip(&d).map(|(s, d)| s * d).collect::<Vec<f64>>(), 16.0 * f32::EPSILON as f64)
}

/// Two tokens a sample, residuals in a residual, a mask, layers with and without bias.
fn layers() -> (Vec<Layer>, usize) {
    let mut words = 0;
    let mut take = |count: usize| {
        words += count;
        words - count
    };
    let mut dense = |inputs: usize, outputs: usize, bias: bool| {
        let weights = take(inputs * outputs);
        Dense { inputs, outputs, weights, bias: bias.then(|| take(outputs)) }
    };
    let [embedding, query, key, value] = [dense(3, 6, true), dense(6, 6, true), dense(6, 6, false), dense(6, 6, true)];
    let [mixed, hidden, inner, back, output] =
        [dense(6, 6, false), dense(6, 5, true), dense(5, 5, true), dense(5, 6, true), dense(6, 2, true)];
    let slopes = take(5);
    let layers = vec![
        Layer::Dense(embedding),
        Layer::Residual(vec![Layer::Attention { tokens: 2, heads: 2, query, key, value }, Layer::Dense(mixed)]),
        Layer::Residual(vec![
            Layer::Dense(hidden),
            Layer::Prelu { units: 5, slopes },
            Layer::Residual(vec![Layer::Dense(inner), Layer::Tanh { units: 5 }, Layer::linear(5, 5, take(25), None)]),
            Layer::Dense(back),
        ]),
        Layer::Tanh { units: 6 },
        Layer::Dense(output),
    ];
    (layers, words)
}

/// Outputs of layers for the rows of one sample, in float64.
fn outputs(layers: &[Layer], w: &[f64], x: &[f64]) -> Vec<f64> {
    let dense = |d: &Dense, x: &[f64]| {
        linear(x, &w[d.weights..][..d.inputs * d.outputs], d.bias.map_or(&[], |b| &w[b..][..d.outputs]), d.inputs, d.outputs)
    };
    layers.iter().fold(x.to_vec(), |x, layer| match layer {
        Layer::Dense(d) => dense(d, &x),
        Layer::MaskedLinear { shape, weights, .. } => {
            let columns: Vec<f64> =
                (0..shape.words()).map(|i| w[weights + i % shape.rows() * shape.columns() + i / shape.rows()]).collect();
            linear(&x, &columns, &[], shape.columns(), shape.rows())
        }
        Layer::Attention { heads, query, key, value, .. } => {
            twin::attention(&dense(query, &x), &dense(key, &x), &dense(value, &x), *heads, query.outputs).1
        }
        Layer::Residual(inner) => outputs(inner, w, &x).iter().zip(&x).map(|(f, x)| f + x).collect(),
        Layer::Prelu { units, slopes } => {
            x.iter().enumerate().map(|(i, v)| if *v > 0.0 { *v } else { v * w[slopes + i % units] }).collect()
        }
        Layer::Tanh { .. } => x.iter().map(|v| v.tanh()).collect(),
        Layer::MaskedConvolution { .. } | Layer::ChannelPrelu { .. } | Layer::Positions { .. } => unreachable!("{layer:?}"),
    })
}

/// Outputs, scores, and the gradient by parameters and by the input of three samples, for arbitrary gradients by the outputs.
fn network(gpu: &Gpu) -> Check {
    let (layers, words) = layers();
    let net = Net::new(&layers, words, 3).map_err(|e| e.to_string())?;
    let (mut w, mut x, d) = (random(1, words), random(2, 18), random(3, 12));
    let (xb, db) = (gpu.upload("x", &padded(&x, 3)), gpu.upload("d", &padded(&d, 2)));
    let (scores, gradient, dx) = (Buffer::new("scores", 3 * net.leading()), Buffer::new("gradient", net.leading()), Buffer::new("dx", 24));
    let parameters: Vec<f32> = w.iter().map(|v| *v as f32).collect();
    let mut rec = Recording::new();
    net.record_pack(&mut rec, &gpu.upload("w", &parameters));
    net.record_forward(&mut rec, 3, &xb);
    net.record_scores(&mut rec, 3, &xb, &db, &scores, 0, false);
    net.record_vjp(&mut rec, 3, &xb, &db, &gradient, false, Some(&dx));
    gpu.run(&rec).map_err(|e| e.to_string())?;
    let read = |b: &Buffer, words: usize| gpu.read_words::<f32>(b, words).map_err(|e| e.to_string());
    let value = |w: &[f64], x: &[f64], s: usize| {
        let y = outputs(&layers, w, &x[6 * s..][..6]);
        y.iter().zip(&d[4 * s..]).map(|(y, d)| y * d).sum::<f64>()
    };
    let y: Vec<f64> = (0..3).flat_map(|s| outputs(&layers, &w, &x[6 * s..][..6])).collect();
    // eight layers of sums of at most 6 terms of order 1; 1e-10 of the differences is nothing beside
    let bound = 64.0 * f32::EPSILON as f64;
    close("outputs", &unpadded(&read(net.output(), 24)?, 2), &y, bound)?;
    let h = 1e-5;
    let mut sum = vec![0.0; words];
    for s in 0..3 {
        let slopes: Vec<f64> = (0..words)
            .map(|i| {
                let keep = w[i];
                let [high, low] = [h, -h].map(|shift| {
                    w[i] = keep + shift;
                    value(&w, &x, s)
                });
                w[i] = keep;
                (high - low) / (2.0 * h)
            })
            .collect();
        close(&format!("score {s}"), &read(&scores, 3 * net.leading())?[s * net.leading()..], &slopes, bound)?;
        sum.iter_mut().zip(&slopes).for_each(|(t, v)| *t += v);
    }
    close("gradient", &read(&gradient, net.leading())?, &sum, bound)?;
    let by_x: Vec<f64> = (0..18)
        .map(|i| {
            let keep = x[i];
            let [high, low] = [h, -h].map(|shift| {
                x[i] = keep + shift;
                value(&w, &x, i / 6)
            });
            x[i] = keep;
            (high - low) / (2.0 * h)
        })
        .collect();
    close("dx", &unpadded(&read(&dx, 24)?, 3), &by_x, bound)
}

#[test]
fn heads_agree_with_their_twin() {
    verify(heads);
}

#[test]
fn tanh_agrees_with_its_twin() {
    verify(tanh);
}

#[test]
fn a_network_of_residuals_has_its_derivatives() {
    verify(network);
}

#[test]
fn short_buffers_are_refused() {
    let shape = Shape { count: 3, tokens: 5, heads: 2, size: 3 };
    // rows of 6 in the second and third of three columns of 8 words
    fn part(buffer: &Buffer, first: usize) -> Columns<'_> {
        Columns { buffer, first, ld4: 6 }
    }
    refuses("attention", &[14 * 24 + 16, 15 * 24, 150], |rec, b| attention::record(rec, "a", shape, part(&b[0], 2), part(&b[1], 4), &b[2]));
    refuses("attention vjp", &[15 * 8, 15 * 24, 150, 150], |rec, b| {
        attention::record_vjp(rec, "a", shape, Columns::all(&b[0], 6), part(&b[1], 4), &b[2], &b[3]);
    });
    refuses("mix", &[150, 14 * 24 + 16, 15 * 8], |rec, b| {
        attention::record_mix(rec, "m", shape, true, &b[0], part(&b[1], 2), Columns::all(&b[2], 6));
    });
    refuses("tanh", &[40, 40], |rec, b| activate::record(rec, "t", 10, &b[0], &b[1]));
    refuses("tanh vjp", &[40, 40], |rec, b| activate::record_vjp(rec, "t", 10, &b[0], &b[1]));
}

#[test]
fn layers_that_do_not_fit_are_refused() {
    let dense = |inputs, outputs| Dense { inputs, outputs, weights: 0, bias: None };
    let attention = |tokens, heads, value| Layer::Attention { tokens, heads, query: dense(4, 4), key: dense(4, 4), value };
    let within = |inner: Vec<Layer>| vec![Layer::Dense(dense(4, 4)), Layer::Residual(inner), Layer::Dense(dense(4, 4))];
    let last = || Layer::Dense(dense(4, 4));
    for (layers, said) in [
        (within(vec![attention(3, 2, dense(4, 4))]), "layer 1 is a residual"),
        (within(vec![]), "the next takes 0"),
        (within(vec![Layer::Tanh { units: 4 }, last()]), "layer 1 is a residual"),
        (within(vec![last(), Layer::Dense(dense(4, 3))]), "layer 1"),
        (within(vec![last(), Layer::Tanh { units: 3 }, last()]), "layer 1.0 has 4 outputs, the next takes 3"),
        (within(vec![attention(3, 2, dense(4, 5)), last()]), "layer 1.0"),
        (within(vec![attention(3, 3, dense(4, 4)), last()]), "layer 1.0 has q, k, v of several shapes"),
        (within(vec![attention(3, 2, dense(4, 4)), attention(2, 2, dense(4, 4)), last()]), "layers of 3 tokens and of 2"),
    ] {
        let text = Net::new(&layers, 20, 8).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(text.contains(said), "{text}");
    }
}

#[test]
fn broken_kernels_are_noticed() {
    mutant(&attention::ATTENTION, "s *= p.scale;", "", heads);
    mutant(&attention::ATTENTION, "- mean);", "- 0.9 * mean);", heads);
    mutant(&attention::ATTENTION, "low + p.size)", "low + p.size + 1u)", heads);
    mutant(&attention::ATTENTION, "p.k_first + ", "", heads);
    mutant(&attention::MIX, "a[at.y], a[at.z]", "a[at.x], a[at.z]", heads);
    mutant(&attention::MIX, "select(t + 1u, p.tokens, transposed)", "p.tokens", heads);
    mutant(&attention::MIX, "p.y_first + ", "", heads);
    mutant(&activate::KERNEL, "(1.0 - v) * (1.0 + v)", "(1.0 - v)", tanh);
}
