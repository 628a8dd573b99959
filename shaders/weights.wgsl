// weights: what each walker's scores are multiplied with in the gradients of the free energy.
//
//   weights vec4 [walker]: (clip(F) - Fbar)/B        for d ln p
//                          2 Re clip(E - b(K))/B     for Re d ln Psi
//                          2 Im clip(E - b(K))/B     for Im d ln Psi
//                          1, or 0 where the walker is left out (then all four are 0)
//   flow vec2 [walker]: the second and third again, as rows [walker][part] of the scores of the flow.
//   B walkers counted; clip to a window of `width` mean absolute deviations about Fbar or b. Complex numbers are
//   clipped in lexicographic order: outside the window the bound with imaginary part 0, inside untouched.
//   b(K) = Ebar + c1 (T - Tbar), T = sum k^2: any function of K alone may be subtracted, since the mean of
//   Re d ln Psi over |Psi_K|^2 vanishes for every K.
//   records of `energies`; ideal vec4 [walker] of `occupied`; centre, deviation f32 [24] of `means`, the latter about
//   the former; line (c1, mean |E - b|) of `baseline`.
// No loops.
struct Params { walkers: u32, width: f32, pad0: u32, pad1: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> records: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> ideal: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> centre: array<f32>;
@group(0) @binding(4) var<storage, read> deviation: array<f32>;
@group(0) @binding(5) var<storage, read> line: array<f32>;
@group(0) @binding(6) var<storage, read_write> weights: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> flow: array<vec2<f32>>;

fn finite4(v: vec4<f32>) -> bool { return finite(v.x) && finite(v.y) && finite(v.z) && finite(v.w); }

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = flat_group(group, groups) * WG + lane;
  if (w >= p.walkers) { return; }
  let r = records[2u * w + 1u];
  var out = vec4<f32>();
  if (finite4(records[2u * w]) && finite4(r)) {
    // about the centre, where differences keep their digits; then about the mean, and the line through it
    let f_bound = p.width * deviation[17];
    let f = clamp(r.z - centre[7] - deviation[7], -f_bound, f_bound) / centre[0];
    let e_bound = p.width * line[1];
    let t = ideal[w].x - centre[21] - deviation[21];
    var e = vec2<f32>(r.x - centre[5] - deviation[5] - line[0] * t, r.y);
    if (e.x < -e_bound || (e.x == -e_bound && e.y < 0.0)) { e = vec2<f32>(-e_bound, 0.0); }
    if (e.x > e_bound || (e.x == e_bound && e.y > 0.0)) { e = vec2<f32>(e_bound, 0.0); }
    out = vec4<f32>(f, 2.0 * e / centre[0], 1.0);
  }
  weights[w] = out;
  flow[w] = out.yz;
}
