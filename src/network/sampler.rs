//! Cached ancestral sampling of a network of layers: which kernel draws from it.

use crate::error::{Error, Result};
use crate::gpu::{Buffer, MAX_TRIPS, Profile, Recording};
use crate::kernels::ancestral::{self, Outputs, Then};
use crate::kernels::fields::Known;
use crate::kernels::philox::Stream;
use crate::kernels::{ancestral_attention, ancestral_convolution};

use super::{Layer, Mask, placed};

/// The layers as the kernel of their kind takes them.
pub enum Sampler {
    /// Masked matrices.
    Triangles(ancestral::Program),
    /// Masked convolutions.
    Windows(ancestral_convolution::Program),
    /// Attention among the sites before.
    Tokens(ancestral_attention::Program),
}

impl Sampler {
    /// # Errors
    /// [`Error::User`] for layers that are not masked, or do not lead from one spin a site to one logit a site,
    /// and for convolutions, and attention, of which one site takes more loop trips than a launch may make.
    pub(super) fn new(layers: &[Layer], parameters: usize, profile: Profile) -> Result<Sampler> {
        let tokens = placed::tokens(layers)?;
        if tokens > 1 {
            ends(layers.first().zip(layers.last()).map(|(first, last)| [first.inputs(), last.outputs()]))?;
            let program = ancestral_attention::Program::new(layers, tokens, parameters)?;
            let trips = program.most_trips(profile);
            if trips > MAX_TRIPS {
                return Err(Error::User(format!(
                    "attention: a layer makes {trips} loop trips for the last site, more than the {MAX_TRIPS} that every driver carries \
                     out; reduce the width"
                )));
            }
            return Ok(Sampler::Tokens(program));
        }
        if let Some(Layer::MaskedConvolution { .. }) = layers.first() {
            let program = ancestral_convolution::Program::new(stages(layers)?);
            let trips = program.trips(profile);
            if trips > MAX_TRIPS {
                return Err(Error::User(format!(
                    "masked convolutions: a draw makes {trips} loop trips a site, more than the {MAX_TRIPS} that every driver carries out; \
                     reduce the width, the half kernel or the depth"
                )));
            }
            return Ok(Sampler::Windows(program));
        }
        stages(layers).map(|stages| Sampler::Triangles(ancestral::Program::new(stages, profile)))
    }

    /// Words of the cache of `count` samples.
    pub fn cache_words(&self, count: usize) -> usize {
        match self {
            Sampler::Triangles(program) => program.cache_words(count),
            Sampler::Windows(program) => program.cache_words(count),
            Sampler::Tokens(program) => program.cache_words(count),
        }
    }

    /// The word of the cache that holds the logit of a site.
    pub fn logit(&self, sample: usize, site: usize) -> usize {
        match self {
            Sampler::Triangles(program) => program.logit(sample, site),
            Sampler::Windows(program) => program.logit(sample, site),
            Sampler::Tokens(program) => program.logit(sample, site),
        }
    }

    /// Records draws; see [`ancestral::record`], [`ancestral_convolution::record`] and [`ancestral_attention::record`].
    #[allow(clippy::too_many_arguments)]
    pub fn record(
        &self,
        rec: &mut Recording,
        profile: Profile,
        at: Stream,
        first: usize,
        count: usize,
        parameters: &Buffer,
        known: Known,
        out: Outputs,
    ) {
        match self {
            Sampler::Triangles(program) => ancestral::record(rec, profile, program, at, first, count, parameters, known, out),
            Sampler::Windows(program) => ancestral_convolution::record(rec, profile, program, at, first, count, parameters, known, out),
            Sampler::Tokens(program) => ancestral_attention::record(rec, profile, program, at, first, count, parameters, known, out),
        }
    }
}

/// Masked layers in order, those of residuals among the others, as stages of a program.
trait Stages: Default {
    /// Appends a masked layer, which ends a residual that began so many stages before it, or none.
    fn add(&mut self, layer: &Layer, adds: Option<usize>) -> Wrong;
    /// Puts an activation behind the last stage.
    fn activate(&mut self, layer: &Layer) -> Wrong;
    /// Number of stages.
    fn count(&self) -> usize;
}

/// Why a layer is none of a program's.
type Wrong = std::result::Result<(), &'static str>;

/// Sites, channels that enter and leave, whether a site sees itself, and whether it sees nothing else.
struct About {
    sites: usize,
    channels: [usize; 2],
    inclusive: bool,
    own: bool,
}

