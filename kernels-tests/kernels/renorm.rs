//! The hierarchical flow and the action of its target against the twin in float64.

use helmholtz::gpu::{Buffer, Gpu, Profile, Recording};
use helmholtz::kernels::philox::{Stream, purpose};
use helmholtz::kernels::renorm::{self, Action, Direction, Flow, Gradient, Logs, Mixed};
use helmholtz::model::renorm::Renorm;
use helmholtz::reference::renorm::{Twin, ln_normal};
use helmholtz::system::DualIsing;

use crate::bounds::refuses;
use crate::harness::{Check, Wanted, close, mutant, mutant_in, verify};

const EPS: f64 = f32::EPSILON as f64;

fn normals(seed: u64, count: usize) -> Vec<f64> {
    let all = Stream { seed, step: 0, purpose: purpose::START, first_walker: 0 }.normals().take(count);
    all.map(|v| v as f32 as f64).collect()
}

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|v| *v as f32).collect()
}

fn model(side: usize, depth: usize, hidden: usize, shared: bool) -> Renorm {
    Renorm {
        side,
        depth,
        repeats: 1,
        couplings: 5,
        hidden_layers: if hidden < 4 { 1 } else { 3 },
        hidden,
        shared,
        haar: hidden < 4 && side < 16,
    }
}

/// Networks of random weights whose scales are not 0.
fn parameters(model: &Renorm) -> Vec<f64> {
    let mut values: Vec<f64> = model.initial(5).iter().map(|v| *v as f64).collect();
    let noise = normals(6, values.len());
    values.iter_mut().zip(noise).for_each(|(v, n)| *v = (*v + 0.2 * n) as f32 as f64);
    values
}

/// Everything of one case on the host.
struct Case {
    model: Renorm,
    parameters: Vec<f64>,
    z: Vec<f64>,
    x: Vec<f64>,
    log_det: Vec<f64>,
    g: Vec<f64>,
    cotangent: Vec<f64>,
    lambda: Vec<f64>,
    /// Of the reverse mode along these two.
    pulled: Vec<f64>,
    gradient: Vec<f64>,
}

type Shape = (usize, usize, usize, bool);

/// Samples: no multiple of a tile.
const SAMPLES: usize = 5;

fn case(shape: Shape) -> &'static Case {
    static CASES: Wanted<Shape, Case> = Wanted::new();
    CASES.of(shape, || {
        let (side, depth, hidden, shared) = shape;
        let model = model(side, depth, hidden, shared);
        let (parameters, n) = (parameters(&model), side * side);
        let (z, cotangent, lambda) = (normals(1, SAMPLES * n), normals(2, SAMPLES * n), normals(3, SAMPLES));
        let twin = Twin::new(&model, &parameters);
        let (mut x, mut log_det, mut g, mut pulled, mut gradient) = (vec![], vec![], vec![], vec![], vec![0.0; parameters.len()]);
        for w in 0..SAMPLES {
            let (own, ld, slope) = twin.carried(&z[w * n..][..n]);
            let back = twin.pull(&own, &cotangent[w * n..][..n], lambda[w]);
            x.extend(own);
            log_det.push(ld);
            g.extend(slope);
            pulled.extend(back.cotangent);
            gradient.iter_mut().zip(back.gradient).for_each(|(a, b)| *a += b);
        }
        Case { model, parameters, z, x, log_det, g, cotangent, lambda, pulled, gradient }
    })
}

const SHAPES: [Shape; 4] = [(4, 2, 3, false), (8, 2, 10, true), (4, 1, 3, false), (16, 4, 3, false)];

