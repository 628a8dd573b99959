// free_energy_factors: what multiplies the gradient of ln q of a sample: scale (R - leave-one-out mean of R), R = ln q + beta E.
//
//   The mean over the B - 1 other samples gives B/(B - 1) (R - mean R); 0 for samples that do not count, and for a single one.
//   log_q, energy f32 [sample]; magnetisation f32 [sample]: a sample counts if all its numbers are finite, as in `free_energy`
//   centre, deviation f32 [20] of `free_energy` and `means`: mean R = centre[1] + deviation[1], B = deviation[0]
// One invocation a sample. No loops.
struct Params { count: u32, beta: f32, scale: f32, pad: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> log_q: array<f32>;
@group(0) @binding(2) var<storage, read> energy: array<f32>;
@group(0) @binding(3) var<storage, read> magnetisation: array<f32>;
@group(0) @binding(4) var<storage, read> centre: array<f32>;
@group(0) @binding(5) var<storage, read> deviation: array<f32>;
@group(0) @binding(6) var<storage, read_write> factors: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = flat_group(group, groups) * WG + lane;
  if (w >= p.count) { return; }
  let r = log_q[w] + p.beta * energy[w];
  let counts = finite(r) && finite(energy[w]) && finite(log_q[w]) && finite(magnetisation[w]);
  let others = deviation[0] / max(deviation[0] - 1.0, 1.0);
  let factor = p.scale * others * ((r - centre[1]) - deviation[1]);
  factors[w] = select(0.0, factor, counts);
}
