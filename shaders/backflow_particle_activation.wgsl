// backflow_particle_activation: jets of softplus(a) (+ h) of one particle.
//
//   value f, derivatives s a_b, Laplacian (last row if rows = n d + 2) s lap a + s' sum_b a_b^2.
//   a, h, out: particle jets; flag 1: add h (residual). One invocation a (particle, row, column block).
// Trips: n DIM for the Laplacian row, else 0.
@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> h: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = group.x * WG + lane;
  let c = id % W4;
  if (id >= p.n * p.rows * W4) { return; }
  let place = summing_first(id / W4);
  let i = place.i;
  let q = place.q;
  let at = (group.y * p.n + i) * p.rows * W4 + c;
  let here = at + q * W4;
  let f = softplus_jet4(a[at]);
  var v = f.v;
  if (q > 0u) { v = f.s * a[here]; }
  if (q == p.n * DIM + 1u) {
    var squares = vec4<f32>();
    for (var b = 1u; b <= p.n * DIM; b++) {
      let d = a[at + b * W4];
      squares += d * d;
    }
    v += f.s1 * squares;
  }
  if ((p.flags & 1u) != 0u) { v += h[here]; }
  out[here] = v;
}
