// weighted_rows: y_w = e^(low - R_w) s_w, rows of samples times their importance weights, R = ln q + beta E, low the least R of a
// batch: with X the rows s_w themselves X^T Y holds sum_w w s_i s_j, and sum_w w on its diagonal.
//
//   spins f32 +-1 [sample][sites];  log_q, energy f32 [sample];  partial f32 [spans][20] of `importance`: least R of a span at 15,
//   samples that count in it at 16
//   y f32 [row][ld], padding 0: row w is sample first + w; a sample whose R is not finite has weight 0
// One invocation a row. Trips: spans + ld.
struct Params { count: u32, sites: u32, ld: u32, first: u32, spans: u32, beta: f32, pad0: u32, pad1: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> spins: array<f32>;
@group(0) @binding(2) var<storage, read> log_q: array<f32>;
@group(0) @binding(3) var<storage, read> energy: array<f32>;
@group(0) @binding(4) var<storage, read> partial: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = flat_group(group, groups) * WG + lane;
  if (w >= p.count) { return; }
  var low = 3.0e38;
  for (var g = 0u; g < p.spans; g++) {
    if (partial[20u * g + 16u] > 0.0) { low = min(low, partial[20u * g + 15u]); }
  }
  let at = p.first + w;
  let r = log_q[at] + p.beta * energy[at];
  var weight = 0.0;
  if (finite(r)) { weight = exp(min(low - r, 0.0)); }
  for (var i = 0u; i < p.ld; i++) {
    var value = 0.0;
    if (i < p.sites) { value = weight * spins[at * p.sites + i]; }
    y[w * p.ld + i] = value;
  }
}
