// backflow_gradient: gradient of ln|det J| from its pairs and the mean field.
//
//   grad_jk = (1/n) sum_i (c_jik - c_ijk) + kappa . d_jk g1 + sum_c B_c . grad d_jk g1_c,  kappa summed over all rows
//   pairs c [walker][i][j][DIM] of backflow_gradient_pairs; total: `turned` of backflow_row_laplacian summed over particles [walker][TURNED];
//   dg [walker][n DIM][H4]; hessian of backflow_mean_hessian (CHANNELS = 1) [walker][n DIM][H4] -> grad [walker][ld], padding 0
// One invocation a padded coordinate. Trips: n + H4.
@group(0) @binding(1) var<storage, read> pairs: array<f32>;
@group(0) @binding(2) var<storage, read> total: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> dg: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> hessian: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> grad: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.walkers * p.ld) { return; }
  let w = id / p.ld;
  let b = id - w * p.ld;
  let order = p.n * DIM;
  var sum = 0.0;
  if (b < order) {
    let j = b / DIM;
    let k = b - j * DIM;
    let first = w * p.n;
    for (var i = 0u; i < p.n; i++) {
      sum += pairs[((first + j) * p.n + i) * DIM + k] - pairs[((first + i) * p.n + j) * DIM + k];
    }
    sum /= f32(p.n);
    for (var c = 0u; c < H4; c++) {
      let at = (w * order + b) * H4 + c;
      sum += dot(total[w * TURNED + 2u * DIM * H4 + 2u + T4 + c], dg[at]) + dot(hessian[at], vec4<f32>(1.0));
    }
  }
  grad[id] = sum;
}
