// dual_modes: amplitudes of modes between Hartley transforms, with M and K' diagonal there: the table holds by mode mu of M and
// nu = mu^2/lambda, lambda of K'.
//
//   SLOPE 0: f = mu y, of which M y comes;  SLOPE 1: f <- nu y - mu f, of dU/dy = M K'^-1 M y - M tanh x, f from tanh x
//   y, f f32 [sample][4 blocks], table f32 [2: mu, nu][4 blocks]
// An invocation owns 4 numbers. No loops.
struct Params { count: u32, blocks: u32, constant: f32, pad: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> table: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> y: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> f: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.count * p.blocks) { return; }
  let mu = table[id % p.blocks];
  if (SLOPE == 0u) {
    f[id] = mu * y[id];
  } else {
    f[id] = table[p.blocks + id % p.blocks] * y[id] - mu * f[id];
  }
}
