// backflow_score_positions: gradient with respect to positions from the adjoints of the pair features.
//
//   out_ik = scale sum_j [ G_ij,k - G_ji,k ],  G_ij = tb_ij . t0'_ij + sum_l tb'_ij,l . t0''_ij,l   (width 8).
//   t pair jets (all orders), tb [w][i][j][DIM + 2][8] -> out [w][ld], padding 0. One invocation a coordinate. Trips: n (2 + DIM).
@group(0) @binding(1) var<storage, read> t: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> tb: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

fn pull(pair: u32, k: u32) -> f32 {
  let at = pair * JETS * 2u;
  let bt = pair * (DIM + 2u) * 2u;
  var sum = tb[bt] * t[at + 2u * (1u + k)] + tb[bt + 1u] * t[at + 2u * (1u + k) + 1u];
  for (var l = 0u; l < DIM; l++) {
    let second = at + 2u * (1u + DIM + sym(k, l));
    sum += tb[bt + 2u * (1u + l)] * t[second] + tb[bt + 2u * (1u + l) + 1u] * t[second + 1u];
  }
  return sum.x + sum.y + sum.z + sum.w;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = group.x * WG + lane;
  let r = id;
  let w = group.y;
  if (r >= p.ld) { return; }
  var sum = 0.0;
  if (r < p.n * DIM) {
    let i = r / DIM;
    for (var j = 0u; j < p.n; j++) {
      sum += pull((w * p.n + i) * p.n + j, r % DIM) - pull((w * p.n + j) * p.n + i, r % DIM);
    }
  }
  out[w * p.ld + r] = p.scale * sum;
}
