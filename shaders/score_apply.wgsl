// score_apply: u_r = sum_p O[r][p] v[p] in double-single arithmetic.
//
//   scores [rows][4 ld4] f32; v [4 ld4] and u [rows] double-single (hi, lo); skipped if gate[SKIP_SOLVE] = 1
// A workgroup of WG owns 4 rows: each lane strides over the columns, then a tree. Trips: ld4 / WG + 12.
struct Params { rows: u32, ld4: u32, zero: u32, pad0: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> scores: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> u: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read> gate: array<u32>;

var<workgroup> partial: array<array<vec2<f32>, 4>, WG>;

fn fold(t: Double4) -> vec2<f32> {
  let a = add(vec2<f32>(t.hi.x, t.lo.x), vec2<f32>(t.hi.y, t.lo.y));
  return add(a, add(vec2<f32>(t.hi.z, t.lo.z), vec2<f32>(t.hi.w, t.lo.w)));
}

fn term(total: Double4, o: vec4<f32>, b: vec4<f32>, y: Double4, low: vec4<f32>) -> Double4 {
  var t = accumulate4(total, o, split4(o), b, y);
  t.lo += o * low;
  return t;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  opaque_zero = p.zero;
  let row = 4u * flat_group(group, groups);
  if (row >= p.rows || gate[SKIP_SOLVE] == 1u) { return; }
  let r0 = row * p.ld4;
  let r1 = min(row + 1u, p.rows - 1u) * p.ld4;
  let r2 = min(row + 2u, p.rows - 1u) * p.ld4;
  let r3 = min(row + 3u, p.rows - 1u) * p.ld4;
  var t0 = Double4(); var t1 = Double4(); var t2 = Double4(); var t3 = Double4();
  for (var c = lane; c < p.ld4; c += WG) {
    let a = v[2u * c];
    let b = v[2u * c + 1u];
    let hi = vec4<f32>(a.x, a.z, b.x, b.z);
    let lo = vec4<f32>(a.y, a.w, b.y, b.w);
    let y = split4(hi);
    t0 = term(t0, scores[r0 + c], hi, y, lo);
    t1 = term(t1, scores[r1 + c], hi, y, lo);
    t2 = term(t2, scores[r2 + c], hi, y, lo);
    t3 = term(t3, scores[r3 + c], hi, y, lo);
  }
  partial[lane] = array<vec2<f32>, 4>(fold(t0), fold(t1), fold(t2), fold(t3));
  workgroupBarrier();
  for (var s = WG / 2u; s > 0u; s >>= 1u) {
    if (lane < s) {
      for (var q = 0u; q < 4u; q++) { partial[lane][q] = add(partial[lane][q], partial[lane + s][q]); }
    }
    workgroupBarrier();
  }
  if (lane < 4u && row + lane < p.rows) { u[row + lane] = partial[0][lane]; }
}
