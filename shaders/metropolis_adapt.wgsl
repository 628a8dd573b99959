// metropolis_adapt: after a round, moves the width of proposals towards the wanted acceptance.
//
//   counts u32 [walkers][2] of metropolis_accept;  moves = walkers x sweeps
//   state f32 [4]: width <- clamp(width exp(gain (acceptance - goal)), smallest, largest),
//                  acceptance of the round, share of refused non-finite proposals, rounds so far
// One workgroup. Trips: ceil(walkers / WG) + 8.
struct Params {
  walkers: u32, moves: f32, goal: f32, gain: f32,
  smallest: f32, largest: f32, pad0: u32, pad1: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> counts: array<u32>;
@group(0) @binding(2) var<storage, read_write> state: array<f32>;

var<workgroup> sums: array<vec2<u32>, WG>;

@compute @workgroup_size(WG)
fn main(@builtin(local_invocation_index) lane: u32) {
  var sum = vec2<u32>();
  for (var w = lane; w < p.walkers; w += WG) { sum += vec2<u32>(counts[2u * w], counts[2u * w + 1u]); }
  sums[lane] = sum;
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { sums[lane] += sums[lane + half]; }
  }
  if (lane == 0u) {
    let share = vec2<f32>(sums[0]) / p.moves;
    state[0] = clamp(state[0] * exp(p.gain * (share.x - p.goal)), p.smallest, p.largest);
    state[1] = share.x;
    state[2] = share.y;
    state[3] += 1.0;
  }
}
