// backflow_tangent_activation: backflow_particle_activation differentiated along the directions v.
//
//   value s v0; derivatives s v_b + s' v0 a_b; Laplacian s vL + (s' lap a + s'' sum_b a_b^2) v0 + 2 s' sum_b a_b v_b.
//   base: particle jets a [walker][i][row]; tangent [walker probes][i][row]; out likewise, flag 1: add to what it holds.
// One invocation an element block. Trips: n DIM for the Laplacian row, else 0.
@group(0) @binding(1) var<storage, read> base: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> tangent: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = group.x * WG + lane;
  let c = id % W4;
  if (id >= p.n * p.rows * W4) { return; }
  let place = summing_first(id / W4);
  let i = place.i;
  let q = place.q;
  let probe = group.y;
  let w = quotient(probe, p.probes);
  let at = (w * p.n + i) * p.rows * W4 + c;
  let vt = (probe * p.n + i) * p.rows * W4 + c;
  let here = vt + q * W4;
  let f = softplus_jet4(base[at]);
  let v0 = tangent[vt];
  var v = f.s * tangent[here];
  if (q > 0u) { v += f.s1 * v0 * base[at + q * W4]; }
  if (q == p.n * DIM + 1u) {
    var squares = vec4<f32>(); var cross = vec4<f32>();
    for (var b = 1u; b <= p.n * DIM; b++) {
      let d = base[at + b * W4];
      squares += d * d;
      cross += d * tangent[vt + b * W4];
    }
    v += f.s2 * squares * v0 + 2.0 * f.s1 * cross;
  }
  if ((p.flags & 1u) != 0u) { v += out[here]; }
  out[here] = v;
}
