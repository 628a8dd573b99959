// backflow_row_cross: the mean field's share in the Laplacian of q = sum_ia Y_ia . grad z_ia (Y = J^-T frozen), along one direction v.
//
//   One-particle layer, output row (i,a), its own direction delta = Y_ia . grad; g the mean of the layer below, V_g g its product:
//   m = delta d_v of the preactivation through g:  [below] + sum_b Y_ia,b d_v d_b (V_g g)
//   k = delta Lap through g:                       [below] + (Y_ia . v) d_v Lap (V_g g)      (flag 1; else it is taken exactly elsewhere)
//   out rows: s m [+ out],  s k + 2 s' (d_v a_i) m [+ out].   Both are unbiased for random signs v.
//   base: a [walker][i][row]; tangent: d_v a [walker probes][i][row]; mean: d_v V_g g [walker probes][row][4 W4];
//   inverse J^-1 [walker][ld ld]; directions [walker][probes][n DIM]; below and out [walker probes DIM][i][2][4 W4];
//   flag 1: there is a layer below with a mean field (below = V_h out).
// One invocation a (particle, column block); group.y counts (walker, probe, a). Trips: n DIM.
@group(0) @binding(1) var<storage, read> base: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> tangent: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> mean: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> inverse: array<f32>;
@group(0) @binding(5) var<storage, read> directions: array<f32>;
@group(0) @binding(6) var<storage, read> below: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = group.x * WG + lane;
  let c = id % W4;
  let i = id / W4;
  if (i >= p.n) { return; }
  let order = p.n * DIM;
  let a = group.y % DIM;
  let probe = group.y / DIM;
  let w = quotient(probe, p.probes);
  let y = w * p.ld * p.ld + i * DIM + a;
  let g = probe * p.rows * W4 + c;
  var m = vec4<f32>(); var along = 0.0;
  for (var b = 0u; b < order; b++) {
    let v = inverse[y + b * p.ld];
    m += v * mean[g + (1u + b) * W4];
    along += v * directions[probe * order + b];
  }
  let at = (group.y * p.n + i) * 2u * W4 + c;
  let f = softplus_jet4(base[(w * p.n + i) * p.rows * W4 + c]);
  let slope = 2.0 * f.s1 * tangent[(probe * p.n + i) * p.rows * W4 + c];
  if ((p.flags & 1u) != 0u) {
    m += below[at];
    let k = below[at + W4] + along * mean[g + (1u + order) * W4];
    out[at] += f.s * m;
    out[at + W4] += f.s * k + slope * m;
  } else {
    out[at] = f.s * m;
    out[at + W4] = slope * m;
  }
}
