// Shapes shared by all flow kernels. Arrays (last dimension padded to vec4):
//   pair jets      [walker][i][j][jet][4 width4]   jet: value; d first; d(d+1)/2 second; d grad-of-trace derivatives
//   particle jets  [walker][i][row][4 width4]      row: value; n d derivatives; Laplacian (forward) or Im adjoint (reverse)
struct Params {
  walkers: u32, n: u32, rows: u32, width4: u32,
  jets: u32, flags: u32, probes: u32, first: u32,
  ld: u32, bias: u32, forward_rows: u32, step: u32,
  seed_lo: u32, seed_hi: u32, purpose: u32, pad0: u32,
  length: f32, half_turns: f32, scale: f32, pad1: f32,
}
@group(0) @binding(0) var<uniform> p: Params;

fn sym(a: u32, b: u32) -> u32 {
  let lo = min(a, b); let hi = max(a, b);
  return lo * DIM - (lo * (lo + 1u)) / 2u + hi;
}
