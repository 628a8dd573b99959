// flow_pull_jacobian: J = dz/dx from the pulled-back output rows.
//
//   J_(ia)(jk) = delta - (1/n) [ rho1_ia . t0'_ij,k + rho2_ia . t1'_ij,k ] + kappa_ia . dg_jk   (flag 1: there are a second layer's terms);
//   the derivatives on the diagonal (i = j) hold minus the sums of their row (flow_wave_sums, flow_wave_layer).
//   rho1 [walker][ld][8] (f32), waves [walker][i][j][DIM], rho2 [walker][ld][4 bias], slopes [walker][i][j][DIM][4 bias],
//   kappa [walker][ld][4 W4], dg [walker][n DIM][4 W4] -> out [walker][ld][ld], padding 0; `bias`: pair width over 4.
// One invocation a (particle i, TILE = 8 - 2 DIM particles j). Trips: (bias + W4) (DIM + TILE DIM (1 + DIM)) + 3 TILE DIM (1 + DIM).
@group(0) @binding(1) var<storage, read> rho1: array<f32>;
@group(0) @binding(2) var<storage, read> waves: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> rho2: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> slopes: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> kappa: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> dg: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> out: array<f32>;

const TILE = 8u - 2u * DIM;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = group.x * WG + lane;
  let side = (p.ld + DIM - 1u) / DIM;
  let tiles = (side + TILE - 1u) / TILE;
  let i = quotient(id, tiles);
  let j0 = (id - i * tiles) * TILE;
  if (i >= side) { return; }
  let w = group.y;
  let order = p.n * DIM;
  let inside = i < p.n;
  let row = w * p.ld + min(i, p.n - 1u) * DIM;
  let pairs = (w * p.n + min(i, p.n - 1u)) * p.n;
  var v: array<vec3<f32>, TILE * DIM>;
  if ((p.flags & 1u) != 0u) {
    for (var c = 0u; c < p.bias; c++) {
      var r: array<vec4<f32>, DIM>;
      for (var a = 0u; a < DIM; a++) { r[a] = rho2[(row + a) * p.bias + c]; }
      for (var t = 0u; t < TILE; t++) {
        let at = (pairs + min(j0 + t, p.n - 1u)) * DIM;
        for (var k = 0u; k < DIM; k++) {
          let slope = slopes[(at + k) * p.bias + c];
          for (var a = 0u; a < DIM; a++) { v[t * DIM + k][a] += dot(r[a], slope); }
        }
      }
    }
  }
  let kk = 6.283185307179586 / p.length;
  let inv = 1.0 / f32(p.n);
  for (var a = 0u; a < DIM; a++) {
    let r = (row + a) * 8u;
    var rc = vec3<f32>(); var rs = vec3<f32>();
    for (var k = 0u; k < DIM; k++) {
      rc[k] = -kk * rho1[r + k];
      rs[k] = kk * rho1[r + DIM + k];
    }
    let rq = rho1[r + 2u * DIM];
    for (var t = 0u; t < TILE; t++) {
      let at = (pairs + min(j0 + t, p.n - 1u)) * DIM;
      let f = wave_of(waves[at], waves[at + 1u], waves[at + DIM - 1u]);
      let own = rc * f.s + rs * f.c + rq * f.g;
      for (var k = 0u; k < DIM; k++) { v[t * DIM + k][a] = -inv * (v[t * DIM + k][a] + own[k]); }
    }
  }
  if ((p.flags & 1u) != 0u) {
    for (var c = 0u; c < W4; c++) {
      var r: array<vec4<f32>, DIM>;
      for (var a = 0u; a < DIM; a++) { r[a] = kappa[(row + a) * W4 + c]; }
      for (var t = 0u; t < TILE; t++) {
        let at = (w * p.n + min(j0 + t, p.n - 1u)) * DIM;
        for (var k = 0u; k < DIM; k++) {
          let g = dg[(at + k) * W4 + c];
          for (var a = 0u; a < DIM; a++) { v[t * DIM + k][a] += dot(r[a], g); }
        }
      }
    }
  }
  for (var a = 0u; a < DIM; a++) {
    let r = i * DIM + a;
    for (var t = 0u; t < TILE; t++) {
      for (var k = 0u; k < DIM; k++) {
        let col = (j0 + t) * DIM + k;
        if (r < p.ld && col < p.ld) {
          var value = 0.0;
          if (inside && col < order) { value = v[t * DIM + k][a] + select(0.0, 1.0, r == col); }
          out[(w * p.ld + r) * p.ld + col] = value;
        }
      }
    }
  }
}
