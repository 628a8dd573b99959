// softplus and its first three derivatives, from one exponential: e = exp(-|a|),
// s = 1/(1+e) or e/(1+e), s' = e/(1+e)^2, s'' = s' (1 - 2 s).
// log(1+e) = 2 atanh(e/(2+e)), seven terms: relative error below 2e-8, no builtin log.
struct SoftplusJet { v: vec4<f32>, s: vec4<f32>, s1: vec4<f32>, s2: vec4<f32> }

fn softplus_jet4(a: vec4<f32>) -> SoftplusJet {
  let e = exp(-abs(a));
  let y = e / (2.0 + e);
  let z = y * y;
  let series = 1.0 + z * (1.0 / 3.0 + z * (0.2 + z * (1.0 / 7.0 + z * (1.0 / 9.0 + z * (1.0 / 11.0 + z * (1.0 / 13.0))))));
  let r = 1.0 / (1.0 + e);
  let s = select(e * r, r, a >= vec4<f32>());
  let s1 = e * r * r;
  return SoftplusJet(max(a, vec4<f32>()) + 2.0 * y * series, s, s1, s1 * (1.0 - 2.0 * s));
}
