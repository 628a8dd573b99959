//! Adam with bias correction (Kingma, Ba, ICLR 2015, arXiv:1412.6980), along gradients that are cut to a largest norm
//! (Pascanu, Mikolov, Bengio, ICML 2013, arXiv:1211.5063).

use crate::archive::Archive;
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
    /// Largest Euclidean norm of a gradient; a longer one is shortened to it.
    pub clip: f64,
    /// First moments, f32 `[parameters]`.
    pub m: Buffer,
    /// Second moments, f32 `[parameters]`.
    pub v: Buffer,
    /// Steps taken and refused, and more: [`adam::STATE`] words.
    pub state: Buffer,
    /// Scratch, [`adam::groups`] words.
    pub partial: Buffer,
}

impl Adam {
    /// Rate 1e-3, β = (0.9, 0.999), ε = 1e-8, gradients of any length.
    pub fn new(parameters: usize) -> Adam {
        let zeros = |name: &str, words: usize| Buffer::starting(name, words, move || vec![0u32; words]);
        Adam {
            parameters,
            rate: 1e-3,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            clip: f64::INFINITY,
            m: zeros("Adam first moments", parameters),
            v: zeros("Adam second moments", parameters),
            state: zeros("Adam state", adam::STATE),
            partial: Buffer::new("Adam squares", adam::groups(parameters)),
        }
    }

    /// Sets moments and step count to zero again.
    pub fn reset(&self, rec: &mut Recording) {
        for buffer in [&self.m, &self.v, &self.state] {
            rec.clear(buffer);
        }
    }

    /// Records a step; `gradient` and `parameters` f32 `[parameters]`. A gradient whose squared norm is not finite
    /// changes nothing and is counted.
    pub fn record(&self, rec: &mut Recording, profile: Profile, gradient: &Buffer, parameters: &Buffer) {
        let Adam { parameters: words, rate, beta1, beta2, epsilon, clip, .. } = *self;
        let s = adam::Settings { parameters: words, rate, beta1, beta2, epsilon, clip };
        let Adam { m, v, state, partial, .. } = self;
        adam::record(rec, profile, s, adam::Vectors { gradient, parameters, m, v, state, partial });
    }

    /// Moments and counts.
    pub fn state(&self, a: &mut Archive) -> Result<()> {
        a.floats("adam_m", &self.m, self.parameters)?;
        a.floats("adam_v", &self.v, self.parameters)?;
        a.words("adam_counts", &self.state, adam::STATE)
    }

    /// Steps taken and steps refused so far.
    pub fn steps(&self, gpu: &Gpu) -> Result<(u32, u32)> {
        let words: Vec<u32> = gpu.read_words(&self.state, adam::STATE)?;
        Ok((words[adam::TAKEN], words[adam::REFUSED]))
    }

    /// Euclidean norm of the gradient of the last step, before it was shortened.
    pub fn norm(&self, gpu: &Gpu) -> Result<f64> {
        let words: Vec<f32> = gpu.read_words(&self.state, adam::STATE)?;
        Ok((words[adam::SQUARE] as f64).sqrt())
    }
}
