// score_basis: orthonormal columns Q that are projected out of the score rows, in double-single.
//
//   basis    [rows] (vec4 hi, vec4 lo); real rows (r even): (1/sqrt B, 0, 0, 0); imaginary rows:
//            (1/sqrt B, q1, q2, q3)
//   momenta  [B][dim] f32, dim 0 .. 3: q1.. span the total momenta beside the constant to 1e-13 (an error
//            of ε would leave ε times the largest eigenvalue); a dependent column becomes 0
// One workgroup: Gram-Schmidt, each column twice. Trips: 6 dim (dim + 2) (B / WG + 8).
struct Params { batch: u32, dim: u32, zero: u32, pad0: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> momenta: array<f32>;
@group(0) @binding(2) var<storage, read_write> basis: array<vec4<f32>>;

var<workgroup> partial: array<vec2<f32>, WG>;

fn total(value: vec2<f32>, lane: u32) -> vec2<f32> {
  partial[lane] = value;
  workgroupBarrier();
  for (var s = WG / 2u; s > 0u; s >>= 1u) {
    if (lane < s) { partial[lane] = add(partial[lane], partial[lane + s]); }
    workgroupBarrier();
  }
  let sum = partial[0];
  workgroupBarrier();
  return sum;
}

// Column j of the imaginary row of walker w.
fn column(w: u32, j: u32) -> vec2<f32> {
  return vec2<f32>(basis[4u * w + 2u][j], basis[4u * w + 3u][j]);
}

fn set_column(w: u32, j: u32, value: vec2<f32>) {
  basis[4u * w + 2u][j] = value.x;
  basis[4u * w + 3u][j] = value.y;
}

fn overlap(i: u32, j: u32, lane: u32) -> vec2<f32> {
  var sum = vec2<f32>();
  for (var w = lane; w < p.batch; w += WG) { sum = add(sum, multiply(column(w, i), column(w, j))); }
  return total(sum, lane);
}

@compute @workgroup_size(WG)
fn main(@builtin(local_invocation_index) lane: u32) {
  opaque_zero = p.zero;
  // every walker belongs to one invocation throughout
  let one = vec4<f32>(1.0 / sqrt(f32(p.batch)), 0.0, 0.0, 0.0);
  for (var w = lane; w < p.batch; w += WG) {
    basis[4u * w] = one;
    basis[4u * w + 1u] = vec4<f32>();
    basis[4u * w + 2u] = one;
    basis[4u * w + 3u] = vec4<f32>();
  }
  for (var j = 1u; j <= min(p.dim, 3u); j++) {
    for (var w = lane; w < p.batch; w += WG) { set_column(w, j, vec2<f32>(momenta[w * p.dim + j - 1u], 0.0)); }
    let before = overlap(j, j, lane).x;
    for (var step = 0u; step < 2u * j; step++) {
      let i = step % j;
      let t = overlap(i, j, lane);
      for (var w = lane; w < p.batch; w += WG) { set_column(w, j, add(column(w, j), -multiply(t, column(w, i)))); }
    }
    let norm = overlap(j, j, lane).x;
    let factor = select(0.0, 1.0 / sqrt(norm), norm > 1e-8 * before);
    for (var w = lane; w < p.batch; w += WG) { set_column(w, j, multiply(column(w, j), vec2<f32>(factor, 0.0))); }
  }
}
