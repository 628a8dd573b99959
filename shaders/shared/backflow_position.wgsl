// Positions x [walker][n][DIM] of the kernels that look at pairs.
@group(0) @binding(2) var<storage, read> x: array<f32>;

fn particle(at: u32) -> Point {
  var r: Point;
  #for k in DIM
  r[$k] = x[at * DIM + $ku];
  #end
  return r;
}
