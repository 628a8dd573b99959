// Shapes of the kernels that keep everything in registers; their widths are text constants. The first `up` particles have spin up.
struct Params {
  walkers: u32, n: u32, rows: u32, probes: u32,
  ld: u32, flags: u32, length: f32, half_turns: f32,
  scale: f32, up: u32, pad0: u32, pad1: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
