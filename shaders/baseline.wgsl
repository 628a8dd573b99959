// baseline: the line b(K) = mean E + c1 (T - mean T) through the local energies of a batch, T = sum k^2 of its states.
//
//   line f32 [4]: c1, mean |E - b(K)| (complex modulus), 0, 0;   c1 = cov(T, Re E) / var(T), least squares
//   fit = 0: c1 = 0, b is the mean.  c1 = 0 also where the spread of T is below 64 eps of its mean: nothing but the
//   rounding of equal states or equal shells.  Only walkers that count.
//   records of `energies`; ideal vec4 [walker] of `occupied`; centre, deviation f32 [25] of `means`, the latter about
//   the former: differences of energies keep their digits
// One workgroup: lanes add walkers lane, lane + WG, ..., then a tree. Trips: walkers / WG + 8.
struct Params { walkers: u32, fit: u32, pad0: u32, pad1: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> records: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> ideal: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> centre: array<f32>;
@group(0) @binding(4) var<storage, read> deviation: array<f32>;
@group(0) @binding(5) var<storage, read_write> line: array<f32>;

var<workgroup> partial: array<f32, WG>;

fn finite4(v: vec4<f32>) -> bool { return finite(v.x) && finite(v.y) && finite(v.z) && finite(v.w); }

@compute @workgroup_size(WG)
fn main(@builtin(local_invocation_index) lane: u32) {
  var slope = 0.0;
  if (p.fit != 0u) {
    let covariance = deviation[23] - deviation[21] * deviation[5];
    let variance = deviation[22] - deviation[21] * deviation[21];
    let rounding = 7.62939453e-6 * (centre[21] + deviation[21]);
    if (variance > rounding * rounding) { slope = covariance / variance; }
    if (!finite(slope)) { slope = 0.0; }
  }
  var sum = 0.0;
  for (var w = lane; w < p.walkers; w += WG) {
    let r = records[2u * w + 1u];
    if (finite4(records[2u * w]) && finite4(r)) {
      let t = ideal[w].x - centre[21] - deviation[21];
      sum += length(vec2<f32>(r.x - centre[5] - deviation[5] - slope * t, r.y));
    }
  }
  partial[lane] = sum;
  workgroupBarrier();
  for (var s = WG / 2u; s > 0u; s >>= 1u) {
    if (lane < s) { partial[lane] += partial[lane + s]; }
    workgroupBarrier();
  }
  if (lane < 4u) {
    // about the mean the sums of `means` have it already
    let spread = select(partial[0] / max(centre[0], 1.0), deviation[18], p.fit == 0u);
    line[lane] = vec4<f32>(slope, spread, 0.0, 0.0)[lane];
  }
}
