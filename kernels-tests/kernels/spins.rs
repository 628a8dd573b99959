//! What tests of networks of spins share: a model with parameters, what a device makes of it, and the comparison with the twin.

use helmholtz::gpu::{Buffer, Gpu, Profile, Recording};
use helmholtz::kernels::bernoulli::{Rows, Spins};
use helmholtz::kernels::fields::Fields;
use helmholtz::kernels::{Chunk, pad4};
use helmholtz::model::made::Made;
use helmholtz::network::{Autoregressive, Layer, Net};
use helmholtz::reference::made::{Known, Twin};

use crate::harness::{Check, close, padded, random, unpadded};

/// A model with parameters, and spins of some samples.
pub struct Setup<M> {
    pub model: M,
    pub parameters: Vec<f64>,
    pub spins: Vec<f64>,
    /// Of the logits.
    pub known: Known,
}

/// What a network of spins is tested as.
pub trait Model: std::fmt::Debug {
    fn sites(&self) -> usize;
    fn layers(&self) -> Vec<Layer>;
    /// Number of parameters.
    fn count(&self) -> usize;
    fn twin<'a>(&self, parameters: &'a [f64]) -> Twin<'a>;
    /// Linear layers, and most inputs of a unit.
    fn sums(&self) -> [usize; 2];
    /// Whether a row of the network is a token, which the spin before its own enters, not a sample.
    fn tokens(&self) -> bool {
        false
    }
}

impl Model for Box<dyn Model> {
    fn sites(&self) -> usize {
        (**self).sites()
    }

    fn layers(&self) -> Vec<Layer> {
        (**self).layers()
    }

    fn count(&self) -> usize {
        (**self).count()
    }

    fn twin<'a>(&self, parameters: &'a [f64]) -> Twin<'a> {
        (**self).twin(parameters)
    }

    fn sums(&self) -> [usize; 2] {
        (**self).sums()
    }

    fn tokens(&self) -> bool {
        (**self).tokens()
    }
}

/// Numbers of all sites as padded rows of the network; `before`: a token's row holds that of the site before.
fn rows<M: Model>(model: &M, values: &[f64], before: bool) -> Vec<f32> {
    let n = model.sites();
    let token = |i: usize| if before && i.is_multiple_of(n) { 0.0 } else { values[i - before as usize] };
    if !model.tokens() {
        return padded(values, n);
    }
    (0..values.len()).flat_map(|i| [token(i) as f32, 0.0, 0.0, 0.0]).collect()
}

/// The inverse; padding must be 0.
fn sites<M: Model>(model: &M, rows: &[f32], before: bool) -> Result<Vec<f32>, String> {
    let n = model.sites();
    let (values, padding): (Vec<f32>, bool) = if model.tokens() {
        let first: Vec<f32> = rows.chunks(4).map(|row| row[0]).collect();
        let next = |i: usize| {
            if !before {
                first[i]
            } else if (i + 1).is_multiple_of(n) {
                0.0
            } else {
                first[i + 1]
            }
        };
        ((0..first.len()).map(next).collect(), rows.chunks(4).any(|row| row[1..].iter().any(|v| v.to_bits() != 0)))
    } else {
        (unpadded(rows, n), rows.chunks(pad4(n)).any(|row| row[n..].iter().any(|v| v.to_bits() != 0)))
    };
    if padding { Err(format!("{model:?}: padding of rows is not 0")) } else { Ok(values) }
}

impl Model for Made {
    fn sites(&self) -> usize {
        self.sites
    }

    fn layers(&self) -> Vec<Layer> {
        self.layers()
    }

    fn count(&self) -> usize {
        self.parameters().len()
    }

    fn twin<'a>(&self, parameters: &'a [f64]) -> Twin<'a> {
        Twin::made(self, parameters)
    }

    fn sums(&self) -> [usize; 2] {
        let mixed = if self.residual { self.depth - 2 } else { 0 };
        [self.depth + mixed, self.sites * self.width.max(1)]
    }
}

impl<M: Model> Setup<M> {
    /// Random parameters within `scale`, and spins.
    pub fn scaled(model: M, samples: usize, seed: u64, scale: f64) -> Setup<M> {
        let parameters = random(seed, model.count()).iter().map(|v| (scale * v) as f32 as f64).collect();
        let spins = random(seed + 1, samples * model.sites()).iter().map(|v| v.signum()).collect();
        let n = model.sites();
        // some of the pairs are not coupled
        let couplings = random(seed + 2, n * n).iter().map(|v| if v.abs() < 0.3 { 0.0 } else { *v as f32 as f64 }).collect();
        let fields = random(seed + 3, n).iter().map(|v| *v as f32 as f64).collect();
        let known = Known { factor: scale * 0.75, couplings, fields };
        Setup { model, parameters, spins, known }
    }

