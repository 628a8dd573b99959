// free_energy: sums over a span of samples of R = ln q + beta E and its companions about a centre c, COLUMNS = 20 a workgroup:
//
//   0 samples counted   1 R   2 E   3 ln q   4 |m|   5 m^2   6 m^4   17 m: sums of d = x - c
//   7 R   8 E   9 ln q   10 |m|   11 m^2   12 m^4   18 m: sums of d^2
//   13 sum of d|m| d(m^2)   14 sum of d(m^2) d(m^4)   15 sum of dE^3   16 sum of dE^4
//   19 samples left out because one of their numbers is not finite
//   m = M / n;  log_q, energy, magnetisation (E and M) f32 [sample]
//   centre f32 [20], c at the places of the sums of d (zeros: plain sums);  partial f32 [workgroup][20]
// Counts stand where `means` expects them. A lane adds samples lane, lane + WG, ... of the span; then lane q adds vec4 q over
// the lanes. Trips: span/WG + WG + 4.
struct Params { count: u32, span: u32, beta: f32, per_site: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> log_q: array<f32>;
@group(0) @binding(2) var<storage, read> energy: array<f32>;
@group(0) @binding(3) var<storage, read> magnetisation: array<f32>;
@group(0) @binding(4) var<storage, read> centre: array<f32>;
@group(0) @binding(5) var<storage, read_write> partial: array<f32>;

var<workgroup> sums: array<vec4<f32>, 5u * WG>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let g = flat_group(group, groups);
  let c = vec4<f32>(centre[1], centre[2], centre[3], centre[4]);
  let c2 = vec3<f32>(centre[5], centre[6], centre[17]);
  var s0 = vec4<f32>(); var s1 = vec4<f32>(); var s2 = vec4<f32>(); var s3 = vec4<f32>(); var s4 = vec4<f32>();
  let end = min(p.count, (g + 1u) * p.span);
  for (var w = g * p.span + lane; w < end; w += WG) {
    let e = energy[w];
    let l = log_q[w];
    let m = p.per_site * magnetisation[w];
    let r = l + p.beta * e;
    if (finite(r) && finite(e) && finite(l) && finite(m)) {
      let d = vec4<f32>(r, e, l, abs(m)) - c;
      let f = vec3<f32>(m * m, (m * m) * (m * m), m) - c2;
      s0 += vec4<f32>(1.0, d.xyz);
      s1 += vec4<f32>(d.w, f.xy, d.x * d.x);
      s2 += vec4<f32>(d.yzw * d.yzw, f.x * f.x);
      s3 += vec4<f32>(f.y * f.y, d.w * f.x, f.x * f.y, d.y * d.y * d.y);
      s4 += vec4<f32>((d.y * d.y) * (d.y * d.y), f.z, f.z * f.z, 0.0);
    } else {
      s4.w += 1.0;
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
    for (var k = 0u; k < 4u; k++) { partial[COLUMNS * g + 4u * lane + k] = total[k]; }
  }
}
