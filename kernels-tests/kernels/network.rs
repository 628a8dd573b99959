//! Networks of other layers than masked ones.

use helmholtz::gpu::Recording;
use helmholtz::network::{Layer, Net};

use crate::harness::{close, devices};

/// A dense net of any layers: the vocabulary is not tied to spins.
#[test]
fn dense_layers_are_one_site() {
    let layers = [Layer::linear(3, 2, 0, Some(6)), Layer::Tanh { units: 2 }, Layer::linear(2, 1, 8, None)];
    let gpu = devices()[0];
    let net = Net::new(&layers, 10, 1).unwrap();
    let w = [0.5f32, -1.0, 0.25, 1.0, 0.0, -0.5, 0.1, -0.2, 2.0, 3.0];
    let x = [1.0f32, 2.0, 3.0, 0.0];
    let mut rec = Recording::new();
    net.record_pack(&mut rec, &gpu.upload("w", &w));
    net.record_forward(&mut rec, 1, &gpu.upload("x", &x));
    gpu.run(&rec).unwrap();
    let hidden = [0.5 - 2.0 + 0.75 + 0.1, 1.0 - 1.5 - 0.2_f64].map(f64::tanh);
    let got: Vec<f32> = gpu.read_words(net.output(), 4).unwrap();
    close("output", &got, &[2.0 * hidden[0] + 3.0 * hidden[1], 0.0], 1e-6).unwrap();
}
