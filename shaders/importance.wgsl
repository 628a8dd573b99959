// importance: sums over a span of samples with the weights w = e^(-(R - r)) that turn q into e^(-beta E)/Z, R = ln q + beta E,
// r the least R of the span, COLUMNS = 20 a workgroup:
//
//   0..3 sum of w d   4..7 sum of w^2 d   8..11 sum of w^2 d^2   d = x - c, x = (E, |m|, m^2, m^4), m = M / n
//   12 sum of w   13 sum of w^2   14 sum of w dE^2   15 r   16 samples counted   17 samples left out, as in `free_energy`
//   18 sum of 1 - w   19 sum of (1 - w)^2: the spread of weights that hardly differ
//   centre f32 [20] of `free_energy`, c at 2, 4, 5, 6;  partial f32 [workgroup][20]
// No weight is above 1 and one of them is 1, so that no sum overflows or vanishes; the host brings the rows to one r.
// A lane takes samples lane, lane + WG, ... of the span, then lane q adds vec4 q over the lanes. Trips: 2 span/WG + 2 WG + 4.
// Nicoli et al., Phys. Rev. E 101, 023304 (2020), doi 10.1103/PhysRevE.101.023304.
struct Params { count: u32, span: u32, beta: f32, per_site: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> log_q: array<f32>;
@group(0) @binding(2) var<storage, read> energy: array<f32>;
@group(0) @binding(3) var<storage, read> magnetisation: array<f32>;
@group(0) @binding(4) var<storage, read> centre: array<f32>;
@group(0) @binding(5) var<storage, read_write> partial: array<f32>;

var<workgroup> least: array<f32, WG>;
var<workgroup> sums: array<vec4<f32>, 5u * WG>;

const LARGE: f32 = 3.0e38;

// R of a sample that counts, else LARGE.
fn reduced(w: u32) -> f32 {
  let r = log_q[w] + p.beta * energy[w];
  let counts = finite(r) && finite(energy[w]) && finite(log_q[w]) && finite(magnetisation[w]);
  return select(LARGE, r, counts);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let g = flat_group(group, groups);
  let end = min(p.count, (g + 1u) * p.span);
  var low = LARGE;
  for (var w = g * p.span + lane; w < end; w += WG) { low = min(low, reduced(w)); }
  least[lane] = low;
  workgroupBarrier();
  for (var l = 0u; l < WG; l++) { low = min(low, least[l]); }
  let c = vec4<f32>(centre[2], centre[4], centre[5], centre[6]);
  var s0 = vec4<f32>(); var s1 = vec4<f32>(); var s2 = vec4<f32>(); var s3 = vec4<f32>(); var s4 = vec4<f32>();
  for (var w = g * p.span + lane; w < end; w += WG) {
    let r = reduced(w);
    if (r < LARGE) {
      let weight = exp(low - r);
      let m = p.per_site * magnetisation[w];
      let d = vec4<f32>(energy[w], abs(m), m * m, (m * m) * (m * m)) - c;
      s0 += weight * d;
      s1 += weight * weight * d;
      s2 += weight * weight * d * d;
      s3 += weight * vec4<f32>(1.0, weight, d.x * d.x, 0.0);
      // without the cancellation of 1 - w
      let rest = -expm1_(low - r);
      s4 += vec4<f32>(1.0, 0.0, rest, rest * rest);
    } else {
      s4.y += 1.0;
    }
  }
  sums[lane] = s0;
  sums[WG + lane] = s1;
  sums[2u * WG + lane] = s2;
  sums[3u * WG + lane] = s3;
  sums[4u * WG + lane] = s4;
  workgroupBarrier();
  if (lane < 5u && g * p.span < p.count) {
    var total = vec4<f32>();
    for (var l = 0u; l < WG; l++) { total += sums[lane * WG + l]; }
    if (lane == 3u) { total.w = low; }
    for (var k = 0u; k < 4u; k++) { partial[COLUMNS * g + 4u * lane + k] = total[k]; }
  }
}
