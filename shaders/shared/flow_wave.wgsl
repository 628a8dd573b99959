// Compact pair features [walker][i][j][DIM] (vec4): c = cos, s = sin of 2 pi r_k/L, q = |sin(b r)| and g = dq/dr,  r = x_i - x_j.
// The derivatives of cos and sin with respect to r_k are -kk s_k and kk c_k, kk = 2 pi/L.
struct Wave { c: vec3<f32>, s: vec3<f32>, g: vec3<f32>, q: f32 }

fn wave_of(v0: vec4<f32>, v1: vec4<f32>, v2: vec4<f32>) -> Wave {
  if (DIM == 2u) { return Wave(vec3<f32>(v0.xy, 0.0), vec3<f32>(v0.zw, 0.0), vec3<f32>(v1.yz, 0.0), v1.x); }
  return Wave(v0.xyz, v1.xyz, v2.xyz, v0.w);
}
