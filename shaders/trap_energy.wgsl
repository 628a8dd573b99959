// trap_energy: local energy of Psi(x) = Phi_n(z(x)) |det dz/dx|^(1/2), z(x) the flow run backwards, ln p = 2 ln|Psi|.
//
//   K = -(lap ln p)/4 - |grad ln p|^2/8,   ln p = 2 ln|Phi_n(z)| - delta,   delta = integral of div v
// A workgroup owns a walker, lane c < 2N the direction of coordinate c of x: it carries J = dy/dx_c, L = d^2y/dx_c^2 and the
// two derivatives of delta through all stages (forward Laplacian, arXiv 2307.08214), so that lanes share nothing but the
// terms of pairs. The Slater matrix is inverted by Gauss and Jordan with pivots, a column a lane; that of dz/dx as well, whose
// determinant checks delta.
//   weights   f32 [6 LD]: b, W1, W2 of eta, then of mu, padded; x, z vec2 [walker][N]: the electrons, and where they were drawn
//   index     u32 [walker]: the walker's determinant; occupied u32 [determinant][N]: nx + 256 ny of its orbitals
//   stages    vec2 [walker][4 steps][N]: positions of all stages, for trap_scores
//   slope     vec2 [walker][N]: gradient of ln|Phi_n| by z
//   records   vec4 [walker][2]: K, |grad ln p|^2/8, sum r^2/2, sum 1/r_ij;  ln|Phi_n|, delta, ln|det dz/dx|, max |z(x) - z|^2
// Trips: 6 UNITS/WG + 4 steps ((PAIRS + N)/WG (UNITS + N) + (N + 1)^2/2 + 13 N) + 12 N^2 + 32 N.
// Single precision: 1/r^3 of close pairs multiply differences that are as small as r^3; not finite at a node.
struct Params { walkers: u32, steps: u32, states: u32, pad0: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read> z: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read> index: array<u32>;
@group(0) @binding(5) var<storage, read> occupied: array<u32>;
@group(0) @binding(6) var<storage, read_write> stages: array<vec2<f32>>;
@group(0) @binding(7) var<storage, read_write> slope: array<vec2<f32>>;
@group(0) @binding(8) var<storage, read_write> records: array<vec4<f32>>;

const W: u32 = 2u * N;
// [row][W]: dz/dx, then (Slater matrix | 1)
var<workgroup> matrix: array<f32, W * W>;
var<workgroup> factors: array<f32, W>;
// derivatives of orbital j at z_i, [i][j]; and their product with the inverse, [i][k]
var<workgroup> orbital: array<vec2<f32>, N * N>;
var<workgroup> ratio: array<vec2<f32>, N * N>;
// second derivatives of ln|Phi| by one electron: xx, xy, yy
var<workgroup> curve: array<vec4<f32>, N>;
var<workgroup> parts: array<vec4<f32>, WG>;
var<workgroup> checks: array<vec2<f32>, WG>;

// h_k, h_(k-1), h_(k-2) at x. Trips: k.
fn hermite(k: u32, x: f32) -> vec3<f32> {
  var h = vec3<f32>(1.0, 0.0, 0.0);
  for (var j = 1u; j <= k; j++) {
    let f = f32(j);
    h = vec3<f32>(sqrt(2.0 / f) * x * h.x - sqrt((f - 1.0) / f) * h.y, h.xy);
  }
  return h;
}

// Gauss and Jordan on the first `rows` of the matrix, whose left part becomes 1; ln|det| of that part. Trips: rows (2 rows + 3).
fn eliminate(rows: u32, lane: u32) -> f32 {
  var log_det = 0.0;
  for (var k = 0u; k < rows; k++) {
    workgroupBarrier();
    var best = k;
    var size = abs(matrix[k * W + k]);
    for (var i = k + 1u; i < rows; i++) {
      let s = abs(matrix[i * W + k]);
      if (s > size) {
        best = i;
        size = s;
      }
    }
    for (var i = lane; i < rows; i += WG) { factors[i] = matrix[select(select(i, k, i == best), best, i == k) * W + k]; }
    workgroupBarrier();
    log_det += log(abs(factors[k]));
    if (lane < W) {
      let t = matrix[best * W + lane] / factors[k];
      matrix[best * W + lane] = matrix[k * W + lane];
      for (var i = 0u; i < rows; i++) {
        if (i != k) { matrix[i * W + lane] -= factors[i] * t; }
      }
      matrix[k * W + lane] = t;
    }
  }
  workgroupBarrier();
  return log_det;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let flat = flat_group(group, groups);
  let w = min(flat, p.walkers - 1u);
  let mine = flat < p.walkers;
  for (var k = lane; k < 6u * LD; k += WG) { net[k] = weights[k]; }
  // J and L along the lane's direction, [electron][component], J first
  var start: array<f32, 4u * N>;
  var now: array<f32, 4u * N>;
  var sum: array<f32, 4u * N>;
  var rate: array<f32, 4u * N>;
  for (var k = 0u; k < 4u * N; k++) {
    start[k] = select(0.0, 1.0, k == lane && lane < W);
    now[k] = start[k];
  }
  var own = vec2<f32>();
  if (lane < N) {
    own = x[w * N + lane];
    place[lane] = own;
  }
  var delta = 0.0;
  var gradient = 0.0;
  var laplacian = 0.0;
  let h = 1.0 / f32(p.steps);
  for (var step = 0u; step < p.steps; step++) {
    var moved = vec2<f32>();
    for (var k = 0u; k < 4u * N; k++) { sum[k] = 0.0; }
    for (var stage = 0u; stage < 4u; stage++) {
      workgroupBarrier();
      prepare(lane);
      workgroupBarrier();
      let weight = h * stage_weight(stage);
      for (var t = lane; t < PAIRS + N; t += WG) { delta += weight * term_a[t].w; }
      for (var k = 0u; k < 4u * N; k++) { rate[k] = 0.0; }
      for (var i = 0u; i < N; i++) {
        let ji = vec2<f32>(now[2u * i], now[2u * i + 1u]);
        let li = vec2<f32>(now[W + 2u * i], now[W + 2u * i + 1u]);
        var sums = vec4<f32>();
        // j = N: the electron by itself
        for (var j = i + 1u; j <= N; j++) {
          let pair = j < N;
          let k = min(j, N - 1u);
          let f = select(0.0, 1.0, pair);
          let t = select(PAIRS + i, number_of(i, k), pair);
          let d = place[i] - f * place[k];
          let r = ji - f * vec2<f32>(now[2u * k], now[2u * k + 1u]);
          let m = li - f * vec2<f32>(now[W + 2u * k], now[W + 2u * k + 1u]);
          let a = term_a[t];
          let c = term_c[t];
          let dr = dot(d, r);
          let dm = dot(d, m);
          let rr = dot(r, r);
          let first = a.x * r + a.y * dr * d;
          let second = a.x * m + a.y * (dm * d + 2.0 * dr * r + rr * d) + a.z * dr * dr * d;
          gradient += weight * c.x * dr;
          laplacian += weight * (c.x * (dm + rr) + c.y * dr * dr);
          sums += vec4<f32>(first, second);
          if (pair) {
            rate[2u * k] += first.x;
            rate[2u * k + 1u] += first.y;
            rate[W + 2u * k] += second.x;
            rate[W + 2u * k + 1u] += second.y;
          }
        }
        rate[2u * i] -= sums.x;
        rate[2u * i + 1u] -= sums.y;
        rate[W + 2u * i] -= sums.z;
        rate[W + 2u * i + 1u] -= sums.w;
      }
      let reach = h * stage_reach(stage);
      for (var k = 0u; k < 4u * N; k++) {
        sum[k] += weight * rate[k];
        now[k] = start[k] + select(reach * rate[k], sum[k], stage == 3u);
      }
      var v = vec2<f32>();
      if (lane < N) { v = -velocity(lane); }
      moved += stage_weight(stage) * v;
      if (lane < N && mine) { stages[(w * 4u * p.steps + 4u * step + stage) * N + lane] = place[lane]; }
      workgroupBarrier();
      if (lane < N) { place[lane] = own + h * select(stage_reach(stage) * v, moved, stage == 3u); }
    }
    own += h * moved;
    for (var k = 0u; k < 4u * N; k++) { start[k] = now[k]; }
  }

  if (lane < W) {
    for (var k = 0u; k < W; k++) { matrix[k * W + lane] = now[k]; }
  }
  let log_jacobian = eliminate(W, lane);
  let state = min(index[w], p.states - 1u) * N;
  for (var e = lane; e < N * N; e += WG) {
    let i = e / N;
    let o = occupied[state + e % N];
    let hx = hermite(o & 255u, place[i].x);
    let hy = hermite(o >> 8u, place[i].y);
    matrix[i * W + e % N] = hx.x * hy.x;
    matrix[i * W + N + e % N] = select(0.0, 1.0, e % N == i);
    orbital[e] = vec2<f32>(sqrt(2.0 * f32(o & 255u)) * hx.y * hy.x, sqrt(2.0 * f32(o >> 8u)) * hx.x * hy.y);
  }
  let log_slater = eliminate(N, lane);
  for (var e = lane; e < N * N; e += WG) {
    var g = vec2<f32>();
    for (var j = 0u; j < N; j++) { g += orbital[e / N * N + j] * matrix[j * W + N + e % N]; }
    ratio[e] = g;
  }
  if (lane < N) {
    var c = vec3<f32>();
    for (var j = 0u; j < N; j++) {
      let o = occupied[state + j];
      let nx = f32(o & 255u);
      let ny = f32(o >> 8u);
      let hx = hermite(o & 255u, place[lane].x);
      let hy = hermite(o >> 8u, place[lane].y);
      let inverse = matrix[j * W + N + lane];
      let xy = 2.0 * sqrt(nx * ny) * hx.y * hy.y;
      // where k < 2 the square root is 0, as h_(k-2)
      let xx = 2.0 * sqrt(max(nx * (nx - 1.0), 0.0)) * hx.z * hy.x;
      let yy = 2.0 * sqrt(max(ny * (ny - 1.0), 0.0)) * hx.x * hy.z;
      c += inverse * vec3<f32>(xx, xy, yy);
    }
    // e^(-r^2/2) is left out of the orbitals
    curve[lane] = vec4<f32>(c.x - 1.0, c.y, c.z - 1.0, 0.0);
  }
  workgroupBarrier();
  if (lane < N && mine) { slope[w * N + lane] = ratio[lane * N + lane] - place[lane]; }
  var part = vec4<f32>();
  if (lane < W) {
    var along = 0.0;
    var quadratic = 0.0;
    for (var i = 0u; i < N; i++) {
      let j = vec2<f32>(now[2u * i], now[2u * i + 1u]);
      let g = ratio[i * N + i] - place[i];
      along += dot(g, j);
      quadratic += dot(g, vec2<f32>(now[W + 2u * i], now[W + 2u * i + 1u]));
      let own_turn = dot(ratio[i * N + i], j);
      let c = curve[i];
      quadratic += c.x * j.x * j.x + 2.0 * c.y * j.x * j.y + c.z * j.y * j.y - own_turn * own_turn;
      for (var k = i + 1u; k < N; k++) {
        let other = vec2<f32>(now[2u * k], now[2u * k + 1u]);
        quadratic -= 2.0 * dot(ratio[i * N + k], j) * dot(ratio[k * N + i], other);
      }
    }
    let g = 2.0 * along - gradient;
    part.x = -0.25 * (2.0 * quadratic - laplacian) - 0.125 * g * g;
    part.y = 0.125 * g * g;
  }
  var check = vec2<f32>(delta, 0.0);
  if (lane < N) {
    let r = x[w * N + lane];
    part.z = 0.5 * dot(r, r);
    let off = place[lane] - z[w * N + lane];
    check.y = dot(off, off);
    for (var j = 0u; j < lane; j++) { part.w += 1.0 / length(r - x[w * N + j]); }
  }
  parts[lane] = part;
  checks[lane] = check;
  workgroupBarrier();
  if (lane == 0u && mine) {
    var all = vec4<f32>();
    var off = 0.0;
    var divergence = 0.0;
    var square = 0.0;
    for (var k = 0u; k < WG; k++) {
      all += parts[k];
      divergence += checks[k].x;
      // the largest, or the first that is not finite
      if (finite(off) && (!finite(checks[k].y) || checks[k].y > off)) { off = checks[k].y; }
    }
    for (var i = 0u; i < N; i++) { square += dot(place[i], place[i]); }
    records[2u * w] = all;
    records[2u * w + 1u] = vec4<f32>(log_slater - 0.5 * square, divergence, log_jacobian, off);
  }
}
