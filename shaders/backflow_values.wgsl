// backflow_values: z = x + output value (the bias is already in it), and the Laplacian of z.
//
//   jets [w][i][row][4], x [w][n][DIM] -> z [w][n][DIM], lap_z [w][ld] (flag 1: jets carry the Laplacian row).
// One invocation a padded coordinate. No loops.
@group(0) @binding(1) var<storage, read> jets: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> z: array<f32>;
@group(0) @binding(4) var<storage, read_write> lap_z: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = group.x * WG + lane;
  let r = id;
  let w = group.y;
  if (r >= p.ld) { return; }
  var lap = 0.0;
  if (r < p.n * DIM) {
    let at = (w * p.n + r / DIM) * p.rows * 4u + r % DIM;
    let coordinate = w * p.n * DIM + r;
    z[coordinate] = x[coordinate] + jets[at];
    if ((p.flags & 1u) != 0u) { lap = jets[at + (p.rows - 1u) * 4u]; }
  }
  lap_z[w * p.ld + r] = lap;
}
