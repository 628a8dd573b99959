// backflow_probe: the part of grad and Lap ln|det J| that the direction v carries.
//
//   With K = (d_v J) J^-1:  tr K = d_v ln|det J|,  tau_v = tr K^2,  lap_v = sum_b v_b (J^-1 d_v lap z)_b.
//   product K [walker probes][ld ld]; inverse [walker][ld ld]; jets: output tangents [walker probes][i][row][4];
//   out [walker probes][4] = (tr K, tau_v, lap_v, 0). One workgroup a (walker, probe), fixed-order tree sums.
// Trips: ceil(order^2 / WG) + 16.
@group(0) @binding(1) var<storage, read> product: array<f32>;
@group(0) @binding(2) var<storage, read> inverse: array<f32>;
@group(0) @binding(3) var<storage, read> directions: array<f32>;
@group(0) @binding(4) var<storage, read> jets: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<vec4<f32>>;

var<workgroup> partial: array<vec4<f32>, WG>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let probe = flat_group(group, groups);
  let inside = probe < p.walkers * p.probes;
  let order = p.n * DIM;
  let k = probe * p.ld * p.ld;
  let y = (probe / p.probes) * p.ld * p.ld;
  var sum = vec4<f32>();
  if (inside) {
    for (var e = lane; e < order * order; e += WG) {
      let r = quotient(e, order);
      let c = e - r * order;
      let kv = product[k + r * p.ld + c];
      sum.y += kv * product[k + c * p.ld + r];
      if (r == c) { sum.x += kv; }
      let lap = jets[((probe * p.n + c / DIM) * p.rows + p.rows - 1u) * 4u + c % DIM];
      sum.z += directions[probe * order + r] * inverse[y + r * p.ld + c] * lap;
    }
  }
  partial[lane] = sum;
  workgroupBarrier();
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    if (lane < half) { partial[lane] += partial[lane + half]; }
    workgroupBarrier();
  }
  if (lane == 0u && inside) { out[probe] = partial[0]; }
}
