// backflow_row_adjoint: adjoints of the one-particle stream for every output row (i,a), through one activation.
//
//   adjoint A [walker][ld][4 W4] of the layer's output (flag 1: the output layer's weights, W^T at `bias`) -> out = s(a_i) A;
//   row i DIM + a, padding rows 0. base: a [walker][i][row]. One invocation a (row, column block). No loops.
@group(0) @binding(1) var<storage, read> base: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> adjoint: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = group.x * WG + lane;
  let c = id % W4;
  let r = id / W4;
  if (r >= p.ld) { return; }
  let at = group.y * p.ld * W4 + id;
  if (r >= p.n * DIM) {
    adjoint[at] = vec4<f32>();
    out[at] = vec4<f32>();
    return;
  }
  if ((p.flags & 1u) != 0u) { adjoint[at] = weights[p.bias + (r % DIM) * W4 + c]; }
  let f = softplus_jet4(base[(group.y * p.n + r / DIM) * p.rows * W4 + c]);
  out[at] = f.s * adjoint[at];
}
