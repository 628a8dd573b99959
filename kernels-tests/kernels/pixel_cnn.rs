//! Masked convolutions of spins on a lattice: logits, ln q0, scores, gradients and cached sampling against the float64 twin.

use helmholtz::gpu::{Buffer, Gpu, MAX_TRIPS, Profile, Recording};
use helmholtz::kernels::fields::Known;
use helmholtz::kernels::masked_outer::Rows;
use helmholtz::kernels::{Chunk, ancestral, ancestral_convolution, convolution, pad4, prelu};
use helmholtz::model::pixel_cnn::PixelCnn;
use helmholtz::network::{Autoregressive, Layer, Net, Window};
use helmholtz::reference::made::Twin;

use crate::ancestral::{agrees, broken_draws, follows, frequencies, independent, not_a_number, stream};
use crate::bounds::refuses;
use crate::harness::{Check, close, fragment, mutant, mutant_in, random, verify};
use crate::spins::{Model, Setup, compare, derivatives, failed, masked, normalised, product, weighted};

impl Model for PixelCnn {
    fn sites(&self) -> usize {
        self.side * self.side
    }

    fn layers(&self) -> Vec<Layer> {
        self.layers()
    }

    fn count(&self) -> usize {
        self.parameters().len()
    }

    fn twin<'a>(&self, parameters: &'a [f64]) -> Twin<'a> {
        Twin::pixel_cnn(self, parameters)
    }

    fn sums(&self) -> [usize; 2] {
        let mixed = if self.residual { self.depth - 2 } else { 0 };
        [self.depth + mixed + self.last as usize, self.shape(self.depth - 1).taps() * self.width]
    }
}

fn shape(side: usize, depth: usize, width: usize, half: usize, bias: bool) -> PixelCnn {
    PixelCnn { side, depth, width, half, bias, last: false, residual: false }
}

fn residual(side: usize, depth: usize, width: usize, half: usize, bias: bool) -> PixelCnn {
    PixelCnn { residual: true, ..shape(side, depth, width, half, bias) }
}

/// Random parameters such that sums over what a unit sees are of order 1.
fn setup(model: PixelCnn, samples: usize) -> Setup<PixelCnn> {
    let sees = model.shape(model.depth - 1).taps().min(model.side.pow(2)) * model.width;
    Setup::scaled(model, samples, 17, 3.0 / (sees as f64).sqrt())
}

/// Odd sides and rests of samples, one column of channels and several, in pairs or not; kernels wider than the lattice.
fn sizes(gpu: &Gpu) -> Check {
    for (model, samples, batch, sign) in [
        (shape(3, 1, 4, 1, true), 9, 9, 1.0),
        (shape(5, 2, 4, 1, false), 9, 5, -1.0),
        (shape(4, 3, 12, 2, true), 9, 9, 1.0),
        (PixelCnn { last: true, ..shape(3, 2, 8, 4, true) }, 17, 17, -1.0),
        // larger tiles of CPU drivers, the last of them not full
        (shape(3, 3, 32, 1, true), 19, 19, 1.0),
        (residual(3, 4, 8, 1, true), 9, 9, 1.0),
        (PixelCnn { last: true, ..residual(4, 3, 4, 2, false) }, 9, 5, -1.0),
    ] {
        compare(gpu, &setup(model, samples), batch, sign)?;
    }
    Ok(())
}

/// One shape with every kind of parameter, in chunks: for the mutants.
fn chunks(gpu: &Gpu) -> Check {
    compare(gpu, &setup(shape(3, 3, 8, 1, true), 21), 19, -1.0)
}

fn both_signs(gpu: &Gpu) -> Check {
    weighted(gpu, &setup(shape(3, 3, 8, 1, true), 21), 19)
}

#[test]
fn network_agrees_with_its_twin() {
    verify(sizes);
    verify(chunks);
    verify(|gpu| product(gpu, &setup(shape(3, 3, 8, 1, true), 21)));
    verify(|gpu| product(gpu, &setup(residual(3, 4, 8, 1, true), 9)));
    verify(both_signs);
}

#[test]
fn masks_hold() {
    verify(|gpu| {
        masked(gpu, setup(shape(3, 1, 4, 1, true), 1))?;
        masked(gpu, setup(shape(4, 3, 8, 2, true), 1))?;
        masked(gpu, setup(residual(3, 4, 8, 1, true), 1))
    });
}

