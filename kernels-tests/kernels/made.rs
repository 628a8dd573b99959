//! Masked networks of spins: logits, ln q0, scores and gradients against the float64 twin, which is checked against finite
//! differences.

use helmholtz::gpu::{Buffer, Gpu, Profile, Recording};
use helmholtz::kernels::Chunk;
use helmholtz::kernels::{bernoulli, linear, masked_outer, pad4, prelu};
use helmholtz::model::made::Made;
use helmholtz::network::{Autoregressive, Layer, Net, Triangle};
use helmholtz::reference::made::Twin;

use crate::bounds::refuses;
use crate::harness::{Check, close, mutant, padded, random, unpadded, verify};

/// A model with parameters, and spins of some samples.
pub struct Setup {
    pub model: Made,
    pub parameters: Vec<f64>,
    pub spins: Vec<f64>,
}

pub fn shape(sites: usize, depth: usize, width: usize, bias: bool, prelu: bool) -> Made {
    Made { sites, depth, width, bias, prelu }
}

impl Setup {
    /// Random parameters such that sums over what a unit sees are of order 1.
    pub fn random(model: Made, samples: usize) -> Setup {
        let seed = (100 * model.sites + 10 * model.depth + model.width) as u64;
        let scale = 2.0 / (model.width as f64).sqrt().max(1.0);
        let parameters = random(seed, model.parameters().len()).iter().map(|v| (scale * v) as f32 as f64).collect();
        let spins = random(seed + 1, samples * model.sites).iter().map(|v| v.signum()).collect();
        Setup { model, parameters, spins }
    }

    pub fn twin(&self) -> Twin<'_> {
        Twin { model: &self.model, parameters: &self.parameters }
    }

    pub fn network(&self, batch: usize, profile: Profile) -> Result<Autoregressive, String> {
        Autoregressive::new(&self.model.layers(), self.parameters.len(), batch, profile).map_err(|e| e.to_string())
    }

    pub fn samples(&self) -> std::slice::Chunks<'_, f64> {
        self.spins.chunks(self.model.sites)
    }

    pub fn upload(&self, gpu: &Gpu) -> Buffer {
        gpu.upload("parameters", &single(&self.parameters))
    }

    /// Rounding of a sum over what a unit sees grows as the root of its terms; each layer adds its own, and the sum over
    /// sites, or over samples, another.
    pub fn bound(&self) -> f64 {
        let terms = (self.model.sites * self.model.width.max(1)) as f64;
        2.0 * (self.model.depth as f64 + 1.0) * (terms.sqrt() + 4.0) * f32::EPSILON as f64
    }
}

pub fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&v| v as f32).collect()
}

/// Every state of n spins.
pub fn states(n: usize) -> Vec<f64> {
    (0..1usize << n).flat_map(|state| (0..n).map(move |i| if state >> i & 1 == 1 { 1.0 } else { -1.0 })).collect()
}

fn failed(e: helmholtz::Error) -> String {
    e.to_string()
}

/// ln q0, scores and the gradient with factors 1, -2, 3, ..., in chunks of `batch`; first of all the logits, in one.
pub fn evaluate(gpu: &Gpu, s: &Setup, batch: usize, sign: f32) -> Result<[Vec<f32>; 4], String> {
    let k = s.network(batch, gpu.profile)?;
    let (samples, ld) = (s.samples().len(), k.net().leading());
    let factors: Vec<f32> = (0..samples).map(|w| factor(w) as f32).collect();
    let (params, spins, factors) = (s.upload(gpu), gpu.upload("spins", &single(&s.spins)), gpu.upload("factors", &factors));
    let (log_q, scores, gradient) = (Buffer::new("q", samples), Buffer::new("scores", samples * ld), Buffer::new("gradient", ld));
    let logits = logits(gpu, s, sign)?;
    let mut rec = Recording::new();
    k.record_pack(&mut rec, &params);
    for first in (0..samples).step_by(batch) {
        let chunk = Chunk { first, count: batch.min(samples - first) };
        // each chunk with passes of its own, or with those of ln q
        let pass = k.record_log_q(&mut rec, chunk, sign, &spins, &log_q);
        if first == 0 {
            k.record_scores(&mut rec, chunk, sign, &spins, &scores, first);
            k.record_gradient(&mut rec, chunk, sign, &spins, &factors, &gradient, false);
        } else {
            k.record_scores_of(&mut rec, pass, &spins, &scores, first);
            let pass = k.record_log_q(&mut rec, chunk, sign, &spins, &log_q);
            k.record_gradient_of(&mut rec, pass, &spins, &factors, &gradient, true);
        }
    }
    gpu.run(&rec).map_err(failed)?;
    let read = |b: &Buffer, words: usize| gpu.read_words::<f32>(b, words).map_err(failed);
    Ok([logits, read(&log_q, samples)?, read(&scores, samples * ld)?, read(&gradient, ld)?])
}

