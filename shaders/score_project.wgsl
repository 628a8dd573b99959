// score_project: u -> (1 - Q Q^T)^2 u in double-single, Q the columns of `basis`, parts apart.
//
//   u [rows] double-single; basis [rows] (vec4 hi, vec4 lo) (first `columns` components used; columns = 0: none); f32
//   vector [padded]: flag 1: u is taken from it first; flag 2: scale u is written to it, 0 past `rows`
// The square makes the rounding of its norms second order. Skipped if gate[SKIP_SOLVE] = 1.
// One workgroup. Trips: 2 (columns + 1) (2 rows / WG + 20) + padded / WG.
struct Params { rows: u32, parts: u32, columns: u32, flags: u32, padded: u32, scale: f32, zero: u32, pad0: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> basis: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> u: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read_write> vector: array<f32>;
@group(0) @binding(4) var<storage, read> gate: array<u32>;

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

@compute @workgroup_size(WG)
fn main(@builtin(local_invocation_index) lane: u32) {
  opaque_zero = p.zero;
  if (gate[SKIP_SOLVE] == 1u) { return; }
  // invocation `lane` owns the elements lane, lane + WG, ... of each part throughout
  let count = p.rows / p.parts;
  if ((p.flags & 1u) != 0u) {
    for (var part = 0u; part < p.parts; part++) {
      for (var i = lane; i < count; i += WG) { u[i * p.parts + part] = vec2<f32>(vector[i * p.parts + part], 0.0); }
    }
  }
  for (var step = 0u; step < 2u * p.columns; step++) {
    let j = min(step % p.columns, 3u);
    for (var part = 0u; part < p.parts; part++) {
      var sum = vec2<f32>();
      for (var i = lane; i < count; i += WG) {
        let r = i * p.parts + part;
        sum = add(sum, multiply(u[r], vec2<f32>(basis[2u * r][j], basis[2u * r + 1u][j])));
      }
      let t = total(sum, lane);
      for (var i = lane; i < count; i += WG) {
        let r = i * p.parts + part;
        u[r] = add(u[r], -multiply(t, vec2<f32>(basis[2u * r][j], basis[2u * r + 1u][j])));
      }
    }
  }
  if ((p.flags & 2u) != 0u) {
    for (var part = 0u; part < p.parts; part++) {
      for (var i = lane; i < count; i += WG) {
        let r = i * p.parts + part;
        vector[r] = p.scale * u[r].x;
      }
    }
    for (var r = p.rows + lane; r < p.padded; r += WG) { vector[r] = 0.0; }
  }
}
