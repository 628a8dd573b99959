// made_bits_gradient: the gradient of sum over samples w of f_w ln q0(s) + g_w ln q0(-s) by the parameters of `made_bits`.
//
//   d / d W_ij = sum over w of (f_w u_i + g_w v_i) s_j, j < i;  d / d b_i = sum over w of f_w u_i - g_w v_i, where BIAS is 1
//   u, v, s: the slopes of both signs and the spins of `made_bits`, of `count` samples; f [count]; g [count] where MIRROR or SAME is 1, else 0
//   SAME: v is u
//   partial [groups][ld]: the part of each group of samples, rows of W below the diagonal without gaps from word `weights`
//   on, b from word `bias` on; their sum is the gradient
// One invocation owns COLS columns of a row i for the samples q groups + g of group g: five loads a sample for COLS sums.
// BIAS, MIRROR and SAME are constants: a driver that makes a kernel anew for the uniforms its branches look at (lavapipe) would do
// so in every step. Trips: count / groups.
struct Params {
  count: u32, sites: u32, groups: u32, ld: u32,
  weights: u32, bias: u32, pad0: u32, pad1: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> slopes: array<f32>;
@group(0) @binding(2) var<storage, read> f: array<f32>;
@group(0) @binding(3) var<storage, read> g: array<f32>;
@group(0) @binding(4) var<storage, read_write> partial: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  let own = id % p.groups;
  let row = id / p.groups % p.sites;
  let first = id / (p.groups * p.sites) * COLS;
  if (first > 0u && first >= row) { return; }
  #for k in COLS4
  var sum$k = vec4<f32>();
  let bit$k = vec4<u32>(1u, 2u, 4u, 8u) << vec4<u32>(min(first + 4u * $ku, 28u));
  #end
  var bias = 0.0;
  _ = &g;
  for (var w = own; w < p.count; w += p.groups) {
    let slope = slopes[(1u + row) * p.count + w];
    let u = f[w] * slope;
    var v = 0.0;
    #for m in MIRROR
    v = g[w] * slopes[(1u + p.sites + row) * p.count + w];
    #end
    #for m in SAME
    v = g[w] * slope;
    #end
    let state = vec4<u32>(bitcast<u32>(slopes[w]));
    let d = vec4<f32>(u + v);
    bias += u - v;
    #for k in COLS4
    sum$k += select(-d, d, (state & bit$k) != vec4<u32>());
    #end
  }
  let at = own * p.ld + p.weights + row * (max(row, 1u) - 1u) / 2u + first;
  #for k in COLS4
  #for e in 4
  if (first + 4u * $ku + $eu < row) { partial[at + 4u * $ku + $eu] = sum$k[$e]; }
  #end
  #end
  #for b in BIAS
  if (first == 0u) { partial[own * p.ld + p.bias + row] = bias; }
  #end
}
