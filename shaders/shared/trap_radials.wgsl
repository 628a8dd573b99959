// The argument of each term, and f with three derivatives there.
var<private> argument: array<f32, TERMS>;
var<private> jet: array<vec4<f32>, TERMS>;

// sum W2 s(W1 q + b) and its first three derivatives by q.
fn four(b: vec4<f32>, w1: vec4<f32>, w2: vec4<f32>, q: f32) -> vec4<f32> {
  let l = logistic4(w1 * q + b);
  let a = w2 * w1;
  let c = a * w1;
  return vec4<f32>(dot(w2, l.s), dot(a, l.s1), dot(c, l.s2), dot(c * w1, l.s1 * (1.0 - 6.0 * l.s1)));
}

// All terms. Trips: 2 QUADS.
fn radials() {
  #for t in TERMS
  var f$t = vec4<f32>();
  let q$t = argument[$t];
  #end
  for (var k = 0u; k < QUADS; k++) {
    let b = weights[k];
    let w1 = weights[k + QUADS];
    let w2 = weights[k + 2u * QUADS];
    #for t in TERMS
    if ($tu < PAIRS) { f$t += four(b, w1, w2, q$t); }
    #end
  }
  for (var k = 3u * QUADS; k < 4u * QUADS; k++) {
    let b = weights[k];
    let w1 = weights[k + QUADS];
    let w2 = weights[k + 2u * QUADS];
    #for t in TERMS
    if ($tu >= PAIRS) { f$t += four(b, w1, w2, q$t); }
    #end
  }
  #for t in TERMS
  jet[$t] = f$t;
  #end
}
