// backflow_directions: the directions v of the Laplacian, [walker][probes][order], order = n DIM.
//
//   flag 1: random signs (Philox; the Laplacian becomes an unbiased estimate) of walker first_walker + w, step and purpose as given;
//   else unit vectors e_probe: all of them give the exact Laplacian. Probes are counted from `first`.
// One invocation an element of a walker (group.y). No loops.
struct Params {
  seed_low: u32, seed_high: u32, step: u32, purpose: u32,
  first_walker: u32, order: u32, probes: u32, first: u32,
  flags: u32, pad0: u32, pad1: u32, pad2: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = group.x * WG + lane;
  let probe = quotient(id, p.order);
  let b = id - probe * p.order;
  if (probe >= p.probes) { return; }
  let w = group.y;
  let at = w * p.probes * p.order + id;
  if ((p.flags & 1u) != 0u) {
    let r = philox(vec2<u32>(p.seed_low, p.seed_high), vec4<u32>((p.first + probe) * p.order + b, p.first_walker + w, p.step, p.purpose));
    out[at] = select(-1.0, 1.0, (r.x & 1u) == 0u);
  } else {
    out[at] = select(0.0, 1.0, b == p.first + probe);
  }
}
