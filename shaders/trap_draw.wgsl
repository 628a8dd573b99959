// trap_draw: N points from |det phi_j(z_i)|^2/N!, phi_j the oscillator orbitals of each walker's determinant: exact and independent.
//
//   For i = 0 .. N-1 (Hough, Krishnapur, Peres, Virag, Prob. Surveys 3, 206 (2006), doi 10.1214/154957806000000078):
//   one of the N orbitals at random, y from its density; v_j = phi_j(y), accepted with probability |v outside of the
//   vectors so far|^2/|v|^2, whose mean is (N - i)/N; then z_i = y and the rest of v, normalised, is the next vector.
//
//   index u32 [walker]: determinant; occupied u32 [determinant][N]: nx + 256 ny
//   table f32 [8][cells + 1]: x where the density of state k of the oscillator has 0, 1/(2 cells), .. 1/2 below it
//   z     vec2 [walker][N]; not a number where `most` candidates were not enough
//   tries u32 [walker]: candidates
// Coordinates: the density's sum in closed form, (1 + erf x)/2 - sum_j u_j u_(j-1)/sqrt(2j), inverted by Newton's steps within a
// cell of the table, halved where they leave it: right to a few 1e-7 of probability, also where the density vanishes.
// Candidate t of particle i has counter i 2^16 + t; its four numbers are the orbital, x, y and the acceptance.
// One invocation a walker. Trips: most (2 NEWTON + 2 + 4 N).
struct Params {
  seed_low: u32, seed_high: u32, step: u32, purpose: u32,
  first_walker: u32, walkers: u32, states: u32, cells: u32,
  most: u32, not_a_number: u32, pad0: u32, pad1: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> index: array<u32>;
@group(0) @binding(2) var<storage, read> occupied: array<u32>;
@group(0) @binding(3) var<storage, read> table: array<f32>;
@group(0) @binding(4) var<storage, read_write> z: array<vec2<f32>>;
@group(0) @binding(5) var<storage, read_write> tries: array<u32>;

// h_0 .. h_7 at x
fn hermites(x: f32) -> array<f32, 8> {
  var h: array<f32, 8>;
  h[0] = 1.0;
  h[1] = 1.41421356 * x;
  #for k in 6
  h[$k + 2] = sqrt(2.0 / ($k.0 + 2.0)) * x * h[$k + 1] - sqrt(($k.0 + 1.0) / ($k.0 + 2.0)) * h[$k];
  #end
  return h;
}

// x with a share u of the density of state k below it
fn quantile(k: u32, u: f32) -> f32 {
  let share = min(u, 1.0 - u);
  let cell = min(u32(share * 2.0 * f32(p.cells)), p.cells - 1u);
  var low = table[k * (p.cells + 1u) + cell];
  var high = table[k * (p.cells + 1u) + cell + 1u];
  var x = 0.5 * (low + high);
  for (var turn = 0u; turn < NEWTON; turn++) {
    var h = hermites(x);
    let weight = 0.564189584 * exp(-x * x);
    var products = 0.0;
    #for j in 7
    if ($ju < k) { products += h[$j + 1] * h[$j] * inverseSqrt(2.0 * ($j.0 + 1.0)); }
    #end
    let off = 0.5 * erfc(-x) - weight * products - share;
    if (off < 0.0) { low = x; } else { high = x; }
    let next = x - off / (weight * h[k] * h[k]);
    // a step that is not a number is not inside
    let inside = next >= low && next <= high;
    x = select(0.5 * (low + high), next, inside);
  }
  return select(x, -x, u > 0.5);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = flat_group(group, groups) * WG + lane;
  if (w >= p.walkers) { return; }
  let state = min(index[w], p.states - 1u) * N;
  #for a in N
  let orbital$a = occupied[state + $au];
  #end
  var basis: array<f32, N * N>;
  var placed = 0u;
  var refused = 0u;
  var count = 0u;
  for (var t = 0u; t < p.most; t++) {
    if (placed == N) { break; }
    let counter = vec4<u32>(placed * 65536u + refused, p.first_walker + w, p.step, p.purpose);
    let u = uniform4(philox(vec2<u32>(p.seed_low, p.seed_high), counter));
    let chosen = occupied[state + min(u32(u.x * f32(N)), N - 1u)];
    let y = vec2<f32>(quantile(chosen & 255u, u.y), quantile(chosen >> 8u, u.z));
    var hx = hermites(y.x);
    var hy = hermites(y.y);
    var whole = 0.0;
    #for a in N
    var v$a = hx[orbital$a & 255u] * hy[orbital$a >> 8u];
    whole += v$a * v$a;
    #end
    // the second time takes what rounding left
    for (var turn = 0u; turn < 2u; turn++) {
      for (var k = 0u; k < placed; k++) {
        var c = 0.0;
        #for a in N
        c += basis[k * N + $au] * v$a;
        #end
        #for a in N
        v$a -= c * basis[k * N + $au];
        #end
      }
    }
    var outside = 0.0;
    #for a in N
    outside += v$a * v$a;
    #end
    count++;
    if (outside > u.w * whole) {
      let scale = inverseSqrt(outside);
      #for a in N
      basis[placed * N + $au] = scale * v$a;
      #end
      z[w * N + placed] = y;
      placed++;
      refused = 0u;
    } else {
      refused++;
    }
  }
  for (var i = placed; i < N; i++) { z[w * N + i] = vec2<f32>(bitcast<f32>(p.not_a_number)); }
  tries[w] = count;
}
