// backflow_probe_trace: what one direction v gives of the Laplacian of ln|det J|.
//
//   With K = (d_v J) J^-1:  out = 2 sum_ia kappa'_ia . (Y_ia . grad d_v g1) - tr K^2:  the mean field's share in the cross terms of
//   backflow_row_laplacian, and minus tau_v
//   product K [walker][probes][ld][ld]; turned: rows of backflow_probe_rows (kappa'); yddg = Y ddg [walker][probes][n DIM][H4]
//   -> out [walker][probes]. One workgroup a (walker, probe), fixed-order tree sums. Trips: ceil(order^2 / WG) + ceil(order H4 / WG) + 8.
@group(0) @binding(1) var<storage, read> product: array<f32>;
@group(0) @binding(2) var<storage, read> turned: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> yddg: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

var<workgroup> partial: array<f32, WG>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let probe = flat_group(group, groups);
  let inside = probe < p.walkers * p.probes;
  let order = p.n * DIM;
  let k = probe * p.ld * p.ld;
  var sum = 0.0;
  if (inside) {
    for (var e = lane; e < order * order; e += WG) {
      let r = quotient(e, order);
      let c = e - r * order;
      sum -= product[k + r * p.ld + c] * product[k + c * p.ld + r];
    }
    for (var e = lane; e < order * H4; e += WG) {
      let r = quotient(e, H4);
      sum += 2.0 * dot(turned[(probe * order + r) * (2u + T4 + H4) + 2u + T4 + e - r * H4], yddg[probe * order * H4 + e]);
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
