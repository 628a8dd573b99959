// occupation_attention: causal attention weights of every head and their reverse mode.
//
//   q, k   rows (walker, token) of `ld` words; head h owns columns h size .. (h + 1) size
//   a      [walker][head][i][j] words, tokens^2 a head; only j <= i is written
// MODE 0: a_ij = softmax_(j <= i) (scale q_i . k_j); `weights` is not read.
// MODE 1: with q = gradient by the mixed values, k = the values, weights = the a of MODE 0:
//         a_ij = scale weights_ij (q_i . k_j - sum_j' weights_ij' q_i . k_j'), the gradient by the
//         dot products of queries and keys.
// One invocation a row (walker, head, i). Trips: tokens (size + 3).
struct Params { count: u32, tokens: u32, heads: u32, size: u32, ld: u32, scale: f32, pad0: u32, pad1: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>;
@group(0) @binding(2) var<storage, read> k: array<f32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> a: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.count * p.heads * p.tokens) { return; }
  let i = id % p.tokens;
  let h = (id / p.tokens) % p.heads;
  let w = id / (p.tokens * p.heads);
  let qi = (w * p.tokens + i) * p.ld + h * p.size;
  let ai = id * p.tokens;
  var most = -3.0e38;
  var mean = 0.0;
  for (var j = 0u; j <= i; j++) {
    let kj = (w * p.tokens + j) * p.ld + h * p.size;
    var s = 0.0;
    for (var c = 0u; c < p.size; c++) { s += q[qi + c] * k[kj + c]; }
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
