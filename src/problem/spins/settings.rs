//! Settings of spins: of each system its own, of all of them the network and the annealing.

use std::path::Path;

use super::{Network, Options, Schedule};
use crate::config::{Group, Origin, Range, Resolved, Values};
use crate::error::{Error, Result};
use crate::gpu::{DeviceType, Gpu};
use crate::model::made::Made;
use crate::model::pixel_cnn::PixelCnn;
use crate::model::transformer::Transformer;
use crate::model::window::MOST_SIDE;
use crate::network::Autoregressive;
use crate::optimize::{Optimisation, Optimizer};
use crate::problem::{Tables, Training};
use crate::system::spins::{Boundary, Lattice};

crate::config::choice!(
    /// Symmetry of q(s).
    Symmetry, "none, z2, lattice or z2-lattice":
        /// None.
        #[default]
        None = "none",
        /// q(s) = q(-s).
        Z2 = "z2",
        /// That of the lattice's rotations and reflections ([`Lattice::images`]).
        Lattice = "lattice",
        /// Both.
        Both = "z2-lattice");

impl Symmetry {
    /// With the mirror image.
    fn mirrored(self) -> bool {
        matches!(self, Symmetry::Z2 | Symmetry::Both)
    }

    /// With the images of a lattice.
    fn turned(self) -> bool {
        matches!(self, Symmetry::Lattice | Symmetry::Both)
    }
}

crate::config::choice!(
    /// Layers of q(s).
    Layers, "made, pixelcnn or transformer":
        /// Masked matrices.
        #[default]
        Made = "made",
        /// Masked convolutions.
        PixelCnn = "pixelcnn",
        /// Causal attention.
        Transformer = "transformer");

crate::config::choice!(
    /// What is between masked matrices.
    Activation, "tanh or prelu":
        /// tanh.
        #[default]
        Tanh = "tanh",
        /// x, and for x < 0 a learned slope of each unit times x.
        Prelu = "prelu");

crate::config::settings! {
    /// A lattice of spins.
    #[allow(non_snake_case)] // as the field writes them
    pub struct Ising, ISING
    "system" {
        L: usize = "", Range::Within(3.0, 244.0), "", "sites of a row, and rows";
        lattice: Lattice = "square", Range::Any, "", "lattice: each site has 4 neighbours (square) or 6 (triangular)";
        J: f64 = "1", Range::Either(-1.0, 1.0), "J", "coupling of neighbours: E = -J Σ s s' - h Σ s";
        h: f64 = "0", Range::Within(-100.0, 100.0), "J", "field";
        boundary: Boundary = "periodic", Range::Any, "", "opposite edges are joined (periodic) or not (open)";
    }
}

crate::config::settings! {
    /// A Sherrington–Kirkpatrick glass.
    pub struct Glass, GLASS
    "system" {
        n: usize = "20", Range::Within(2.0, 8192.0), "", "number of spins, all of them coupled";
        disorder: u32 = "1", Range::AtLeast(0.0), "", "seed of the couplings J_ij, normal with variance 1/n: E = -Σ_{i<j} J_ij s_i s_j";
        couplings: String = "none", Range::Any, "", "file with the couplings, instead of n and disorder";
    }
}

crate::config::settings! {
    /// A Hopfield network.
    pub struct Memory, MEMORY
    "system" {
        n: usize = "", Range::Within(2.0, 8192.0), "", "number of spins; E = -Σ_p (ξ_p·s)²/(2n) + patterns/2";
        patterns: usize = "2", Range::Within(1.0, 1024.0), "", "number of patterns ξ_p; two are orthogonal where n is divisible by 4, others random";
        disorder: u32 = "1", Range::AtLeast(0.0), "", "seed of random patterns";
    }
}

crate::config::settings! {
    /// A user's couplings.
    pub struct Given, GIVEN
    "system" {
        couplings: String = "", Range::Any, "", "file with the couplings: .json, .csv, .npy, .safetensors, .qubo; dense, or a list of i,j,J";
    }
}

