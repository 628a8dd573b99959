// couplings: energies E = -sum_(i<j) J_ij s_i s_j - sum_i h_i s_i = -1/2 sum_i s_i (f_i + h_i), f = J s + h, and M = sum_i s_i.
//
//   rows     vec4 [count][ld4]: spins s = +-1 of a chunk, padding 0
//   fields   vec4 [count][ld4]: local fields f, padding 0
//   table    vec4: J, 4 ld4 rows of ld4, then h
//   energy[first + w], magnetisation[first + w]
// One invocation a sample; four partial sums. Trips: ld4.
struct Params { count: u32, ld4: u32, first: u32, pad: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> fields: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> table: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> energy: array<f32>;
@group(0) @binding(5) var<storage, read_write> magnetisation: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = flat_group(group, groups) * WG + lane;
  if (w >= p.count) { return; }
  var sum = vec4<f32>();
  var spin = vec4<f32>();
  for (var i = 0u; i < p.ld4; i++) {
    let s = rows[w * p.ld4 + i];
    sum += s * (fields[w * p.ld4 + i] + table[4u * p.ld4 * p.ld4 + i]);
    spin += s;
  }
  energy[p.first + w] = -0.5 * ((sum.x + sum.y) + (sum.z + sum.w));
  magnetisation[p.first + w] = (spin.x + spin.y) + (spin.z + spin.w);
}
