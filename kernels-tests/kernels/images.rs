//! Mixtures of images of spins: permutations, ln q and its shares. With networks: `trial_states`.

use helmholtz::gpu::{Buffer, Gpu, Recording};
use helmholtz::kernels::bernoulli::Factors;
use helmholtz::kernels::images::{self, Logarithms};
use helmholtz::problem::spins::Images;
use helmholtz::reference::images as twin;
use helmholtz::system::spins::Lattice;

use crate::bounds::refuses;
use crate::harness::{Check, close, mutant, random, verify};
use crate::spins::{failed, single};

const EPS: f64 = f32::EPSILON as f64;

fn permuted(gpu: &Gpu) -> Check {
    let (side, samples) = (5, 7);
    let (n, all) = (side * side, Lattice::Square.images(side));
    let spins = random(1, n * samples);
    let words: Vec<u32> = all.iter().flatten().map(|&i| i as u32).collect();
    let (from, table) = (gpu.upload("spins", &single(&spins)), gpu.upload("table", &words));
    for (m, image) in all.iter().enumerate() {
        let (y, mut rec) = (Buffer::new("image", n * samples), Recording::new());
        images::record_image(&mut rec, m, samples, n, &from, &table, &y);
        gpu.run(&rec).map_err(failed)?;
        let want: Vec<f64> = spins.chunks(n).flat_map(|s| twin::image(s, image, 1.0)).collect();
        if gpu.read_words::<f32>(&y, n * samples).map_err(failed)? != single(&want) {
            return Err(format!("image {m} is another"));
        }
    }
    Ok(())
}

/// Logarithms about -80 that differ by up to 200, of one to 16 images: ln q rounds by ε of the largest and of ln of the sum,
/// shares by ε |difference| of themselves and the error of exp and of the sum.
fn values(gpu: &Gpu) -> Check {
    let count = 133;
    let f: Vec<f64> = random(3, count);
    let factors =
        gpu.upload("factors", &[&[7.0f32, 7.0, 7.0][..], &single(&f).iter().flat_map(|v| [*v, 7.0]).collect::<Vec<_>>()].concat());
    for images in [1, 2, 5, 16] {
        let logs: Vec<f64> = random(2, images * count).iter().map(|v| (-80.0 - 100.0 * v.powi(5)) as f32 as f64).collect();
        let (buffer, log_q, shares) = (gpu.upload("logs", &single(&logs)), Buffer::new("q", count), Buffer::new("s", images * count));
        let (of, mut rec) = (Logarithms { buffer: &buffer, images, count }, Recording::new());
        images::record_join(&mut rec, of, &log_q);
        images::record_split(&mut rec, of, Factors { buffer: &factors, first: 3, step: 2 }, &shares);
        gpu.run(&rec).map_err(failed)?;
        let read = |b: &Buffer, words: usize| gpu.read_words::<f32>(b, words).map_err(failed);
        let (log_q, shares) = (read(&log_q, count)?, read(&shares, images * count)?);
        for w in 0..count {
            let own: Vec<f64> = (0..images).map(|m| logs[m * count + w]).collect();
            close("ln q", &log_q[w..], &[twin::join(&own)], 3.0 * EPS)?;
            let most = own.iter().fold(f64::NEG_INFINITY, |a, b| a.max(*b));
            for (m, share) in twin::split(&own).into_iter().enumerate() {
                let (got, want) = (shares[m * count + w] as f64, f[w] * share);
                // what is below the least normal number may vanish
                if !((got - want).abs() <= (12.0 + 4.0 * (most - own[m])) * EPS * want.abs() + 1e-37) {
                    return Err(format!("share {m} of {images}: {got} instead of {want}"));
                }
            }
        }
    }
    Ok(())
}

