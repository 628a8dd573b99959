// gray: every state of a block of 2^low states of spins +-1, in Gray code: the least energy of them (SEARCH = 1), or the sums
// of e^(-beta d) (1, d, d^2, M^2, M) and the number of states with d = 0, d = E - reference (SEARCH = 0).
//
//   E = -sum_(i<j) J_ij s_i s_j - sum_i h_i s_i in whole multiples of `unit`: i32 is exact whatever the number of flips
//   table vec4<i32>: `sites` rows of J, each of ld4 = ceil(sites / 4), then h;  bit i of a state: s_i = +1
//   block `first + invocation` < blocks fixes spins low, low + 1, ...; spins behind the enumerated ones are -1
//   rows u32 [workgroup][8], `first / WG` + workgroup: (E, a state that has it), or the bits of the six sums
// The local fields of spins 0 .. low - 1 are kept in registers, QUADS = ceil(low / 4) vec4. Spins 0 and 1 flip three times of
// four; their couplings stay in registers. `reference` is the least energy of all states: no weight is above 1.
// Sums go over 64 states, then over those, then over lanes. Trips: 2^(low - 2) + (sites + 2) (ld4 + 1) + 2 WG.
struct Params {
  first: u32, blocks: u32, low: u32, sites: u32,
  reference: i32, unit: f32, beta: f32, pad: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> table: array<vec4<i32>>;
@group(0) @binding(2) var<storage, read_write> rows: array<u32>;

var<workgroup> sums: array<vec4<f32>, 2u * WG>;
var<workgroup> least: array<vec2<u32>, WG>;

// Of the last states and of all before: weight, d, d^2, M^2; M, states with d = 0.
var<private> recent: vec4<f32>;
var<private> total: vec4<f32>;
var<private> recent_rest: vec2<f32>;
var<private> total_rest: vec2<f32>;
var<private> lowest: i32;
var<private> lowest_state: u32;

fn visit(e: i32, state: u32) {
  if (SEARCH == 1u) {
    if (e < lowest) { lowest = e; lowest_state = state; }
  } else {
    let d = f32(e - p.reference) * p.unit;
    let m = f32(2 * i32(countOneBits(state)) - i32(p.sites));
    let w = exp(-p.beta * d);
    recent += w * vec4<f32>(1.0, d, d * d, m * m);
    recent_rest += vec2<f32>(w * m, select(0.0, 1.0, e == p.reference));
  }
}

// s_k.
fn spin(state: u32, k: u32) -> i32 { return 2 * i32((state >> k) & 1u) - 1; }

fn spins4(state: u32, k: u32) -> vec4<i32> { return vec4<i32>(spin(state, k), spin(state, k + 1u), spin(state, k + 2u), spin(state, k + 3u)); }

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let block = p.first + flat_group(group, groups) * WG + lane;
  let ld4 = (p.sites + 3u) / 4u;
  let fields = p.sites * ld4;
  var state = block << p.low;
  // -2 E = sum_i s_i (f_i + h_i)
  var doubled = 0;
  for (var q = 0u; q < ld4; q++) {
    var f = 2 * table[fields + q];
    for (var j = 0u; j < p.sites; j++) { f += spin(state, j) * table[j * ld4 + q]; }
    doubled += dot(spins4(state, 4u * q), f);
  }
  var e = -(doubled / 2);
  #for q in QUADS
  var f$q = table[fields + $qu];
  let first$q = table[$qu];
  let second$q = table[ld4 + $qu];
  #end
  for (var j = 0u; j < p.sites; j++) {
    let s = spin(state, j);
    #for q in QUADS
    f$q += s * table[j * ld4 + $qu];
    #end
  }
  recent = vec4<f32>(); total = vec4<f32>(); recent_rest = vec2<f32>(); total_rest = vec2<f32>();
  lowest = 0x7fffffff; lowest_state = 0u;
  let steps = select(0u, 1u << (p.low - 2u), block < p.blocks);
  for (var t = 0u; t < steps; t++) {
    visit(e, state);
    var s = 2 * spin(state, 0u);
    e += s * f0.x;
    #for q in QUADS
    f$q -= s * first$q;
    #end
    state ^= 1u;
    visit(e, state);
    s = 2 * spin(state, 1u);
    e += s * f0.y;
    #for q in QUADS
    f$q -= s * second$q;
    #end
    state ^= 2u;
    visit(e, state);
    s = 2 * spin(state, 0u);
    e += s * f0.x;
    #for q in QUADS
    f$q -= s * first$q;
    #end
    state ^= 1u;
    visit(e, state);
    // the flip behind the last state is of no use, and stays within the block's spins
    let k = min(2u + countTrailingZeros(t + 1u), p.low - 1u);
    var field = 0;
    #for q in QUADS
    if (k / 4u == $qu) { field = f$q[k % 4u]; }
    #end
    s = 2 * spin(state, k);
    e += s * field;
    #for q in QUADS
    f$q -= s * table[k * ld4 + $qu];
    #end
    state ^= 1u << k;
    if (t % 16u == 15u || t + 1u == steps) {
      total += recent;
      total_rest += recent_rest;
      recent = vec4<f32>();
      recent_rest = vec2<f32>();
    }
  }
  sums[lane] = total;
  sums[WG + lane] = vec4<f32>(total_rest, 0.0, 0.0);
  least[lane] = vec2<u32>(bitcast<u32>(lowest), lowest_state);
  workgroupBarrier();
  let at = 8u * (p.first / WG + flat_group(group, groups));
  if (SEARCH == 1u) {
    if (lane == 0u) {
      var best = least[0];
      for (var l = 1u; l < WG; l++) {
        if (bitcast<i32>(least[l].x) < bitcast<i32>(best.x)) { best = least[l]; }
      }
      rows[at] = best.x;
      rows[at + 1u] = best.y;
    }
  } else if (lane < 2u) {
    var sum = vec4<f32>();
    for (var l = 0u; l < WG; l++) { sum += sums[lane * WG + l]; }
    for (var c = 0u; c < 4u; c++) { rows[at + 4u * lane + c] = bitcast<u32>(sum[c]); }
  }
}
