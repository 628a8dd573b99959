// Shapes of the dense passes over jets. Arrays (last dimension padded to vec4):
//   pair jets      [walker][i][j][jet][4 W4]   jet: value; d first; d(d+1)/2 second; d grad-of-trace derivatives
//   particle jets  [walker][i][row][4 W4]      row: value; n d derivatives; Laplacian (forward) or Im adjoint (reverse)
// Workgroup (x, y): y is the walker (or walker and probe), x counts inside it, so that indices need one division at most.
struct Params {
  walkers: u32, n: u32, rows: u32, jets: u32,
  flags: u32, probes: u32, first: u32, ld: u32,
  bias: u32, forward_rows: u32, length: f32, half_turns: f32,
  scale: f32, pad0: u32, pad1: u32, pad2: u32,
}
@group(0) @binding(0) var<uniform> p: Params;

fn sym(a: u32, b: u32) -> u32 {
  let lo = min(a, b); let hi = max(a, b);
  return lo * DIM - (lo * (lo + 1u)) / 2u + hi;
}

// Row of a particle that invocation t of a walker owns. Rows that sum over particles come first (value, own
// derivatives, Laplacian if there is one), so that lanes side by side loop equally long.
struct Row { i: u32, q: u32 }

fn gather_row(t: u32) -> Row {
  let order = p.n * DIM;
  let sums = p.rows - order + DIM;
  if (t < p.n * sums) {
    let i = quotient(t, sums);
    let r = t - i * sums;
    if (r == 0u) { return Row(i, 0u); }
    if (r <= DIM) { return Row(i, i * DIM + r); }
    return Row(i, p.rows - 1u);
  }
  let rest = t - p.n * sums;
  let others = max(order - DIM, 1u);
  let i = quotient(rest, others);
  let e = rest - i * others;
  return Row(i, select(e, e + DIM, e >= i * DIM) + 1u);
}

// The same for kernels of which only the last row (forward: Laplacian) or the first (adjoint: value) sums:
// both come first.
fn summing_first(t: u32) -> Row {
  if (t < 2u * p.n) {
    let i = t / 2u;
    return Row(i, select(p.rows - 1u, 0u, t % 2u == 0u));
  }
  let rest = t - 2u * p.n;
  let middle = p.rows - 2u;
  let i = quotient(rest, max(middle, 1u));
  return Row(i, rest - i * middle + 1u);
}
