//! Initial values of the networks of spins: uniform numbers by their place.

use super::parameters::Table;
use crate::number::philox::{philox, purpose, uniform4};

/// Slopes of PReLU before training.
pub(super) const SLOPE: f32 = 0.5;

/// Fills the leaves `w` and `b` of a module, where it has them, with numbers uniform within their two bounds; `stream`: layer and
/// number of the weights, that of the bias follows.
pub(super) fn linear(table: &Table, module: &str, stream: [u32; 2], seed: u64, bounds: [f64; 2], values: &mut [f32]) {
    let [layer, first] = stream;
    for (number, (leaf, bound)) in ["w", "b"].into_iter().zip(bounds).enumerate() {
        let Some(leaf) = table.get(&format!("{module}/{leaf}")) else { continue };
        let key = [seed as u32, (seed >> 32) as u32];
        for (i, value) in values[leaf.offset..leaf.offset + leaf.size()].iter_mut().enumerate() {
            let u = uniform4(philox(key, [i as u32, layer, first + number as u32, purpose::PARAMETERS]))[0];
            *value = (bound * (2.0 * u - 1.0)) as f32;
        }
    }
}
