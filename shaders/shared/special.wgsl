// Elementary functions whose built-in forms are too inaccurate, or may differ between drivers.
// eps = 2^-23. Errors hold wherever exp is good to (3 + 2 |x|) ulp and log to 3 ulp outside [0.5, 2].

// (sin, cos) of 2 pi t, |t| < 2^21. Absolute error 2 eps, for |t| < 1/8 also relative; exact zeros and
// ones at multiples of 1/4.
fn sincos2pi(t: f32) -> vec2<f32> {
  let q = round(4.0 * t);
  let s = t - 0.25 * q;
  let u = s * s;
  let sine = s * (6.283185482 + u * (-41.34170151 + u * (81.60520172 + u * (-76.69785309 + u * 41.47225189))));
  let cosine = 1.0 + u * (-19.73920822 + u * (64.93936920 + u * (-85.44880676 + u * 59.42329025)));
  let quarter = bitcast<u32>(i32(q)) & 3u;
  let odd = (quarter & 1u) == 1u;
  let a = select(sine, cosine, odd);
  let b = select(cosine, sine, odd);
  return vec2<f32>(select(a, -a, quarter >= 2u), select(b, -b, quarter == 1u || quarter == 2u));
}

// Relative error (6 + 4 x^2) eps, for x < 0 4 eps. x^2 is formed from a high part with 12 bits.
fn erfc(x: f32) -> f32 {
  let a = min(abs(x), 12.0);
  let high = bitcast<f32>(bitcast<u32>(a) & 0xfffff000u);
  let q = (a - 2.0) / (a + 2.0);
  var r = 4.381653707e-05;
  r = r * q - 3.290442401e-04;
  r = r * q - 1.249520225e-03;
  r = r * q + 1.242663711e-03;
  r = r * q + 8.625948802e-03;
  r = r * q - 8.036239073e-03;
  r = r * q - 5.420099571e-02;
  r = r * q + 1.640523970e-01;
  r = r * q - 1.660317481e-01;
  r = r * q - 9.276387841e-02;
  r = r * q + 1.276978374e+00;
  let tail = exp(-high * high) * exp((high - a) * (high + a)) * r / (1.0 + 2.0 * a);
  return select(tail, 2.0 - tail, x < 0.0);
}

// Relative error 4 eps; +-1 beyond |x| = 10. NaN stays NaN, which min would drop.
fn tanh_(x: f32) -> f32 {
  let u = x * x;
  let a = min(abs(x), 10.0);
  let large = 1.0 - 2.0 / (exp(2.0 * a) + 1.0);
  let small = x + x * u * (-0.3333333135 + u * (0.1333291531 + u * (-0.05387394875 + u * (0.02111095935 + u * -0.006269119680))));
  let nan = (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
  return select(select(select(large, -large, x < 0.0), small, a < 0.55), x, nan);
}

// exp(x) - 1. Relative error (8 + 2 |x|) eps.
fn expm1_(x: f32) -> f32 {
  let p = 0.5 + x * (0.1666666716 + x * (0.04166579247 + x * (0.008333235979 + x * (0.001398218563 + x * 0.0001994487393))));
  return select(exp(x) - 1.0, x + x * x * p, abs(x) < 0.5);
}

// ln(1 + x), -0.5 < x <= 1. Relative error 4 eps. With s = 2x/(2 + x) nothing on the way is smaller than the result, which a
// driver may flush to 0 where it is below the smallest normal number.
fn log1p_small(x: f32) -> f32 {
  let s = 2.0 * x / (2.0 + x);
  let u = 0.25 * s * s;
  let p = u * (0.6666666865 + u * (0.3999970555 + u * (0.2859242558 + u * (0.2170542777 + u * 0.2323025614))));
  return s * (1.0 + 0.5 * p);
}

// ln(1 + x). Relative error 4 eps; x > -1.
fn log1p_(x: f32) -> f32 { return select(log(1.0 + x), log1p_small(x), x > -0.5 && x <= 1.0); }

// ln(1 + exp(x)). Relative error (6 + 2 |x|) eps for x < 0, 4 eps for x > 0.
fn softplus(x: f32) -> f32 { return max(x, 0.0) + log1p_small(exp(-abs(x))); }

// ln of the logistic function, -softplus(-x).
fn log_sigmoid(x: f32) -> f32 { return min(x, 0.0) - log1p_small(exp(-abs(x))); }

// softplus(x) and its first three derivatives: s, s', s'' of the logistic function s, each of them
// with relative error (8 + 2 |x|) eps; s'' absolute next to its zero x = 0.
fn softplus_jet(x: f32) -> vec4<f32> {
  let e = exp(-abs(x));
  let h = 1.0 / (1.0 + e);
  let s = select(e * h, h, x >= 0.0);
  let ds = e * h * h;
  // 1 - 2 s = -(1 - e)/(1 + e) for x > 0
  let slope = tanh_(-0.5 * x);
  return vec4<f32>(max(x, 0.0) + log1p_small(e), s, ds, ds * slope);
}

// Neither infinite nor NaN; by bits, because compilers take x != x for false.
fn finite(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) < 0x7f800000u; }
