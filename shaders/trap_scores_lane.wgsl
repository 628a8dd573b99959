// trap_scores_lane: trap_scores by one invocation a walker: d ln p/d theta, ln p(x) = 2 ln|Phi_n(z)| - delta, by the adjoint
// of the discrete reverse flow.
//
//   weights  vec4 [6 QUADS]: see shared/trap_lane.wgsl
//   stages   vec2 [walker][4 steps][N], slope vec2 [walker][N], records vec4 [walker][2]: those of trap_energy
//   scores   f32 [walker][ld], padding 0; a walker whose record is not finite has 0
// From the last stage to the first, with k the cotangent of a stage's rate -v and u that of the divergence (minus its weight):
//   place_i += -sum_j [f q + f'/r d (d.q)] + u w'/r d,   q = k_i - k_j,  d = r_i - r_j;   f, f' get A = 4u - d.q and B = 2u r
// (electrons: 2u - d.q and 2u r^2 by the argument r^2). A logistic function is taken once a stage and term, for the pull and
// for its parameters. Trips: 4 steps (N^2 + 5 N + 2 QUADS) + 4 N
// + 6 UNITS + 4.
struct Params { walkers: u32, steps: u32, ld: u32, pad0: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> stages: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read> slope: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read> records: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> scores: array<f32>;

// as the weights
var<private> sums: array<vec4<f32>, 6u * QUADS>;
// (argument of f, cotangent A of f, B of f') of a term; and f, f', f''
var<private> worth: array<vec3<f32>, TERMS>;
var<private> jet: array<vec3<f32>, TERMS>;

fn finite4(v: vec4<f32>) -> bool { return finite(v.x) && finite(v.y) && finite(v.z) && finite(v.w); }

// f and its first two derivatives of all terms; sums += what the parameters get of the cotangents. Trips: 2 QUADS.
fn pull_functions() {
  #for t in TERMS
  var f$t = vec3<f32>();
  let v$t = worth[$t];
  #end
  for (var k = 0u; k < QUADS; k++) {
    let b = weights[k];
    let w1 = weights[k + QUADS];
    let w2 = weights[k + 2u * QUADS];
    let c = w2 * w1;
    var s0 = vec4<f32>();
    var s1 = vec4<f32>();
    var s2 = vec4<f32>();
    #for t in TERMS
    if ($tu < PAIRS) {
      let l = logistic4(w1 * v$t.x + b);
      f$t += vec3<f32>(dot(w2, l.s), dot(c, l.s1), dot(c * w1, l.s2));
      let rise = v$t.y * l.s1 + v$t.z * w1 * l.s2;
      s0 += rise;
      s1 += v$t.x * rise + v$t.z * l.s1;
      s2 += v$t.y * l.s + v$t.z * w1 * l.s1;
    }
    #end
    sums[k] += w2 * s0;
    sums[k + QUADS] += w2 * s1;
    sums[k + 2u * QUADS] += s2;
  }
  for (var k = 3u * QUADS; k < 4u * QUADS; k++) {
    let b = weights[k];
    let w1 = weights[k + QUADS];
    let w2 = weights[k + 2u * QUADS];
    let c = w2 * w1;
    var s0 = vec4<f32>();
    var s1 = vec4<f32>();
    var s2 = vec4<f32>();
    #for t in TERMS
    if ($tu >= PAIRS) {
      let l = logistic4(w1 * v$t.x + b);
      f$t += vec3<f32>(dot(w2, l.s), dot(c, l.s1), dot(c * w1, l.s2));
      let rise = v$t.y * l.s1 + v$t.z * w1 * l.s2;
      s0 += rise;
      s1 += v$t.x * rise + v$t.z * l.s1;
      s2 += v$t.y * l.s + v$t.z * w1 * l.s1;
    }
    #end
    sums[k] += w2 * s0;
    sums[k + QUADS] += w2 * s1;
    sums[k + 2u * QUADS] += s2;
  }
  #for t in TERMS
  jet[$t] = f$t;
  #end
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = flat_group(group, groups) * WG + lane;
  if (w >= p.walkers) { return; }
  var bar: array<vec2<f32>, N>;
  var total: array<vec2<f32>, N>;
  var later: array<vec2<f32>, N>;
  var pull: array<vec2<f32>, N>;
  var place: array<vec2<f32>, N>;
  for (var i = 0u; i < N; i++) { bar[i] = 2.0 * slope[w * N + i]; }
  let h = 1.0 / f32(p.steps);
  for (var back = 0u; back < p.steps; back++) {
    for (var i = 0u; i < N; i++) {
      total[i] = bar[i];
      later[i] = vec2<f32>();
    }
    for (var s = 0u; s < 4u; s++) {
      let stage = 3u - s;
      let weight = h * stage_weight(stage);
      // what the next stage took of this one's rate
      let taken = select(h * stage_reach(stage), 0.0, stage == 3u);
      for (var i = 0u; i < N; i++) {
        place[i] = stages[(w * 4u * p.steps + 4u * (p.steps - 1u - back) + stage) * N + i];
        pull[i] = weight * bar[i] + taken * later[i];
      }
      var t = 0u;
      for (var i = 0u; i < N; i++) {
        let y = place[i];
        let q = dot(y, y);
        worth[PAIRS + i] = vec3<f32>(q, -2.0 * weight - dot(y, pull[i]), -2.0 * weight * q);
        for (var j = i + 1u; j < N; j++) {
          let d = y - place[j];
          let r = length(d);
          worth[t] = vec3<f32>(r, -4.0 * weight - dot(d, pull[i] - pull[j]), -2.0 * weight * r);
          t++;
        }
      }
      pull_functions();
      for (var i = 0u; i < N; i++) {
        let y = place[i];
        let k = pull[i];
        let f = jet[PAIRS + i];
        let q = worth[PAIRS + i].x;
        later[i] = -weight * (8.0 * f.y + 4.0 * q * f.z) * y - f.x * k - 2.0 * f.y * dot(y, k) * y;
      }
      t = 0u;
      for (var i = 0u; i < N; i++) {
        for (var j = i + 1u; j < N; j++) {
          let d = place[i] - place[j];
          let k = pull[i] - pull[j];
          let f = jet[t];
          let turn = f.y / worth[t].x;
          let value = -2.0 * weight * (f.z + 3.0 * turn) * d - f.x * k - turn * dot(d, k) * d;
          later[i] += value;
          later[j] -= value;
          t++;
        }
      }
      for (var i = 0u; i < N; i++) { total[i] += later[i]; }
    }
    for (var i = 0u; i < N; i++) { bar[i] = total[i]; }
  }
  let counts = finite4(records[2u * w]) && finite4(records[2u * w + 1u]);
  for (var row = 0u; row < 6u; row++) {
    for (var k = 0u; k < UNITS; k++) {
      let value = sums[row * QUADS + k / 4u][k % 4u];
      scores[w * p.ld + row * UNITS + k] = select(0.0, value, counts);
    }
  }
  for (var k = 6u * UNITS; k < p.ld; k++) { scores[w * p.ld + k] = 0.0; }
}