#[test]
fn probabilities_add_up_to_one() {
    verify(|gpu| {
        normalised(gpu, setup(shape(3, 1, 4, 1, true), 1))?;
        normalised(gpu, setup(PixelCnn { last: true, ..shape(3, 2, 8, 2, true) }, 1))?;
        normalised(gpu, setup(residual(3, 4, 8, 1, true), 1))
    });
}

#[test]
fn twin_products_are_derivatives() {
    derivatives(setup(PixelCnn { last: true, ..shape(2, 2, 4, 1, true) }, 1));
    derivatives(setup(shape(3, 3, 4, 1, false), 1));
    derivatives(setup(PixelCnn { last: true, ..residual(3, 4, 4, 1, true) }, 1));
}

/// Sums over many rows, in several launches, and an output that is added to.
fn sums(gpu: &Gpu) -> Check {
    let (shape, sums) =
        (Window { side: 40, half: 1, inputs: 4, outputs: 4, inclusive: true }, Rows { first: 1, batches: 2, inner: 40, adds: false });
    let units = shape.rows();
    let (x, y) = (random(1, 81 * units), random(2, 81 * units));
    let single = |v: &[f64]| v.iter().map(|&v| v as f32).collect::<Vec<f32>>();
    let (xs, ys, g) = (gpu.upload("x", &single(&x)), gpu.upload("y", &single(&y)), Buffer::new("g", 200));
    let mut rec = Recording::new();
    convolution::record_outer(
        &mut rec,
        gpu.profile,
        "g",
        shape,
        sums,
        &ys,
        &xs,
        &g,
        convolution::Place { weights: 3, bias: Some(90), stride: 100 },
    );
    assert!(rec.dispatches().count() == 2 && rec.dispatches().all(|d| d.trips <= MAX_TRIPS));
    gpu.run(&rec).map_err(failed)?;
    let got: Vec<f32> = gpu.read_words(&g, 200).map_err(failed)?;
    for b in 0..2 {
        let mut want = vec![0.0; 84];
        for row in (0..40).map(|q| 1 + 40 * b + q) {
            for (site, c) in (0..1600).flat_map(|s| (0..4).map(move |c| (s, c))) {
                let d = y[row * units + site * 4 + c];
                want[80 + c] += d;
                for (tap, (up, left)) in [(1, 1), (1, 0), (1, -1), (0, 1), (0, 0)].into_iter().enumerate() {
                    let (i, j) = (site as i32 / 40 - up, site as i32 % 40 - left);
                    if i >= 0 && (0..40).contains(&j) {
                        let from = row * units + (i * 40 + j) as usize * 4;
                        (0..4).for_each(|e| want[(tap * 4 + e) * 4 + c] += d * x[from + e]);
                    }
                }
            }
        }
        // 64,000 terms of order 1, whose sum is that of a random walk: the rounding of each addition is relative to it
        close("weights", &got[100 * b + 3..], &want[..80], 64_000f64.sqrt() * f32::EPSILON as f64)?;
        close("bias", &got[100 * b + 90..], &want[80..], 64_000f64.sqrt() * f32::EPSILON as f64)?;
    }
    for outputs in [1, 4] {
        let shape = Window { side: 3, outputs, ..shape };
        let words = 5 * pad4(shape.rows());
        let held: Vec<f32> = (0..words).map(|k| if k % pad4(shape.rows()) < shape.rows() { k as f32 } else { 0.0 }).collect();
        let (plain, added) = (Buffer::new("y", words), gpu.upload("y", &held));
        let mut rec = Recording::new();
        for (y, accumulate) in [(&plain, false), (&added, true)] {
            let m = convolution::Weights { matrices: 2, bias: Some(1), reverse: false, accumulate };
            convolution::record(&mut rec, gpu.profile, "y", shape, 5, m, &xs, &ys, y);
        }
        gpu.run(&rec).map_err(failed)?;
        let read = |b: &Buffer| gpu.read_words::<f32>(b, words).map_err(failed);
        let want: Vec<f64> = read(&plain)?.iter().zip(&held).map(|(y, h)| (y + h) as f64).collect();
        close("added", &read(&added)?, &want, f32::EPSILON as f64)?;
    }
    Ok(())
}

#[test]
fn sums_and_outputs_are_added_to() {
    verify(sums);
}

