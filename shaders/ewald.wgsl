// ewald: Coulomb energy of each walker by an Ewald sum.
//
//   potential_w = prefactor ( sum_{i<j} erfc(kappa r_ij)/r_ij + sum_G g_G (|rho_G|^2 - n) ) + constant
//   rho_G = sum_i exp(2 pi i G.u_i),   u = x/L,   r_ij = nearest image of u_i - u_j (that one only)
//   one of each pair G, -G; prefactor = 2 rs/L; the host puts g_0 and the Madelung energy in constant
//   x         f32 [walker][n][dim], any image        potential  f32 [walker]
//   table     vec4 (G, g_G), 4 blocks rows, padding rows 0
// One workgroup a walker. A lane sums pairs (i, i+s mod n) and blocks of 4 vectors G, then a fixed tree.
// Trips: ceil(n (n-1) / 2 WG) + ceil(blocks / WG) (n + 1) + 8.
// Hazards: two electrons at one place give an infinite energy, as they should.
struct Params {
  walkers: u32, n: u32, dim: u32, blocks: u32,
  inverse_length: f32, kappa: f32, prefactor: f32, constant: f32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> table: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> potential: array<f32>;

var<workgroup> partial: array<f32, WG>;

fn position(w: u32, i: u32) -> vec3<f32> {
  let at = (w * p.n + i) * p.dim;
  var v = vec3<f32>(x[at], x[at + 1u], 0.0);
  if (p.dim == 3u) { v.z = x[at + 2u]; }
  return v;
}

fn pair_energy(w: u32, q: u32) -> f32 {
  let i = q % p.n;
  let s = 1u + q / p.n;
  // differences before scaling: close pairs keep their digits
  var r = (position(w, i) - position(w, (i + s) % p.n)) * p.inverse_length;
  r -= round(r);
  let distance = length(r);
  return erfc(p.kappa * distance) / distance;
}

// g (|rho|^2 - n) of the 4 vectors of a block
fn block_energy(w: u32, block: u32) -> f32 {
  let g0 = table[4u * block];
  let g1 = table[4u * block + 1u];
  let g2 = table[4u * block + 2u];
  let g3 = table[4u * block + 3u];
  var rho0 = vec2<f32>(); var rho1 = vec2<f32>(); var rho2 = vec2<f32>(); var rho3 = vec2<f32>();
  for (var i = 0u; i < p.n; i++) {
    var u = position(w, i) * p.inverse_length;
    u -= round(u);
    rho0 += sincos2pi(dot(g0.xyz, u));
    rho1 += sincos2pi(dot(g1.xyz, u));
    rho2 += sincos2pi(dot(g2.xyz, u));
    rho3 += sincos2pi(dot(g3.xyz, u));
  }
  let excess = vec4<f32>(dot(rho0, rho0), dot(rho1, rho1), dot(rho2, rho2), dot(rho3, rho3)) - f32(p.n);
  return dot(vec4<f32>(g0.w, g1.w, g2.w, g3.w), excess);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = flat_group(group, groups);
  var sum = 0.0;
  if (w < p.walkers) {
    let pairs = p.n * (p.n - 1u) / 2u;
    for (var q = lane; q < pairs; q += WG) { sum += pair_energy(w, q); }
    for (var b = lane; b < p.blocks; b += WG) { sum += block_energy(w, b); }
  }
  partial[lane] = sum;
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { partial[lane] += partial[lane + half]; }
  }
  if (lane == 0u && w < p.walkers) { potential[w] = p.prefactor * partial[0] + p.constant; }
}