/// Logits of all samples from the network alone, without padding.
pub fn logits(gpu: &Gpu, s: &Setup, sign: f32) -> Result<Vec<f32>, String> {
    let (n, samples) = (s.model.sites, s.samples().len());
    let net = Net::new(&s.model.layers(), s.parameters.len(), samples).map_err(failed)?;
    let rows: Vec<f64> = s.spins.iter().map(|v| v * sign as f64).collect();
    let x = gpu.upload("x", &padded(&rows, n));
    let mut rec = Recording::new();
    net.record_pack(&mut rec, &s.upload(gpu));
    net.record_forward(&mut rec, samples, &x);
    gpu.run(&rec).map_err(failed)?;
    Ok(unpadded(&gpu.read_words(net.output(), samples * pad4(n)).map_err(failed)?, n))
}

fn factor(w: usize) -> f64 {
    (w as f64 + 1.0) * if w.is_multiple_of(2) { 1.0 } else { -1.0 }
}

/// The largest term: sums over samples round relative to it, not to what is left of them.
fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0_f64, |m, v| m.max(v.abs()))
}

fn compare(gpu: &Gpu, s: &Setup, batch: usize, sign: f32) -> Check {
    let [logits, log_q, scores, gradient] = evaluate(gpu, s, batch, sign)?;
    let (twin, n, count) = (s.twin(), s.model.sites, s.parameters.len());
    let ld = pad4(count);
    let (mut sum, mut size) = (vec![0.0; count], 1e-30);
    for (w, spins) in s.samples().enumerate() {
        let spins: Vec<f64> = spins.iter().map(|v| v * sign as f64).collect();
        let what = |name: &str| format!("{:?} {name} {w}", s.model);
        close(&what("logits"), &logits[w * n..], &twin.logits(&spins), s.bound())?;
        close(&what("ln q"), &log_q[w..], &[twin.log_q(&spins)], s.bound())?;
        let score = twin.score(&spins);
        let got = &scores[w * ld..][..ld];
        close(&what("score"), got, &score, s.bound())?;
        if got[count..].iter().any(|v| v.to_bits() != 0) {
            return Err(format!("padding of score {w}: {:?}", &got[count..]));
        }
        sum.iter_mut().zip(&score).for_each(|(t, v)| *t += factor(w) * v);
        size += factor(w).abs() * largest(&score);
    }
    sum.push(size);
    let gradient: Vec<f32> = gradient[..count].iter().copied().chain([size as f32]).collect();
    close(&format!("{:?} gradient", s.model), &gradient, &sum, s.bound())
}

/// Odd sizes, batches of less than a tile and of several, and a rest.
fn sizes(gpu: &Gpu) -> Check {
    for (n, depth, width, bias, prelu, samples, batch, sign) in [
        (7, 1, 1, false, true, 1, 1, 1.0),
        (20, 1, 3, true, true, 9, 9, 1.0),
        (7, 2, 1, true, true, 9, 9, -1.0),
        (20, 2, 5, false, true, 9, 9, 1.0),
        (7, 2, 3, true, false, 70, 33, 1.0),
        (20, 3, 3, true, true, 9, 5, 1.0),
        (7, 3, 5, true, true, 70, 70, -1.0),
        (2, 3, 1, false, false, 1, 1, 1.0),
        // more groups of 16 rows than sums of gradients are divided into
        (7, 1, 1, true, true, 1100, 1100, 1.0),
    ] {
        compare(gpu, &Setup::random(shape(n, depth, width, bias, prelu), samples), batch, sign)?;
    }
    Ok(())
}

