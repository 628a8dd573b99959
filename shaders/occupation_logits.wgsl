// occupation_logits: conditional log-probabilities of given states, and their gradient by the logits.
//
//   state of walker w: n ascending orbitals s_0 < s_1 < ... at states[(first + w) n]; what is
//   no orbital counts as the last
//   logits  row w (n - 1) + i - 1: row i >= 1 of walker w < count; row count (n - 1) + w: its row 0; ld words each
//   bias    n rows of ld words, added to the logits (the prior; 0 without one)
//   row i may choose s_(i-1) < j <= M - n + i (Pauli window, s_(-1) = -1)
//   rows[w n + i] = ln softmax_window(logits + bias)[s_i]
//   flag 1: logits become c_w (delta_(j s_i) - p_j), 0 outside the window and in the padding, with
//   c_w = factors[first_factor + factor_step w]
// One invocation a row. Trips: 3 ld.
struct Params {
  count: u32, n: u32, orbitals: u32, ld: u32,
  first: u32, first_factor: u32, flags: u32, factor_step: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> states: array<u32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> factors: array<f32>;
@group(0) @binding(4) var<storage, read_write> logits: array<f32>;
@group(0) @binding(5) var<storage, read_write> rows: array<f32>;

fn orbital(at: u32) -> u32 { return min(states[at], p.orbitals - 1u); }

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.count * p.n) { return; }
  let i = id % p.n;
  let w = id / p.n;
  let s = (p.first + w) * p.n + i;
  let choice = orbital(s);
  var low = 0u;
  if (i > 0u) { low = orbital(s - 1u) + 1u; }
  let high = p.orbitals - p.n + i;
  let at = p.ld * select(w * (p.n - 1u) + i - 1u, p.count * (p.n - 1u) + w, i == 0u);
  let prior = i * p.ld;
  var most = -3.0e38;
  for (var j = low; j <= high; j++) { most = max(most, logits[at + j] + bias[prior + j]); }
  var sum = 0.0;
  for (var j = low; j <= high; j++) { sum += exp(logits[at + j] + bias[prior + j] - most); }
  let norm = most + log1p_(sum - 1.0);
  rows[id] = logits[at + choice] + bias[prior + choice] - norm;
  if ((p.flags & 1u) == 0u) { return; }
  let factor = factors[p.first_factor + p.factor_step * w];
  for (var j = 0u; j < p.ld; j++) {
    var g = 0.0;
    if (j >= low && j <= high) { g = -factor * exp(logits[at + j] + bias[prior + j] - norm); }
    if (j == choice) { g += factor; }
    logits[at + j] = g;
  }
}
