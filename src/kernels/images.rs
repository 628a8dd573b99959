//! `spin_images`, `images_join`, `images_split`: the mixture q(s) = mean of q0 over the images of s under a group of
//! permutations of the sites, and flips of all spins.
//!
//! Where E is the same for all images, q is as good as q0 or better. Sampling costs nothing more, ln q a pass an image, and
//! d ln q = sum_m w_m d ln q0(image m), w_m the shares of the images in the sum.

use crate::gpu::{Buffer, Kernel, Recording, grid};

use super::WG;
use super::bernoulli::Factors;

const VARIANTS: &[&[(&str, u32)]] = &[&[("WG", 64)]];

/// `shaders/spin_images.wgsl`.
pub static IMAGE: Kernel = Kernel {
    name: "spin_images",
    source: include_str!("../../shaders/spin_images.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<[u32; 4]>(),
    variants: VARIANTS,
};

/// `shaders/images_join.wgsl`.
pub static JOIN: Kernel = Kernel {
    name: "images_join",
    source: include_str!("../../shaders/images_join.wgsl"),
    shared: &["grid", "special"],
    params_bytes: size_of::<[u32; 4]>(),
    variants: VARIANTS,
};

/// `shaders/images_split.wgsl`.
pub static SPLIT: Kernel = Kernel {
    name: "images_split",
    source: include_str!("../../shaders/images_split.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<[u32; 4]>(),
    variants: VARIANTS,
};

/// ln q0 of all images, f32 `[image][sample]`.
#[derive(Clone, Copy)]
pub struct Logarithms<'b> {
    /// Where they are.
    pub buffer: &'b Buffer,
    /// Number of images.
    pub images: usize,
    /// Number of samples.
    pub count: usize,
}

impl Logarithms<'_> {
    fn words(&self) -> usize {
        self.images * self.count
    }
}

/// Image `image` of `count` samples of `spins` into `y`, both f32 `[sample][sites]`: spin i is spin `table`\[image\]\[i\] of the
/// sample, u32 `[image][sites]`.
pub fn record_image(rec: &mut Recording, image: usize, count: usize, sites: usize, spins: &Buffer, table: &Buffer, y: &Buffer) {
    rec.launch("image", &IMAGE, &[count as u32, sites as u32, image as u32, 0])
        .constants(&[("WG", WG)])
        .read(spins, count * sites)
        .read(table, image * sites..(image + 1) * sites)
        .write(y, count * sites)
        .groups(grid((count * sites).div_ceil(WG as usize)));
}

/// ln q of all samples.
pub fn record_join(rec: &mut Recording, logs: Logarithms, log_q: &Buffer) {
    let (count, images) = (logs.count, logs.images);
    rec.launch("ln q of all images", &JOIN, &[count as u32, images as u32, 0, 0])
        .constants(&[("WG", WG)])
        .read(logs.buffer, logs.words())
        .write(log_q, count)
        .trips(2 * images as u64)
        .flops(20.0 * logs.words() as f64)
        .groups(grid(count.div_ceil(WG as usize)));
}

/// The factors of gradients of ln q as those of d ln q0 of the images, f32 `[image][sample]`.
pub fn record_split(rec: &mut Recording, logs: Logarithms, factors: Factors, shares: &Buffer) {
    let (count, images) = (logs.count, logs.images);
    rec.launch("factors of all images", &SPLIT, &[count as u32, images as u32, factors.first as u32, factors.step as u32])
        .constants(&[("WG", WG)])
        .read(logs.buffer, logs.words())
        .read(factors.buffer, factors.first..factors.first + factors.step * count.saturating_sub(1) + 1)
        .update(shares, logs.words())
        .trips(3 * images as u64)
        .flops(20.0 * logs.words() as f64)
        .groups(grid(count.div_ceil(WG as usize)));
}