/// One shape with every kind of parameter, in chunks, for the mutants.
fn chunks(gpu: &Gpu) -> Check {
    compare(gpu, &Setup::random(shape(7, 3, 3, true, true), 37), 33, -1.0)
}

/// More units a site than a vec4 holds: whole blocks lie above the diagonal.
fn wide(gpu: &Gpu) -> Check {
    compare(gpu, &Setup::random(shape(7, 3, 5, true, true), 9), 9, 1.0)
}

/// Products with arbitrary gradients by the logits, from given rows to rows.
fn products(gpu: &Gpu) -> Check {
    for (n, samples) in [(7, 70), (9, 9)] {
        let s = Setup::random(shape(n, 3, 3, true, true), samples);
        let net = Net::new(&s.model.layers(), s.parameters.len(), samples).map_err(failed)?;
        // any numbers may enter, not only spins
        let (rows, d) = (random(5, samples * n), random(6, samples * n));
        let (x, dy) = (gpu.upload("x", &padded(&rows, n)), gpu.upload("d", &padded(&d, n)));
        let (gradient, dx) = (Buffer::new("gradient", net.leading()), Buffer::new("dx", samples * pad4(n)));
        let mut rec = Recording::new();
        net.record_pack(&mut rec, &s.upload(gpu));
        net.record_forward(&mut rec, samples, &x);
        net.record_vjp(&mut rec, samples, &x, &dy, &gradient, false, Some(&dx));
        gpu.run(&rec).map_err(failed)?;
        let mut sum = vec![0.0; s.parameters.len()];
        let mut inputs = Vec::new();
        for (x, d) in rows.chunks(n).zip(d.chunks(n)) {
            let [by_parameters, by_x] = s.twin().vjp(x, d);
            sum.iter_mut().zip(&by_parameters).for_each(|(t, v)| *t += v);
            inputs.extend(by_x);
        }
        let read = |b: &Buffer, words: usize| gpu.read_words::<f32>(b, words).map_err(failed);
        close("gradient", &read(&gradient, net.leading())?, &sum, s.bound() + samples as f64 * f32::EPSILON as f64)?;
        close("dx", &unpadded(&read(&dx, samples * pad4(n))?, n), &inputs, s.bound())?;
    }
    Ok(())
}

#[test]
fn network_agrees_with_its_twin() {
    verify(sizes);
    verify(chunks);
}

#[test]
fn products_agree_with_the_twin() {
    verify(products);
}

/// Flipping s_j leaves the logits of the sites up to j as they are, bit by bit.
#[test]
fn masks_hold() {
    verify(|gpu| {
        for depth in [1, 2, 3] {
            let mut s = Setup::random(shape(7, depth, 3, true, true), 8);
            let first = s.spins[..7].to_vec();
            for j in 0..7 {
                s.spins[7 * (j + 1)..7 * (j + 2)].copy_from_slice(&first);
                s.spins[7 * (j + 1) + j] *= -1.0;
            }
            let got = logits(gpu, &s, 1.0)?;
            for j in 0..7 {
                let flipped = &got[7 * (j + 1)..7 * (j + 2)];
                if flipped[..=j] != got[..=j] || (j < 6 && flipped[j + 1] == got[j + 1]) {
                    return Err(format!("depth {depth}: s_{j} flipped: {flipped:?} from {:?}", &got[..7]));
                }
            }
        }
        Ok(())
    });
}

