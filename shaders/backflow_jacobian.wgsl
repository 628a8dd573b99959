// backflow_jacobian: lays the output jets out as square matrices.
//
//   out[w][(i,a)][(b,k)] = scale delta + jets[w][i][1 + (b,k)][a]; row stride ld, padding 0.
//   jets [w][i][row][4] (the output layer has width 4). One invocation an element. No loops.
@group(0) @binding(1) var<storage, read> jets: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = group.x * WG + lane;
  let row = quotient(id, p.ld);
  let col = id - row * p.ld;
  if (row >= p.ld) { return; }
  let w = group.y;
  let order = p.n * DIM;
  var v = 0.0;
  if (row < order && col < order) {
    v = jets[((w * p.n + row / DIM) * p.rows + 1u + col) * 4u + row % DIM];
    if (row == col) { v += p.scale; }
  }
  out[w * p.ld * p.ld + id] = v;
}
