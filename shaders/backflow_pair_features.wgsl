// backflow_pair_features: periodic pair features t0(r), r = x_i - x_j, and their derivatives with respect to r.
//
//   t0 = (cos 2 pi r/L, sin 2 pi r/L, q),  q = |sin(b r)|_2,  b = half_turns pi/L (1: half, 2: legacy);
//   t0(i = j) = (1, 0, 0) with zero derivatives.
//   x [walker][n][DIM] -> out pair jets of width 8. One invocation a pair. Trips: <= 3 DIM^2.
//   q ~ r near coalescence: its derivatives grow like 1/r (a cusp, not an error).
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;

fn put(at: u32, c: vec3<f32>, s: vec3<f32>, q: f32) {
  if (DIM == 2u) {
    out[at] = vec4<f32>(c.x, c.y, s.x, s.y);
    out[at + 1u] = vec4<f32>(q, 0.0, 0.0, 0.0);
  } else {
    out[at] = vec4<f32>(c.x, c.y, c.z, s.x);
    out[at + 1u] = vec4<f32>(s.y, s.z, q, 0.0);
  }
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = group.x * WG + lane;
  if (id >= p.n * p.n) { return; }
  let i = quotient(id, p.n);
  let j = id - i * p.n;
  let xw = group.y * p.n * DIM;
  var c = vec3<f32>(); var s = vec3<f32>(); var sb = vec3<f32>(); var cb = vec3<f32>(); var used = vec3<f32>();
  for (var k = 0u; k < DIM; k++) {
    let turns = (x[xw + i * DIM + k] - x[xw + j * DIM + k]) / p.length;
    let full = sincos2pi(turns);
    let part = sincos2pi(0.5 * p.half_turns * turns);
    s[k] = full.x; c[k] = full.y; sb[k] = part.x; cb[k] = part.y; used[k] = 1.0;
  }
  let at = (group.y * p.n * p.n + id) * JETS * 2u;
  if (i == j) {
    put(at, vec3<f32>(1.0) * used, vec3<f32>(), 0.0);
    for (var jet = 1u; jet < JETS; jet++) { put(at + 2u * jet, vec3<f32>(), vec3<f32>(), 0.0); }
    return;
  }
  let kk = 6.283185307179586 / p.length;
  let b = 0.5 * p.half_turns * kk;
  let m = dot(sb, sb);
  let q = sqrt(m);
  let m1 = 2.0 * b * sb * cb;
  put(at, c, s, q);
  for (var k = 0u; k < DIM; k++) {
    var e = vec3<f32>(); e[k] = 1.0;
    put(at + 2u * (1u + k), -kk * s * e, kk * c * e, m1[k] / (2.0 * q));
  }
  if (JETS > 1u + DIM) {
    let m2 = 2.0 * b * b * (1.0 - 2.0 * sb * sb) * used;
    let lap_m = m2.x + m2.y + m2.z;
    let m1m1 = dot(m1, m1);
    for (var k = 0u; k < DIM; k++) {
      for (var l = k; l < DIM; l++) {
        var e = vec3<f32>(); var q2 = -m1[k] * m1[l] / (4.0 * m * q);
        if (k == l) { e[k] = 1.0; q2 += m2[k] / (2.0 * q); }
        put(at + 2u * (1u + DIM + sym(k, l)), -kk * kk * c * e, -kk * kk * s * e, q2);
      }
      var e = vec3<f32>(); e[k] = 1.0;
      let m3 = -8.0 * b * b * b * sb[k] * cb[k];
      let q1 = m1[k] / (2.0 * q);
      let q3 = m3 / (2.0 * q) - lap_m * q1 / (2.0 * m) - m1[k] * m2[k] / (2.0 * m * q) + 3.0 * m1m1 * q1 / (4.0 * m * m);
      put(at + 2u * (JETS - DIM + k), kk * kk * kk * s * e, -kk * kk * kk * c * e, q3);
    }
  }
}