/// Each of the 2^n probabilities has the relative error of its ln q.
#[test]
fn probabilities_add_up_to_one() {
    verify(|gpu| {
        for (n, depth, width) in [(8, 1, 1), (7, 2, 5), (8, 3, 2)] {
            let mut s = Setup::random(shape(n, depth, width, true, true), 1);
            s.spins = states(n);
            for sign in [1.0, -1.0] {
                let [_, log_q, ..] = evaluate(gpu, &s, 100, sign)?;
                let sum: f64 = log_q.iter().map(|l| (*l as f64).exp()).sum();
                let most = log_q.iter().fold(0.0_f64, |m, l| m.max(-*l as f64));
                if !((sum - 1.0).abs() < s.bound() * most) {
                    return Err(format!("{:?}: probabilities add up to {sum}", s.model));
                }
            }
        }
        Ok(())
    });
}

#[test]
fn twin_products_are_derivatives() {
    for prelu in [true, false] {
        let mut s = Setup::random(shape(5, 3, 2, true, prelu), 1);
        let (mut spins, d) = (s.spins.clone(), random(3, 5));
        let (score, [by_parameters, by_spins]) = (s.twin().score(&spins), s.twin().vjp(&spins, &d));
        let product = |s: &Setup, spins: &[f64]| s.twin().logits(spins).iter().zip(&d).map(|(l, d)| l * d).sum::<f64>();
        // h^2 / 6 times a third derivative of order 10, and 1e-16 / h of rounding; no kink of a PReLU lies that near
        let (h, bound) = (1e-5, 1e-8);
        let slope = |high: f64, low: f64, want: f64| {
            let got = (high - low) / (2.0 * h);
            assert!((got - want).abs() < bound, "{got} instead of {want}");
        };
        for i in 0..s.parameters.len() {
            let keep = s.parameters[i];
            let [high, low] = [h, -h].map(|shift| {
                s.parameters[i] = keep + shift;
                (s.twin().log_q(&spins), product(&s, &spins))
            });
            s.parameters[i] = keep;
            slope(high.0, low.0, score[i]);
            slope(high.1, low.1, by_parameters[i]);
        }
        for i in 0..5 {
            let keep = spins[i];
            let [high, low] = [h, -h].map(|shift| {
                spins[i] = keep + shift;
                product(&s, &spins)
            });
            spins[i] = keep;
            slope(high, low, by_spins[i]);
        }
    }
}

/// ln q0 stays exact where 1 + exp rounds to 1 or overflows: no floor of ln q, no infinity.
#[test]
fn large_logits_are_finite() {
    verify(|gpu| {
        let mut s = Setup::random(shape(5, 1, 1, true, true), 9);
        s.parameters.iter_mut().for_each(|v| *v *= 60.0);
        compare(gpu, &s, 9, 1.0)
    });
}

#[test]
fn sizes_are_the_published_ones() {
    let ising = shape(256, 3, 4, true, true);
    let all: usize = (0..3).map(|k| ising.shape(k).rows() * ising.shape(k).columns()).sum();
    assert_eq!(all + 2 * (1024 + 1024) + 256, 1_577_216);
    assert_eq!(shape(20, 1, 1, false, true).parameters().len(), 190);
    for model in [ising, shape(12, 11, 2, true, false), shape(9, 2, 5, false, true)] {
        let table = model.parameters();
        let net: Vec<Layer> = model.layers();
        let words = |l: &Layer| match *l {
            Layer::MaskedLinear { shape, bias, .. } => shape.words() + bias.map_or(0, |_| shape.rows()),
            Layer::Prelu { units, .. } => units,
            _ => 0,
        };
        assert_eq!(net.iter().map(words).sum::<usize>(), table.len());
        assert_eq!(net.iter().map(Layer::end).max(), Some(table.len()));
    }
}

#[test]
fn masked_words_are_counted_without_gaps() {
    for inclusive in [false, true] {
        let t = Triangle { sites: 5, inputs: 2, outputs: 3, inclusive };
        let words: Vec<usize> = (0..15).flat_map(|r| (0..10).filter_map(move |c| t.word(r, c))).collect();
        assert_eq!(words, (0..t.words()).collect::<Vec<_>>());
        assert_eq!((t.word(3, 2).is_some(), t.word(3, 1), t.word(15, 0)), (inclusive, t.word(3, 0).map(|w| w + 1), None));
    }
}

