// trap_scores: d ln p/d theta, ln p(x) = 2 ln|Phi_n(z)| - delta of the discrete reverse flow, by its adjoint.
//
//   weights  f32 [6 LD]: b, W1, W2 of eta, then of mu, padded
//   stages   vec2 [walker][4 steps][N], slope vec2 [walker][N], records vec4 [walker][2]: those of trap_energy
//   scores   f32 [walker][ld], padding 0; a walker whose record is not finite has 0
// From the last stage to the first, with k the cotangent of a stage's rate -v and u that of the divergence (minus its weight):
//   place_i += -sum_j [f q + f'/r d (d.q)] + u w'/r d,   q = k_i - k_j,  d = r_i - r_j;   f, f' get A = 4u - d.q and B = 2u r
// (electrons: 2u - d.q and 2u r^2 by the argument r^2). A workgroup owns a walker: lanes share the terms, then electrons, then
// units, whose sums they keep. Trips: 6 UNITS/WG + 4 steps ((PAIRS + N)/WG (UNITS + 2N) + N + UNITS (PAIRS + N)/WG + 2 UNITS/WG
// + PAIRS + N) + 6 UNITS/WG.
struct Params { walkers: u32, steps: u32, ld: u32, pad0: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read> stages: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read> slope: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read> records: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> scores: array<f32>;

const OWN: u32 = (2u * UNITS + WG - 1u) / WG;
var<workgroup> pull: array<vec2<f32>, N>;
// argument of f, A, B
var<workgroup> worth: array<vec4<f32>, PAIRS + N>;

fn finite4(v: vec4<f32>) -> bool { return finite(v.x) && finite(v.y) && finite(v.z) && finite(v.w); }

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let flat = flat_group(group, groups);
  let w = min(flat, p.walkers - 1u);
  for (var k = lane; k < 6u * LD; k += WG) { net[k] = weights[k]; }
  var sums: array<vec4<f32>, OWN>;
  for (var s = 0u; s < OWN; s++) { sums[s] = vec4<f32>(); }
  var bar = vec2<f32>();
  if (lane < N) { bar = 2.0 * slope[w * N + lane]; }
  let h = 1.0 / f32(p.steps);
  for (var back = 0u; back < p.steps; back++) {
    var total = bar;
    var later = vec2<f32>();
    for (var s = 0u; s < 4u; s++) {
      let stage = 3u - s;
      let weight = h * stage_weight(stage);
      workgroupBarrier();
      if (lane < N) {
        place[lane] = stages[(w * 4u * p.steps + 4u * (p.steps - 1u - back) + stage) * N + lane];
        // what the next stage took of this one's rate
        pull[lane] = weight * bar + select(h * stage_reach(stage), 0.0, stage == 3u) * later;
      }
      workgroupBarrier();
      prepare(lane);
      for (var t = lane; t < PAIRS + N; t += WG) {
        let pair = t < PAIRS;
        var q = vec2<f32>();
        if (pair) {
          let ij = pair_of(t);
          q = pull[ij.x] - pull[ij.y];
        } else {
          q = pull[t - PAIRS];
        }
        let d = separation(t);
        let r2 = dot(d, d);
        let r = select(r2, sqrt(r2), pair);
        worth[t] = vec4<f32>(r, -weight * select(2.0, 4.0, pair) - dot(d, q), -2.0 * weight * r, 0.0);
      }
      workgroupBarrier();
      if (lane < N) {
        let k = pull[lane];
        let y = place[lane];
        let own = term_a[PAIRS + lane];
        later = -weight * term_c[PAIRS + lane].x * y - own.x * k - own.y * dot(y, k) * y;
        for (var j = 0u; j < N; j++) {
          if (j != lane) {
            let t = number_of(min(lane, j), max(lane, j));
            let d = y - place[j];
            let q = k - pull[j];
            let a = term_a[t];
            later -= weight * term_c[t].x * d + a.x * q + a.y * dot(d, q) * d;
          }
        }
        total += later;
      }
      for (var s0 = 0u; s0 < OWN; s0++) {
        let u = s0 * WG + lane;
        if (u < 2u * UNITS) {
          let eta = u < UNITS;
          let at = select(3u * LD - UNITS, 0u, eta) + u;
          let w1 = net[at + LD];
          let w2 = net[at + 2u * LD];
          var mine = vec4<f32>();
          let last = select(PAIRS + N, PAIRS, eta);
          for (var t = select(PAIRS, 0u, eta); t < last; t++) {
            let v = worth[t];
            let l = logistic(w1 * v.x + net[at]);
            let rise = v.y * l.y + v.z * w1 * l.z;
            mine += vec4<f32>(w2 * rise, w2 * (v.x * rise + v.z * l.y), v.y * l.x + v.z * w1 * l.y, 0.0);
          }
          sums[s0] += mine;
        }
      }
    }
    bar = total;
  }
  if (flat >= p.walkers) { return; }
  let counts = finite4(records[2u * w]) && finite4(records[2u * w + 1u]);
  for (var s0 = 0u; s0 < OWN; s0++) {
    let u = s0 * WG + lane;
    if (u < 2u * UNITS) {
      let at = w * p.ld + select(2u * UNITS, 0u, u < UNITS) + u;
      let v = sums[s0];
      scores[at] = select(0.0, v.x, counts);
      scores[at + UNITS] = select(0.0, v.y, counts);
      scores[at + 2u * UNITS] = select(0.0, v.z, counts);
    }
  }
  for (var k = 6u * UNITS + lane; k < p.ld; k += WG) { scores[w * p.ld + k] = 0.0; }
}
