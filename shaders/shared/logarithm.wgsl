// Logarithm and angle of products kept as mantissa x 2^exponent (builtin log and atan2 are too coarse
// on some drivers: Vulkan allows 2^-21 and 4096 ulp).

// floor(log2|x|) of a normal f32, at most 126 so that 2^-e stays normal.
fn exponent_of(x: f32) -> i32 {
  return min(i32((bitcast<u32>(x) >> 23u) & 255u) - 127, 126);
}

// 2^e for -126 <= e <= 127.
fn power_of_two(e: i32) -> f32 {
  return bitcast<f32>(u32(e + 127) << 23u);
}

fn finite(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) < 0x7f800000u;
}

// ln(m 2^e), m in [1, 4): odd series of 2 atanh((m-1)/(m+1)) on [1/sqrt 2, sqrt 2]; 2e-7 absolute.
fn ln_scaled(m: f32, e: i32) -> f32 {
  var x = m;
  var k = e;
  if (x >= 2.8284271) { x *= 0.25; k += 2; } else if (x >= 1.4142135) { x *= 0.5; k += 1; }
  let s = (x - 1.0) / (x + 1.0);
  let z = s * s;
  let series = 2.0 * s * (1.0 + z * (0.33333334 + z * (0.2 + z * (0.14285715 + z * (0.11111111 + z * 0.09090909)))));
  return f32(k) * 0.69314718 + series;
}

// Angle of (x, y) in (-pi, pi]; Cephes atanf, 2e-7 absolute.
fn angle(x: f32, y: f32) -> f32 {
  let ax = abs(x);
  let ay = abs(y);
  let high = max(ax, ay);
  if (high == 0.0) { return 0.0; }
  var t = min(ax, ay) / high;
  var a = 0.0;
  if (t > 0.41421356) { t = (t - 1.0) / (t + 1.0); a = 0.78539816; }
  let z = t * t;
  a += t + t * z * (-0.33332949 + z * (0.19977711 + z * (-0.13877686 + z * 0.080537445)));
  if (ay > ax) { a = 1.5707963 - a; }
  if (x < 0.0) { a = 3.1415927 - a; }
  return select(a, -a, y < 0.0);
}