crate::config::settings! {
    /// The temperature.
    pub struct Temperature, TEMPERATURE
    "temperature" {
        beta: f64 = "", Range::Within(1e-4, 1e3), "1/J", "inverse temperature";
        anneal: f64 = "0.6", Range::Within(0.0, 1.0), "", "share of the training steps in which beta rises from 0; of a run that starts from parameters 0 unless given";
        schedule: Schedule = "linear", Range::Any, "", "beta rises evenly (linear), or as fast as the network follows (adaptive)";
    }
}

crate::config::settings! {
    /// A masked autoregressive network.
    pub struct Masked, MASKED
    "network" {
        network: Layers = "made", Range::Any, "", "layers are masked matrices (made), on a lattice masked convolutions (pixelcnn), or causal attention (transformer)";
        half: usize = "3", Range::Within(1.0, 20.0), "", "of pixelcnn: rows and columns that a convolution sees to each side, of 2 half + 1";
        heads: usize = "2", Range::Within(1.0, 64.0), "", "of transformer: attention heads, which share the width";
        depth: usize = "2", Range::Within(1.0, 16.0), "", "masked layers of the network (1: one matrix, or one convolution), or blocks of attention";
        width: usize = "4", Range::Within(1.0, 256.0), "", "channels of a site in the layers between; of pixelcnn and transformer a multiple of 4";
        fields: bool = "yes", Range::Any, "", "logits begin with 2 beta times the field of the spins drawn before";
        activation: Activation = "tanh", Range::Any, "", "of made: what is between the layers, tanh or PReLU with a slope a unit (prelu)";
        bias: bool = "yes", Range::Any, "", "layers have biases";
        residual: bool = "no", Range::Any, "", "layers between the first and the last are added to what enters them";
        last: bool = "no", Range::Any, "", "of pixelcnn: behind the others a 1 x 1 convolution makes the logits";
        symmetry: Symmetry = "auto", Range::Any, "", "q(s) = q(-s) (z2), the same for the rotations and reflections of a lattice (lattice), both (z2-lattice) or none; auto: z2 where the energy has it";
    }
}

/// Fills in `symmetry` for an energy that is even or not.
///
/// # Errors
/// For a symmetry that the energy does not have.
pub fn derive(resolved: &mut Resolved, even: bool) -> std::result::Result<(), String> {
    widen(resolved);
    if resolved.values.left("symmetry") {
        resolved.derive("symmetry", if even { "z2" } else { "none" }, "that of the energy");
    } else if !even && resolved.values.get::<Symmetry>("symmetry").mirrored() {
        let symmetry = resolved.values.text("symmetry");
        return Err(format!("symmetry={symmetry}: a field tells s from -s; drop it, or the field"));
    }
    Ok(())
}

/// Numbers of a token where the width is left alone.
const TOKEN: &str = "16";

/// Widens a transformer, of which few channels make little.
fn widen(resolved: &mut Resolved) {
    if Masked::read(&resolved.values).network == Layers::Transformer && *resolved.origin("width") == Origin::Default {
        resolved.derive("width", TOKEN, "for network=transformer");
    }
}

/// Learning rates times the roots of the inputs, or channels, of a unit: the steps of Adam that do not yet know their direction
/// change what a unit sums by a walk of so many steps. That of masked matrices was measured on lattices of 64 and 256 spins, that
/// of convolutions at one width alone.
const MADE: f64 = 0.08;
const PIXEL_CNN: f64 = 0.05;

/// Sets a learning rate that was left to the program: the more a unit sums, the smaller.
pub fn pace(resolved: &mut Resolved, n: usize) {
    let (masked, adam) = (Masked::read(&resolved.values), resolved.values.get::<Optimizer>("optimizer") == Optimizer::Adam);
    if !adam || *resolved.origin("learning_rate") != Origin::Default {
        return;
    }
    let rate = match masked.network {
        Layers::PixelCnn => PIXEL_CNN / (masked.width as f64).sqrt(),
        Layers::Made | Layers::Transformer => MADE / (n as f64).sqrt(),
    };
    resolved.derive("learning_rate", &format!("{:.1e}", rate.clamp(1e-4, 0.01)), "from the size of the network");
}