fn drawn(gpu: &Gpu) -> Check {
    agrees(gpu, setup(shape(3, 3, 8, 1, true), 1), 37, 20)
}

fn residuals(gpu: &Gpu) -> Check {
    agrees(gpu, setup(PixelCnn { last: true, ..residual(3, 4, 8, 1, true) }, 1), 37, 20)
}

/// A last tile of one sample; more taps than slices; more columns of channels than lanes; a last 1 x 1 convolution.
fn draws(gpu: &Gpu) -> Check {
    agrees(gpu, setup(shape(3, 1, 4, 1, false), 1), 9, 9)?;
    agrees(gpu, setup(shape(4, 2, 12, 4, false), 1), 9, 9)?;
    agrees(gpu, setup(shape(3, 2, 8, 6, true), 1), 9, 9)?;
    agrees(gpu, setup(PixelCnn { last: true, ..shape(3, 2, 68, 1, true) }, 1), 3, 3)
}

/// A sample that takes more loop trips than a launch may make.
fn long(gpu: &Gpu) -> Check {
    follows(gpu, setup(shape(40, 2, 4, 2, true), 1), 2)
}

#[test]
fn draws_and_logits_are_those_of_the_twin() {
    verify(drawn);
    verify(residuals);
    verify(draws);
    verify(long);
    verify(|gpu| independent(gpu, setup(shape(3, 3, 8, 1, true), 1)));
    for profile in [Profile::Simd, Profile::Gpu] {
        let s = setup(shape(40, 2, 4, 2, true), 1);
        let (k, mut rec) = (s.network(2, profile).unwrap(), Recording::new());
        let (p, spins, q) = (Buffer::new("p", s.parameters.len()), Buffer::new("s", 3200), Buffer::new("q", 2));
        k.record_sample(&mut rec, stream(0), Chunk { first: 0, count: 2 }, &p, &spins, &q);
        assert!(rec.dispatches().count() > 2 && rec.dispatches().all(|d| d.trips <= MAX_TRIPS));
    }
}

#[test]
fn frequencies_are_the_probabilities() {
    verify(|gpu| frequencies(gpu, setup(shape(3, 3, 8, 1, true), 1)));
}

#[test]
fn not_a_number_stays_one() {
    verify(|gpu| not_a_number(gpu, setup(shape(3, 3, 8, 1, true), 9)));
}

#[test]
fn sizes_are_the_published_ones() {
    let ising = shape(16, 3, 64, 6, true);
    let stored: usize = (0..3).map(|k| ising.shape(k)).map(|s| s.area() * s.inputs * s.outputs).sum();
    assert_eq!(stored + 2 * (64 + 64) + 1, 714_113);
    assert_eq!([0, 1, 2].map(|k| ising.shape(k).taps()), [84, 85, 85]);
    fn words(l: &Layer) -> usize {
        match l {
            Layer::MaskedConvolution { shape, bias, .. } => shape.words() + bias.map_or(0, |_| shape.outputs),
            Layer::ChannelPrelu { channels, .. } => *channels,
            Layer::Residual(inner) => inner.iter().map(words).sum(),
            _ => 0,
        }
    }
    for model in [ising, residual(16, 6, 64, 3, true), PixelCnn { last: true, ..shape(5, 11, 4, 1, false) }] {
        let table = model.parameters();
        assert_eq!(model.layers().iter().map(words).sum::<usize>(), table.len());
        assert_eq!(model.layers().iter().map(Layer::end).max(), Some(table.len()));
    }
    // 4 corners see 4 taps of 9, 4 edges 6, the centre 9; of these the live ones are half of all but the centre's
    let w = Window { side: 3, half: 1, inputs: 1, outputs: 1, inclusive: false };
    assert_eq!((w.pairs(0), w.pairs(1), w.pairs(9)), (0, 0, (4 * 4 + 4 * 6 + 9 - 9) / 2));
}

