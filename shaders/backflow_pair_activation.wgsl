// backflow_pair_activation: jets of softplus(a) (+ t) from the jets of a, for every ordered pair.
//
//   value f, first s a', second s a'' + s' a'a', third (gradient of the trace of the second)
//   s a''' + (s' tr a'' + s'' |a'|^2) a' + 2 s' a'' a'.
//   a, t, out: pair jets of width 4 W4; flag 1: add t (residual). One invocation a (pair, column block).
// Trips: <= 40 (unrolled).
@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> t: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;

fn put(at: u32, v: vec4<f32>) {
  if ((p.flags & 1u) != 0u) { out[at] = v + t[at]; } else { out[at] = v; }
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = group.x * WG + lane;
  let c = id % W4;
  let pair = id / W4;
  if (pair >= p.n * p.n) { return; }
  let at = (group.y * p.n * p.n + pair) * JETS * W4 + c;
  let f = softplus_jet4(a[at]);
  put(at, f.v);
  var a1: array<vec4<f32>, DIM>;
  var gg = vec4<f32>();
  for (var k = 0u; k < DIM; k++) {
    a1[k] = a[at + (1u + k) * W4];
    gg += a1[k] * a1[k];
    put(at + (1u + k) * W4, f.s * a1[k]);
  }
  if (JETS > 1u + DIM) {
    var h: array<vec4<f32>, DIM>;
    var trace = vec4<f32>();
    for (var k = 0u; k < DIM; k++) {
      for (var l = k; l < DIM; l++) {
        let jet = 1u + DIM + sym(k, l);
        let a2 = a[at + jet * W4];
        put(at + jet * W4, f.s * a2 + f.s1 * a1[k] * a1[l]);
        h[k] += a2 * a1[l];
        if (k == l) { trace += a2; } else { h[l] += a2 * a1[k]; }
      }
    }
    let outer = f.s1 * trace + f.s2 * gg;
    for (var k = 0u; k < DIM; k++) {
      let jet = JETS - DIM + k;
      put(at + jet * W4, f.s * a[at + jet * W4] + outer * a1[k] + 2.0 * f.s1 * h[k]);
    }
  }
}
