// attention: causal attention weights of every head and their reverse mode.
//
//   q, k   rows (sample, token): row r begins at vec4 q_first + r q_ld4, or k_first + r k_ld4; head h owns columns h size ..
//          (h + 1) size from there on
//   a      [sample][head][i][j] words, tokens^2 a head; only j <= i is written
// MODE 0: a_ij = softmax_(j <= i) (scale q_i . k_j); `weights` is not read.
// MODE 1: with q = gradient by the mixed values, k = the values, weights = the a of MODE 0:
//         a_ij = scale weights_ij (q_i . k_j - sum_j' weights_ij' q_i . k_j'), the gradient by the
//         dot products of queries and keys.
// ALIGNED 1: size is a multiple of 4; else columns of other heads are masked.
// One invocation a row (sample, head, i). Trips: tokens (size / 4 + 5).
struct Params {
  count: u32, tokens: u32, heads: u32, size: u32,
  q_first: u32, q_ld4: u32, k_first: u32, k_ld4: u32,
  scale: f32, pad0: u32, pad1: u32, pad2: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> k: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> a: array<f32>;

// 1 for those of the columns 4 c .. 4 c + 3 that belong to the head from column `low` on.
fn mask(c: u32, low: u32) -> vec4<f32> {
  if (ALIGNED == 1u) { return vec4<f32>(1.0); }
  let column = vec4<u32>(4u * c) + vec4<u32>(0u, 1u, 2u, 3u);
  return select(vec4<f32>(), vec4<f32>(1.0), (column >= vec4<u32>(low)) & (column < vec4<u32>(low + p.size)));
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.count * p.heads * p.tokens) { return; }
  let i = id % p.tokens;
  let low = ((id / p.tokens) % p.heads) * p.size;
  let first = low / 4u;
  let last = (low + p.size - 1u) / 4u;
  let row = (id / (p.tokens * p.heads)) * p.tokens;
  let qi = p.q_first + (row + i) * p.q_ld4;
  let q0 = q[qi + first] * mask(first, low);
  let ai = id * p.tokens;
  var most = -3.0e38;
  var mean = 0.0;
  for (var j = 0u; j <= i; j++) {
    let kj = p.k_first + (row + j) * p.k_ld4;
    var s = dot(q0, k[kj + first]);
    for (var c = first + 1u; c <= last; c++) { s += dot(q[qi + c] * mask(c, low), k[kj + c]); }
    if (MODE == 0u) { s *= p.scale; most = max(most, s); }
    if (MODE == 1u) { mean += weights[ai + j] * s; }
    a[ai + j] = s;
  }
  if (MODE == 1u) {
    for (var j = 0u; j <= i; j++) { a[ai + j] = p.scale * weights[ai + j] * (a[ai + j] - mean); }
    return;
  }
  var sum = 0.0;
  for (var j = 0u; j <= i; j++) {
    let e = exp(a[ai + j] - most);
    sum += e;
    a[ai + j] = e;
  }
  for (var j = 0u; j <= i; j++) { a[ai + j] /= sum; }
}