    pub fn twin(&self) -> Twin<'_> {
        Twin { known: Some(self.known.clone()), ..self.model.twin(&self.parameters) }
    }

    pub fn network(&self, batch: usize, profile: Profile) -> Result<Autoregressive, String> {
        let mut network = Autoregressive::new(&self.model.layers(), self.parameters.len(), batch, profile)
            .and_then(|network| network.with_fields(self.fields()))
            .map_err(failed)?;
        network.count_fields(self.known.factor);
        Ok(network)
    }

    pub fn fields(&self) -> Fields {
        let (n, j) = (self.model.sites(), &self.known.couplings);
        let bonds = (0..n).flat_map(|i| (0..i).map(move |k| (i, k, j[i * n + k]))).filter(|b| b.2 != 0.0);
        Fields::new(n, bonds, &self.known.fields)
    }

    pub fn samples(&self) -> std::slice::Chunks<'_, f64> {
        self.spins.chunks(self.model.sites())
    }

    pub fn upload(&self, gpu: &Gpu) -> Buffer {
        gpu.upload("parameters", &single(&self.parameters))
    }

    /// Rounding of a sum over what a unit sees grows as the root of its terms; each layer adds its own, and the sum over
    /// sites, or over samples, another.
    pub fn bound(&self) -> f64 {
        let [depth, terms] = self.model.sums().map(|v| v as f64);
        2.0 * (depth + 1.0) * (terms.sqrt() + 4.0) * f32::EPSILON as f64
    }
}

pub fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&v| v as f32).collect()
}

/// Every state of n spins.
pub fn states(n: usize) -> Vec<f64> {
    (0..1usize << n).flat_map(|state| (0..n).map(move |i| if state >> i & 1 == 1 { 1.0 } else { -1.0 })).collect()
}

pub fn failed(e: helmholtz::Error) -> String {
    e.to_string()
}

/// ln q0, scores and the gradient with factors 1, -2, 3, ..., in chunks of `batch`; first of all the logits, in one.
pub fn evaluate<M: Model>(gpu: &Gpu, s: &Setup<M>, batch: usize, sign: f32) -> Result<[Vec<f32>; 4], String> {
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

/// Logits of all samples from network and fields, without their padding, which is 0.
pub fn logits<M: Model>(gpu: &Gpu, s: &Setup<M>, sign: f32) -> Result<Vec<f32>, String> {
    let (n, samples) = (s.model.sites(), s.samples().len());
    let net = Net::new(&s.model.layers(), s.parameters.len(), samples).map_err(failed)?;
    let spins: Vec<f64> = s.spins.iter().map(|v| v * sign as f64).collect();
    let x = gpu.upload("x", &rows(&s.model, &spins, true));
    let mut rec = Recording::new();
    net.record_pack(&mut rec, &s.upload(gpu));
    net.record_forward(&mut rec, samples, &x);
    let rows = if s.model.tokens() { Rows::Token } else { Rows::Sample };
    let spins = Spins { buffer: &gpu.upload("spins", &single(&s.spins)), sites: n, first: 0, count: samples, sign, rows };
    s.fields().record(&mut rec, spins, s.known.factor, net.output());
    gpu.run(&rec).map_err(failed)?;
    let words = if s.model.tokens() { 4 * n } else { pad4(n) };
    sites(&s.model, &gpu.read_words(net.output(), samples * words).map_err(failed)?, false)
}

fn factor(w: usize) -> f64 {
    (w as f64 + 1.0) * if w.is_multiple_of(2) { 1.0 } else { -1.0 }
}

/// The largest term: sums over samples round relative to it, not to what is left of them.
fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0_f64, |m, v| m.max(v.abs()))
}

