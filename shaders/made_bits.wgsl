// made_bits: up to 32 spins drawn from a masked network of one layer, with ln q0 of them and of their mirror image, E and M.
//
//   logit l_i = b_i + sum_(j<i) W_ij s_j + factor (h_i + sum_(j<i) J_ij s_j),   q(s_i = +1 | s_<i) = 1 / (1 + exp(-l_i)),   ln q0 = sum_i log_sigmoid(s_i l_i)
//   E = -sum_i s_i (h_i + sum_(j<i) J_ij s_j), M = sum_i s_i
//   parameters: rows of W below the diagonal without gaps from word `weights`, flag 1: b from word `bias`
//   table: J in rows of ld = sites padded to 4, then h
//   spins of sample first + w at (first + w) sites; plus, minus, energy, magnetisation [first + w]
//   slopes [1 + 2 sites][count]: the spins as bits of a word, bit i = 1 where s_i = 1, then s_i / (1 + exp(s_i l_i)) of s, and
//   of its mirror image, whose logits are -m_i, s_i / (1 + exp(s_i m_i)): what `made_bits_gradient` reads
// One triangular pass gives all of it: -s has the logits of opposite sums. SAME instead of MIRROR: there are neither b nor h, so
// that m = l, ln q0 of both signs are one number, and of slopes the first 1 + sites rows are written. To multiply by s_j = +-1
// is to turn a sign bit. Random numbers, and the order of sums, are those of `ancestral`: the same spins and ln q0 to the bit.
// One invocation owns TILE samples; they share the loaded weights. Trips: sites (sites + 1) / 2 + 10 TILE sites / 4.
struct Params {
  seed_low: u32, seed_high: u32, step: u32, purpose: u32,
  first_walker: u32, count: u32, sites: u32, first: u32,
  weights: u32, bias: u32, flags: u32, factor: f32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> parameters: array<f32>;
@group(0) @binding(2) var<storage, read> table: array<f32>;
@group(0) @binding(3) var<storage, read_write> spins: array<f32>;
@group(0) @binding(4) var<storage, read_write> plus: array<f32>;
@group(0) @binding(5) var<storage, read_write> minus: array<f32>;
@group(0) @binding(6) var<storage, read_write> energy: array<f32>;
@group(0) @binding(7) var<storage, read_write> magnetisation: array<f32>;
@group(0) @binding(8) var<storage, read_write> slopes: array<f32>;

// Of a logit l whose e is exp(-|l|): the probability of +1; with a = s l, s / (1 + exp(a)) and log_sigmoid(a). By bits: a logit
// that is not finite leaves no finite ln q0.
fn probability(l: f32, e: f32) -> f32 { return select(e, 1.0, l > 0.0) / (1.0 + e); }
fn slope(s: f32, a: f32, e: f32) -> f32 { return select(s * select(1.0, e, a > 0.0) / (1.0 + e), a, !finite(a)); }
fn log_probability(a: f32, e: f32) -> f32 { return select(min(a, 0.0) - log1p_small(e), a, !finite(a)); }

fn uniforms(w: u32, block: u32) -> vec4<f32> {
  let counter = vec4<u32>(block, p.first_walker + w, p.step, p.purpose);
  return uniform4(philox(vec2<u32>(p.seed_low, p.seed_high), counter));
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = (flat_group(group, groups) * WG + lane) * TILE;
  if (w >= p.count) { return; }
  let ld = (p.sites + 3u) / 4u * 4u;
  #for t in TILE
  var state$t = 0u;
  var numbers$t = vec4<f32>();
  var spin$t = 0.0;
  var plus$t = 0.0;
  var minus$t = 0.0;
  var energy$t = 0.0;
  #end
  var row = p.weights;
  // four spins share a block of random numbers; a loop, since CPU drivers run what an `if` leaves out
  for (var block = 0u; 4u * block < p.sites; block++) {
    #for t in TILE
    numbers$t = uniforms(w + $tu, block);
    #end
    for (var i = 4u * block; i < min(4u * block + 4u, p.sites); i++) {
      #for t in TILE
      var sum$t = 0.0;
      var field$t = 0.0;
      #end
      for (var j = 0u; j < i; j++) {
        let a = bitcast<u32>(parameters[row + j]);
        let c = bitcast<u32>(table[i * ld + j]);
        #for t in TILE
        let sign$t = (~state$t << (31u - j)) & 0x80000000u;
        sum$t += bitcast<f32>(a ^ sign$t);
        field$t += bitcast<f32>(c ^ sign$t);
        #end
      }
      row += i;
      var b = 0.0;
      if ((p.flags & 1u) != 0u) { b = parameters[p.bias + i]; }
      let h = table[ld * ld + i];
      #for t in TILE
      let logit$t = sum$t + b + p.factor * (field$t + h);
      let e$t = exp(-abs(logit$t));
      let drawn$t = select(-1.0, 1.0, numbers$t.x < probability(logit$t, e$t));
      numbers$t = numbers$t.yzwx;
      let slope$t = slope(drawn$t, drawn$t * logit$t, e$t);
      plus$t += log_probability(drawn$t * logit$t, e$t);
      #for m in MIRROR
      let mirror$t = sum$t - b + p.factor * (field$t - h);
      let far$t = exp(-abs(mirror$t));
      let behind$t = slope(drawn$t, drawn$t * mirror$t, far$t);
      minus$t += log_probability(drawn$t * mirror$t, far$t);
      #end
      energy$t -= drawn$t * (field$t + h);
      spin$t += drawn$t;
      state$t |= select(0u, 1u << i, drawn$t > 0.0);
      if (w + $tu < p.count) {
        spins[(p.first + w + $tu) * p.sites + i] = drawn$t;
        slopes[(1u + i) * p.count + w + $tu] = slope$t;
        #for m in MIRROR
        slopes[(1u + p.sites + i) * p.count + w + $tu] = behind$t;
        #end
      }
      #end
    }
  }
  #for t in TILE
  if (w + $tu < p.count) {
    plus[p.first + w + $tu] = plus$t;
    #for m in MIRROR
    minus[p.first + w + $tu] = minus$t;
    #end
    #for m in SAME
    minus[p.first + w + $tu] = plus$t;
    #end
    slopes[w + $tu] = bitcast<f32>(state$t);
    energy[p.first + w + $tu] = energy$t;
    magnetisation[p.first + w + $tu] = spin$t;
  }
  #end
}
