// flow_particle_activation: jets of softplus(a) (+ h) of one particle.
//
//   value f, derivatives s a_b, Laplacian (last row if rows = n d + 2) s lap a + s' sum_b a_b^2.
//   a, h, out: particle jets; flag 1: add h (residual). One invocation a (particle, row, column block).
// Trips: n DIM for the Laplacian row, else 0.
@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> h: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  let c = id % p.width4;
  let q = (id / p.width4) % p.rows;
  let particle = id / (p.width4 * p.rows);
  if (particle >= p.walkers * p.n) { return; }
  let at = particle * p.rows * p.width4 + c;
  let f = softplus_jet4(a[at]);
  var v = f.v;
  if (q > 0u) { v = f.s * a[id]; }
  if (q == p.n * DIM + 1u) {
    var squares = vec4<f32>();
    for (var b = 1u; b <= p.n * DIM; b++) {
      let d = a[at + b * p.width4];
      squares += d * d;
    }
    v += f.s1 * squares;
  }
  if ((p.flags & 1u) != 0u) { v += h[id]; }
  out[id] = v;
}
