// krylov: the vector steps of preconditioned conjugate gradients for (F + damping) d = g, and the update.
//
//   d, r, z, w, q [words] double-single: solution, residual, preconditioned residual, direction, F w
//   gradient, parameters [words] f32;  state: shared/solver_state.wgsl
// The text constant PHASE chooses:
//   0 start      r = g, d = 0
//   1 direction  rz = r.z; stop if rz REGULARISED / damping <= tolerance^2 g.d, an upper bound of the
//                squared relative error in the Fisher norm; else w = z - alpha (z.q) / rz_old w
//   2 step       alpha = rz / w.q; d += alpha w; r -= alpha q; ENERGY = g.d
//   3 finish     parameters -= min(1, sqrt(max_norm / g.d)) d, unless STATUS says that d is wrong; a
//                preconditioner that is not positive raises the shift of the next solve tenfold
// (flexible form of beta: Notay 2000; it forgives the rounding of the preconditioner.)
// One workgroup: every word belongs to one invocation throughout. Trips: 2 words / WG + 20.
struct Params { words: u32, zero: u32, first: u32, pad0: u32, damping: f32, tolerance: f32, max_norm: f32, pad1: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> state: array<u32>;
@group(0) @binding(2) var<storage, read> gradient: array<f32>;
@group(0) @binding(3) var<storage, read_write> d: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read_write> r: array<vec2<f32>>;
@group(0) @binding(5) var<storage, read> z: array<vec2<f32>>;
@group(0) @binding(6) var<storage, read_write> w: array<vec2<f32>>;
@group(0) @binding(7) var<storage, read> q: array<vec2<f32>>;
@group(0) @binding(8) var<storage, read_write> parameters: array<f32>;

var<workgroup> partial: array<vec2<f32>, WG>;
var<workgroup> word: u32;

fn total(value: vec2<f32>, lane: u32) -> vec2<f32> {
  partial[lane] = value;
  workgroupBarrier();
  for (var s = WG / 2u; s > 0u; s >>= 1u) {
    if (lane < s) { partial[lane] = add(partial[lane], partial[lane + s]); }
    workgroupBarrier();
  }
  let sum = partial[0];
  workgroupBarrier();
  return sum;
}

fn state_word(index: u32, lane: u32) -> u32 {
  if (lane == 0u) { word = state[index]; }
  return workgroupUniformLoad(&word);
}

fn pair(index: u32) -> vec2<f32> {
  return vec2<f32>(bitcast<f32>(state[index]), bitcast<f32>(state[index + 1u]));
}

fn set_pair(index: u32, v: vec2<f32>) {
  state[index] = bitcast<u32>(v.x);
  state[index + 1u] = bitcast<u32>(v.y);
}

fn start(lane: u32) {
  var bad = 0.0;
  for (var i = lane; i < p.words; i += WG) {
    let g = gradient[i];
    if (!is_finite(g)) { bad += 1.0; }
    r[i] = vec2<f32>(g, 0.0);
    d[i] = vec2<f32>();
    w[i] = vec2<f32>();
  }
  let count = total(vec2<f32>(bad, 0.0), lane);
  if (lane == 0u && count.x > 0.0) {
    state[STATUS] |= 1u;
    state[SKIP_SOLVE] = 1u;
  }
}

fn direction(lane: u32) {
  var product = vec2<f32>();
  var overlap = vec2<f32>();
  for (var i = lane; i < p.words; i += WG) {
    product = add(product, multiply(r[i], z[i]));
    if (p.first == 0u) { overlap = add(overlap, multiply(q[i], z[i])); }
  }
  let rz = total(product, lane);
  let zq = total(overlap, lane);
  let old = pair(RZ);
  let alpha = pair(ALPHA);
  let energy = bitcast<f32>(state[ENERGY]);
  let bound = rz.x * bitcast<f32>(state[REGULARISED]) / p.damping;
  workgroupBarrier();
  if (lane == 0u) {
    set_pair(RZ, rz);
    state[RESIDUAL] = bitcast<u32>(select(0.0, sqrt(max(bound, 0.0) / energy), energy > 0.0));
    if (!is_finite(rz.x)) { state[STATUS] |= 1u; state[SKIP_SOLVE] = 1u; }
    else if (rz.x < 0.0) { state[STATUS] |= 8u; state[SKIP_SOLVE] = 1u; }
    else if (bound <= p.tolerance * p.tolerance * energy) { state[CONVERGED] = 1u; state[SKIP_SOLVE] = 1u; }
  }
  if (p.first != 0u) {
    for (var i = lane; i < p.words; i += WG) { w[i] = z[i]; }
  } else {
    let beta = -divide(multiply(alpha, zq), old);
    for (var i = lane; i < p.words; i += WG) { w[i] = add(z[i], multiply(beta, w[i])); }
  }
}

fn step(lane: u32) {
  var product = vec2<f32>();
  for (var i = lane; i < p.words; i += WG) { product = add(product, multiply(w[i], q[i])); }
  let wq = total(product, lane);
  let alpha = divide(pair(RZ), wq);
  let ok = wq.x > 0.0 && is_finite(wq.x) && is_finite(alpha.x);
  product = vec2<f32>();
  if (ok) {
    for (var i = lane; i < p.words; i += WG) {
      d[i] = add(d[i], multiply(alpha, w[i]));
      r[i] = add(r[i], -multiply(alpha, q[i]));
      product = add(product, multiply(d[i], vec2<f32>(gradient[i], 0.0)));
    }
  }
  let energy = total(product, lane);
  if (lane == 0u) {
    if (ok) {
      set_pair(ALPHA, alpha);
      state[ENERGY] = bitcast<u32>(energy.x);
      state[ITERATIONS] += 1u;
    } else {
      state[STATUS] |= select(1u, 8u, is_finite(wq.x));
      state[SKIP_SOLVE] = 1u;
    }
  }
}

fn finish(lane: u32) {
  let energy = bitcast<f32>(state_word(ENERGY, lane));
  let status = state_word(STATUS, lane);
  let converged = state_word(CONVERGED, lane);
  var scale = 0.0;
  var flags = status;
  if (status == 0u && converged == 0u) { flags = 4u; }
  if (flags == 0u && energy >= 0.0 && is_finite(energy)) {
    scale = 1.0;
    if (energy > p.max_norm) { scale = sqrt(p.max_norm / energy); }
    for (var i = lane; i < p.words; i += WG) { parameters[i] -= scale * (d[i].x + d[i].y); }
  }
  if (lane == 0u) {
    var raised = shift_factor(state[RAISED]);
    if ((flags & 10u) != 0u) { raised = min(10.0 * raised, 1e6); } else { raised = max(0.9 * raised, 1.0); }
    state[RAISED] = bitcast<u32>(raised);
    state[STATUS] = flags;
    state[SCALE] = bitcast<u32>(scale);
  }
}

@compute @workgroup_size(WG)
fn main(@builtin(local_invocation_index) lane: u32) {
  opaque_zero = p.zero;
  if (PHASE == 3u) { finish(lane); return; }
  if (PHASE == 0u) { start(lane); return; }
  if (state_word(SKIP_SOLVE, lane) == 1u) { return; }
  if (PHASE == 1u) { direction(lane); } else { step(lane); }
}
