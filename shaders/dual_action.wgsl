// dual_action: U(x) - ln|det M| of the continuous dual of the Ising model with fields x = M y, from the amplitudes m of y:
//
//   U - ln|det M| = sum of nu m^2/2 - sum of ln cosh x + constant;   f = tanh x
// and the squared magnetisation of its spins at given fields, t = tanh x: m^2 = (sum t/n)^2 + (1 - sum t^2/n)/n.
//   modes (of y), x, f  f32 [sample][4 blocks];  table f32 [2: mu, nu][4 blocks], as in `dual_modes`;  energy;
//   magnetisation: n sqrt(m^2), whose square over n^2 `free_energy` averages; f32 [sample]
// ln cosh x = |x| + ln(1 + e^(-2|x|)) - ln 2 does not overflow; m^2 is a sum of positive terms.
// A workgroup owns a sample; its lanes take blocks of 4 by turns, then a tree adds. Trips: blocks/WG + 1 + log2 WG.
// Hubbard, doi 10.1103/PhysRevLett.3.77; Li, Wang, doi 10.1103/PhysRevLett.121.260601.
struct Params { count: u32, blocks: u32, constant: f32, pad: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> table: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> modes: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> f: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> energy: array<f32>;
@group(0) @binding(6) var<storage, read_write> magnetisation: array<f32>;

var<workgroup> sums: array<vec3<f32>, WG>;

fn log_cosh(v: f32) -> f32 { return abs(v) + log1p_small(exp(-2.0 * abs(v))) - 0.6931471806; }

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = flat_group(group, groups);
  let there = w < p.count;
  var sum = vec3<f32>();
  if (there) {
    for (var b = lane; b < p.blocks; b += WG) {
      let at = w * p.blocks + b;
      let v = x[at];
      let m = modes[at];
      let t = vec4<f32>(tanh_(v.x), tanh_(v.y), tanh_(v.z), tanh_(v.w));
      let cosh = log_cosh(v.x) + log_cosh(v.y) + log_cosh(v.z) + log_cosh(v.w);
      sum += vec3<f32>(0.5 * dot(table[p.blocks + b] * m, m) - cosh, t.x + t.y + t.z + t.w, dot(1.0 - t, 1.0 + t));
      f[at] = t;
    }
  }
  sums[lane] = sum;
  workgroupBarrier();
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    if (lane < half) { sums[lane] += sums[lane + half]; }
    workgroupBarrier();
  }
  if (lane == 0u && there) {
    energy[w] = sums[0].x + p.constant;
    magnetisation[w] = sqrt(sums[0].y * sums[0].y + sums[0].z);
  }
}
