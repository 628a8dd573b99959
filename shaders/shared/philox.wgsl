// Philox4x32-10 (Salmon, Moraes, Dror, Shaw, SC11, doi 10.1145/2063384.2063405).
//
// key = (seed low, seed high); counter = (index, walker, step, purpose). Needs `special`.
fn mul_high(a: u32, b: u32) -> u32 {
  let al = a & 0xffffu; let ah = a >> 16u;
  let bl = b & 0xffffu; let bh = b >> 16u;
  let middle = ah * bl + ((al * bl) >> 16u);
  let low = al * bh + (middle & 0xffffu);
  return ah * bh + (middle >> 16u) + (low >> 16u);
}

fn philox(key: vec2<u32>, counter: vec4<u32>) -> vec4<u32> {
  var c = counter;
  var k = key;
  for (var round = 0u; round < 10u; round++) {
    let a = mul_high(0xd2511f53u, c.x);
    let b = mul_high(0xcd9e8d57u, c.z);
    c = vec4<u32>(b ^ c.y ^ k.x, 0xcd9e8d57u * c.z, a ^ c.w ^ k.y, 0xd2511f53u * c.x);
    k += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
  }
  return c;
}

// Four uniform numbers, strictly inside (0, 1): midpoints of 2^23 equal cells.
fn uniform4(bits: vec4<u32>) -> vec4<f32> {
  return (vec4<f32>(bits >> vec4<u32>(9u)) + 0.5) * 1.1920928955078125e-7;
}

// Four independent normal numbers (Box, Muller); none beyond 5.77.
fn normal4(bits: vec4<u32>) -> vec4<f32> {
  let u = uniform4(bits);
  return vec4<f32>(sqrt(-2.0 * log(u.x)) * sincos2pi(u.y), sqrt(-2.0 * log(u.z)) * sincos2pi(u.w));
}
