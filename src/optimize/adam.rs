//! Adam with bias correction (Kingma, Ba, ICLR 2015, arXiv:1412.6980).

use crate::error::Result;
use crate::gpu::{Buffer, Gpu, Profile, Recording};
use crate::kernels::adam;

/// Adam's settings and its moments on the device.
#[derive(Clone, Debug)]
pub struct Adam {
    /// Length of the vectors.
    pub parameters: usize,
    /// Learning rate.
    pub rate: f64,
    /// Memory of the gradient.
    pub beta1: f64,
    /// Memory of its square.
    pub beta2: f64,
    /// Added to the root of the mean square.
    pub epsilon: f64,
    /// First moments, f32 `[parameters]`.
    pub m: Buffer,
    /// Second moments, f32 `[parameters]`.
    pub v: Buffer,
    /// Steps taken and refused (u32), 1 - β₁ᵗ, 1 - β₂ᵗ (f32).
    pub state: Buffer,
}

impl Adam {
    /// Rate 1e-3, β = (0.9, 0.999), ε = 1e-8.
    pub fn new(parameters: usize) -> Adam {
        let zeros = |name: &str, words: usize| Buffer::starting(name, words, move || vec![0u32; words]);
        Adam {
            parameters,
            rate: 1e-3,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            m: zeros("Adam first moments", parameters),
            v: zeros("Adam second moments", parameters),
            state: zeros("Adam state", 4),
        }
    }

    /// Sets moments and step count to zero again.
    pub fn reset(&self, rec: &mut Recording) {
        for buffer in [&self.m, &self.v, &self.state] {
            rec.clear(buffer);
        }
    }

    /// Records a step; `gradient` and `parameters` f32 `[parameters]`. A gradient that is not finite
    /// changes nothing and is counted.
    pub fn record(&self, rec: &mut Recording, profile: Profile, gradient: &Buffer, parameters: &Buffer) {
        let p = adam::Params {
            words: self.parameters as u32,
            pad: 0,
            rate: self.rate as f32,
            epsilon: self.epsilon as f32,
            beta1: self.beta1 as f32,
            rest1: (1.0 - self.beta1) as f32,
            beta2: self.beta2 as f32,
            rest2: (1.0 - self.beta2) as f32,
        };
        adam::record(rec, "Adam", profile, p, gradient, parameters, &self.m, &self.v, &self.state);
    }

    /// Steps taken and steps refused so far.
    pub fn steps(&self, gpu: &Gpu) -> Result<(u32, u32)> {
        let words: Vec<u32> = gpu.read_words(&self.state, 2)?;
        Ok((words[0], words[1]))
    }
}
