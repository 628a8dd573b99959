// renorm_mix: from force dU/dx, G = d ln q/dx of the flow at x and at -x (back), and the share w of the sample, cotangents of
// the reverse mode of sampling, times `scale`:
//
//   path:  c = w G - (1 - w) back + force,  lambda = 0:    (dx/dtheta)' d(ln q_sym + U)/dx
//   TOTAL 1 adds the score of q_sym:  c -= w G, lambda = -w at x;  back <- -(1 - w) back, lambda' = -(1 - w) at -x
//   c (the force before), g, back  f32 [sample][4 blocks];  share, log_q, energy f32 [sample];  lambda, lambda' f32 [sample]
// Z2 0: w = 1, nothing of -x is read. All is 0 for a sample whose ln q + U is not finite. An invocation owns 4 numbers. No loops.
// Path gradients: Roeder, Wu, Duvenaud, arXiv 1703.09194; Vaitl et al., doi 10.1088/2632-2153/ac9455.
struct Params { count: u32, blocks: u32, scale: f32, pad: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> g: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> share: array<f32>;
@group(0) @binding(3) var<storage, read> log_q: array<f32>;
@group(0) @binding(4) var<storage, read> energy: array<f32>;
@group(0) @binding(5) var<storage, read_write> c: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> back: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> lambda: array<f32>;
@group(0) @binding(8) var<storage, read_write> minus_lambda: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.count * p.blocks) { return; }
  let w = id / p.blocks;
  let counts = finite(log_q[w] + energy[w]);
  let own = select(1.0, share[w], Z2 == 1u);
  var other = vec4<f32>();
  if (Z2 == 1u) { other = (1.0 - own) * back[id]; }
  var mixed = own * g[id] - other + c[id];
  if (TOTAL == 1u) { mixed -= own * g[id]; }
  c[id] = select(vec4<f32>(), p.scale * mixed, counts);
  if (Z2 == 1u) { back[id] = select(vec4<f32>(), -p.scale * other, counts); }
  if (id % p.blocks == 0u) {
    let score = select(0.0, p.scale, counts && TOTAL == 1u);
    lambda[w] = -score * own;
    minus_lambda[w] = -score * (1.0 - own);
  }
}
