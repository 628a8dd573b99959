// trap_energy_lane: trap_energy by one invocation a walker: local energy of Psi(x) = Phi_n(z(x)) |det dz/dx|^(1/2).
//
//   K = -(lap ln p)/4 - |grad ln p|^2/8,   ln p = 2 ln|Phi_n(z)| - delta,   delta = integral of div v
// y, J = dy/dx, l = lap y, delta, its gradient and its Laplacian go through all stages (forward Laplacian, arXiv 2307.08214).
// A term (f, d), eta of a pair or mu of an electron, with R its block of J, m that of l and P = R R^T adds to the rates
//   y: f d,  J: f R + f'/r d (d.R),  l: f m + f'/r (d (d.m) + 2 P d + tr P d) + (f'' - f'/r)/r^2 (d.P d) d,
//   delta: w,  gradient: w'/r (d.R),  Laplacian: w'/r (d.m + tr P) + (w'' - w'/r)/r^2 d.P d.
//   weights  vec4 [6 QUADS]: see shared/trap_lane.wgsl; x, z vec2 [walker][N]: the electrons, and where they were drawn
//   index, occupied, stages, slope, records: as in trap_energy
// Both determinants by elimination with pivots. Trips: 4 steps (N^2 (N + 9)/2 + 2 QUADS + 4 N) + 12 N^3 + 40 N^2 + 60 N.
// Single precision: 1/r^3 of close pairs multiply differences that are as small as r^3; not finite at a node.
struct Params { walkers: u32, steps: u32, states: u32, pad0: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> x: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read> z: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read> index: array<u32>;
@group(0) @binding(5) var<storage, read> occupied: array<u32>;
@group(0) @binding(6) var<storage, read_write> stages: array<vec2<f32>>;
@group(0) @binding(7) var<storage, read_write> slope: array<vec2<f32>>;
@group(0) @binding(8) var<storage, read_write> records: array<vec4<f32>>;

const W: u32 = 2u * N;
// row by row: dz/dx, then (Slater matrix | 1)
var<private> matrix: array<f32, W * W>;

// 0, 0, h_0 .. h_7 at x
fn hermites(x: f32) -> array<f32, 10> {
  var h: array<f32, 10>;
  h[2] = 1.0;
  #for k in 7
  h[$k + 3] = sqrt(2.0 / ($k.0 + 1.0)) * x * h[$k + 2] - sqrt($k.0 / ($k.0 + 1.0)) * h[$k + 1];
  #end
  return h;
}

// Gauss on the first `rows` of the matrix, and Jordan above them where `whole`, whose left part then becomes 1; ln|det| of it.
fn eliminate(rows: u32, whole: bool) -> f32 {
  var log_det = 0.0;
  for (var k = 0u; k < rows; k++) {
    var best = k;
    var size = abs(matrix[k * W + k]);
    for (var i = k + 1u; i < rows; i++) {
      let s = abs(matrix[i * W + k]);
      best = select(best, i, s > size);
      size = select(size, s, s > size);
    }
    let pivot = matrix[best * W + k];
    log_det += log(abs(pivot));
    for (var c = k; c < W; c++) {
      let t = matrix[best * W + c] / pivot;
      matrix[best * W + c] = matrix[k * W + c];
      matrix[k * W + c] = t;
    }
    for (var i = select(k + 1u, 0u, whole); i < rows; i++) {
      let factor = select(matrix[i * W + k], 0.0, i == k);
      for (var c = k; c < W; c++) { matrix[i * W + c] -= factor * matrix[k * W + c]; }
    }
  }
  return log_det;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = flat_group(group, groups) * WG + lane;
  if (w >= p.walkers) { return; }
  // (y, l) of an electron
  var start: array<vec4<f32>, N>;
  var now: array<vec4<f32>, N>;
  var sum: array<vec4<f32>, N>;
  var rate: array<vec4<f32>, N>;
  // dy_i/dx_k [i][k]: by the first component, by the second one
  var jacobian: array<vec4<f32>, N * N>;
  var jacobian_start: array<vec4<f32>, N * N>;
  var jacobian_sum: array<vec4<f32>, N * N>;
  var jacobian_rate: array<vec4<f32>, N * N>;
  var gradient: array<vec2<f32>, N>;
  for (var i = 0u; i < N; i++) {
    now[i] = vec4<f32>(x[w * N + i], 0.0, 0.0);
    start[i] = now[i];
    gradient[i] = vec2<f32>();
    for (var k = 0u; k < N; k++) {
      jacobian[i * N + k] = select(vec4<f32>(), vec4<f32>(1.0, 0.0, 0.0, 1.0), i == k);
      jacobian_start[i * N + k] = jacobian[i * N + k];
    }
  }
  var delta = 0.0; var laplacian = 0.0;
  let h = 1.0 / f32(p.steps);
  for (var step = 0u; step < p.steps; step++) {
    for (var i = 0u; i < N; i++) { sum[i] = vec4<f32>(); }
    for (var k = 0u; k < N * N; k++) { jacobian_sum[k] = vec4<f32>(); }
    for (var stage = 0u; stage < 4u; stage++) {
      let weight = h * stage_weight(stage);
      var t = 0u;
      for (var i = 0u; i < N; i++) {
        let y = now[i].xy;
        stages[(w * 4u * p.steps + 4u * step + stage) * N + i] = y;
        rate[i] = vec4<f32>();
        argument[PAIRS + i] = dot(y, y);
        for (var j = i + 1u; j < N; j++) {
          argument[t] = length(y - now[j].xy);
          t++;
        }
      }
      radials();
      for (var k = 0u; k < N * N; k++) { jacobian_rate[k] = vec4<f32>(); }
      t = 0u;
      for (var i = 0u; i < N; i++) {
        // j = i: the electron by itself
        for (var j = i; j < N; j++) {
          let pair = j != i;
          let f = select(0.0, 1.0, pair);
          let at = select(PAIRS + i, t, pair);
          t += select(0u, 1u, pair);
          // f, f'/r, (f'' - f'/r)/r^2, w; (w'/r, (w'' - w'/r)/r^2): primes are d/dr
          let g = jet[at];
          let q = argument[at];
          let u = 1.0 / q;
          let s = g.z + 3.0 * g.y * u;
          let own_a = vec4<f32>(g.x, 2.0 * g.y, 4.0 * g.z, 2.0 * (q * g.y + g.x));
          let own_c = vec2<f32>(8.0 * g.y + 4.0 * q * g.z, 24.0 * g.z + 8.0 * q * g.w);
          let a = select(own_a, vec4<f32>(g.x, g.y * u, (g.z - g.y * u) * u * u, 2.0 * (g.y * q + 2.0 * g.x)), pair);
          let c = select(own_c, 2.0 * vec2<f32>(s, (g.w * q + 4.0 * g.z - s) * u * u), pair);
          let both = now[i] - f * now[j];
          let d = both.xy;
          var pd = vec2<f32>();
          var square = 0.0; var trace = 0.0;
          for (var k = 0u; k < N; k++) {
            let r = jacobian[i * N + k] - f * jacobian[j * N + k];
            let dr = vec2<f32>(dot(d, r.xy), dot(d, r.zw));
            let first = a.x * r + a.y * vec4<f32>(dr.x * d, dr.y * d);
            jacobian_rate[i * N + k] -= first;
            jacobian_rate[j * N + k] += f * first;
            pd += dr.x * r.xy + dr.y * r.zw;
            square += dot(dr, dr);
            trace += dot(r, r);
            gradient[k] += weight * c.x * dr;
          }
          let dm = dot(d, both.zw);
          let both_rates = vec4<f32>(a.x * both.xy, a.x * both.zw + a.y * ((dm + trace) * d + 2.0 * pd) + a.z * square * d);
          rate[i] -= both_rates;
          rate[j] += f * both_rates;
          delta += weight * a.w;
          laplacian += weight * (c.x * (dm + trace) + c.y * square);
        }
      }
      let reach = h * stage_reach(stage);
      for (var i = 0u; i < N; i++) {
        sum[i] += weight * rate[i];
        now[i] = start[i] + select(reach * rate[i], sum[i], stage == 3u);
      }
      for (var k = 0u; k < N * N; k++) {
        jacobian_sum[k] += weight * jacobian_rate[k];
        jacobian[k] = jacobian_start[k] + select(reach * jacobian_rate[k], jacobian_sum[k], stage == 3u);
      }
    }
    for (var i = 0u; i < N; i++) { start[i] = now[i]; }
    for (var k = 0u; k < N * N; k++) { jacobian_start[k] = jacobian[k]; }
  }

  for (var i = 0u; i < N; i++) {
    for (var k = 0u; k < N; k++) {
      let b = jacobian[i * N + k];
      let at = 2u * i * W + 2u * k;
      matrix[at] = b.x;
      matrix[at + W] = b.y;
      matrix[at + 1u] = b.z;
      matrix[at + W + 1u] = b.w;
    }
  }
  let log_jacobian = eliminate(W, false);
  // derivatives of orbital j at z_i, [i][j]: by x, by y, then xx, xy, yy; their products with the inverse
  var orbital: array<vec2<f32>, N * N>;
  var second: array<vec4<f32>, N * N>;
  var ratio: array<vec2<f32>, N * N>;
  let state = min(index[w], p.states - 1u) * N;
  var square = 0.0;
  for (var i = 0u; i < N; i++) {
    square += dot(now[i].xy, now[i].xy);
    var hx = hermites(now[i].x);
    var hy = hermites(now[i].y);
    for (var j = 0u; j < N; j++) {
      let o = occupied[state + j];
      let kx = o & 255u; let ky = o >> 8u;
      let nx = f32(kx); let ny = f32(ky);
      matrix[i * W + j] = hx[kx + 2u] * hy[ky + 2u];
      matrix[i * W + N + j] = select(0.0, 1.0, j == i);
      let dx = sqrt(2.0 * nx) * hx[kx + 1u];
      let dy = sqrt(2.0 * ny) * hy[ky + 1u];
      orbital[i * N + j] = vec2<f32>(dx * hy[ky + 2u], hx[kx + 2u] * dy);
      // where n < 2 the square root is 0
      let xx = 2.0 * sqrt(max(nx * (nx - 1.0), 0.0)) * hx[kx] * hy[ky + 2u];
      let yy = 2.0 * sqrt(max(ny * (ny - 1.0), 0.0)) * hx[kx + 2u] * hy[ky];
      second[i * N + j] = vec4<f32>(xx, dx * dy, yy, 0.0);
    }
  }
  let log_slater = eliminate(N, true);
  // gradient of ln|Phi| and g.l; e^(-r^2/2) is left out of the orbitals
  var quadratic = 0.0;
  for (var i = 0u; i < N; i++) {
    var c = vec4<f32>();
    for (var k = 0u; k < N; k++) {
      var g = vec2<f32>();
      for (var j = 0u; j < N; j++) {
        let inverse = matrix[j * W + N + k];
        g += orbital[i * N + j] * inverse;
        if (k == i) { c += second[i * N + j] * inverse; }
      }
      ratio[i * N + k] = g;
    }
    second[i * N + i] = vec4<f32>(c.x - 1.0, c.y, c.z - 1.0, 0.0);
    let g = ratio[i * N + i] - now[i].xy;
    slope[w * N + i] = g;
    quadratic += dot(g, now[i].zw);
  }
  var gradient_square = 0.0;
  for (var k = 0u; k < N; k++) {
    var along = vec2<f32>();
    for (var i = 0u; i < N; i++) {
      let b = jacobian[i * N + k];
      let g = ratio[i * N + i] - now[i].xy;
      along += vec2<f32>(dot(g, b.xy), dot(g, b.zw));
      let turn = vec2<f32>(dot(ratio[i * N + i], b.xy), dot(ratio[i * N + i], b.zw));
      let c = second[i * N + i];
      quadratic += c.x * dot(b.xz, b.xz) + 2.0 * c.y * dot(b.xz, b.yw) + c.z * dot(b.yw, b.yw) - dot(turn, turn);
      for (var j = i + 1u; j < N; j++) {
        let other = jacobian[j * N + k];
        let there = ratio[i * N + j];
        let back = ratio[j * N + i];
        quadratic -= 2.0 * (dot(there, b.xy) * dot(back, other.xy) + dot(there, b.zw) * dot(back, other.zw));
      }
    }
    let g = 2.0 * along - gradient[k];
    gradient_square += dot(g, g);
  }
  var trap = 0.0; var coulomb = 0.0; var off = 0.0;
  for (var i = 0u; i < N; i++) {
    let r = x[w * N + i];
    trap += 0.5 * dot(r, r);
    let gap = now[i].xy - z[w * N + i];
    let far = dot(gap, gap);
    // the largest, or the first that is not finite
    if (finite(off) && (!finite(far) || far > off)) { off = far; }
    for (var j = 0u; j < i; j++) { coulomb += 1.0 / length(r - x[w * N + j]); }
  }
  let gradient_kinetic = 0.125 * gradient_square;
  records[2u * w] = vec4<f32>(-0.25 * (2.0 * quadratic - laplacian) - gradient_kinetic, gradient_kinetic, trap, coulomb);
  records[2u * w + 1u] = vec4<f32>(log_slater - 0.5 * square, delta, log_jacobian, off);
}
