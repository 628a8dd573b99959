//! `occupation_sample`: states drawn token by token with a cache of keys and values, in one kernel.

use crate::gpu::{Buffer, Kernel, MAX_TRIPS, Profile, Recording, grid};
use crate::kernels::philox::{Address, Stream};

use super::{Program, States};
use crate::kernels::tokens::Shape;
use crate::kernels::{Chunk, pad4};

/// `shaders/occupation_sample.wgsl`.
pub static KERNEL: Kernel = Kernel {
    name: "occupation_sample",
    source: include_str!("../../../shaders/occupation_sample.wgsl"),
    shared: &["grid", "special", "philox", "tokens"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", 32), ("WALKERS", 32), ("TILE", 4)], &[("WG", 64), ("WALKERS", 4), ("TILE", 1)]],
};

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    at: Address,
    count: u32,
    n: u32,
    orbitals: u32,
    ld4: u32,
    token: u32,
    tokens: u32,
    stages: u32,
    stride: u32,
    first: u32,
    logits: u32,
    scale: f32,
}

/// Loop trips of one invocation for a token, which sees those before it and row 0 instead of itself.
fn trips(program: &Program, orbitals: usize, token: usize, shape: Shape) -> u64 {
    let choice = 3 * (orbitals * shape.samples.div_ceil(shape.lanes)) as u64 + 12;
    choice + program.stages.work.iter().map(|work| work.trips(token.max(1), shape)).sum::<u64>()
}

/// Buffers of a draw.
#[derive(Clone, Copy)]
pub struct Outputs<'b> {
    /// Those of one recording, [`Program::scratch_words`].
    pub scratch: &'b Buffer,
    /// ln p of all walkers, f32.
    pub logp: &'b Buffer,
}

/// Draws the chunk's states (into `s.buffer`) and their ln p, in as many launches as the limit of loop trips asks for. A draw
/// depends on seed, step and purpose of `at` and on the walker's global index (`at.first_walker` + row) alone. `tables`: M
/// momenta (vec4), then n padded rows of biases. Parameters as of the last [`Program::record_pack`].
pub fn record(rec: &mut Recording, profile: Profile, program: &Program, at: Stream, s: States, tables: &Buffer, out: Outputs) {
    let (shape, stages) = (Shape::of(profile), &program.stages);
    let [lanes, walkers, tile] = [shape.lanes, shape.samples, shape.tile].map(|v| v as u32);
    let (States { n, orbitals: m, .. }, Chunk { first, count }) = (s, s.chunk);
    let ld4 = pad4(m) / 4;
    let mut token = 0;
    while token < n {
        let mut tokens = 0;
        let mut sum = 0;
        while token + tokens < n {
            let more = trips(program, m, token + tokens, shape);
            if tokens > 0 && sum + more > MAX_TRIPS {
                break;
            }
            sum += more;
            tokens += 1;
        }
        let p = Params {
            at: at.skip(first).address(),
            count: count as u32,
            n: n as u32,
            orbitals: m as u32,
            ld4: ld4 as u32,
            token: token as u32,
            tokens: tokens as u32,
            stages: stages.work.len() as u32,
            stride: stages.stride as u32,
            first: first as u32,
            logits: program.logits as u32,
            scale: stages.scale,
        };
        let work: usize = stages.work.iter().map(|w| w.products(token + tokens)).sum();
        let macs = 16.0 * (count * tokens * work) as f64;
        token += tokens;
        // the window of the last token ends with orbital M - n + token - 1
        let tables_words = 4 * (m + (token - 1) * ld4 + (m - n + token - 1) / 4 + 1);
        rec.launch("sample", &KERNEL, &p)
            .constants(&[("WG", lanes), ("WALKERS", walkers), ("TILE", tile)])
            .read(&stages.table, 12 * stages.work.len())
            .read(&stages.packed, stages.pack.words())
            .read(tables, tables_words)
            .update(out.scratch, program.scratch_words(count))
            .update(s.buffer, s.words(token))
            .update(out.logp, first..first + count)
            .trips(sum)
            .flops(2.0 * macs)
            .moved(2.0 * macs)
            .groups(grid(count.div_ceil(walkers as usize)));
    }
}