#[test]
fn initial_values_are_those_of_the_publication() {
    let model = shape(24, 3, 4, true, true);
    let (table, values) = (model.parameters(), model.initial(3));
    assert_eq!(values.len(), table.len());
    for leaf in &table.leaves {
        let part = &values[leaf.offset..][..leaf.size()];
        let k: usize = leaf.name["made/layer".len()..][..2].parse().unwrap();
        let shape = model.shape(k);
        let fan = shape.columns() as f64;
        let live = (shape.rows() * shape.columns()) as f64 / shape.words() as f64;
        let bound = match leaf.name.rsplit('/').next() {
            Some("w") => (live / fan).sqrt(),
            Some("b") => fan.sqrt().recip(),
            _ => {
                assert!(part.iter().all(|&v| v == 0.5));
                continue;
            }
        };
        let variance = part.iter().map(|&v| (v as f64).powi(2)).sum::<f64>() / part.len() as f64;
        // a variance of k uniform numbers scatters by sqrt(4/5k)
        assert!((3.0 * variance / (bound * bound) - 1.0).abs() < 4.0 / (part.len() as f64).sqrt(), "{}: {variance}", leaf.name);
        assert!(part.iter().all(|&v| (v as f64).abs() <= bound), "{}", leaf.name);
    }
    assert_ne!(values, model.initial(4));
}

#[test]
fn bad_models_are_refused() {
    for model in [shape(1, 1, 1, true, true), shape(5, 0, 1, true, true), shape(5, 2, 0, true, true), shape(9000, 9, 9, true, true)] {
        assert!(model.check().is_err(), "{model:?}");
    }
    let linear = |inputs, outputs| Layer::linear(inputs, outputs, 0, None);
    let tanh = |units| Layer::Tanh { units };
    for (layers, said) in [
        (vec![linear(3, 4), tanh(4)], "ends with a linear layer"),
        (vec![linear(3, 4), tanh(5), linear(5, 1)], "layer 0 has 4 outputs, the next takes 5"),
        (vec![linear(3, 4), linear(4, 4)], "layer 1 is empty, or ends beyond"),
    ] {
        let text = Net::new(&layers, 12, 8).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(text.contains(said), "{text}");
    }
    let s = Setup::random(shape(5, 2, 2, true, true), 1);
    assert!(s.network(0, Profile::Gpu).is_err());
    let masked = |sites, inputs, outputs, inclusive| {
        let shape = Triangle { sites, inputs, outputs, inclusive };
        Layer::MaskedLinear { shape, weights: 0, bias: None }
    };
    for (layers, said) in [
        (vec![masked(4, 1, 1, true)], "layer 0 is the first and sees its own site"),
        (vec![masked(4, 1, 3, false), masked(4, 3, 1, false)], "layer 1 does not see its own site"),
        (vec![masked(4, 1, 3, false), masked(3, 4, 1, true)], "layer 1 has other sites"),
        (vec![masked(4, 1, 1, false), tanh(4), tanh(4), masked(4, 1, 1, true)], "layer 2 is an activation behind"),
        (vec![masked(4, 1, 3, false)], "one logit a site"),
    ] {
        let text = Autoregressive::new(&layers, 99, 8, Profile::Gpu).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(text.contains(said), "{text}");
    }
}

