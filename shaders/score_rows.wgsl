// score_rows: S = scale (O - Q C), the projected score rows, or their transpose, for a Gram matrix.
//
//   scores [rows][4 ld4]; basis Q [rows] (vec4 hi, vec4 lo); coefficients C [2][4][4 ld4] (part of the row: r % parts)
//   out    transpose = 0: [padded][4 ld4]; transpose = 1: [padded][4 out4]; rows past the end are 0
// One invocation owns a 4 x 4 block. No loops beyond 4. Trips: 4.
struct Params { rows: u32, ld4: u32, parts: u32, columns: u32, padded: u32, out4: u32, transpose: u32, scale: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> scores: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> basis: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> coefficients: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> out: array<vec4<f32>>;

fn block_row(r: u32, c: u32) -> vec4<f32> {
  if (r >= p.rows || c >= p.ld4) { return vec4<f32>(); }
  var v = scores[r * p.ld4 + c];
  if (p.columns > 0u) {
    let q = basis[2u * r];
    let at = (r % p.parts) * 4u * p.ld4 + c;
    v -= q.x * coefficients[at];
    if (p.columns > 1u) {
      v -= q.y * coefficients[at + p.ld4] + q.z * coefficients[at + 2u * p.ld4] + q.w * coefficients[at + 3u * p.ld4];
    }
  }
  return p.scale * v;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (p.transpose == 0u) {
    let c = id % p.ld4;
    let r = 4u * (id / p.ld4);
    if (r >= p.padded) { return; }
    for (var q = 0u; q < 4u; q++) { out[(r + q) * p.ld4 + c] = block_row(r + q, c); }
    return;
  }
  let i = id % p.out4;
  let c = id / p.out4;
  if (4u * c >= p.padded) { return; }
  let block = transpose(mat4x4<f32>(block_row(4u * i, c), block_row(4u * i + 1u, c), block_row(4u * i + 2u, c), block_row(4u * i + 3u, c)));
  for (var q = 0u; q < 4u; q++) { out[(4u * c + q) * p.out4 + i] = block[q]; }
}