/// The path of a file that a setting names, relative to the settings file where that names it, made absolute.
pub fn locate(resolved: &mut Resolved, name: &str) {
    let origin = resolved.origin(name).clone();
    let given = resolved.values.text(name).to_string();
    if resolved.values.left(name) || given.is_empty() {
        return;
    }
    let path = match &origin {
        Origin::File { path, .. } => path.parent().unwrap_or(Path::new("")).join(&given),
        _ => Path::new(&given).to_path_buf(),
    };
    if let Some(path) = std::path::absolute(path).ok().as_deref().and_then(Path::to_str) {
        resolved.derive(name, path, origin.to_string());
    }
}

/// What clashes among what all spins share.
pub fn mistakes(values: &Values) -> Vec<String> {
    let (training, masked) = (Training::read(values), Masked::read(values));
    let mut found: Vec<String> = training.mistakes().into_iter().chain(Optimisation::mistakes(values, &[])).collect();
    let (network, attends) = (values.text("network"), masked.network == Layers::Transformer);
    if masked.depth == 1 && values.moved("width") && !attends {
        found.push(format!("width={} has no use with depth=1, which is one layer: drop it or add layers", masked.width));
    }
    if values.moved("activation") && (masked.network != Layers::Made || masked.depth == 1) {
        let activation = values.text("activation");
        found.push(format!("activation={activation} goes with network=made and a depth of 2 or more: drop it, or set these"));
    }
    if masked.residual && attends {
        found.push("residual=yes has no use with network=transformer, whose blocks are residuals: drop it".into());
    } else if masked.residual && masked.depth < 3 {
        let depth = masked.depth;
        found
            .push(format!("residual=yes has no use with depth={depth}: no layer lies between the first and the last; set depth=3 or more"));
    }
    if masked.last && (masked.network != Layers::PixelCnn || masked.depth == 1) {
        found.push("last=yes goes with network=pixelcnn and a depth of 2 or more: drop it, or set these".into());
    }
    if masked.network != Layers::PixelCnn && values.moved("half") {
        found.push(format!("half={} has no use with network={network}: drop it, or set network=pixelcnn", masked.half));
    }
    if !attends && values.moved("heads") {
        found.push(format!("heads={} has no use with network={network}: drop it, or set network=transformer", masked.heads));
    }
    if masked.symmetry.turned() && values.key("L").is_none() {
        found.push(format!("symmetry={} needs a lattice, which this system is not: use symmetry=z2", values.text("symmetry")));
    }
    match masked.network {
        Layers::PixelCnn if values.key("L").is_none() => {
            found.push("network=pixelcnn needs a lattice of L x L spins, which this system is not: use network=made".into());
        }
        Layers::PixelCnn if values.get::<usize>("L") > MOST_SIDE => {
            let l: usize = values.get("L");
            found.push(format!("L={l}: network=pixelcnn takes L up to {MOST_SIDE}: use a smaller L, or network=made"));
        }
        Layers::PixelCnn if !masked.width.is_multiple_of(4) => {
            found.push(format!("width={}: network=pixelcnn takes multiples of 4", masked.width));
        }
        Layers::Transformer if values.moved("width") && !(masked.width.is_multiple_of(4) && masked.width.is_multiple_of(masked.heads)) => {
            let (width, heads) = (masked.width, masked.heads);
            found.push(format!("width={width}: network=transformer takes multiples of 4 and of heads={heads}"));
        }
        _ => {}
    }
    found
}

/// A network as the settings describe it.
#[derive(Clone, Debug)]
pub enum Model {
    /// Masked matrices.
    Made(Made),
    /// Masked convolutions.
    PixelCnn(PixelCnn),
    /// Causal attention.
    Transformer(Transformer),
}

