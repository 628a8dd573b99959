// flow_directions: the directions v of the Laplacian, [walker][probes][n DIM].
//
//   flag 1: random signs (Philox; the Laplacian becomes an unbiased estimate), walker index first + w, step and purpose as given, probes counted from `bias`;
//   else unit vectors e_(first + probe): all of them give the exact Laplacian. One invocation an element. No loops.
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = group.x * WG + lane;
  let order = p.n * DIM;
  let probe = quotient(id, order);
  let b = id - probe * order;
  if (probe >= p.probes) { return; }
  let w = group.y;
  let at = w * p.probes * order + id;
  if ((p.flags & 1u) != 0u) {
    let r = philox(vec2<u32>(p.seed_lo, p.seed_hi), vec4<u32>((p.bias + probe) * order + b, p.first + w, p.step, p.purpose));
    out[at] = select(-1.0, 1.0, (r.x & 1u) == 0u);
  } else {
    out[at] = select(0.0, 1.0, b == p.first + probe);
  }
}
