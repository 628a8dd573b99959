// flow_waves: compact pair features (shared/flow_wave.wgsl) of all pairs; 0 for i = j (flow_wave_sums fills it).
//
//   x [walker][n][DIM] -> out [walker][i][j][DIM] vec4. One invocation a pair. Trips: DIM.
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = group.x * WG + lane;
  if (id >= p.n * p.n) { return; }
  let i = quotient(id, p.n);
  let j = id - i * p.n;
  let xw = group.y * p.n * DIM;
  var c = vec3<f32>(); var s = vec3<f32>(); var sb = vec3<f32>(); var cb = vec3<f32>();
  for (var k = 0u; k < DIM; k++) {
    let turns = (x[xw + i * DIM + k] - x[xw + j * DIM + k]) / p.length;
    let full = sincos2pi(turns);
    let part = sincos2pi(0.5 * p.half_turns * turns);
    s[k] = full.x; c[k] = full.y; sb[k] = part.x; cb[k] = part.y;
  }
  var q = sqrt(dot(sb, sb));
  var g = vec3<f32>();
  if (i == j) { c = vec3<f32>(); s = vec3<f32>(); q = 0.0; } else { g = 0.5 * p.half_turns * (6.283185307179586 / p.length) * sb * cb / q; }
  let at = (group.y * p.n * p.n + id) * DIM;
  if (DIM == 2u) {
    out[at] = vec4<f32>(c.xy, s.xy);
    out[at + 1u] = vec4<f32>(q, g.xy, 0.0);
  } else {
    out[at] = vec4<f32>(c, q);
    out[at + 1u] = vec4<f32>(s, 0.0);
    out[at + 2u] = vec4<f32>(g, 0.0);
  }
}
