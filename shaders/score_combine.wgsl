// score_combine: adds the blocks of score_transpose, t[c] = sum_b partial[b][c], and forms
//
//   mode 0   y = damping v + scale t              (the Fisher matrix times v)
//   mode 1   y = (v - scale t) / REGULARISED      (Woodbury identity)
//   both double-single [words]; skipped if state[SKIP_SOLVE] = 1
// One invocation a column. Trips: blocks.
struct Params { words: u32, blocks: u32, mode: u32, zero: u32, damping: f32, scale: f32, scale_low: f32, damping_low: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> partial: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read> v: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read> state: array<u32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  opaque_zero = p.zero;
  let c = flat_group(group, groups) * WG + lane;
  if (c >= p.words || state[SKIP_SOLVE] == 1u) { return; }
  var t = vec2<f32>();
  for (var b = 0u; b < p.blocks; b++) { t = add(t, partial[b * p.words + c]); }
  t = multiply(t, vec2<f32>(p.scale, p.scale_low));
  if (p.mode == 0u) {
    y[c] = add(multiply(v[c], vec2<f32>(p.damping, p.damping_low)), t);
  } else {
    y[c] = divide(add(v[c], -t), vec2<f32>(bitcast<f32>(state[REGULARISED]), 0.0));
  }
}
