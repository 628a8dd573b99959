// newton: one step of x -> x - J^-1 (z(x) - zeta) for every walker, damped where the residual grew.
//
//   phase 0  x was zeta: x = 2 zeta - z(zeta), where the iteration starts
//         1  f = z(x) - zeta (not reduced mod L), r = max |f|.
//              r < tolerance: converged, x stays.
//              r below the smallest r so far, or the step halved twice: x is the new base, J^-1 f the new step
//              otherwise: half the step from the base
//            x = base - factor step, |factor step| <= quarter box
//         2  x folded into [0, length); a walker that failed gets x = zeta, folded, and the reason
//   z, zeta, x  f32 [walker][size]; inverse vec4 [walker][ld][ld4], J^-1 at x, padding 0
//   sign f32 [walker] of det J at x;  line f32 [walker][2][size]: base, step
//   state vec4 [walker]: smallest r; factor; times it was halved, at the end the largest |entry of J^-1|; iterations
//   status u32 [walker]: 0 going on, 1 converged; after phase 2: 0 usable, 2 not converged, 4 det J <= 0
// A workgroup owns a walker. Trips: ceil(size / WG) (ld4 + 4) + 2 WG + 8.
struct Params {
  walkers: u32, size: u32, ld4: u32, phase: u32,
  length: f32, inverse_length: f32, tolerance: f32, pad: f32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> z: array<f32>;
@group(0) @binding(2) var<storage, read> zeta: array<f32>;
@group(0) @binding(3) var<storage, read> inverse: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> sign_in: array<f32>;
@group(0) @binding(5) var<storage, read_write> x: array<f32>;
@group(0) @binding(6) var<storage, read_write> line: array<f32>;
@group(0) @binding(7) var<storage, read_write> state: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> status: array<u32>;

const HUGE: f32 = 1e30;

// residual, four coordinates an entry
var<workgroup> residual: array<vec4<f32>, 256>;
var<workgroup> largest: array<vec2<f32>, WG>;

fn fold(v: f32) -> f32 {
  var f = v - p.length * floor(v * p.inverse_length);
  if (f < 0.0) { f += p.length; }
  if (f >= p.length) { f -= p.length; }
  // a tiny negative number rounds up to the length, and back to 0
  return select(f, 0.0, f < 0.0 || f >= p.length);
}

// |v|, huge where v is not a number
fn size_of(v: f32) -> f32 { return select(HUGE, min(abs(v), HUGE), finite(v)); }

// Largest of both components over the lanes.
fn over_lanes(v: vec2<f32>, lane: u32) -> vec2<f32> {
  workgroupBarrier();
  largest[lane] = v;
  workgroupBarrier();
  var m = v;
  for (var l = 0u; l < WG; l++) { m = max(m, largest[l]); }
  return m;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let flat = flat_group(group, groups);
  let w = min(flat, p.walkers - 1u);
  let alive = flat < p.walkers;
  let base = w * p.size;
  let before = state[w];
  let now = status[w];
  // residual and, from it, the full step
  var r = 0.0;
  for (var c = lane; c < 4u * p.ld4; c += WG) {
    var f = 0.0;
    if (c < p.size) { f = z[base + c] - zeta[base + c]; }
    r = max(r, size_of(f));
    residual[c / 4u][c % 4u] = f;
  }
  r = over_lanes(vec2<f32>(r, 0.0), lane).x;
  if (p.phase == 1u) {
    let converged = r < p.tolerance;
    let better = r < before.x || before.z >= 2.0;
    let going = alive && now == 0u;
    // step length, largest entry of J^-1
    var most = vec2<f32>();
    if (going && (converged || better)) {
      for (var c = lane; c < p.size; c += WG) {
        var sum = vec4<f32>();
        var entry = vec4<f32>();
        for (var q = 0u; q < p.ld4; q++) {
          let row = inverse[(4u * w * p.ld4 + c) * p.ld4 + q];
          sum += row * residual[q];
          entry = max(entry, abs(row));
        }
        let step = sum.x + sum.y + sum.z + sum.w;
        most = max(most, vec2<f32>(size_of(step), max(max(entry.x, entry.y), max(entry.z, entry.w))));
        if (!converged) {
          line[2u * base + c] = x[base + c];
          line[2u * base + p.size + c] = select(0.0, step, finite(step));
        }
      }
    }
    most = over_lanes(most, lane);
    if (going && !converged) {
      var factor = 0.5 * before.y;
      if (better) { factor = min(1.0, 0.25 * p.length / max(most.x, 1e-30)); }
      for (var c = lane; c < p.size; c += WG) {
        x[base + c] = line[2u * base + c] - factor * line[2u * base + p.size + c];
      }
      if (lane == 0u) { state[w] = vec4<f32>(select(before.x, r, better), factor, select(before.z + 1.0, 0.0, better), before.w + 1.0); }
    }
    if (going && converged && lane == 0u) {
      state[w] = vec4<f32>(r, before.y, most.y, before.w + 1.0);
      status[w] = 1u;
    }
  } else if (alive) {
    let failed = now != 1u;
    for (var c = lane; c < p.size; c += WG) {
      if (p.phase == 0u) {
        let start = zeta[base + c] - select(0.0, z[base + c] - zeta[base + c], finite(z[base + c]));
        x[base + c] = start;
        line[2u * base + c] = start;
        line[2u * base + p.size + c] = 0.0;
      } else {
        x[base + c] = fold(select(x[base + c], zeta[base + c], failed));
      }
    }
    if (lane == 0u) {
      if (p.phase == 0u) {
        state[w] = vec4<f32>(HUGE, 1.0, 0.0, 0.0);
        status[w] = 0u;
      } else {
        status[w] = select(select(0u, 4u, sign_in[w] <= 0.0), 2u, failed);
      }
    }
  }
}
