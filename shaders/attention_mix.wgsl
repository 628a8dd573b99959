// attention_mix: y_i = sum_(j <= i) a_ij x_j by heads, or transposed y_j = sum_(i >= j) a_ij x_i (flag 1).
//
//   a      [sample][head][i][j], tokens^2 words a head, see attention
//   x, y   rows (sample, token): row r begins at vec4 x_first + r x_ld4, or y_first + r y_ld4; head h owns columns h size ..
//          (h + 1) size from there on; y is 0 where x is, so in the padding of its units4 vec4
// ALIGNED 1: size is a multiple of 4, so that four columns share a head.
// One invocation a vec4 of y. Trips: tokens.
struct Params {
  count: u32, tokens: u32, heads: u32, size: u32,
  x_first: u32, x_ld4: u32, y_first: u32, y_ld4: u32,
  units4: u32, flags: u32, pad0: u32, pad1: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.count * p.tokens * p.units4) { return; }
  let c = id % p.units4;
  let t = (id / p.units4) % p.tokens;
  let w = id / (p.units4 * p.tokens);
  let transposed = (p.flags & 1u) != 0u;
  let start = select(0u, t, transposed);
  let end = select(t + 1u, p.tokens, transposed);
  let step = select(1u, p.tokens, transposed);
  let heads = min((vec4<u32>(4u * c) + vec4<u32>(0u, 1u, 2u, 3u)) / p.size, vec4<u32>(p.heads - 1u));
  var at = (w * p.heads + heads) * p.tokens * p.tokens + select(t * p.tokens, t * p.tokens + t, transposed);
  var sum = vec4<f32>();
  for (var s = start; s < end; s++) {
    var weight = vec4<f32>(a[at.x]);
    if (ALIGNED == 0u) { weight = vec4<f32>(weight.x, a[at.y], a[at.z], a[at.w]); }
    sum += weight * x[p.x_first + (w * p.tokens + s) * p.x_ld4 + c];
    at += step;
  }
  y[p.y_first + (w * p.tokens + t) * p.y_ld4 + c] = sum;
}