/// Both directions, the carried vector, the reverse mode. Errors: a chain of up to 80 couplings, each of which rounds numbers of
/// order 1 by a few ε and stretches what came before by the slopes of S and T; 400 ε of the largest number hold it.
fn flows(gpu: &Gpu, shapes: &[Shape]) -> Check {
    for shape in shapes {
        let c = case(*shape);
        let (n, tolerance) = (c.model.sites(), 400.0 * EPS);
        let flow = Flow::new(&c.model, SAMPLES, gpu.profile).map_err(|e| e.to_string())?;
        let upload = |name: &str, v: &[f64]| gpu.upload(name, &narrow(v));
        let (parameters, z, x) = (upload("parameters", &c.parameters), upload("z", &c.z), upload("x", &c.x));
        let g = upload("g", &c.z.iter().map(|z| -z).collect::<Vec<_>>());
        let [plus, minus] = [0, 1].map(|_| gpu.upload("log det", &vec![0.0f32; flow.patches()]));
        // in the density direction from -x
        let mirrored = upload("-x", &c.x.iter().map(|x| -x).collect::<Vec<_>>());
        let (at, cotangent, lambda) = (upload("x", &c.x), upload("c", &c.cotangent), upload("lambda", &c.lambda));
        let gradient = Buffer::new("gradient", c.parameters.len());
        let mut rec = Recording::new();
        flow.record_pack(&mut rec, &parameters);
        flow.record(&mut rec, Direction::Sample(Some(&g)), &z, Some(&plus));
        flow.record(&mut rec, Direction::Density(-1.0), &mirrored, Some(&minus));
        flow.record(&mut rec, Direction::Pull(&cotangent, &lambda, Gradient::New), &at, None);
        flow.record_gradient(&mut rec, &gradient);
        // again from where it came, without the vector
        flow.record(&mut rec, Direction::Sample(None), &mirrored, None);
        gpu.run(&rec).map_err(|e| e.to_string())?;
        let read = |b: &Buffer| gpu.read::<f32>(b).map_err(|e| e.to_string());
        let what = format!("{shape:?}");
        let sums = |values: Vec<f32>| -> Vec<f32> { values.chunks(n / 4).map(|c| c.iter().sum()).collect() };
        close(&format!("{what} x"), &read(&z)?, &c.x, tolerance)?;
        close(&format!("{what} G"), &read(&g)?, &c.g, tolerance)?;
        close(&format!("{what} log det"), &sums(read(&plus)?), &c.log_det, tolerance)?;
        close(&format!("{what} log det of the density"), &sums(read(&minus)?), &c.log_det, tolerance)?;
        close(&format!("{what} z of the reverse mode"), &read(&at)?, &c.z, tolerance)?;
        close(&format!("{what} cotangent"), &read(&cotangent)?, &c.pulled, tolerance)?;
        close(&format!("{what} gradient"), &read(&gradient)?, &c.gradient, tolerance)?;
        close(&format!("{what} x(z(x))"), &read(&mirrored)?, &c.x, tolerance)?;
        let _ = &x;
    }
    Ok(())
}

/// U rounds by √N ε of its terms, of which the largest, x², is some 10 N; forces by the products, 8 ε of 10.
fn actions(gpu: &Gpu) -> Check {
    for (side, white) in [(4, true), (8, false), (16, true)] {
        let (dual, samples) = (DualIsing::new(side, 2.0).map_err(|e| e.to_string())?, 3);
        let n = dual.sites();
        let x: Vec<f64> = normals(4, samples * n).iter().map(|v| (4.0 * v) as f32 as f64).collect();
        let action = Action::new(dual, white, samples);
        let fields = gpu.upload("x", &narrow(&x));
        let mut rec = Recording::new();
        action.record(&mut rec, &fields);
        gpu.run(&rec).map_err(|e| e.to_string())?;
        let want: Vec<(f64, Vec<f64>)> = x.chunks(n).map(|x| if white { dual.white_action(x) } else { dual.action(x) }).collect();
        let (energies, forces): (Vec<f64>, Vec<Vec<f64>>) = want.into_iter().unzip();
        let own: Vec<f64> = x.chunks(n).flat_map(|x| if white { dual.apply(x, f64::sqrt) } else { x.to_vec() }).collect();
        let squares: Vec<f64> = own.chunks(n).map(|x| dual.square(x)).collect();
        let read = |b: &Buffer| gpu.read::<f32>(b).map_err(|e| e.to_string());
        close("x", &read(&action.x)?, &own, 32.0 * EPS)?;
        close("U", &read(&action.energy)?, &energies, 32.0 * EPS)?;
        close("force", &read(&action.force)?, &forces.concat(), 64.0 * EPS)?;
        let got: Vec<f32> = read(&action.magnetisation)?.iter().map(|m| (m / n as f32).powi(2)).collect();
        close("m²", &got, &squares, 32.0 * EPS)?;
    }
    Ok(())
}

