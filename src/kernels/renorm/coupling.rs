//! The blocks of the flow: `renorm_coupling`, a launch a block, or several where sums of gradients take too much memory.

use crate::error::{Error, Result};
use crate::gpu::{Buffer, Kernel, Profile, Recording, grid};
use crate::kernels::{WG, pack, pad4};
use crate::model::renorm::{Block, MOST_COUPLINGS, Renorm};

/// Two couplings of ten units in two hidden layers.
macro_rules! variant {
    ($dir:expr, $carry:expr, $grad:expr, $rows:expr) => {
        &[
            ("WG", 64),
            ("ROWS", $rows),
            ("H", 10),
            ("H4", 3),
            ("M", 2),
            ("M1", 1),
            ("NET", 49),
            ("NW", 196),
            ("DIR", $dir),
            ("CARRY", $carry),
            ("GRAD", $grad),
        ]
    };
}
/// `shaders/renorm_coupling.wgsl`.
pub static COUPLING: Kernel = Kernel {
    name: "renorm_coupling",
    source: include_str!("../../../shaders/renorm_coupling.wgsl"),
    shared: &["grid", "special"],
    params_bytes: size_of::<Params>(),
    variants: &[
        variant!(0, 0, 0, 8),
        variant!(0, 1, 0, 8),
        variant!(1, 0, 0, 8),
        variant!(1, 1, 0, 8),
        variant!(1, 1, 1, 8),
        variant!(1, 1, 1, 1),
        &[("WG", 64), ("ROWS", 2), ("H", 3), ("H4", 1), ("M", 1), ("M1", 0), ("NET", 6), ("NW", 24), ("DIR", 1), ("CARRY", 1), ("GRAD", 1)],
    ],
};

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    first: u32,
    rows: u32,
    patches: u32,
    side: u32,
    level: u32,
    offset: u32,
    begin: u32,
    end: u32,
    flags: u32,
    sign: f32,
    pad: [u32; 2],
    masks: [u32; MOST_COUPLINGS / 4],
}

