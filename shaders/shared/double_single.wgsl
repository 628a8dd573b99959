// Double-single numbers: an unevaluated sum hi + lo of two f32, 48 bits (Dekker 1971; Ogita, Rump, Oishi 2005).
//
// Compilers may rewrite (a + b) - a into b; `opaque` hides a value from them: exclusive or with a zero
// that is read from a uniform (set `opaque_zero = p.zero` first). Unfused fma is assumed.
var<private> opaque_zero: u32;

fn opaque(v: f32) -> f32 { return bitcast<f32>(bitcast<u32>(v) ^ opaque_zero); }
fn opaque4(v: vec4<f32>) -> vec4<f32> { return bitcast<vec4<f32>>(bitcast<vec4<u32>>(v) ^ vec4<u32>(opaque_zero)); }

struct Double4 { hi: vec4<f32>, lo: vec4<f32> }

// a + b exactly.
fn two_sum(a: f32, b: f32) -> vec2<f32> {
  let s = opaque(a + b);
  let t = opaque(s - a);
  let u = opaque(s - t);
  return vec2<f32>(s, opaque(a - u) + opaque(b - t));
}

fn two_sum4(a: vec4<f32>, b: vec4<f32>) -> Double4 {
  let s = opaque4(a + b);
  let t = opaque4(s - a);
  let u = opaque4(s - t);
  return Double4(s, opaque4(a - u) + opaque4(b - t));
}

// High 12 bits and the rest.
fn split(a: f32) -> vec2<f32> {
  let c = opaque(4097.0 * a);
  let hi = opaque(c - opaque(c - a));
  return vec2<f32>(hi, a - hi);
}

fn split4(a: vec4<f32>) -> Double4 {
  let c = opaque4(4097.0 * a);
  let hi = opaque4(c - opaque4(c - a));
  return Double4(hi, a - hi);
}

// a b exactly.
fn two_product(a: f32, b: f32) -> vec2<f32> {
  let p = opaque(a * b);
  let x = split(a);
  let y = split(b);
  let e = opaque(opaque(opaque(x.x * y.x) - p) + x.x * y.y);
  return vec2<f32>(p, opaque(e + x.y * y.x) + x.y * y.y);
}

// total + a b for parts already split; the low words of `total` take the rounding errors.
fn accumulate4(total: Double4, a: vec4<f32>, x: Double4, b: vec4<f32>, y: Double4) -> Double4 {
  let p = opaque4(a * b);
  let e = opaque4(opaque4(opaque4(x.hi * y.hi) - p) + x.hi * y.lo);
  let rest = opaque4(e + x.lo * y.hi) + x.lo * y.lo;
  let s = two_sum4(total.hi, p);
  return Double4(s.hi, total.lo + (s.lo + rest));
}

fn renormalise(hi: f32, lo: f32) -> vec2<f32> {
  let s = opaque(hi + lo);
  return vec2<f32>(s, lo - opaque(s - hi));
}

fn add(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
  let s = two_sum(a.x, b.x);
  return renormalise(s.x, s.y + (a.y + b.y));
}

fn multiply(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
  let p = two_product(a.x, b.x);
  return renormalise(p.x, p.y + (a.x * b.y + a.y * b.x));
}

fn divide(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
  let q = opaque(a.x / b.x);
  let r = add(a, -multiply(vec2<f32>(q, 0.0), b));
  return renormalise(q, r.x / b.x);
}
