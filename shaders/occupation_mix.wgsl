// occupation_mix: y_i = sum_(j <= i) a_ij x_j by heads, or transposed y_j = sum_(i >= j) a_ij x_i (flag 1).
//
//   a      [walker][head][i][j], tokens^2 words a head, see occupation_attention
//   x, y   rows (walker, token) of `ld` words; head h owns columns h size .. (h + 1) size;
//          y is 0 in the padding from column heads size on
// One invocation a word of y. Trips: tokens.
struct Params { count: u32, tokens: u32, heads: u32, size: u32, ld: u32, flags: u32, pad0: u32, pad1: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.count * p.tokens * p.ld) { return; }
  let c = id % p.ld;
  let t = (id / p.ld) % p.tokens;
  let w = id / (p.ld * p.tokens);
  let h = c / p.size;
  if (h >= p.heads) { y[id] = 0.0; return; }
  let transposed = (p.flags & 1u) != 0u;
  let start = select(0u, t, transposed);
  let end = select(t + 1u, p.tokens, transposed);
  let step = select(1u, p.tokens, transposed);
  var ai = (w * p.heads + h) * p.tokens * p.tokens + select(t * p.tokens, t * p.tokens + t, transposed);
  var sum = 0.0;
  for (var s = start; s < end; s++) {
    sum += a[ai] * x[(w * p.tokens + s) * p.ld + c];
    ai += step;
  }
  y[id] = sum;
}