/// Normal numbers of the stream, -z, and ln N.
fn bases(gpu: &Gpu) -> Check {
    let (count, sites) = (7, 16);
    let at = Stream { seed: 9, step: 3, purpose: purpose::LATENT, first_walker: 4 };
    let buffers = [0, 1].map(|_| [Buffer::new("z", count * sites), Buffer::new("g", count * sites), Buffer::new("ln N", count)]);
    let mut rec = Recording::new();
    let [z, g, normal] = &buffers[0];
    renorm::draw(&mut rec, at, count, sites, z, g, normal);
    let [again, slope, other] = &buffers[1];
    rec.copy(z, again, count * sites);
    renorm::base(&mut rec, count, sites, again, slope, other);
    gpu.run(&rec).map_err(|e| e.to_string())?;
    let want: Vec<f64> = (0..count).flat_map(|w| at.skip(w).normals().take(sites).collect::<Vec<_>>()).collect();
    let logs: Vec<f64> = want.chunks(sites).map(ln_normal).collect();
    let minus: Vec<f64> = want.iter().map(|z| -z).collect();
    let read = |b: &Buffer| gpu.read::<f32>(b).map_err(|e| e.to_string());
    // normal numbers keep 2e-6 + 4e-6 of the smallest radius
    close("z", &read(z)?, &want, 1e-5)?;
    for (g, normal) in [(g, normal), (slope, other)] {
        close("-z", &read(g)?, &minus, 1e-5)?;
        close("ln N", &read(normal)?, &logs, 1e-5)?;
    }
    Ok(())
}

/// ln q, shares and cotangents of samples of which one is not finite; with both signs and without.
fn mixtures(gpu: &Gpu) -> Check {
    let (count, sites, scale) = (6, 16, 0.25);
    let [g, back, force] = [11, 12, 13].map(|seed| normals(seed, count * sites));
    let (normal, minus) = (normals(14, count), normals(15, count));
    let (ld, minus_ld) = (normals(16, 4 * count), normals(17, 4 * count));
    let mut energy = normals(18, count);
    energy[3] = f64::INFINITY;
    for (z2, total) in [(true, false), (true, true), (false, false), (false, true)] {
        let upload = |name: &str, v: &[f64]| gpu.upload(name, &narrow(v));
        let [log_q, share, lambda, minus_lambda] = ["ln q", "share", "lambda", "lambda'"].map(|name| Buffer::new(name, count));
        let (c, b) = (upload("force", &force), upload("back", &back));
        let (g, energies) = (upload("g", &g), upload("U", &energy));
        let [n, l, m, k] = [("ln N", &normal), ("ld", &ld), ("ln N'", &minus), ("ld'", &minus_ld)].map(|(name, v)| upload(name, v));
        let mut rec = Recording::new();
        let mirror = Logs { normal: &m, log_det: &k };
        renorm::join(&mut rec, count, sites, Logs { normal: &n, log_det: &l }, z2.then_some(mirror), &log_q, &share);
        let of = Mixed {
            g: &g,
            share: &share,
            log_q: &log_q,
            energy: &energies,
            force: &c,
            back: &b,
            lambda: &lambda,
            minus_lambda: &minus_lambda,
        };
        renorm::mix(&mut rec, z2, total, count, sites, scale, of);
        gpu.run(&rec).map_err(|e| e.to_string())?;
        let mut want = [vec![], vec![], vec![], vec![], vec![], vec![]];
        for w in 0..count {
            let sum = |v: &[f64]| v[4 * w..][..4].iter().sum::<f64>();
            let (plus, other) = (normal[w] - sum(&ld), if z2 { minus[w] - sum(&minus_ld) } else { f64::NEG_INFINITY });
            let own = 1.0 / (1.0 + (other - plus).exp());
            let q = (plus.exp() + other.exp()).ln() - if z2 { 2f64.ln() } else { 0.0 };
            let factor = if energy[w].is_finite() { scale } else { 0.0 };
            let score = if total { factor } else { 0.0 };
            want[0].push(q);
            want[1].push(own);
            want[2].push(-score * own);
            want[3].push(-score * (1.0 - own));
            for i in w * sites..(w + 1) * sites {
                let (near, far) = (own * normals(11, count * sites)[i], (1.0 - own) * back[i]);
                want[4].push(factor * (if total { 0.0 } else { near } - far + force[i]));
                want[5].push(if z2 { -factor * far } else { back[i] });
            }
        }
        for ((name, buffer), want) in
            [("ln q", &log_q), ("share", &share), ("λ", &lambda), ("λ'", &minus_lambda), ("c", &c), ("back", &b)].into_iter().zip(&want)
        {
            close(&format!("{name}, z2 {z2}, total {total}"), &gpu.read::<f32>(buffer).map_err(|e| e.to_string())?, want, 32.0 * EPS)?;
        }
    }
    Ok(())
}

