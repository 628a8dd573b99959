// displace: one electron of each walker, drawn at random, moved by a random vector of the box.
//
//   moved[w] = x[w] but for x_e + s, e uniform among the n electrons, s uniform in [0, L)^dim
//   x, moved f32 [walker][n][dim];  shift vec4 (s/L, 0) [walker]
// Random numbers: block `index` of the walker first_walker + w. One invocation an electron. Trips: 10 and dim.
struct Params {
  seed_low: u32, seed_high: u32, step: u32, purpose: u32,
  first_walker: u32, walkers: u32, n: u32, dim: u32,
  index: u32, length: f32, pad0: u32, pad1: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> moved: array<f32>;
@group(0) @binding(3) var<storage, read_write> shift: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  let w = id / p.n;
  if (w >= p.walkers) { return; }
  let i = id % p.n;
  let u = uniform4(philox(vec2<u32>(p.seed_low, p.seed_high), vec4<u32>(p.index, p.first_walker + w, p.step, p.purpose)));
  let chosen = i == min(u32(u.x * f32(p.n)), p.n - 1u);
  for (var c = 0u; c < p.dim; c++) {
    moved[id * p.dim + c] = x[id * p.dim + c] + select(0.0, u[c + 1u] * p.length, chosen);
  }
  if (i == 0u) { shift[w] = vec4<f32>(u.yz, select(0.0, u.w, p.dim == 3u), 0.0); }
}
