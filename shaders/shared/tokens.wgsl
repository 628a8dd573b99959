// Stages of a network of dense layers and attention, for one token of TILE samples at a time; places are vec4 of a sample's
// `p.stride` of `scratch`, matrices lie in `weights`, heads are padded to multiples of 4 columns. A stage is three vec4<u32>:
//   (kind, in4, out4, flags) (source, target, target stride a token, weights) (bias, 0, 0, 0)
//   kind 0  target (+)= source W + bias; flag 1: tanh of it; flag 2: add to what target holds
//   kind 1  attention: source = the layer's cache (a row q, k, v of 3 out4 for each token), target = mixed values of the
//           newest of `seen` tokens; in4 = vec4 a head, p.scale q.k
//   kind 2  target = tanh(source)
//   kind 3  target = source + the token's row of a table of out4 columns from `bias` on
fn tanh4(v: vec4<f32>) -> vec4<f32> { return vec4<f32>(tanh_(v.x), tanh_(v.y), tanh_(v.z), tanh_(v.w)); }

fn dot4(a: vec4<f32>, w0: vec4<f32>, w1: vec4<f32>, w2: vec4<f32>, w3: vec4<f32>) -> vec4<f32> {
  return a.x * w0 + a.y * w1 + a.z * w2 + a.w * w3;
}

fn put(sample: u32, at: u32, value: vec4<f32>, bias: vec4<f32>, flags: u32) {
  if (sample >= p.count) { return; }
  let place = sample * p.stride + at;
  var v = value + bias;
  if ((flags & 2u) != 0u) { v += scratch[place]; }
  if ((flags & 1u) != 0u) { v = tanh4(v); }
  scratch[place] = v;
}

// TILE (1 or 4) samples from `sample` on, columns 4 col .. 4 col + 3.
fn multiply(head: vec4<u32>, source: u32, goal: u32, w_at: u32, b_at: u32, sample: u32, col: u32) {
  let last = p.count - 1u;
  let x0 = sample * p.stride + source;
  let x1 = min(sample + 1u, last) * p.stride + source;
  let x2 = min(sample + 2u, last) * p.stride + source;
  let x3 = min(sample + 3u, last) * p.stride + source;
  var at = w_at + col;
  var a0 = vec4<f32>(); var a1 = vec4<f32>(); var a2 = vec4<f32>(); var a3 = vec4<f32>();
  for (var k = 0u; k < head.y; k++) {
    let w0 = weights[at]; let w1 = weights[at + head.z];
    let w2 = weights[at + 2u * head.z]; let w3 = weights[at + 3u * head.z];
    at += 4u * head.z;
    a0 += dot4(scratch[x0 + k], w0, w1, w2, w3);
    if (TILE > 1u) {
      a1 += dot4(scratch[x1 + k], w0, w1, w2, w3);
      a2 += dot4(scratch[x2 + k], w0, w1, w2, w3);
      a3 += dot4(scratch[x3 + k], w0, w1, w2, w3);
    }
  }
  let b = weights[b_at + col];
  put(sample, goal + col, a0, b, head.w);
  if (TILE > 1u) {
    put(sample + 1u, goal + col, a1, b, head.w);
    put(sample + 2u, goal + col, a2, b, head.w);
    put(sample + 3u, goal + col, a3, b, head.w);
  }
}

// Four columns of one head's output: softmax in one pass, the sums rescaled when a larger dot product comes.
fn attend(head: vec4<u32>, source: u32, goal: u32, sample: u32, col: u32, seen: u32) {
  let base = sample * p.stride + source;
  let row = 3u * head.z;
  let q = base + (seen - 1u) * row + (col / head.y) * head.y;
  let q0 = scratch[q];
  var most = -3.0e38;
  var sum = 0.0;
  var mixed = vec4<f32>();
  for (var j = 0u; j < seen; j++) {
    let k = base + j * row + head.z + (col / head.y) * head.y;
    var s = dot(q0, scratch[k]);
    for (var c = 1u; c < head.y; c++) { s += dot(scratch[q + c], scratch[k + c]); }
    s *= p.scale;
    let ratio = exp(-abs(s - most));
    let keep = select(1.0, ratio, s > most);
    let e = select(ratio, 1.0, s > most);
    mixed = keep * mixed + e * scratch[base + j * row + 2u * head.z + col];
    sum = keep * sum + e;
    most = max(most, s);
  }
  scratch[sample * p.stride + goal + col] = mixed / sum;
}

// Column `col` of a stage for the newest of `seen` tokens.
fn carry_out(head: vec4<u32>, place: vec4<u32>, bias: u32, sample: u32, col: u32, seen: u32) {
  let source = sample * p.stride + place.x + col;
  let goal = sample * p.stride + place.y + col;
  switch head.x {
    case 0u: { multiply(head, place.x, place.y + (seen - 1u) * place.z, place.w, bias, sample, col); }
    case 1u: { attend(head, place.x, place.y, sample, col, seen); }
    case 2u: { scratch[goal] = tanh4(scratch[source]); }
    case 3u: { scratch[goal] = scratch[source] + weights[bias + (seen - 1u) * head.z + col]; }
    default: {}
  }
}
