// score_transpose: partial[b][p] = sum over the rows r of block b of w_r O[r][p], in double-single.
//
//   scores  [rows][4 ld4] f32; row r = first + step i, i = 0 .. count-1; block b holds `block` values of i
//   weights w_r at weight_offset + weight_stride r; two_words = 1: (hi, lo)
//   partial [blocks][4 ld4] double-single; skipped if gate[SKIP_SOLVE] = 1
// One invocation owns 4 columns of one block. Trips: block.
struct Params {
  count: u32, first: u32, step: u32, block: u32,
  blocks: u32, ld4: u32, weight_offset: u32, weight_stride: u32,
  two_words: u32, zero: u32, pad0: u32, pad1: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> scores: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read_write> partial: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> gate: array<u32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  opaque_zero = p.zero;
  let id = flat_group(group, groups) * WG + lane;
  let b = id / p.ld4;
  let c = id % p.ld4;
  if (b >= p.blocks || gate[SKIP_SOLVE] == 1u) { return; }
  var t = Double4();
  let end = min((b + 1u) * p.block, p.count);
  for (var i = b * p.block; i < end; i++) {
    let r = p.first + i * p.step;
    let at = p.weight_offset + r * p.weight_stride;
    let w = weights[at];
    let s = split(w);
    let o = scores[r * p.ld4 + c];
    t = accumulate4(t, o, split4(o), vec4<f32>(w), Double4(vec4<f32>(s.x), vec4<f32>(s.y)));
    if (p.two_words != 0u) { t.lo += o * weights[at + 1u]; }
  }
  let hi = opaque4(t.hi + t.lo);
  let lo = t.lo - opaque4(hi - t.hi);
  partial[2u * id] = vec4<f32>(hi.x, lo.x, hi.y, lo.y);
  partial[2u * id + 1u] = vec4<f32>(hi.z, lo.z, hi.w, lo.w);
}
