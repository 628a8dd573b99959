// backflow_score_seed: adjoints of the output jets for the scores of ln Psi.
//
//   Re ln Psi = Re S(z) + (1/2) ln|det J|: rows value: Re S_z; d/dx_b: (1/2) (J^-1)_b,(ia); last row: Im S_z (for Im ln Psi).
//   flag 1: the last and first rows are 0, so that only (1/2) ln|det J| is differentiated.
//   slater_gradient [w][n DIM] complex, inverse [w][ld ld] -> out [w][i][row][4]. One invocation a row. Trips: DIM.
@group(0) @binding(1) var<storage, read> slater_gradient: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read> inverse: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = group.x * WG + lane;
  let i = quotient(id, p.rows);
  let q = id - i * p.rows;
  if (i >= p.n) { return; }
  let w = group.y;
  let order = p.n * DIM;
  var v = vec4<f32>();
  for (var a = 0u; a < DIM; a++) {
    let r = i * DIM + a;
    if (q > 0u && q <= order) {
      v[a] = 0.5 * inverse[(w * p.ld + q - 1u) * p.ld + r];
    } else if ((p.flags & 1u) == 0u) {
      let s = slater_gradient[w * order + r];
      v[a] = select(s.y, s.x, q == 0u);
    }
  }
  out[w * p.n * p.rows + id] = v;
}
