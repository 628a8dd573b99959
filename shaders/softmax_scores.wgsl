// softmax_scores: rows factor (delta_nk - p_k), d ln p_n/d w_k of p = softmax(w), times a factor a row.
//
//   p f32 [states]; rows u32 [row][2]: n, bits of the factor; scores f32 [row][ld], padding 0
// One invocation an element.
struct Params { rows: u32, states: u32, ld: u32, pad0: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> probabilities: array<f32>;
@group(0) @binding(2) var<storage, read> rows: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read_write> scores: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let e = flat_group(group, groups) * WG + lane;
  let row = e / p.ld;
  if (row >= p.rows) { return; }
  let k = e % p.ld;
  var value = 0.0;
  if (k < p.states) {
    let r = rows[row];
    value = bitcast<f32>(r.y) * (select(0.0, 1.0, r.x == k) - probabilities[k]);
  }
  scores[e] = value;
}
