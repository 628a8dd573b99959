// backflow_probe_sum: adds the probes of a pass to Lap ln|det J| and, for unit vectors, sets its gradient.
//
//   parts [walker][probes][4] from backflow_probe; lap [walker] += scale sum (lap_v - tau_v) (flag 2: starts from 0; flag 4: without lap_v);
//   grad [walker][ld]: element first + probe = tr K (flag 1: unit vectors). One invocation a walker. Trips: probes.
@group(0) @binding(1) var<storage, read> parts: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> lap: array<f32>;
@group(0) @binding(3) var<storage, read_write> grad: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = flat_group(group, groups) * WG + lane;
  if (w >= p.walkers) { return; }
  var sum = 0.0;
  for (var v = 0u; v < p.probes; v++) {
    let part = parts[w * p.probes + v];
    sum -= part.y;
    if ((p.flags & 4u) == 0u) { sum += part.z; }
    if ((p.flags & 1u) != 0u) { grad[w * p.ld + p.first + v] = part.x; }
  }
  sum *= p.scale;
  if ((p.flags & 2u) == 0u) { sum += lap[w]; }
  lap[w] = sum;
}
