//! A system of one's own: the plaquette model E = -Σ s₁ s₂ s₃ s₄ over the squares of an open L x L lattice, with its own kernel.
//!
//! `cargo run --release --example own_system` trains it with the library's loop; with arguments the same program is the
//! command `helmholtz` with one system more: `… -- train plaquettes L=6 beta=0.7`, `check`, `profile`, `report`, `keys`.

use helmholtz::config::{Range, System, Values};
use helmholtz::gpu::{Kernel, grid};
use helmholtz::kernels::Chunk;
use helmholtz::optimize::OPTIMISATION;
use helmholtz::problem::spins::{self, Observables, Options, SPINS, settings, settings::MASKED, settings::TEMPERATURE};
use helmholtz::problem::{Exact, Means, Parameter, TRAINING};
use helmholtz::{Buffer, Energy, Gpu, Kind, Made, Recording, Result, Spins, train};

/// E and M of a sample an invocation; whoever writes a kernel states what it touches, and how long it loops.
static KERNEL: Kernel = Kernel {
    name: "plaquettes",
    source: "
struct Params { count: u32, side: u32, first: u32, pad: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> spins: array<f32>;
@group(0) @binding(2) var<storage, read_write> energy: array<f32>;
@group(0) @binding(3) var<storage, read_write> magnetisation: array<f32>;
@compute @workgroup_size(64) fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = flat_group(group, groups) * 64u + lane; if (w >= p.count) { return; }
  let at = (p.first + w) * p.side * p.side;
  var sums = vec2(0.0);
  for (var i = at; i < at + p.side * p.side; i++) {
    sums.y += spins[i];
    if ((i - at) % p.side + 1u == p.side || i - at + p.side >= p.side * p.side) { continue; }
    sums.x += spins[i] * spins[i + 1u] * spins[i + p.side] * spins[i + p.side + 1u];
  }
  energy[p.first + w] = -sums.x; magnetisation[p.first + w] = sums.y;
}
",
    shared: &["grid"],
    params_bytes: 16,
    variants: &[&[]],
};

struct Plaquettes(usize);

impl Energy for Plaquettes {
    fn sites(&self) -> usize {
        self.0 * self.0
    }

    fn even(&self) -> bool {
        true
    }

    fn record(&self, rec: &mut Recording, chunk: Chunk, spins: &Buffer, out: Observables) {
        let (n, Chunk { first, count }) = (self.sites(), chunk);
        rec.launch("energies", &KERNEL, &[count as u32, self.0 as u32, first as u32, 0])
            .read(spins, n * first..n * (first + count))
            .write(out.energy, first..first + count)
            .write(out.magnetisation, first..first + count)
            .trips(n as u64)
            .groups(grid(count.div_ceil(64)));
    }
}

helmholtz::settings! {
    /// The lattice.
    #[allow(non_snake_case)]
    pub struct Lattice, LATTICE
    "system" {
        L: usize = "", Range::Within(2.0, 200.0), "", "sites of a row, and rows";
    }
}

static SYSTEM: System = System {
    name: "plaquettes",
    example: &[("L", "6"), ("beta", "0.7")],
    keys: &[LATTICE, TEMPERATURE, MASKED, TRAINING, OPTIMISATION],
    ..spins::SYSTEM
};

const SIDE: fn(&Values) -> usize = |v| v.get("L");

/// Each plaquette is a spin of its own where the edges are open: Z = 2ⁿ cosh(β)^((L - 1)²).
fn free_energy(side: f64, beta: f64) -> f64 {
    -(side.powi(2) * 2f64.ln() + (side - 1.0).powi(2) * beta.cosh().ln()) / (beta * side.powi(2))
}

static KIND: Kind = Kind {
    system: &SYSTEM,
    parameters: &[Parameter { name: "L", short: "L", meaning: "sites of a row", usual: None }, SPINS.parameters[0]],
    title: "Plaquette model, *L* = <L>, *β* = <beta>",
    exact: Exact { name: "free plaquettes", index: "exact", of: |v| Ok([("F", free_energy(SIDE(v) as f64, v.get("beta")))].into()) },
    means: |v| Ok(Means { lines: vec![format!("{} spins", SIDE(v).pow(2))], json: SIDE(v).pow(2).into() }),
    tables: |v| settings::tables(SIDE(v).pow(2), v),
    settle: |gpu, v| settings::settle(gpu, SIDE(v).pow(2), v),
    open: |gpu, v, parameters| {
        let (energy, network) = (Box::new(Plaquettes(SIDE(v))), settings::network(SIDE(v).pow(2), v)?);
        Ok(Box::new(Spins::new(gpu, energy, network, settings::options(v), parameters.map(|p| p.concat()))?))
    },
    ..SPINS
};

fn main() -> std::process::ExitCode {
    if std::env::args().len() > 1 {
        return helmholtz::cli::main_with([&KIND]);
    }
    own_loop().inspect_err(|e| eprintln!("error: {e}")).map_or(3, |()| 0).into()
}

fn own_loop() -> Result<()> {
    let gpu = Gpu::open(None)?;
    let options = Options { beta: 0.7, anneal: 0.5, z2: true, ..Options::adam(500, 400, 0.01) };
    let made = Made { sites: 16, depth: 2, width: 4, bias: true, prelu: true, residual: false };
    let mut plaquettes = Spins::new(&gpu, Box::new(Plaquettes(4)), made, options, None)?;
    train(&gpu, &mut plaquettes, 400, |step, measured| {
        let f = measured.values["F"];
        println!("step {:3}  F = {:.5} ± {:.5} per spin at beta {:.3}", step + 1, f.value, f.error, measured.values["beta"].value);
    })?;
    println!("exact     F = {:.5}", free_energy(4.0, 0.7));
    Ok(())
}
