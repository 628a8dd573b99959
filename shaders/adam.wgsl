// adam: one step of Adam with bias correction (Kingma, Ba 2015, algorithm 1).
//
//   parameters, gradient, m, v [words] f32
//   state [4]: steps taken, steps refused (u32), 1 - beta1^t, 1 - beta2^t (f32; by recurrence, for a
//   difference 1 - pow would lose digits); all zero at the start
// A gradient with a number that is not finite changes nothing and is counted. One workgroup.
// Trips: 2 words / WG + 2.
struct Params {
  words: u32, pad0: u32, rate: f32, epsilon: f32,
  beta1: f32, rest1: f32, beta2: f32, rest2: f32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> gradient: array<f32>;
@group(0) @binding(2) var<storage, read_write> parameters: array<f32>;
@group(0) @binding(3) var<storage, read_write> m: array<f32>;
@group(0) @binding(4) var<storage, read_write> v: array<f32>;
@group(0) @binding(5) var<storage, read_write> state: array<u32>;

var<workgroup> bad: atomic<u32>;

@compute @workgroup_size(WG)
fn main(@builtin(local_invocation_index) lane: u32) {
  if (lane == 0u) { atomicStore(&bad, 0u); }
  workgroupBarrier();
  for (var i = lane; i < p.words; i += WG) {
    if ((bitcast<u32>(gradient[i]) & 0x7fffffffu) >= 0x7f800000u) { atomicStore(&bad, 1u); }
  }
  workgroupBarrier();
  let refused = atomicLoad(&bad) != 0u;
  let c1 = p.rest1 + p.beta1 * bitcast<f32>(state[2]);
  let c2 = p.rest2 + p.beta2 * bitcast<f32>(state[3]);
  storageBarrier();
  workgroupBarrier();
  if (refused) {
    if (lane == 0u) { state[1] += 1u; }
    return;
  }
  if (lane == 0u) {
    state[0] += 1u;
    state[2] = bitcast<u32>(c1);
    state[3] = bitcast<u32>(c2);
  }
  for (var i = lane; i < p.words; i += WG) {
    let g = gradient[i];
    let mean = p.beta1 * m[i] + p.rest1 * g;
    let square = p.beta2 * v[i] + p.rest2 * g * g;
    m[i] = mean;
    v[i] = square;
    parameters[i] -= p.rate * (mean / c1) / (sqrt(square / c2) + p.epsilon);
  }
}
