//! Masked networks of spins: logits, ln q0, scores and gradients against the float64 twin, which is checked against finite
//! differences.

use helmholtz::gpu::{Buffer, Gpu, Profile, Recording};
use helmholtz::kernels::Chunk;
use helmholtz::kernels::{bernoulli, linear, masked_outer, prelu};
use helmholtz::model::made::Made;
use helmholtz::network::{Autoregressive, Layer, Mask, Net, Triangle};

use crate::bounds::refuses;
use crate::harness::{Check, mutant, verify};
use crate::spins::{Setup, compare, derivatives, masked, normalised, product, weighted};

pub fn shape(sites: usize, depth: usize, width: usize, bias: bool, prelu: bool) -> Made {
    Made { sites, depth, width, bias, prelu, residual: false }
}

pub fn residual(sites: usize, depth: usize, width: usize, bias: bool, prelu: bool) -> Made {
    Made { residual: true, ..shape(sites, depth, width, bias, prelu) }
}

impl Setup<Made> {
    /// Random parameters such that sums over what a unit sees are of order 1.
    pub fn random(model: Made, samples: usize) -> Setup<Made> {
        let seed = (100 * model.sites + 10 * model.depth + model.width) as u64;
        let scale = 2.0 / (model.width as f64).sqrt().max(1.0);
        Setup::scaled(model, samples, seed, scale)
    }
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

/// Residuals: one and several, of fewer and of more units a site than a vec4 holds.
fn residuals(gpu: &Gpu) -> Check {
    for (model, samples, batch, sign) in [
        (residual(7, 3, 3, true, true), 9, 9, 1.0),
        (residual(9, 4, 5, false, true), 21, 19, -1.0),
        (residual(20, 5, 2, true, false), 9, 9, 1.0),
    ] {
        compare(gpu, &Setup::random(model, samples), batch, sign)?;
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

fn both_signs(gpu: &Gpu) -> Check {
    weighted(gpu, &Setup::random(shape(7, 3, 3, true, true), 37), 33)
}

fn products(gpu: &Gpu) -> Check {
    for (n, samples) in [(7, 70), (9, 9)] {
        product(gpu, &Setup::random(shape(n, 3, 3, true, true), samples))?;
    }
    product(gpu, &Setup::random(residual(9, 4, 5, true, true), 9))
}

#[test]
fn network_agrees_with_its_twin() {
    verify(sizes);
    verify(chunks);
    verify(residuals);
    verify(both_signs);
}

#[test]
fn products_agree_with_the_twin() {
    verify(products);
}

#[test]
fn masks_hold() {
    verify(|gpu| {
        for depth in [1, 2, 3] {
            masked(gpu, Setup::random(shape(7, depth, 3, true, true), 1))?;
        }
        masked(gpu, Setup::random(residual(7, 4, 3, true, true), 1))
    });
}

#[test]
fn probabilities_add_up_to_one() {
    verify(|gpu| {
        for (n, depth, width) in [(8, 1, 1), (7, 2, 5), (8, 3, 2)] {
            normalised(gpu, Setup::random(shape(n, depth, width, true, true), 1))?;
        }
        normalised(gpu, Setup::random(residual(8, 4, 2, true, true), 1))
    });
}

#[test]
fn twin_products_are_derivatives() {
    for prelu in [true, false] {
        derivatives(Setup::random(shape(5, 3, 2, true, prelu), 1));
        derivatives(Setup::random(residual(5, 4, 2, true, prelu), 1));
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
    fn words(l: &Layer) -> usize {
        match l {
            Layer::MaskedLinear { shape, bias, .. } => shape.words() + bias.map_or(0, |_| shape.rows()),
            Layer::Prelu { units, .. } => *units,
            Layer::Residual(inner) => inner.iter().map(words).sum(),
            _ => 0,
        }
    }
    // Ising model, 6 layers of 2 channels, residual: 4 residuals with a diagonal each
    let residual = residual(256, 6, 2, true, true);
    let (pairs, units) = (256 * 255 / 2, 512);
    let inner = 4 * (4 * 256 + 4 * (pairs + 256) + 3 * units);
    assert_eq!(residual.parameters().len(), 2 * pairs + units + inner + units + 2 * (pairs + 256) + 256);
    for model in [ising, residual, shape(12, 11, 2, true, false), shape(9, 2, 5, false, true)] {
        let table = model.parameters();
        let net: Vec<Layer> = model.layers();
        assert_eq!(net.iter().map(words).sum::<usize>(), table.len());
        assert_eq!(net.iter().map(Layer::end).max(), Some(table.len()));
    }
}

#[test]
fn masked_words_are_counted_without_gaps() {
    for (mask, inclusive) in [(Mask::Before, false), (Mask::Through, true), (Mask::Own, true)] {
        let t = Triangle { sites: 5, inputs: 2, outputs: 3, mask };
        let words: Vec<usize> = (0..15).flat_map(|r| (0..10).filter_map(move |c| t.word(r, c))).collect();
        assert_eq!(words, (0..t.words()).collect::<Vec<_>>());
        assert_eq!((t.word(3, 2).is_some(), t.word(3, 1), t.word(15, 0)), (inclusive, t.word(3, 0).map(|w| w + 1), None));
        assert_eq!(t.word(3, 0).is_some(), mask != Mask::Own);
    }
}

#[test]
fn initial_values_are_those_of_the_publication() {
    let model = residual(24, 3, 4, true, true);
    let (table, values) = (model.parameters(), model.initial(3));
    assert_eq!(values.len(), table.len());
    for leaf in &table.leaves {
        let part = &values[leaf.offset..][..leaf.size()];
        let k: usize = leaf.name["made/layer".len()..][..2].parse().unwrap();
        let mut shape = model.shape(k);
        if leaf.name.contains("/mix/") {
            shape.mask = Mask::Own;
        }
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
    for model in [
        residual(5, 2, 2, true, true),
        shape(1, 1, 1, true, true),
        shape(5, 0, 1, true, true),
        shape(5, 2, 0, true, true),
        shape(9000, 9, 9, true, true),
    ] {
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
        let shape = Triangle { sites, inputs, outputs, mask: if inclusive { Mask::Through } else { Mask::Before } };
        Layer::MaskedLinear { shape, weights: 0, bias: None }
    };
    for (layers, said) in [
        (vec![masked(4, 1, 1, true)], "layer 0 is the first and sees its own site"),
        (vec![masked(4, 1, 3, false), masked(4, 3, 1, false)], "layer 1 does not see its own site"),
        (vec![masked(4, 1, 3, false), masked(3, 4, 1, true)], "layer 1 has other sites"),
        (vec![masked(4, 1, 1, false), tanh(4), tanh(4), masked(4, 1, 1, true)], "layer 2 is an activation behind"),
        (vec![masked(4, 1, 3, false)], "one logit a site"),
        (
            vec![masked(4, 1, 2, false), Layer::Residual(vec![masked(4, 2, 2, true), masked(4, 2, 2, true)]), masked(4, 2, 1, true)],
            "layer 1 is a residual that does not lead from the channels",
        ),
    ] {
        let text = Autoregressive::new(&layers, 99, 8, Profile::Gpu).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(text.contains(said), "{text}");
    }
}

#[test]
fn short_buffers_are_refused() {
    let (n, rows) = (9, 7);
    fn spins(buffer: &Buffer) -> bernoulli::Spins<'_> {
        bernoulli::Spins { buffer, sites: 9, first: 2, count: 7, sign: 1.0, rows: bernoulli::Rows::Sample }
    }
    fn tokens(buffer: &Buffer) -> bernoulli::Spins<'_> {
        bernoulli::Spins { rows: bernoulli::Rows::Token, ..spins(buffer) }
    }
    fn slopes(buffer: &Buffer) -> prelu::Slopes<'_> {
        prelu::Slopes { rows: 7, units: 9, buffer, first: 5 }
    }
    refuses("spin rows", &[9 * n, rows * 12], |rec, b| bernoulli::record_rows(rec, spins(&b[0]), &b[1]));
    refuses("ln q", &[9 * n, rows * 12 - 3, 3 + rows], |rec, b| bernoulli::record(rec, spins(&b[0]), &b[1], None, &b[2], 3));
    refuses("token rows", &[9 * n - 1, rows * 36], |rec, b| bernoulli::record_rows(rec, tokens(&b[0]), &b[1]));
    refuses("ln q of tokens", &[9 * n, rows * 36 - 3, 3 + rows], |rec, b| {
        bernoulli::record(rec, tokens(&b[0]), &b[1], None, &b[2], 3);
    });
    refuses("d ln q", &[9 * n, rows * 12, 3 + rows, 1 + 2 * 6 + 1], |rec, b| {
        let factors = bernoulli::Factors { buffer: &b[3], first: 1, step: 2 };
        bernoulli::record(rec, spins(&b[0]), &b[1], Some(factors), &b[2], 3);
    });
    refuses("prelu", &[20 + 12, rows * 12, rows * 12, 4], |rec, b| prelu::record(rec, "p", slopes(&b[0]), &b[1], &b[2], &b[3]));
    refuses("prelu vjp", &[20 + 12, rows * 12, rows * 12, rows * 12], |rec, b| {
        prelu::record_vjp(rec, "p", slopes(&b[0]), &b[1], &b[2], &b[3]);
    });
    // 15 rows in 16 words; 8 of 10 columns seen in 12 words
    let t = Triangle { sites: 5, inputs: 2, outputs: 3, mask: Mask::Before };
    let sums = masked_outer::Rows { first: 1, batches: 2, inner: 3, adds: true };
    refuses("masked outer", &[7 * 16, 7 * 12 - 4, 11 + 100 + 60], |rec, b| {
        masked_outer::record(rec, "g", t, sums, &b[0], &b[1], &b[2], (11, 100));
    });
    let t = Triangle { sites: 5, inputs: 2, outputs: 3, mask: Mask::Own };
    refuses("diagonal", &[7 * 16, 7 * 12, 11 + 100 + 30], |rec, b| {
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
    mutant(&masked_outer::KERNEL, "(p.flags & 1u)) * p.inputs", "1u) * p.inputs", chunks);
    mutant(&masked_outer::KERNEL, "select(0u, row / p.outputs * p.inputs, (p.flags & 4u) != 0u)", "0u", residuals);
    mutant(&masked_outer::KERNEL, "select(triangle, site, (p.flags & 4u) != 0u)", "triangle", residuals);
    mutant(&masked_outer::KERNEL, "<= begin_of(4u * r)", "<= begin_of(4u * r + 7u)", residuals);
    mutant(&masked_outer::KERNEL, "select(site, 0u, (p.flags & 1u) == 1u)", "0u", chunks);
    mutant(&masked_outer::KERNEL, "min(4u * r + 7u, rows - 1u)", "4u * r", chunks);
    mutant(&masked_outer::KERNEL, "p.y_offset + b * p.inner * p.y4", "b * p.inner * p.y4", chunks);
    mutant(&masked_outer::KERNEL, "return g[at];", "return 0.0;", both_signs);
    mutant(&masked_outer::KERNEL, "p.x_offset + b * p.inner * p.x4", "p.x_offset", chunks);
}