#[test]
fn flows_are_those_of_the_twin() {
    verify(|gpu| flows(gpu, &SHAPES));
}

#[test]
fn actions_are_those_of_the_twin() {
    verify(actions);
}

#[test]
fn ends_are_those_of_the_twin() {
    verify(bases);
    verify(mixtures);
}

#[test]
fn broken_kernels_are_noticed() {
    let small = |gpu: &Gpu| flows(gpu, &SHAPES[2..3]);
    // more invocations than lanes of the sum, in either profile
    let wide = |gpu: &Gpu| flows(gpu, &[(32, 1, 3, false)]);
    for (from, to) in [
        ("select(a + 1.0, vec4<f32>(1.0)", "select(a, vec4<f32>(1.0)"),
        ("1.0 + y[$r] * cy[$r]", "y[$r] * cy[$r]"),
        ("+ weight[$r]", "+ 0.0 * weight[$r]"),
        ("& vec2<u32>(p.side - 1u);\n  let away", "& vec2<u32>(p.side - 2u);\n  let away"),
        ("p.sign * vec4", "vec4"),
        ("du[$r] = -du[$r];", ""),
        ("a.z - a.w);", "a.w - a.z);"),
    ] {
        mutant(&renorm::COUPLING, from, to, small);
    }
    // of several rows the last ones may be none
    mutant_in(Profile::Simd, &renorm::COUPLING, "row$r <= bound) {\n    c", "true) {\n    c", small);
    mutant(&renorm::SUM, "r += WG", "r += WG + 1u", wide);
    mutant(&renorm::SUM, "(p.flags & 1u) != 0u", "false", |gpu| flows(gpu, &[(4, 2, 3, true)]));
    mutant(&renorm::ACTION, "sums[0].x + p.constant", "sums[0].x", actions);
    mutant(&renorm::ACTION, "0.5 * dot(table", "dot(table", actions);
    mutant(&renorm::MODES, "- mu * f[id]", "- f[id]", actions);
    mutant(&renorm::BASE, "7.351508265637381", "7.3", bases);
    mutant(&renorm::JOIN, "log_sigmoid(-apart)", "log_sigmoid(apart)", mixtures);
    mutant(&renorm::MIX, "-p.scale * other", "p.scale * other", mixtures);
    mutant(&renorm::MIX, "counts && TOTAL == 1u", "TOTAL == 1u", mixtures);
}

#[test]
fn buffers_that_are_a_word_short_are_refused() {
    let m = model(4, 2, 10, false);
    let (n, words) = (16, SAMPLES * 16);
    for profile in [Profile::Simd, Profile::Gpu] {
        let flow = Flow::new(&m, SAMPLES, profile).unwrap();
        let count = m.parameters().len();
        refuses("pack", &[count, count], |rec, b| {
            flow.record_pack(rec, &b[0]);
            flow.record_gradient(rec, &b[1]);
        });
        refuses("couplings", &[words, words, SAMPLES, words / 4], |rec, b| {
            flow.record(rec, Direction::Pull(&b[1], &b[2], Gradient::New), &b[0], Some(&b[3]));
        });
        refuses("samples", &[words, words, words / 4], |rec, b| {
            flow.record(rec, Direction::Sample(Some(&b[1])), &b[0], Some(&b[2]));
        });
    }
    refuses("ends", &[words, words, SAMPLES], |rec, b| renorm::base(rec, SAMPLES, n, &b[0], &b[1], &b[2]));
    refuses("ln q", &[SAMPLES, words / 4, SAMPLES, words / 4, SAMPLES, SAMPLES], |rec, b| {
        let [plus, minus] = [0, 2].map(|i| Logs { normal: &b[i], log_det: &b[i + 1] });
        renorm::join(rec, SAMPLES, n, plus, Some(minus), &b[4], &b[5]);
    });
    refuses("cotangents", &[words, SAMPLES, SAMPLES, SAMPLES, words, words, SAMPLES, SAMPLES], |rec, b| {
        let of =
            Mixed { g: &b[0], share: &b[1], log_q: &b[2], energy: &b[3], force: &b[4], back: &b[5], lambda: &b[6], minus_lambda: &b[7] };
        renorm::mix(rec, true, true, SAMPLES, n, 1.0, of);
    });
    refuses("action", &[words], |rec, b| Action::new(DualIsing::new(4, 2.0).unwrap(), true, SAMPLES).record(rec, &b[0]));
}