/// What is not finite in any image stays so.
fn not_finite(gpu: &Gpu) -> Check {
    let bad = [f32::NAN, f32::NEG_INFINITY, f32::INFINITY, -3.0];
    let logs: Vec<f32> = (0..3).flat_map(|m: u32| (0..63).map(move |w: usize| bad[w / 4_usize.pow(m) % 4])).collect();
    let (buffer, log_q, mut rec) = (gpu.upload("logs", &logs), Buffer::new("ln q", 63), Recording::new());
    images::record_join(&mut rec, Logarithms { buffer: &buffer, images: 3, count: 63 }, &log_q);
    gpu.run(&rec).map_err(failed)?;
    let got: Vec<f32> = gpu.read_words(&log_q, 63).map_err(failed)?;
    if got.iter().any(|v| v.is_finite()) { Err(format!("{got:?}")) } else { Ok(()) }
}

#[test]
fn images_logarithms_and_shares_are_those_of_the_twin() {
    verify(permuted);
    verify(values);
    verify(not_finite);
}

/// Products of spins over all images, from those over the samples; as many samples as images in all of them.
#[test]
fn products_and_samples_are_those_of_all_images() {
    let (n, all) = (9, Lattice::Square.images(3));
    let spins: Vec<Vec<f64>> = (0..5).map(|w| random(w, n)).collect();
    let products =
        |samples: &[Vec<f64>]| -> Vec<f64> { (0..n * n).map(|at| samples.iter().map(|s| s[at / n] * s[at % n]).sum()).collect() };
    let moved: Vec<Vec<f64>> = all.iter().flat_map(|p| spins.iter().map(|s| twin::image(s, p, 1.0))).collect();
    let images = Images::new(n, 2, &all, true).unwrap();
    for (got, want) in images.mean(&products(&spins)).iter().zip(products(&moved)) {
        assert!((got - want / 8.0).abs() < 1e-14, "{got}, {want}");
    }
    let want: Vec<f64> = (0..16).flat_map(|w| twin::image(&spins[0], &all[w / 2], 1.0)).collect();
    assert_eq!(images.spread(&single(&spins[0]).repeat(16)), single(&want));
}

#[test]
fn what_is_no_group_is_refused() {
    let [same, turned, other] = [vec![0, 1, 2, 3], vec![1, 2, 3, 0], vec![1, 0, 2, 3]];
    for (permutations, said) in [
        (vec![], "do not begin"),
        (vec![turned.clone()], "do not begin"),
        (vec![vec![0, 1, 2]], "do not name each site once"),
        (vec![vec![0, 1, 2, 2]], "do not name each site once"),
        (vec![same.clone(), turned], "are no group"),
        (vec![same.clone(), same.clone()], "hold one twice"),
    ] {
        let text = Images::new(4, 2, &permutations, false).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(text.contains(said), "{said}: {text:?}");
    }
    assert!(Images::new(4, 2, &[same, other], true).is_ok());
}

#[test]
fn short_buffers_are_refused() {
    let (n, count, images) = (5, 9, 3);
    fn of(buffer: &Buffer) -> Logarithms<'_> {
        Logarithms { buffer, images: 3, count: 9 }
    }
    refuses("image", &[count * n, 3 * n, count * n], |rec, b| images::record_image(rec, 2, count, n, &b[0], &b[1], &b[2]));
    refuses("join", &[images * count, count], |rec, b| images::record_join(rec, of(&b[0]), &b[1]));
    refuses("split", &[images * count, 3 + 2 * 8 + 1, images * count], |rec, b| {
        images::record_split(rec, of(&b[0]), Factors { buffer: &b[1], first: 3, step: 2 }, &b[2]);
    });
}

#[test]
fn broken_kernels_are_noticed() {
    mutant(&images::IMAGE, "p.image * p.sites + i", "i", permuted);
    mutant(&images::IMAGE, "id - i + min", "min", permuted);
    mutant(&images::JOIN, "log1p_(f32(p.images) - 1.0)", "0.6931471806", values);
    mutant(&images::JOIN, "most = max(most, l);", "", values);
    mutant(&images::JOIN, "any = true;", "", not_finite);
    mutant(&images::SPLIT, "p.first + p.step * w", "p.first + w", values);
    mutant(&images::SPLIT, "sum += e;", "sum = e;", values);
}
