// energies: the record of each walker, two vec4:
//
//   (Re K, Im K, V, ln p), (Re E, Im E, F, mixed K);   E = K + V,  F = ln p / beta + Re E,  all Ry/rs^2 but ln p
//   kinetic vec4 [walker] of local_energy; potential, log_amplitude f32 [walker]: a chunk of the batch
//   log_probability f32, this chunk's from probability_first;  records vec4 [2 batch], this chunk's from walker first
// A walker whose ln|Psi| is not finite or below -1e29 (singular determinant) gets NaN everywhere: the sums
// leave it out and count it. No loops.
struct Params {
  walkers: u32, temperature: f32, not_a_number: u32, first: u32,
  probability_first: u32, pad0: u32, pad1: u32, pad2: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> kinetic: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> potential: array<f32>;
@group(0) @binding(3) var<storage, read> log_probability: array<f32>;
@group(0) @binding(4) var<storage, read> log_amplitude: array<f32>;
@group(0) @binding(5) var<storage, read_write> records: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = flat_group(group, groups) * WG + lane;
  if (w >= p.walkers) { return; }
  let k = kinetic[w];
  let v = potential[w];
  let logp = log_probability[p.probability_first + w];
  let amplitude = log_amplitude[w];
  let e = k.x + v;
  var first = vec4<f32>(k.x, k.y, v, logp);
  var second = vec4<f32>(e, k.y, p.temperature * logp + e, k.z);
  if (!finite(amplitude) || amplitude < -1e29) {
    first = vec4<f32>(bitcast<f32>(p.not_a_number));
    second = first;
  }
  records[2u * (p.first + w)] = first;
  records[2u * (p.first + w) + 1u] = second;
}