/// If it is a masked layer.
fn about(layer: &Layer) -> Option<About> {
    match layer {
        Layer::MaskedLinear { shape, .. } => Some(About {
            sites: shape.sites,
            channels: [shape.inputs, shape.outputs],
            inclusive: shape.mask != Mask::Before,
            own: shape.mask == Mask::Own,
        }),
        Layer::MaskedConvolution { shape, .. } => Some(About {
            sites: shape.sites(),
            channels: [shape.inputs, shape.outputs],
            inclusive: shape.inclusive,
            own: shape.inclusive && shape.half == 0,
        }),
        _ => None,
    }
}

/// Appends `layers` to `stages`; inside a residual, which `within` names, the last of them adds to what entered stage `begin`.
fn append<S: Stages>(stages: &mut S, layers: &[Layer], sites: usize, within: &str, begin: Option<usize>) -> Result<()> {
    for (l, layer) in layers.iter().enumerate() {
        let refuse = |what: &str| Error::User(format!("autoregressive network: layer {within}{l} {what}: {layer:?}"));
        if let Layer::Residual(inner) = layer {
            // only the present site of what it adds to is kept
            let own = inner.first().and_then(about).is_some_and(|a| a.own);
            if stages.count() == 0 || !own || inner.last().and_then(about).is_none() {
                return Err(refuse("is a residual that does not lead from the channels of each site alone to a masked layer"));
            }
            append(stages, inner, sites, &format!("{within}{l}."), Some(stages.count()))?;
            continue;
        }
        let Some(a) = about(layer) else {
            stages.activate(layer).map_err(refuse)?;
            continue;
        };
        let first = stages.count() == 0;
        if first == a.inclusive {
            return Err(refuse(if first { "is the first and sees its own site" } else { "does not see its own site" }));
        }
        if a.sites != sites {
            return Err(refuse("has other sites"));
        }
        let adds = begin.filter(|_| l + 1 == layers.len()).map(|begin| stages.count() - begin);
        stages.add(layer, adds).map_err(refuse)?;
    }
    Ok(())
}

/// All stages, from one spin a site to one logit a site.
fn stages<S: Stages>(layers: &[Layer]) -> Result<S> {
    let mut stages = S::default();
    append(&mut stages, layers, layers.first().and_then(about).map_or(0, |a| a.sites), "", None)?;
    let both = layers.first().and_then(about).zip(layers.last().and_then(about));
    ends(both.map(|(first, last)| [first.channels[0], last.channels[1]])).map(|()| stages)
}

fn ends(channels: Option<[usize; 2]>) -> Result<()> {
    if channels != Some([1, 1]) {
        return Err(Error::User("autoregressive network: it leads from one spin a site to one logit a site".into()));
    }
    Ok(())
}

const BEHIND: &str = "is an activation behind none or another";

impl Stages for Vec<ancestral::Stage> {
    fn add(&mut self, layer: &Layer, adds: Option<usize>) -> Wrong {
        let Layer::MaskedLinear { shape, weights, bias } = *layer else { return Err("does not go with masked matrices") };
        self.push(ancestral::Stage { shape, weights, bias, adds, then: Then::Nothing });
        Ok(())
    }

    fn activate(&mut self, layer: &Layer) -> Wrong {
        let then = match *layer {
            Layer::Prelu { slopes, .. } => Then::Prelu(slopes),
            Layer::Tanh { .. } => Then::Tanh,
            _ => return Err("does not go with masked matrices"),
        };
        let stage = self.last_mut().filter(|stage| stage.then == Then::Nothing).ok_or(BEHIND)?;
        stage.then = then;
        Ok(())
    }

    fn count(&self) -> usize {
        self.len()
    }
}

impl Stages for Vec<ancestral_convolution::Stage> {
    fn add(&mut self, layer: &Layer, adds: Option<usize>) -> Wrong {
        let Layer::MaskedConvolution { shape, weights, bias } = *layer else { return Err("does not go with masked convolutions") };
        // between, sites have columns of 4 channels in the cache
        if !self.is_empty() && shape.inputs == 1 {
            return Err("is behind another and takes one channel");
        }
        self.push(ancestral_convolution::Stage { shape, weights, bias, adds, slopes: None });
        Ok(())
    }

    fn activate(&mut self, layer: &Layer) -> Wrong {
        let Layer::ChannelPrelu { slopes, .. } = *layer else { return Err("does not go with masked convolutions") };
        let stage = self.last_mut().filter(|stage| stage.slopes.is_none()).ok_or(BEHIND)?;
        stage.slopes = Some(slopes);
        Ok(())
    }

    fn count(&self) -> usize {
        self.len()
    }
}