/// `shaders/renorm_sum.wgsl`.
pub static SUM: Kernel = Kernel {
    name: "renorm_sum",
    source: include_str!("../../../shaders/renorm_sum.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<SumParams>(),
    variants: &[&[("WG", WG)]],
};

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct SumParams {
    columns: u32,
    count: u32,
    offset: u32,
    flags: u32,
}

/// Words of a uniform buffer that every device binds.
const UNIFORM: usize = 16_384;
/// Most words of the sums of a launch.
const SUMS: usize = 1 << 24;
/// Most hidden units: the products are written out.
pub const MOST_HIDDEN: usize = 16;

/// Which way, and what travels with a sample.
#[derive(Clone, Copy)]
pub enum Direction<'b> {
    /// z → x; with G where it is given.
    Sample(Option<&'b Buffer>),
    /// x → z, from x times a sign.
    Density(f32),
    /// The reverse mode of sampling: its cotangents, and λ of each sample.
    Pull(&'b Buffer, &'b Buffer, Gradient),
}

/// What a reverse mode makes of the gradient by the parameters.
#[derive(Clone, Copy, PartialEq)]
pub enum Gradient {
    /// Nothing.
    Unasked,
    /// A new one.
    New,
    /// It adds to the one before.
    More,
}

/// The flow on one device.
pub struct Flow {
    model: Renorm,
    samples: usize,
    rows: u32,
    lanes: u32,
    blocks: Vec<Block>,
    count: usize,
    /// vec4 of S or T of a coupling.
    net: usize,
    weights: Vec<Buffer>,
    maps: Vec<Buffer>,
    /// Gradients as the weights are packed, and where each parameter lies there.
    packed: Buffer,
    places: Buffer,
    sums: Buffer,
    unused: [Buffer; 3],
}

/// Places of the parameters of a network among its weights.
fn layout(model: &Renorm, network: usize) -> pack::Layout {
    let (table, wide) = (model.parameters(), pad4(model.hidden));
    let (h, mut layout) = (model.hidden, pack::Layout::default());
    for k in 0..model.couplings {
        for net in 0..2 {
            for m in 0..model.hidden_layers {
                let ([w, b], [inputs, _]) = (model.words(&table, network, k, net, m), model.layer(m));
                layout.block(inputs, wide, move |i, o| (o < h).then_some(w + i * h + o));
                layout.vector(b, h);
            }
            let [w, b] = model.words(&table, network, k, net, model.hidden_layers);
            let scale = (net == 0).then(|| model.scale(&table, network, k));
            layout.block(2, wide, move |o, i| (i < h).then_some(w + 2 * i + o));
            layout.block(1, 4, move |_, c| if c < 2 { Some(b + c) } else { scale.map(|s| s + c - 2) });
        }
    }
    layout
}

impl Flow {
    /// For batches of `samples`.
    ///
    /// # Errors
    /// [`Error::User`] for shapes that the kernel does not take.
    pub fn new(model: &Renorm, samples: usize, profile: Profile) -> Result<Flow> {
        model.check()?;
        if model.hidden > MOST_HIDDEN || model.side < 4 {
            let (h, side) = (model.hidden, model.side);
            return Err(Error::User(format!(
                "hidden = {h}, L = {side}: networks of the flow have at most {MOST_HIDDEN} hidden units, lattices 4 sites a row at least"
            )));
        }
        let layouts: Vec<pack::Layout> = (0..model.networks()).map(|n| layout(model, n)).collect();
        let words = layouts[0].words();
        if words > UNIFORM {
            return Err(Error::User(format!(
                "couplings = {}, hidden = {}, hidden_layers = {}: a network of {words} words; at most {UNIFORM}: reduce one of them",
                model.couplings, model.hidden, model.hidden_layers
            )));
        }
        let (count, net) = (model.parameters().len(), words / 8 / model.couplings);
        let rows = if profile == Profile::Simd { 8 } else { 1 };
        let invocations = (samples * model.patches(0)).div_ceil(rows as usize).min(SUMS / (8 * net)).max(1);
        let most = invocations * 8 * net * (SUMS / (invocations * 8 * net)).clamp(1, model.couplings);
        let all = layouts.clone();
        Ok(Flow {
            model: model.clone(),
            samples,
            rows,
            // few at a time: coarse levels have a patch a sample, and every core shall have some
            lanes: if profile == Profile::Simd { 8 } else { WG },
            blocks: model.blocks(),
            count,
            net,
            weights: (0..model.networks()).map(|n| Buffer::new(format!("weights of network {n}"), words)).collect(),
            maps: layouts.into_iter().map(|l| Buffer::filled("flow map", words, move || l.map())).collect(),
            packed: Buffer::new("packed gradient", words * model.networks()),
            places: Buffer::filled("places of parameters", count, move || {
                let mut places = vec![pack::NONE; count];
                for (at, source) in all.iter().flat_map(pack::Layout::map).enumerate().filter(|(_, s)| *s != pack::NONE) {
                    places[source as usize] = at as u32;
                }
                places
            }),
            sums: Buffer::new("sums of gradients", most),
            unused: std::array::from_fn(|_| Buffer::new("unused", 4)),
        })
    }

    /// Its shapes.
    pub fn model(&self) -> &Renorm {
        &self.model
    }

    /// Words of `log_det`: a number a patch of the finest level.
    pub fn patches(&self) -> usize {
        self.samples * self.model.patches(0)
    }

    /// Records that the kernels see these parameters, f32 `[P]`: once after each update.
    pub fn record_pack(&self, rec: &mut Recording, parameters: &Buffer) {
        for (map, weights) in self.maps.iter().zip(&self.weights) {
            pack::record(rec, "flow weights", weights.words(), (parameters, self.count), map, weights);
        }
    }

    /// Records all blocks on x, f32 `[sample][site]`. The sums of s of patches are added to `log_det`, f32
    /// `[sample][site/4]`, where it is given.
    pub fn record(&self, rec: &mut Recording, way: Direction, x: &Buffer, log_det: Option<&Buffer>) {
        let mut blocks = self.blocks.clone();
        if let Direction::Sample(_) = way {
            blocks.reverse();
        }
        let mut seen = vec![matches!(way, Direction::Pull(_, _, Gradient::More)); self.model.networks()];
        for (number, block) in blocks.into_iter().enumerate() {
            let first = number == 0;
            let adds = std::mem::replace(&mut seen[block.network], true);
            self.record_block(rec, way, block, x, log_det, (first, adds));
        }
    }

    /// Records the gradient of the pulls since, in the order of the parameters.
    pub fn record_gradient(&self, rec: &mut Recording, gradient: &Buffer) {
        pack::record(rec, "gradient of the flow", self.count, (&self.packed, self.packed.words()), &self.places, gradient);
    }

    fn record_block(
        &self,
        rec: &mut Recording,
        way: Direction,
        block: Block,
        x: &Buffer,
        log_det: Option<&Buffer>,
        (first, adds): (bool, bool),
    ) {
        let m = &self.model;
        let gradient = matches!(way, Direction::Pull(_, _, Gradient::New | Gradient::More));
        let all = self.samples * m.patches(block.level);
        // rows and couplings whose sums fit
        let most = if gradient { (self.sums.words() / (8 * self.net)).max(1) * self.rows as usize } else { all };
        for from in (0..all).step_by(most) {
            let rows = most.min(all - from);
            let invocations = rows.div_ceil(self.rows as usize);
            let span = if gradient { (self.sums.words() / (8 * self.net * invocations)).clamp(1, m.couplings) } else { m.couplings };
            let mut end = m.couplings;
            while end > 0 {
                let begin = end.saturating_sub(span);
                // a sign is taken once
                let signed = first && end == m.couplings;
                self.launch(rec, way, block, [from, rows], [begin, end], signed, x, log_det);
                if gradient {
                    let at = block.network * m.couplings + begin;
                    self.add(rec, invocations, 2 * self.net * (end - begin), 2 * self.net * at, adds || from > 0);
                }
                end = begin;
            }
        }
    }

    /// Records the sums over invocations, `columns` of them to be added to the packed gradient from a vec4 on, or written there.
    fn add(&self, rec: &mut Recording, invocations: usize, columns: usize, at: usize, adds: bool) {
        let p = SumParams { columns: columns as u32, count: invocations as u32, offset: at as u32, flags: adds as u32 };
        let launch = rec.launch("sums over patches", &SUM, &p).constants(&[("WG", WG)]).read(&self.sums, 4 * columns * invocations);
        let words = 4 * at..4 * (at + columns);
        let launch = if adds { launch.update(&self.packed, words) } else { launch.write(&self.packed, words) };
        launch
            .trips(invocations.div_ceil(WG as usize) as u64 + 1 + WG.ilog2() as u64)
            .flops(4.0 * (columns * invocations) as f64)
            .groups(grid(columns));
    }

    #[allow(clippy::too_many_arguments)] // one launch
    fn launch(
        &self,
        rec: &mut Recording,
        way: Direction,
        block: Block,
        [from, rows]: [usize; 2],
        [begin, end]: [usize; 2],
        signed: bool,
        x: &Buffer,
        log_det: Option<&Buffer>,
    ) {
        let (m, [g, l, s]) = (&self.model, &self.unused);
        let (dir, carried, lambda, gradient) = match way {
            Direction::Sample(g) => (0, g, l, false),
            Direction::Density(_) => (1, None, l, false),
            Direction::Pull(c, lambda, gradient) => (1, Some(c), lambda, gradient != Gradient::Unasked),
        };
        let sign = match way {
            Direction::Density(sign) if signed => sign,
            _ => 1.0,
        };
        let mut masks = [0u32; MOST_COUPLINGS / 4];
        for k in 0..m.couplings {
            let code = m.halves(k).iter().rev().fold(0, |code, c| code << 2 | *c as u32);
            masks[k / 4] |= code << (8 * (k % 4));
        }
        let p = Params {
            first: from as u32,
            rows: rows as u32,
            patches: m.patches(block.level) as u32,
            side: m.side as u32,
            level: block.level as u32,
            offset: block.offset as u32,
            begin: begin as u32,
            end: end as u32,
            flags: log_det.is_some() as u32 + 2 * (block.rotates && end == m.couplings) as u32,
            sign,
            pad: [0; 2],
            masks,
        };
        let words = self.samples * m.sites();
        let invocations = rows.div_ceil(self.rows as usize);
        let (h, layers) = (m.hidden, m.hidden_layers);
        let constants = [
            ("WG", self.lanes),
            ("ROWS", self.rows),
            ("H", h as u32),
            ("H4", (pad4(h) / 4) as u32),
            ("M", layers as u32),
            ("M1", layers as u32 - 1),
            ("NET", self.net as u32),
            ("NW", (2 * self.net * m.couplings) as u32),
            ("DIR", dir),
            ("CARRY", carried.is_some() as u32),
            ("GRAD", gradient as u32),
        ];
        let passes = 1.0 + carried.is_some() as u32 as f64 + gradient as u32 as f64;
        let each = 4.0 * (4 * h + (layers - 1) * h * h) as f64 * passes;
        let used = |given: bool, words: usize| if given { words } else { 4 };
        let pulls = matches!(way, Direction::Pull(..));
        rec.launch(format!("level {} {}", block.level, if block.offset == 0 { "A" } else { "B" }), &COUPLING, &p)
            .constants(&constants)
            .read(&self.weights[block.network], 8 * self.net * m.couplings)
            .update(x, words)
            .update(carried.unwrap_or(g), used(carried.is_some(), words))
            .update(log_det.unwrap_or(s), used(log_det.is_some(), self.patches()))
            .read(lambda, used(pulls, self.samples))
            .write(&self.sums, used(gradient, invocations * 8 * self.net * (end - begin)))
            .trips(3 * (end - begin) as u64)
            .flops(each * (rows * (end - begin)) as f64)
            .moved(
                4.0 * (rows * (8 + 8 * carried.is_some() as usize)) as f64
                    + 32.0 * gradient as u32 as f64 * (invocations * self.net * (end - begin)) as f64,
            )
            .groups(grid(invocations.div_ceil(self.lanes as usize)));
    }
}
