// adam: one step of Adam with bias correction (Kingma, Ba 2015, algorithm 1) along a gradient that is shortened where
// it is longer than `clip`.
//
//   parameters, gradient, m, v [words] f32;  partial [groups] f32
//   state [8]: steps taken, steps refused (u32), 1 - beta1^t, 1 - beta2^t (f32; by recurrence, for a difference 1 - pow
//   would lose digits), factor of the gradient, its squared norm (f32), whether this step is refused (u32), unused;
//   all zero at the start
// The text constant PHASE chooses:
//   0 norm    partial[g] = sum of the squares of every groups-th stretch of WG words; `groups` workgroups
//   1 begin   state, from the sum over partial; one workgroup
//   2 step    moments and parameters; `groups` workgroups
// A gradient whose squared norm is not finite changes nothing and is counted.
// Trips: words / (groups WG) + 1, in phase 1 groups / WG + 10.
struct Params {
  words: u32, groups: u32, rate: f32, epsilon: f32,
  beta1: f32, rest1: f32, beta2: f32, rest2: f32,
  clip: f32, pad0: u32, pad1: u32, pad2: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> gradient: array<f32>;
@group(0) @binding(2) var<storage, read_write> parameters: array<f32>;
@group(0) @binding(3) var<storage, read_write> m: array<f32>;
@group(0) @binding(4) var<storage, read_write> v: array<f32>;
@group(0) @binding(5) var<storage, read_write> state: array<u32>;
@group(0) @binding(6) var<storage, read_write> partial: array<f32>;

var<workgroup> sums: array<f32, WG>;

// The sum over lanes, in lane 0.
fn total(value: f32, lane: u32) -> f32 {
  sums[lane] = value;
  workgroupBarrier();
  for (var s = WG / 2u; s > 0u; s >>= 1u) {
    if (lane < s) { sums[lane] += sums[lane + s]; }
    workgroupBarrier();
  }
  return sums[0];
}

fn norm(group: u32, lane: u32) {
  var sum = 0.0;
  for (var i = group * WG + lane; i < p.words; i += p.groups * WG) { sum += gradient[i] * gradient[i]; }
  let all = total(sum, lane);
  if (lane == 0u && group < p.groups) { partial[group] = all; }
}

fn begin(lane: u32) {
  var sum = 0.0;
  for (var i = lane; i < p.groups; i += WG) { sum += partial[i]; }
  let square = total(sum, lane);
  if (lane != 0u) { return; }
  state[5] = bitcast<u32>(square);
  state[6] = u32(!finite(square));
  if (!finite(square)) {
    state[1] += 1u;
    return;
  }
  state[0] += 1u;
  state[2] = bitcast<u32>(p.rest1 + p.beta1 * bitcast<f32>(state[2]));
  state[3] = bitcast<u32>(p.rest2 + p.beta2 * bitcast<f32>(state[3]));
  let length = sqrt(square);
  state[4] = bitcast<u32>(select(1.0, p.clip / length, length > p.clip));
}

fn step(group: u32, lane: u32) {
  if (state[6] != 0u) { return; }
  let c1 = bitcast<f32>(state[2]);
  let c2 = bitcast<f32>(state[3]);
  let factor = bitcast<f32>(state[4]);
  for (var i = group * WG + lane; i < p.words; i += p.groups * WG) {
    let g = factor * gradient[i];
    let mean = p.beta1 * m[i] + p.rest1 * g;
    let square = p.beta2 * v[i] + p.rest2 * g * g;
    m[i] = mean;
    v[i] = square;
    parameters[i] -= p.rate * (mean / c1) / (sqrt(square / c2) + p.epsilon);
  }
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let number = flat_group(group, groups);
  if (PHASE == 0u) { norm(number, lane); }
  if (PHASE == 1u) { begin(lane); }
  if (PHASE == 2u) { step(number, lane); }
}
