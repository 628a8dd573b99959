// bernoulli: ln q0(s) = sum over sites i of log_sigmoid(s_i l_i), spins s_i = +-1 with logits l_i, and its gradient.
//
//   spins   of sample w < count: sign x spins[(first + w) sites + i]
//   logits  `ld` words a sample, row w; l_i at word i step: 1, or 4 where each token has a row
//   flag 1: logits become c_w d ln q0 / d l_i = c_w s_i / (1 + exp(s_i l_i)), 0 in the padding behind the
//   last (what lies between stays), with c_w = factors[first_factor + factor_step w]
//   log_q[to + w] = ln q0
// One invocation a sample; four partial sums. Trips: ld.
struct Params {
  count: u32, sites: u32, ld: u32, first: u32,
  flags: u32, first_factor: u32, factor_step: u32, to: u32,
  sign: f32, step: u32, pad0: u32, pad1: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> spins: array<f32>;
@group(0) @binding(2) var<storage, read> factors: array<f32>;
@group(0) @binding(3) var<storage, read_write> logits: array<f32>;
@group(0) @binding(4) var<storage, read_write> log_q: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = flat_group(group, groups) * WG + lane;
  if (w >= p.count) { return; }
  let gradient = (p.flags & 1u) != 0u;
  var factor = 0.0;
  if (gradient) { factor = factors[p.first_factor + p.factor_step * w]; }
  var sum = vec4<f32>();
  for (var i = 0u; i < p.sites; i++) {
    let s = p.sign * spins[(p.first + w) * p.sites + i];
    let at = w * p.ld + i * p.step;
    let a = s * logits[at];
    // by bits: what is not finite stays so, whatever a driver's min and exp make of it
    let wrong = !finite(a);
    sum[i & 3u] += select(log_sigmoid(a), a, wrong);
    if (gradient) {
      let e = exp(-abs(a));
      logits[at] = select(factor * s * select(1.0, e, a > 0.0) / (1.0 + e), a, wrong);
    }
  }
  if (gradient) { for (var i = p.sites * p.step; i < p.ld; i++) { logits[w * p.ld + i] = 0.0; } }
  log_q[p.to + w] = (sum.x + sum.y) + (sum.z + sum.w);
}
