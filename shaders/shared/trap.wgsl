// Electrons in a trap and the flow that moves them, for kernels with a workgroup for each walker of N electrons.
// Constants: UNITS logistic functions of eta and of mu; WG >= 2 N lanes; PAIRS = N (N - 1)/2. Needs `special`.
// Terms: pairs i < j row by row, then electrons. A term's f is eta(r) of a pair, mu(r^2) of an electron.
// rows of b, W1, W2 of eta, then of mu, each padded to LD
const LD: u32 = (UNITS + 3u) / 4u * 4u;
var<workgroup> net: array<f32, 6u * LD>;
var<workgroup> place: array<vec2<f32>, N>;
// f, f'/r, (f'' - f'/r)/r^2, share w of the divergence; (w'/r, (w'' - w'/r)/r^2): primes are d/dr
var<workgroup> term_a: array<vec4<f32>, PAIRS + N>;
var<workgroup> term_c: array<vec2<f32>, PAIRS + N>;

// Number of the pair i < j.
fn number_of(i: u32, j: u32) -> u32 { return i * (2u * N - i - 1u) / 2u + j - i - 1u; }

// The pair of a number. Trips: N.
fn pair_of(t: u32) -> vec2<u32> {
  var i = 0u;
  var rest = t;
  while (i + 2u < N && rest >= N - 1u - i) {
    rest -= N - 1u - i;
    i++;
  }
  return vec2<u32>(i, i + 1u + rest);
}

// s, s', s'', s''' of the logistic function.
fn logistic(t: f32) -> vec4<f32> {
  let e = exp(-abs(t));
  let h = 1.0 / (1.0 + e);
  let ds = e * h * h;
  let slope = select((1.0 - e) * h, (e - 1.0) * h, t >= 0.0);
  return vec4<f32>(select(e * h, h, t >= 0.0), ds, ds * slope, ds * (1.0 - 6.0 * ds));
}

// f and its first three derivatives by its argument q; parameters (b, W1, W2) from `base` on. Trips: UNITS.
fn radial(base: u32, q: f32) -> vec4<f32> {
  var f = vec4<f32>();
  for (var k = base; k < base + UNITS; k++) {
    let w = net[k + LD];
    f += net[k + 2u * LD] * vec4<f32>(1.0, w, w * w, w * w * w) * logistic(w * q + net[k]);
  }
  return f;
}

// Difference of a pair's places, or the place of an electron.
fn separation(t: u32) -> vec2<f32> {
  if (t >= PAIRS) { return place[t - PAIRS]; }
  let ij = pair_of(t);
  return place[ij.x] - place[ij.y];
}

// All terms at the present places, between barriers. Trips: (PAIRS + N)/WG (UNITS + N).
fn prepare(lane: u32) {
  for (var t = lane; t < PAIRS + N; t += WG) {
    let d = separation(t);
    let q = dot(d, d);
    let r = sqrt(q);
    let pair = t < PAIRS;
    let f = radial(select(3u * LD, 0u, pair), select(q, r, pair));
    if (pair) {
      let i = 1.0 / r;
      let c = f.z + 3.0 * f.y * i;
      term_a[t] = vec4<f32>(f.x, f.y * i, (f.z - f.y * i) * i * i, 2.0 * (f.y * r + 2.0 * f.x));
      term_c[t] = 2.0 * vec2<f32>(c, (f.w * r + 4.0 * f.z - c) * i * i);
    } else {
      term_a[t] = vec4<f32>(f.x, 2.0 * f.y, 4.0 * f.z, 2.0 * (q * f.y + f.x));
      term_c[t] = vec2<f32>(8.0 * f.y + 4.0 * q * f.z, 24.0 * f.z + 8.0 * q * f.w);
    }
  }
}

// dr_i/dt of the flow. Trips: N.
fn velocity(i: u32) -> vec2<f32> {
  var v = term_a[PAIRS + i].x * place[i];
  for (var j = 0u; j < N; j++) {
    if (j != i) { v += term_a[number_of(min(i, j), max(i, j))].x * (place[i] - place[j]); }
  }
  return v;
}
