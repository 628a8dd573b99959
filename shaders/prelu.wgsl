// prelu: y = x where x > 0, else a x, with a slope a for each unit; or its reverse mode (flag 1).
//
//   x, y  rows of units4 vec4, `count4` in all; slopes: units4 vec4 from `first` on
//   flag 1: y holds the gradient by the output and becomes that by x; t = gradient by the slope, row by row:
//   0 where x > 0, else y x. Without the flag t is left alone.
// One invocation a vec4. No loops. Comparisons are written so that NaN passes through.
struct Params { count4: u32, units4: u32, first: u32, flags: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> slopes: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> t: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.count4) { return; }
  let v = x[id];
  let positive = v > vec4<f32>();
  let slope = select(slopes[p.first + id % p.units4], vec4<f32>(1.0), positive);
  if ((p.flags & 1u) != 0u) {
    let d = y[id];
    t[id] = select(d * v, vec4<f32>(), positive);
    y[id] = d * slope;
  } else {
    y[id] = v * slope;
  }
}