#[test]
fn initial_values_are_those_of_the_publication() {
    let model = PixelCnn { last: true, ..residual(4, 3, 32, 3, true) };
    let (table, values) = (model.parameters(), model.initial(3));
    assert_eq!(values.len(), table.len());
    for leaf in &table.leaves {
        let part = &values[leaf.offset..][..leaf.size()];
        let k: usize = leaf.name["pixel_cnn/layer".len()..][..2].parse().unwrap();
        let mixes = leaf.name.contains("/mix/");
        let area = if k < 3 && !mixes { 49.0 } else { 1.0 };
        let fan: f64 = area * if k == 0 { 1.0 } else { 32.0 };
        let bound = match leaf.name.rsplit('/').next() {
            Some("w") => (area / if mixes { 1.0 } else { [24.0, 25.0, 25.0, 1.0][k] } / fan).sqrt(),
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
    for model in [shape(1, 1, 4, 1, true), shape(300, 1, 4, 1, true), shape(4, 0, 4, 1, true), shape(4, 2, 6, 1, true)] {
        assert!(model.check().is_err(), "{model:?}");
    }
    for model in [shape(4, 2, 4, 0, true), shape(4, 9, 4000, 9, true), PixelCnn { last: true, ..shape(4, 1, 4, 1, true) }] {
        assert!(model.check().is_err(), "{model:?}");
    }
    assert!(shape(16, 3, 64, 6, true).check().is_ok() && residual(16, 3, 64, 6, true).check().is_ok());
    assert!(residual(16, 2, 64, 6, true).check().is_err());
    let good = shape(4, 2, 4, 1, true);
    let refused = |edit: &dyn Fn(&mut Vec<Layer>), said: &str| {
        let mut layers = good.layers();
        edit(&mut layers);
        let text = Autoregressive::new(&layers, good.count(), 1, Profile::Simd).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(text.contains(said), "{text}");
    };
    let inclusive = |layers: &mut Vec<Layer>, k: usize, to: bool| match &mut layers[k] {
        Layer::MaskedConvolution { shape, .. } => shape.inclusive = to,
        other => panic!("{other:?}"),
    };
    refused(&|l| inclusive(l, 0, true), "sees its own site");
    refused(&|l| inclusive(l, 2, false), "does not see its own site");
    refused(&|l| l.insert(1, l[1].clone()), "behind none or another");
    refused(&|l| l[1] = Layer::Tanh { units: 64 }, "does not go with masked convolutions");
    refused(&|l| l.truncate(1), "one logit a site");
    let wide = setup(shape(2, 3, 256, 20, false), 0);
    assert!(wide.network(1, Profile::Simd).err().unwrap().contains("reduce the width, the half kernel or the depth"));
    let narrow =
        Layer::MaskedConvolution { shape: Window { side: 4, half: 1, inputs: 1, outputs: 6, inclusive: false }, weights: 0, bias: None };
    assert!(Net::new(&[narrow], 100, 1).err().unwrap().to_string().contains("multiple of 4"));
}

#[test]
fn short_buffers_are_refused() {
    // 5 rows of 9 sites x 8 channels; 4 taps of 8 x 4; 9 sites of 4 channels
    let shape = Window { side: 3, half: 1, inputs: 8, outputs: 4, inclusive: false };
    let forward = convolution::Weights { matrices: 5, bias: Some(2), reverse: false, accumulate: false };
    refuses("convolution", &[5 * 72, 4 * (5 + 32), 5 * 36], |rec, b| {
        convolution::record(rec, Profile::Simd, "c", shape, 5, forward, &b[0], &b[1], &b[2]);
    });
    let reverse = convolution::Weights { matrices: 5, bias: None, reverse: true, accumulate: true };
    refuses("reverse", &[5 * 36, 4 * (5 + 32), 5 * 72], |rec, b| {
        convolution::record(rec, Profile::Simd, "c", shape, 5, reverse, &b[0], &b[1], &b[2]);
    });
    let to = convolution::Place { weights: 11, bias: Some(7), stride: 150 };
    refuses("gradient", &[7 * 36, 7 * 72, 11 + 150 + 128], |rec, b| {
        convolution::record_outer(
            rec,
            Profile::Simd,
            "g",
            shape,
            Rows { first: 1, batches: 2, inner: 3, adds: true },
            &b[0],
            &b[1],
            &b[2],
            to,
        );
    });
    let s = setup(PixelCnn { side: 3, depth: 2, width: 8, half: 1, bias: true, last: false, residual: false }, 1);
    let p = s.parameters.len();
    for profile in [Profile::Simd, Profile::Gpu] {
        let k = s.network(7, profile).unwrap();
        let (sampler, _) = k.cache();
        // 7 samples behind 2 others: 9 sites of 2 columns of channels and one of a logit
        refuses("ancestral", &[p, 7 * 9 * 12, 9 * 9, 9], |rec, b| {
            let out = ancestral::Outputs { cache: &b[1], spins: &b[2], log_q: &b[3] };
            sampler.record(rec, profile, stream(0), 2, 7, &b[0], Known { fields: &s.fields(), factor: 1.0 }, out);
        });
        let (chunk, ld) = (Chunk { first: 2, count: 7 }, k.net().leading());
        refuses("network", &[p, 9 * 9, 9, 4 * ld + 7 * ld, 9, ld], |rec, b| {
            k.record_pack(rec, &b[0]);
            k.record_log_q(rec, chunk, 1.0, &b[1], &b[2]);
            k.record_scores(rec, chunk, 1.0, &b[1], &b[3], 4);
            k.record_gradient(rec, chunk, 1.0, &b[1], &b[4], &b[5], false);
        });
    }
}

#[test]
fn broken_convolutions_are_noticed() {
    for (from, to) in [
        ("select(1u, 0xffffffffu, reverse)", "1u"),
        ("if (i < p.side && j < p.side)", "if (i < p.side)"),
        ("dx > 2u * p.half", "dx >= 2u * p.half"),
        ("v += w[p.b_offset + col];", "v += w[p.b_offset];"),
        ("w[p.b_offset].x", "w[p.b_offset].y"),
        ("y[k] = 0.0;", "y[k] = 1.0;"),
        ("x[x$r + source / 4u][source % 4u]", "x[x$r + source / 4u].x"),
        ("x[x$r + source * in4 + k]", "x[x$r + site * in4 + k]"),
    ] {
        mutant(&convolution::KERNEL, from, to, chunks);
    }
    mutant(&convolution::KERNEL, "let col = id % columns * COLS;", "let col = 0u;", sizes);
    mutant(&convolution::KERNEL, "v += y[at];", "", sums);
    for (from, to) in [
        ("p.first + b * p.inner + q", "p.first + q"),
        ("(i + dy - p.half) * p.side", "i * p.side"),
        ("select(0u, dx - p.half, dx > p.half)", "0u"),
        ("select(0u, p.half - dx, dx < p.half)", "0u"),
        ("p.bias + b * p.g_stride", "p.bias"),
        ("var x$r = vec4<f32>(1.0, 0.0, 0.0, 0.0);", "var x$r = vec4<f32>();"),
        ("t * p.inputs * p.outputs;", "t * p.outputs;"),
    ] {
        mutant(&convolution::OUTER, from, to, chunks);
    }
    mutant(&convolution::OUTER, "(p.flags & 2u) != 0u", "(p.flags & 4u) != 0u", sums);
    mutant(&convolution::OUTER, "(p.flags & 2u) != 0u", "(p.flags & 4u) != 0u", both_signs);
    mutant(&prelu::KERNEL, "p.first + id % p.units4", "p.first", chunks);
}

#[test]
fn broken_samplers_are_noticed() {
    for (from, to) in [
        ("p.factor * field(w, site, sites)", "field(w, site, sites)"),
        ("min(w + $tu, p.count - 1u)", "min(w, p.count - 1u)"),
        ("(p.first + x$t) * p.side", "x$t * p.side"),
        ("if (i < p.side && j < p.side)", "if (i < p.side)"),
        ("s * width + own", "own"),
        ("v += weights[about.w + column];", ""),
        ("select(weights[then.x + column], vec4<f32>(1.0), v > vec4<f32>())", "weights[then.x + column]"),
        ("w + lane < p.count", "w + lane + 1u < p.count"),
    ] {
        mutant(&ancestral_convolution::KERNEL, from, to, drawn);
    }
    mutant(&ancestral_convolution::KERNEL, "v += cache[at];", "", residuals);
    broken_draws(&ancestral_convolution::KERNEL, &[Profile::Simd, Profile::Gpu], drawn, long);
    fragment("ancestral", Profile::Simd, &ancestral_convolution::KERNEL, "sites) + bitcast<f32>(fields[site].y)", "sites)", drawn);
    mutant(&ancestral_convolution::KERNEL, "tap += slices", "tap += 2u * slices", draws);
    // the other profile has a lane for each column
    mutant_in(Profile::Simd, &ancestral_convolution::KERNEL, "let column = first + own;", "let column = own;", draws);
}
