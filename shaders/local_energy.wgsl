// local_energy: gradient of ln Psi and kinetic energy of each walker, Psi = det M(z(x)) |det J|^(1/2), J = dz/dx.
//
//   grad_b = sum_p S_p J_pb + q_b/2,   S = d ln det M/dz,   q = grad ln|det J|
//   lap    = trace + sum_p S_p lap_z_p + lap_q/2,           lap_q = Laplacian of ln|det J|
//   kinetic = -lap - sum_b grad_b^2 (complex squares)
//   mixed   = Re[-trace - S.lap_z - sum_b (S J)_b^2] + sum_b q_b^2/4: the same mean over |Psi|^2 by one partial
//             integration, with a smaller spread; not for gradients
//   slater   vec2 [walker][size]; jacobian vec4 [walker][ld][ld/4], row = output, padding 0; ld = 4 rows4 >= size
//   trace    vec2 [walker];  lap_z, grad_q f32 [walker][ld], padding not read;  lap_q f32 [walker]
//   gradient vec2 [walker][size];  kinetic vec4 [walker]: re, im, mixed, sum_b |grad_b|^2
// One workgroup a walker, a lane takes 4 columns b at a time; then a fixed tree.
// Trips: ceil(rows4 / WG) (size + 5) + 8.
struct Params { walkers: u32, size: u32, pad0: u32, pad1: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> slater: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read> jacobian: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> trace: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read> lap_z: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> grad_q: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> lap_q: array<f32>;
@group(0) @binding(7) var<storage, read_write> gradient: array<vec2<f32>>;
@group(0) @binding(8) var<storage, read_write> kinetic: array<vec4<f32>>;

var<workgroup> partial: array<vec4<f32>, WG>;

fn score(w: u32, b: u32) -> vec2<f32> {
  if (b >= p.size) { return vec2<f32>(); }
  return slater[w * p.size + b];
}

fn put(w: u32, b: u32, value: vec2<f32>) {
  if (b < p.size) { gradient[w * p.size + b] = value; }
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = flat_group(group, groups);
  let rows4 = (p.size + 3u) / 4u;
  // -lap - grad^2 (re, im), mixed, |grad|^2
  var sum = vec4<f32>();
  if (w < p.walkers) {
    for (var c = lane; c < rows4; c += WG) {
      var re = vec4<f32>(); var im = vec4<f32>();
      for (var r = 0u; r < p.size; r++) {
        let s = slater[w * p.size + r];
        let j = jacobian[(w * rows4 * 4u + r) * rows4 + c];
        re += s.x * j;
        im += s.y * j;
      }
      let inside = vec4<u32>(4u * c) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(p.size);
      let half = select(vec4<f32>(), 0.5 * grad_q[w * rows4 + c], inside);
      let total = re + half;
      put(w, 4u * c, vec2<f32>(total.x, im.x)); put(w, 4u * c + 1u, vec2<f32>(total.y, im.y));
      put(w, 4u * c + 2u, vec2<f32>(total.z, im.z)); put(w, 4u * c + 3u, vec2<f32>(total.w, im.w));
      let s0 = score(w, 4u * c); let s1 = score(w, 4u * c + 1u); let s2 = score(w, 4u * c + 2u); let s3 = score(w, 4u * c + 3u);
      let lap = select(vec4<f32>(), lap_z[w * rows4 + c], inside);
      let curve = lap.x * s0 + lap.y * s1 + lap.z * s2 + lap.w * s3;
      let square = dot(im, im);
      sum += vec4<f32>(
        square - dot(total, total) - curve.x,
        -2.0 * dot(total, im) - curve.y,
        square - dot(re, re) + dot(half, half) - curve.x,
        square + dot(total, total));
    }
  }
  partial[lane] = sum;
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { partial[lane] += partial[lane + half]; }
  }
  if (lane == 0u && w < p.walkers) {
    let t = trace[w];
    kinetic[w] = partial[0] - vec4<f32>(t.x + 0.5 * lap_q[w], t.y, t.x, 0.0);
  }
}
