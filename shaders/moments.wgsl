// moments: sums over a span of walkers of their records about a centre c, COLUMNS = 25 numbers a workgroup:
//
//   0 walkers counted   1..8 sum of (x - c)   9..16 sum of (x - c)^2   17 sum |F - c_F|   18 sum |E - Re c_E|
//   19 walkers left out because one of their numbers is not finite   20 sum of the squared (x - c) of E - mixed K
//   21 sum of (T - c_T)   22 sum of (T - c_T)^2   23 sum of (T - c_T) (Re E - Re c_E)   24 sum of (T - c_T) (ln p - c_lnp)
//   x = (Re K, Im K, V, ln p, Re E, Im E, F, mixed K);  records as written by `energies`
//   T = sum k^2, ideal vec4 [walker] of `occupied`
//   centre f32 [25], c_x at 1..8, c_T at 21 (zeros: plain sums);  partial f32 [workgroup][25]
// A lane adds walkers lane, lane + WG, ... of the span; then lane q adds column q over the lanes.
// Trips: span/WG + WG + 6.
struct Params { walkers: u32, span: u32, pad0: u32, pad1: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> records: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> ideal: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> centre: array<f32>;
@group(0) @binding(4) var<storage, read_write> partial: array<f32>;

var<workgroup> sums: array<vec4<f32>, 6u * WG>;
var<workgroup> last: array<f32, WG>;

fn finite4(v: vec4<f32>) -> bool { return finite(v.x) && finite(v.y) && finite(v.z) && finite(v.w); }

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let g = flat_group(group, groups);
  let c0 = vec4<f32>(centre[1], centre[2], centre[3], centre[4]);
  let c1 = vec4<f32>(centre[5], centre[6], centre[7], centre[8]);
  var s0 = vec4<f32>(); var s1 = vec4<f32>(); var q0 = vec4<f32>(); var q1 = vec4<f32>();
  // counted, |F - c|, |E - c|, left out
  var other = vec4<f32>();
  // (E - mixed K)^2, T, T^2, T E, about the centre
  var rest = vec4<f32>();
  var crossed = 0.0;
  let end = min(p.walkers, (g + 1u) * p.span);
  for (var w = g * p.span + lane; w < end; w += WG) {
    let r0 = records[2u * w];
    let r1 = records[2u * w + 1u];
    if (finite4(r0) && finite4(r1)) {
      let d0 = r0 - c0;
      let d1 = r1 - c1;
      s0 += d0; s1 += d1;
      q0 += d0 * d0; q1 += d1 * d1;
      other += vec4<f32>(1.0, abs(d1.z), length(vec2<f32>(d1.x, r1.y)), 0.0);
      let t = ideal[w].x - centre[21];
      rest += vec4<f32>((d1.x - d1.w) * (d1.x - d1.w), t, t * t, t * d1.x);
      crossed += t * d0.w;
    } else {
      other.w += 1.0;
    }
  }
  sums[lane] = s0;
  sums[WG + lane] = s1;
  sums[2u * WG + lane] = q0;
  sums[3u * WG + lane] = q1;
  sums[4u * WG + lane] = other;
  sums[5u * WG + lane] = rest;
  last[lane] = crossed;
  workgroupBarrier();
  if (lane == 6u && g * p.span < p.walkers) {
    var total = 0.0;
    for (var l = 0u; l < WG; l++) { total += last[l]; }
    partial[COLUMNS * g + 24u] = total;
  }
  if (lane < 6u && g * p.span < p.walkers) {
    var total = vec4<f32>();
    for (var l = 0u; l < WG; l++) { total += sums[lane * WG + l]; }
    let at = COLUMNS * g;
    if (lane < 4u) {
      for (var c = 0u; c < 4u; c++) { partial[at + 1u + 4u * lane + c] = total[c]; }
    } else if (lane == 4u) {
      partial[at] = total.x;
      partial[at + 17u] = total.y;
      partial[at + 18u] = total.z;
      partial[at + 19u] = total.w;
    } else {
      for (var c = 0u; c < 4u; c++) { partial[at + 20u + c] = total[c]; }
    }
  }
}