#[test]
fn short_buffers_are_refused() {
    let (n, rows) = (9, 7);
    fn spins(buffer: &Buffer) -> bernoulli::Spins<'_> {
        bernoulli::Spins { buffer, sites: 9, first: 2, count: 7, sign: 1.0 }
    }
    fn slopes(buffer: &Buffer) -> prelu::Slopes<'_> {
        prelu::Slopes { rows: 7, units: 9, buffer, first: 5 }
    }
    refuses("spin rows", &[9 * n, rows * 12], |rec, b| bernoulli::record_rows(rec, spins(&b[0]), &b[1]));
    refuses("ln q", &[9 * n, rows * 12 - 3, 3 + rows], |rec, b| bernoulli::record(rec, spins(&b[0]), &b[1], None, &b[2], 3));
    refuses("d ln q", &[9 * n, rows * 12, 3 + rows, 1 + 2 * 6 + 1], |rec, b| {
        let factors = bernoulli::Factors { buffer: &b[3], first: 1, step: 2 };
        bernoulli::record(rec, spins(&b[0]), &b[1], Some(factors), &b[2], 3);
    });
    refuses("prelu", &[20 + 12, rows * 12, rows * 12, 4], |rec, b| prelu::record(rec, "p", slopes(&b[0]), &b[1], &b[2], &b[3]));
    refuses("prelu vjp", &[20 + 12, rows * 12, rows * 12, rows * 12], |rec, b| {
        prelu::record_vjp(rec, "p", slopes(&b[0]), &b[1], &b[2], &b[3]);
    });
    // 15 rows in 16 words; 8 of 10 columns seen in 12 words
    let t = Triangle { sites: 5, inputs: 2, outputs: 3, inclusive: false };
    let sums = masked_outer::Rows { first: 1, batches: 2, inner: 3, adds: true };
    refuses("masked outer", &[7 * 16, 7 * 12 - 4, 11 + 100 + 60], |rec, b| {
        masked_outer::record(rec, "g", t, sums, &b[0], &b[1], &b[2], (11, 100));
    });
    let s = Setup::random(shape(n, 2, 3, true, true), rows);
    let k = s.network(rows, Profile::Simd).unwrap();
    let (chunk, p, ld) = (Chunk { first: 2, count: rows }, s.parameters.len(), k.net().leading());
    refuses("network", &[p, 9 * n, 9, 4 * ld + rows * ld, 9, ld], |rec, b| {
        k.record_pack(rec, &b[0]);
        k.record_log_q(rec, chunk, 1.0, &b[1], &b[2]);
        k.record_scores(rec, chunk, 1.0, &b[1], &b[3], 4);
        k.record_gradient(rec, chunk, 1.0, &b[1], &b[4], &b[5], false);
    });
    // no more than a batch
    let mut rec = Recording::new();
    k.record_log_q(&mut rec, Chunk { first: 0, count: 100 }, 1.0, &Buffer::new("s", rows * n), &Buffer::new("q", rows));
    assert!(rec.check().is_ok());
}

#[test]
fn broken_kernels_are_noticed() {
    mutant(&bernoulli::ROWS, "p.sign * spins", "spins", chunks);
    mutant(&bernoulli::ROWS, "p.first + id / p.ld", "id / p.ld", chunks);
    mutant(&bernoulli::KERNEL, "select(1.0, e, a > 0.0)", "select(e, 1.0, a > 0.0)", chunks);
    mutant(&bernoulli::KERNEL, "p.sign * spins", "spins", chunks);
    mutant(&bernoulli::KERNEL, "p.first_factor + p.factor_step * w", "p.factor_step * w", chunks);
    mutant(&bernoulli::KERNEL, "log_q[p.to + w]", "log_q[w]", chunks);
    mutant(&prelu::KERNEL, "y[id] = d * slope;", "y[id] = d;", chunks);
    mutant(&prelu::KERNEL, "select(d * v, vec4<f32>(), positive)", "d * v", chunks);
    mutant(&prelu::KERNEL, "p.first + id % p.units4", "p.first", chunks);
    mutant(&linear::KERNEL, "p.x_site + 3u) / 4u", "p.x_site) / 4u", chunks);
    mutant(&linear::KERNEL, "1u - own", "1u", wide);
    mutant(&linear::KERNEL, "at += 4u * begin * p.out4;", "", wide);
    mutant(&masked_outer::KERNEL, "p.inclusive) * p.inputs", "1u) * p.inputs", chunks);
    mutant(&masked_outer::KERNEL, "select(site, 0u, p.inclusive == 1u)", "0u", chunks);
    mutant(&masked_outer::KERNEL, "min(4u * r + 7u, rows - 1u)", "4u * r", chunks);
    mutant(&masked_outer::KERNEL, "p.y_offset + b * p.inner * p.y4", "b * p.inner * p.y4", chunks);
    mutant(&masked_outer::KERNEL, "p.x_offset + b * p.inner * p.x4", "p.x_offset", chunks);
}