/// The model of `n` spins, for a PixelCNN those of a square lattice, that the settings describe.
///
/// # Errors
/// For sizes that make none.
pub fn model(n: usize, values: &Values) -> Result<Model> {
    let Masked { network, half, heads, depth, width, activation, bias, residual, last, .. } = Masked::read(values);
    match network {
        Layers::Made => {
            let made = Made { sites: n, depth, width, bias, prelu: activation == Activation::Prelu, residual };
            made.check().map(|()| Model::Made(made))
        }
        Layers::PixelCnn => {
            let convolutions = PixelCnn { side: n.isqrt(), depth, width, half, bias, last, residual };
            convolutions.check().map(|()| Model::PixelCnn(convolutions))
        }
        Layers::Transformer => {
            let transformer = Transformer { sites: n, depth, width, heads, bias };
            transformer.check().map(|()| Model::Transformer(transformer))
        }
    }
}

/// Its network.
///
/// # Errors
/// As [`model`].
pub fn network(n: usize, values: &Values) -> Result<Network> {
    Ok(match model(n, values)? {
        Model::Made(made) => made.into(),
        Model::PixelCnn(convolutions) => convolutions.into(),
        Model::Transformer(transformer) => transformer.into(),
    })
}

/// How the settings have it trained.
pub fn options(values: &Values) -> Options {
    let (t, training) = (Temperature::read(values), Training::read(values));
    let symmetry: Symmetry = values.get("symmetry");
    let lattice = Some(Ising::read(values)).filter(|_| symmetry.turned() && values.key("lattice").is_some());
    let images = lattice.map_or(Vec::new(), |s| s.lattice.images(s.L));
    let z2 = symmetry.mirrored();
    Options { beta: t.beta, anneal: t.anneal, schedule: t.schedule, z2, images, training, optimisation: Optimisation::read(values) }
}

/// See [`crate::problem::Kind::tables`].
pub fn tables(n: usize, values: &Values) -> Result<Tables> {
    Ok(vec![(network(n, values)?.table, "q/")])
}

/// Multiply-adds of a batch on a CPU, and the most samples.
const WORK: f64 = 2e8;
const MOST: usize = 2000;
/// Memory that the arrays of a chunk may take, words.
const CHUNK: usize = 1 << 28;

/// Batch and chunk of `n` spins where they are left to the program.
///
/// # Errors
/// [`Error::Device`] if not one sample fits, or a chunk that was asked for does not.
pub fn settle(gpu: &Gpu, n: usize, values: &Values) -> Result<(usize, usize)> {
    let (training, Network { layers, table, .. }) = (Training::read(values), network(n, values)?);
    // the weights of a convolution, and of what is done with a token, act on every site
    let sites = if values.get::<Layers>("network") == Layers::Made { 1 } else { n };
    let work = (table.len() * sites) as f64;
    let faster = if gpu.info.device_type == DeviceType::Cpu { 1.0 } else { 100.0 };
    let batch = match training.batch {
        0 => ((faster * WORK / work) as usize / 100 * 100).clamp(500, MOST),
        given => given,
    };
    let words = 2 * n + Autoregressive::new(&layers, table.len(), 1, gpu.profile)?.words();
    let fits = (CHUNK / words).min(gpu.max_words() / words).min(32_768);
    if fits == 0 {
        return Err(Error::Device(format!("n = {n}: one sample needs more memory than {} can bind; use a smaller width", gpu.info.name)));
    }
    match training.chunk {
        0 => Ok((batch, batch.min(fits))),
        chunk if chunk > fits => Err(Error::Device(format!(
            "chunk = {chunk}: at most {fits} samples of {n} spins fit the memory of {}; use chunk={fits} or chunk=auto",
            gpu.info.name
        ))),
        chunk => Ok((batch, chunk)),
    }
}
