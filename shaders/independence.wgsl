// independence: chains of e^(-beta E)/Z whose moves are proposed by q: P = min(1, e^(R - R')), R = ln q + beta E of the present
// sample, R' of the proposed one.
//
//   chain c < chains is proposed samples c length, c length + 1, ... of a batch, in this order
//   log_q, energy, magnetisation (E and M) f32 [sample];  m = M / n
//   centre f32 [20] of `free_energy`: E and m^2 at 2 and 5;  d = x - centre
//   state f32 [chain][4]: R, E, m^2 of the present sample, 1; where the last is 0, or `start` is 1, there is none yet
//   sums f32 [chain][8] over the times from `skip` on: times, moves accepted, dE, dE^2, dm^2, (dm^2)^2, 0, 0
// A sample whose R or m is not finite is never moved to; a chain without a sample takes the first that it can.
// Random numbers: Philox counter (t / 4, first_walker + c, step, purpose), number t % 4.
// One invocation a chain. Trips: length + 10 (length / 4 + 1).
// Nicoli et al., Phys. Rev. E 101, 023304 (2020), doi 10.1103/PhysRevE.101.023304.
struct Params {
  seed_low: u32, seed_high: u32, step: u32, purpose: u32,
  first_walker: u32, chains: u32, length: u32, skip: u32,
  start: u32, beta: f32, per_site: f32, pad: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> log_q: array<f32>;
@group(0) @binding(2) var<storage, read> energy: array<f32>;
@group(0) @binding(3) var<storage, read> magnetisation: array<f32>;
@group(0) @binding(4) var<storage, read> centre: array<f32>;
@group(0) @binding(5) var<storage, read_write> state: array<f32>;
@group(0) @binding(6) var<storage, read_write> sums: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let c = flat_group(group, groups) * WG + lane;
  if (c >= p.chains) { return; }
  let middle = vec2<f32>(centre[2], centre[5]);
  var r = 0.0;
  var x = vec2<f32>();
  var there = false;
  if (p.start == 0u) {
    r = state[4u * c];
    x = vec2<f32>(state[4u * c + 1u], state[4u * c + 2u]);
    there = state[4u * c + 3u] > 0.0;
  }
  var numbers = vec4<f32>();
  var counts = vec2<f32>();
  var first = vec2<f32>();
  var second = vec2<f32>();
  for (var t = 0u; t < p.length; t++) {
    if (t % 4u == 0u) {
      let counter = vec4<u32>(t / 4u, p.first_walker + c, p.step, p.purpose);
      numbers = uniform4(philox(vec2<u32>(p.seed_low, p.seed_high), counter));
    }
    let w = c * p.length + t;
    let e = energy[w];
    let m = p.per_site * magnetisation[w];
    let proposed = log_q[w] + p.beta * e;
    let usable = finite(proposed) && finite(m);
    let moves = usable && (!there || numbers[t % 4u] < exp(min(r - proposed, 0.0)));
    if (moves) {
      r = proposed;
      x = vec2<f32>(e, m * m);
      there = true;
    }
    if (there && t >= p.skip) {
      let d = x - middle;
      counts += vec2<f32>(1.0, select(0.0, 1.0, moves));
      first += d;
      second += d * d;
    }
  }
  state[4u * c] = r;
  state[4u * c + 1u] = x.x;
  state[4u * c + 2u] = x.y;
  state[4u * c + 3u] = select(0.0, 1.0, there);
  sums[8u * c] = counts.x;
  sums[8u * c + 1u] = counts.y;
  sums[8u * c + 2u] = first.x;
  sums[8u * c + 3u] = second.x;
  sums[8u * c + 4u] = first.y;
  sums[8u * c + 5u] = second.y;
  sums[8u * c + 6u] = 0.0;
  sums[8u * c + 7u] = 0.0;
}
