// renorm_join: ln q of samples from ln N of their latent variables and the sums of s of their patches,
//
//   l = ln N(z) - log-det;  Z2 1: of x and of -x, ln q = ln(e^l + e^l') - ln 2, share = e^l / (e^l + e^l');  Z2 0: ln q = l, share 1
//   normal, minus_normal f32 [count], log_det, minus_log_det f32 [count][patches] (minus: those of -x, not read with Z2 0);
//   log_q, share f32 [count]
// A workgroup owns a sample; its lanes take patches by turns, then a tree adds. Trips: patches/WG + 1 + log2 WG.
struct Params { count: u32, patches: u32, pad0: u32, pad1: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> normal: array<f32>;
@group(0) @binding(2) var<storage, read> log_det: array<f32>;
@group(0) @binding(3) var<storage, read> minus_normal: array<f32>;
@group(0) @binding(4) var<storage, read> minus_log_det: array<f32>;
@group(0) @binding(5) var<storage, read_write> log_q: array<f32>;
@group(0) @binding(6) var<storage, read_write> share: array<f32>;

var<workgroup> sums: array<vec2<f32>, WG>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = flat_group(group, groups);
  let there = w < p.count;
  var sum = vec2<f32>();
  if (there) {
    for (var k = lane; k < p.patches; k += WG) {
      sum.x += log_det[w * p.patches + k];
      if (Z2 == 1u) { sum.y += minus_log_det[w * p.patches + k]; }
    }
  }
  sums[lane] = sum;
  workgroupBarrier();
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    if (lane < half) { sums[lane] += sums[lane + half]; }
    workgroupBarrier();
  }
  if (lane == 0u && there) {
    let plus = normal[w] - sums[0].x;
    if (Z2 == 1u) {
      // of both about the larger one; a difference that is no number stays in ln q
      let apart = (minus_normal[w] - sums[0].y) - plus;
      log_q[w] = plus + softplus(apart) - 0.6931471806;
      share[w] = exp(log_sigmoid(-apart));
    } else {
      log_q[w] = plus;
      share[w] = 1.0;
    }
  }
}
