//! Cached ancestral sampling of a network of layers: which kernel draws from it.

use crate::error::{Error, Result};
use crate::gpu::{Buffer, MAX_TRIPS, Profile, Recording};
use crate::kernels::ancestral::{self, Outputs, Then};
use crate::kernels::ancestral_convolution;
use crate::kernels::philox::Stream;

use super::Layer;

/// The layers as the kernel of their kind takes them.
pub enum Sampler {
    /// Masked matrices.
    Triangles(ancestral::Program),
    /// Masked convolutions.
    Windows(ancestral_convolution::Program),
}

impl Sampler {
    /// # Errors
    /// [`Error::User`] for layers that are not masked, or do not lead from one spin a site to one logit a site,
    /// and for convolutions of which one site takes more loop trips than a launch may make.
    pub(super) fn new(layers: &[Layer], profile: Profile) -> Result<Sampler> {
        if let Some(Layer::MaskedConvolution { .. }) = layers.first() {
            let program = ancestral_convolution::Program::new(windows(layers)?);
            let trips = program.trips(profile);
            if trips > MAX_TRIPS {
                return Err(Error::User(format!(
                    "masked convolutions: a draw makes {trips} loop trips a site, more than the {MAX_TRIPS} that every driver carries out; \
                     reduce the width, the half kernel or the depth"
                )));
            }
            return Ok(Sampler::Windows(program));
        }
        triangles(layers).map(|stages| Sampler::Triangles(ancestral::Program::new(stages)))
    }

    /// Words of the cache of `count` samples.
    pub fn cache_words(&self, count: usize) -> usize {
        match self {
            Sampler::Triangles(program) => program.cache_words(count),
            Sampler::Windows(program) => program.cache_words(count),
        }
    }

    /// The word of the cache of `count` samples that holds the logit of a site.
    pub fn logit(&self, count: usize, sample: usize, site: usize) -> usize {
        match self {
            Sampler::Triangles(program) => program.logits(count) + site * count + sample,
            Sampler::Windows(program) => program.logit(sample, site),
        }
    }

    /// Records draws; see [`ancestral::record`] and [`ancestral_convolution::record`].
    #[allow(clippy::too_many_arguments)]
    pub fn record(&self, rec: &mut Recording, profile: Profile, at: Stream, first: usize, count: usize, parameters: &Buffer, out: Outputs) {
        match self {
            Sampler::Triangles(program) => ancestral::record(rec, profile, program, at, first, count, parameters, out),
            Sampler::Windows(program) => ancestral_convolution::record(rec, profile, program, at, first, count, parameters, out),
        }
    }
}

/// Why layer `l` cannot be drawn from.
fn wrong(l: usize, layer: &Layer, what: &str) -> Error {
    Error::User(format!("autoregressive network: layer {l} {what}: {layer:?}"))
}

/// What masks must be: the first layer does not see its own site, the others do.
fn mask(l: usize, layer: &Layer, first: bool, inclusive: bool) -> Result<()> {
    if first == inclusive {
        return Err(wrong(l, layer, if inclusive { "is the first and sees its own site" } else { "does not see its own site" }));
    }
    Ok(())
}

fn ends(channels: Option<(usize, usize)>) -> Result<()> {
    if channels != Some((1, 1)) {
        return Err(Error::User("autoregressive network: it leads from one spin a site to one logit a site".into()));
    }
    Ok(())
}

/// Masked matrices, each with the activation behind it.
fn triangles(layers: &[Layer]) -> Result<Vec<ancestral::Stage>> {
    let mut stages: Vec<ancestral::Stage> = Vec::new();
    for (l, layer) in layers.iter().enumerate() {
        let then = match *layer {
            Layer::MaskedLinear { shape, weights, bias } => {
                if stages.first().is_some_and(|first| first.shape.sites != shape.sites) {
                    return Err(wrong(l, layer, "has other sites"));
                }
                mask(l, layer, stages.is_empty(), shape.inclusive)?;
                stages.push(ancestral::Stage { shape, weights, bias, then: Then::Nothing });
                continue;
            }
            Layer::Prelu { slopes, .. } => Then::Prelu(slopes),
            Layer::Tanh { .. } => Then::Tanh,
            _ => return Err(wrong(l, layer, "does not go with masked matrices")),
        };
        match stages.last_mut() {
            Some(stage) if stage.then == Then::Nothing => stage.then = then,
            _ => return Err(wrong(l, layer, "is an activation behind none or another")),
        }
    }
    ends(stages.first().zip(stages.last()).map(|(first, last)| (first.shape.inputs, last.shape.outputs)))?;
    Ok(stages)
}

/// Masked convolutions, each with the activation behind it.
fn windows(layers: &[Layer]) -> Result<Vec<ancestral_convolution::Stage>> {
    let mut stages: Vec<ancestral_convolution::Stage> = Vec::new();
    for (l, layer) in layers.iter().enumerate() {
        match *layer {
            Layer::MaskedConvolution { shape, weights, bias } => {
                if stages.first().is_some_and(|first| first.shape.side != shape.side) {
                    return Err(wrong(l, layer, "has other sites"));
                }
                mask(l, layer, stages.is_empty(), shape.inclusive)?;
                // between, sites have columns of 4 channels in the cache
                if !stages.is_empty() && shape.inputs == 1 {
                    return Err(wrong(l, layer, "is behind another and takes one channel"));
                }
                stages.push(ancestral_convolution::Stage { shape, weights, bias, slopes: None });
            }
            Layer::ChannelPrelu { slopes, .. } => match stages.last_mut() {
                Some(stage) if stage.slopes.is_none() => stage.slopes = Some(slopes),
                _ => return Err(wrong(l, layer, "is an activation behind none or another")),
            },
            _ => return Err(wrong(l, layer, "does not go with masked convolutions")),
        }
    }
    ends(stages.first().zip(stages.last()).map(|(first, last)| (first.shape.inputs, last.shape.outputs)))?;
    Ok(stages)
}
