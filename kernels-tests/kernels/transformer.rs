//! Causal transformers of spins: logits, ln q0, scores, gradients and cached sampling against the float64 twin.

use helmholtz::gpu::{Buffer, Gpu, MAX_TRIPS, Profile, Recording};
use helmholtz::kernels::fields::Known;
use helmholtz::kernels::{Chunk, ancestral, ancestral_attention, bernoulli};
use helmholtz::model::transformer::Transformer;
use helmholtz::network::{Autoregressive, Dense, Layer};
use helmholtz::reference::made::Twin;

use crate::ancestral::{agrees, broken_draws, follows, frequencies, independent, not_a_number, stream};
use crate::bounds::refuses;
use crate::harness::{Check, fragment, mutant, mutant_in, verify};
use crate::spins::{Model, Setup, compare, derivatives, masked, normalised, product, weighted};

impl Model for Transformer {
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
        Twin::transformer(self, parameters)
    }

    fn sums(&self) -> [usize; 2] {
        // of a block: q k v, the softmax, mix, hidden and back
        [5 * self.depth + 2, self.sites.max(4 * self.width)]
    }

    fn tokens(&self) -> bool {
        true
    }
}

pub fn shape(sites: usize, depth: usize, width: usize, heads: usize, bias: bool) -> Transformer {
    Transformer { sites, depth, width, heads, bias }
}

/// Random parameters such that sums over what a unit sees are of order 1.
pub fn setup(model: Transformer, samples: usize) -> Setup<Transformer> {
    let scale = 2.0 / (model.width as f64).sqrt();
    Setup::scaled(model, samples, 23, scale)
}

/// One head and several, of a vec4, less and more; rests of tiles and chunks.
fn sizes(gpu: &Gpu) -> Check {
    for (model, samples, batch, sign) in
        [(shape(2, 1, 4, 1, true), 1, 1, 1.0), (shape(7, 1, 8, 4, false), 9, 9, 1.0), (shape(9, 2, 12, 2, true), 9, 5, -1.0)]
    {
        compare(gpu, &setup(model, samples), batch, sign)?;
    }
    Ok(())
}

/// One shape with every kind of parameter, in chunks: for the mutants.
fn chunks(gpu: &Gpu) -> Check {
    compare(gpu, &setup(shape(5, 2, 8, 2, true), 21), 19, -1.0)
}

#[test]
fn network_agrees_with_its_twin() {
    verify(sizes);
    verify(chunks);
    verify(|gpu| product(gpu, &setup(shape(5, 2, 8, 2, true), 21)));
    verify(|gpu| weighted(gpu, &setup(shape(5, 2, 8, 2, true), 21), 19));
}

#[test]
fn masks_hold() {
    verify(|gpu| masked(gpu, setup(shape(7, 2, 8, 2, true), 1)));
}

#[test]
fn probabilities_add_up_to_one() {
    verify(|gpu| normalised(gpu, setup(shape(8, 2, 8, 2, true), 1)));
}

#[test]
fn twin_products_are_derivatives() {
    derivatives(setup(shape(4, 2, 8, 2, true), 1));
}

/// Sums over more rows than one launch adds up.
#[test]
fn many_tokens_are_summed() {
    verify(|gpu| compare(gpu, &setup(shape(250, 1, 4, 1, true), 121), 121, 1.0));
}

pub(crate) fn drawn(gpu: &Gpu) -> Check {
    agrees(gpu, setup(shape(7, 2, 8, 2, true), 1), 37, 20)
}

/// A last tile of one sample; heads that are no multiple of a vec4.
fn draws(gpu: &Gpu) -> Check {
    agrees(gpu, setup(shape(9, 1, 12, 2, false), 1), 9, 9)?;
    agrees(gpu, setup(shape(5, 1, 8, 8, true), 1), 65, 65)
}

/// More loop trips than a launch may make: in all, and for one site.
fn long(gpu: &Gpu) -> Check {
    follows(gpu, setup(shape(64, 2, 16, 2, true), 1), 3)?;
    follows(gpu, setup(shape(400, 3, 32, 1, true), 1), 2)
}

#[test]
fn draws_and_logits_are_those_of_the_twin() {
    verify(drawn);
    verify(draws);
    verify(long);
    verify(|gpu| independent(gpu, setup(shape(7, 2, 8, 2, true), 1)));
    let s = setup(shape(400, 3, 32, 1, true), 1);
    let (k, mut rec) = (s.network(2, Profile::Simd).unwrap(), Recording::new());
    let (p, spins, q) = (Buffer::new("p", s.parameters.len()), Buffer::new("s", 800), Buffer::new("q", 2));
    k.record_sample(&mut rec, stream(0), Chunk { first: 0, count: 2 }, &p, &spins, &q);
    // some sites take two
    assert!(rec.dispatches().count() > 100 && rec.dispatches().all(|d| d.trips <= MAX_TRIPS));
}