pub fn compare<M: Model>(gpu: &Gpu, s: &Setup<M>, batch: usize, sign: f32) -> Check {
    let [logits, log_q, scores, gradient] = evaluate(gpu, s, batch, sign)?;
    let (twin, n, count) = (s.twin(), s.model.sites(), s.parameters.len());
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

/// Scores times factors, in chunks, with those of the flipped samples added to them.
pub fn weighted<M: Model>(gpu: &Gpu, s: &Setup<M>, batch: usize) -> Check {
    let k = s.network(batch, gpu.profile)?;
    let (samples, count, ld) = (s.samples().len(), s.parameters.len(), k.net().leading());
    let factors: Vec<f32> = (0..samples).map(|w| factor(w) as f32).collect();
    let (params, spins, factors) = (s.upload(gpu), gpu.upload("spins", &single(&s.spins)), gpu.upload("factors", &factors));
    let scores = Buffer::new("scores", samples * ld);
    let mut rec = Recording::new();
    k.record_pack(&mut rec, &params);
    for first in (0..samples).step_by(batch) {
        let chunk = Chunk { first, count: batch.min(samples - first) };
        for (sign, adds) in [(1.0, false), (-1.0, true)] {
            k.record_weighted_scores(&mut rec, chunk, sign, &spins, &factors, &scores, first, adds);
        }
    }
    gpu.run(&rec).map_err(failed)?;
    let got: Vec<f32> = gpu.read_words(&scores, samples * ld).map_err(failed)?;
    let twin = s.twin();
    for (w, spins) in s.samples().enumerate() {
        let mirror: Vec<f64> = spins.iter().map(|v| -v).collect();
        let [own, other] = [twin.score(spins), twin.score(&mirror)];
        let want: Vec<f64> = own.iter().zip(&other).map(|(a, b)| factor(w) * (a + b)).collect();
        // each sign rounds relative to its own scores, not to what is left of both
        let size = factor(w).abs() * (largest(&own) + largest(&other));
        let got: Vec<f32> = got[w * ld..][..count].iter().copied().chain([size as f32]).collect();
        let want: Vec<f64> = want.into_iter().chain([size]).collect();
        close(&format!("{:?} weighted score {w}", s.model), &got, &want, s.bound())?;
    }
    Ok(())
}

/// Products with arbitrary gradients by the logits, from given rows to rows: any numbers may enter, not only spins.
pub fn product<M: Model>(gpu: &Gpu, s: &Setup<M>) -> Check {
    let (n, samples) = (s.model.sites(), s.samples().len());
    let net = Net::new(&s.model.layers(), s.parameters.len(), samples).map_err(failed)?;
    let (numbers, d) = (random(5, samples * n), random(6, samples * n));
    let (x, dy) = (gpu.upload("x", &rows(&s.model, &numbers, true)), gpu.upload("d", &rows(&s.model, &d, false)));
    let words = samples * if s.model.tokens() { 4 * n } else { pad4(n) };
    let (gradient, dx) = (Buffer::new("gradient", net.leading()), Buffer::new("dx", words));
    let mut rec = Recording::new();
    net.record_pack(&mut rec, &s.upload(gpu));
    net.record_forward(&mut rec, samples, &x);
    net.record_vjp(&mut rec, samples, &x, &dy, &gradient, false, Some(&dx));
    gpu.run(&rec).map_err(failed)?;
    let mut sum = vec![0.0; s.parameters.len()];
    let mut inputs = Vec::new();
    let twin = s.twin();
    for (x, d) in numbers.chunks(n).zip(d.chunks(n)) {
        let [by_parameters, by_x] = twin.vjp(x, d);
        sum.iter_mut().zip(&by_parameters).for_each(|(t, v)| *t += v);
        inputs.extend(by_x);
    }
    let read = |b: &Buffer, words: usize| gpu.read_words::<f32>(b, words).map_err(failed);
    close("gradient", &read(&gradient, net.leading())?, &sum, s.bound() + samples as f64 * f32::EPSILON as f64)?;
    close("dx", &sites(&s.model, &read(&dx, words)?, true)?, &inputs, s.bound())
}

/// The twin's score and products against finite differences.
pub fn derivatives<M: Model>(mut s: Setup<M>) {
    let n = s.model.sites();
    let (mut spins, d) = (s.spins.clone(), random(3, n));
    let (score, [by_parameters, by_spins]) = (s.twin().score(&spins), s.twin().vjp(&spins, &d));
    let product = |s: &Setup<M>, spins: &[f64]| s.twin().logits(spins).iter().zip(&d).map(|(l, d)| l * d).sum::<f64>();
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
    // the products are those of the layers alone
    s.known.factor = 0.0;
    for i in 0..n {
        let keep = spins[i];
        let [high, low] = [h, -h].map(|shift| {
            spins[i] = keep + shift;
            product(&s, &spins)
        });
        spins[i] = keep;
        slope(high, low, by_spins[i]);
    }
}

/// Flipping s_j leaves the logits of the sites up to j as they are, bit by bit, and changes a later one.
pub fn masked<M: Model>(gpu: &Gpu, mut s: Setup<M>) -> Check {
    let n = s.model.sites();
    let first = s.spins[..n].to_vec();
    s.spins = first.repeat(n + 1);
    for j in 0..n {
        s.spins[n * (j + 1) + j] *= -1.0;
    }
    let got = logits(gpu, &s, 1.0)?;
    for j in 0..n {
        let flipped = &got[n * (j + 1)..n * (j + 2)];
        if flipped[..=j] != got[..=j] || (j + 1 < n && flipped[j + 1..] == got[j + 1..n]) {
            return Err(format!("{:?}: s_{j} flipped: {flipped:?} from {:?}", s.model, &got[..n]));
        }
    }
    Ok(())
}

/// Each of the 2^n probabilities has the relative error of its ln q.
pub fn normalised<M: Model>(gpu: &Gpu, mut s: Setup<M>) -> Check {
    s.spins = states(s.model.sites());
    for sign in [1.0, -1.0] {
        let [_, log_q, ..] = evaluate(gpu, &s, 100, sign)?;
        let sum: f64 = log_q.iter().map(|l| (*l as f64).exp()).sum();
        let most = log_q.iter().fold(0.0_f64, |m, l| m.max(-*l as f64));
        if !((sum - 1.0).abs() < s.bound() * most) {
            return Err(format!("{:?}: probabilities add up to {sum}", s.model));
        }
    }
    Ok(())
}