#[test]
fn frequencies_are_the_probabilities() {
    verify(|gpu| {
        let mut s = setup(shape(6, 2, 8, 2, true), 1);
        s.parameters.iter_mut().for_each(|v| *v *= 0.7);
        frequencies(gpu, s)
    });
}

#[test]
fn not_a_number_stays_one() {
    verify(|gpu| not_a_number(gpu, setup(shape(5, 2, 8, 2, true), 9)));
}

#[test]
fn initial_values_are_of_order_one() {
    let model = shape(20, 2, 16, 2, true);
    let (table, values) = (model.parameters(), model.initial(3));
    assert_eq!((values.len(), model.layers().iter().map(Layer::end).max()), (table.len(), Some(table.len())));
    // e and the places of 20 tokens; four square matrices and two of 4 x as many hidden units, with biases; the logit
    assert_eq!(table.len(), 16 + 20 * 16 + 2 * (12 * 256 + 9 * 16) + 17);
    for leaf in &table.leaves {
        let part = &values[leaf.offset..][..leaf.size()];
        let bound: f64 = match leaf.name.trim_start_matches("transformer/") {
            "spin/w" | "place/w" => 1.0,
            name if name.contains("/back/") => 0.125,
            _ => 0.25,
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
    for model in
        [shape(1, 1, 4, 1, true), shape(5, 0, 4, 1, true), shape(5, 1, 6, 2, true), shape(5, 1, 8, 3, true), shape(8000, 1, 64, 1, true)]
    {
        assert!(model.check().is_err(), "{model:?}");
    }
    assert!(shape(4, 1, 4, 1, true).check().is_ok());
    let good = shape(5, 1, 8, 2, true);
    let refused = |model: &Transformer, edit: &dyn Fn(&mut Vec<Layer>), said: &str| {
        let mut layers = model.layers();
        edit(&mut layers);
        let text = Autoregressive::new(&layers, model.count(), 1, Profile::Simd).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(text.contains(said), "{text}");
    };
    let places = |tokens: usize, units: usize| Layer::Positions { tokens, units, weights: 0 };
    refused(&good, &|l| l[1] = places(6, 8), "layers of 6 tokens and of 5");
    refused(&good, &|l| l[1] = places(5, 6), "8 outputs, the next takes 6");
    let dense = |inputs: usize, outputs: usize| Layer::Dense(Dense { inputs, outputs, weights: 0, bias: None });
    refused(&good, &|l| *l = vec![dense(1, 6), places(5, 6), dense(6, 1)], "no multiple of 4");
    refused(&good, &|l| *l = vec![dense(1, 8), places(5, 8), dense(8, 2)], "one spin a site to one logit a site");
    refused(&shape(1100, 1, 64, 1, true), &|_| {}, "reduce the width");
}

#[test]
fn short_buffers_are_refused() {
    let s = setup(shape(9, 1, 8, 2, true), 1);
    let p = s.parameters.len();
    for profile in [Profile::Simd, Profile::Gpu] {
        let k = s.network(7, profile).unwrap();
        let (sampler, _) = k.cache();
        // 7 samples behind 2 others: of 9 tokens q, k, v and a logit; a spin, h, the mixed values, 32 hidden units
        refuses("ancestral", &[p, 7 * 4 * (9 * 7 + 1 + 2 + 2 + 8), 9 * 9, 9], |rec, b| {
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
fn broken_kernels_are_noticed() {
    mutant(&bernoulli::ROWS, "i >= p.shift", "true", chunks);
    mutant(&bernoulli::ROWS, "sites + i - p.shift", "sites + i", chunks);
    mutant(&bernoulli::ROWS, "id % p.ld / p.step", "id % p.ld", chunks);
    mutant(&bernoulli::KERNEL, "i * p.step", "i", chunks);
}

#[test]
fn broken_samplers_are_noticed() {
    for (from, to) in [
        ("p.factor * field(w, site, p.sites)", "field(w, site, p.sites)"),
        ("if (site > 0u) { before = spins", "if (site > 1u) { before = spins"),
        ("p.sites + site - 1u", "p.sites"),
        ("site + 1u);", "site);"),
        ("draw(first + w, site)", "draw(first, site)"),
    ] {
        mutant(&ancestral_attention::KERNEL, from, to, drawn);
    }
    broken_draws(&ancestral_attention::KERNEL, &[Profile::Simd, Profile::Gpu], drawn, long);
    fragment("ancestral", Profile::Simd, &ancestral_attention::KERNEL, "sites) + bitcast<f32>(fields[site].y)", "sites)", drawn);
    mutant_in(Profile::Simd, &ancestral_attention::KERNEL, "if (p.stage_end == p.stages)", "if (p.stage == 0u)", long);
    mutant_in(Profile::Gpu, &ancestral_attention::KERNEL, "stage = p.stage;", "stage = 1u;", drawn);
}
