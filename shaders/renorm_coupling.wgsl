// renorm_coupling: couplings begin <= k < end of the network of one block, on every patch of every sample:
//
//   sampling (DIR 0, k ascending):   v <- v e^s + t;    density (DIR 1, k descending):  v <- (v - t) e^-s
//   t = T(u),  s = scale tanh S(u);  S, T: 2 -> H -> .. -> H -> 2, M hidden layers, ELU between;  u the two components kept
// Flag 2: the Haar rotation of the patch is the last thing of sampling; orthogonal and symmetric, it turns vectors alike.
// CARRY 1: a vector travels with the sample.
//   DIR 0: g = d ln q/dx, from -z on:  g_v <- g_v e^-s;  g_u <- g_u - (ds/du)'(1 + v g_v) - (dt/du)'(g_v e^-s)
//   DIR 1: reverse mode of sampling, of c.x + lambda log-det:  c_u <- c_u + (ds/du)'(c_v (v - t) + lambda) + (dt/du)' c_v;
//          c_v <- c_v e^s.  What entered a coupling is computed from what left it: nothing is stored.
// GRAD 1 (with DIR 1, CARRY 1): its derivative by the weights, summed over the ROWS patches of an invocation, into `partial`.
//   x, g      f32 [sample][side][side]; read times `sign` (x alone), written in place. Row = sample patches + patch.
//   log_det   f32 [sample][side^2/4]: += sum of s of a patch (flag 1), the same quantity in both directions; lambda f32 [sample]
//   weights   vec4 [couplings][2: S, T][NET]: W1 2 x H4, b H4, then M-1 times W H x H4, b H4, then the two columns of the last
//             matrix 2 x H4, and (b, scale); H4 = H/4 rounded up, padding 0. A uniform buffer: see `backflow_registers`.
//   partial   vec4 [end - begin][2][NET][invocation], otherwise as the weights: `renorm_sum` adds it up
//   masks     a byte a coupling: the components kept, then those moved, two bits each
// One invocation owns ROWS patches in registers: loads of weights are what costs. Trips: 3 (end - begin).
// Hazards: exp(x) - 1 of ELU is good to eps in absolute terms, as its terms of order 1 ask for. NaN stay.
// Li, Wang, Phys. Rev. Lett. 121, 260601 (2018), doi 10.1103/PhysRevLett.121.260601.
struct Params {
  first: u32, rows: u32, patches: u32, side: u32, level: u32, offset: u32, begin: u32, end: u32,
  flags: u32, sign: f32, pad0: u32, pad1: u32, masks: array<vec4<u32>, 2>,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<uniform> weights: array<vec4<f32>, NW>;
@group(0) @binding(2) var<storage, read_write> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> g: array<f32>;
@group(0) @binding(4) var<storage, read_write> log_det: array<f32>;
@group(0) @binding(5) var<storage, read> lambda: array<f32>;
@group(0) @binding(6) var<storage, read_write> partial: array<vec4<f32>>;
const TAIL: u32 = NET - 1u;
const LAST: u32 = NET - 1u - 2u * H4;
const STEP: u32 = (H + 1u) * H4;

// Words of the four sites of a row.
fn places(row: u32) -> vec4<u32> {
  let step = 1u << p.level;
  let along = p.side >> (p.level + 1u);
  let number = row % p.patches;
  let corner = 2u * step * vec2<u32>(number / along, number % along) + p.offset;
  let near = corner & vec2<u32>(p.side - 1u);
  let away = (corner + step) & vec2<u32>(p.side - 1u);
  return row / p.patches * p.side * p.side + p.side * vec4<u32>(near.x, near.x, away.x, away.x) + vec4<u32>(near.y, away.y, near.y, away.y);
}

fn pick(v: vec4<f32>, i: u32) -> f32 { return select(select(v.x, v.y, i == 1u), select(v.z, v.w, i == 3u), i >= 2u); }
fn pair(v: vec4<f32>, code: u32) -> vec2<f32> { return vec2<f32>(pick(v, code & 3u), pick(v, (code >> 2u) & 3u)); }

fn put(v: vec4<f32>, code: u32, y: vec2<f32>) -> vec4<f32> {
  let at = vec4<u32>(0u, 1u, 2u, 3u);
  return select(select(v, vec4<f32>(y.x), at == vec4<u32>(code & 3u)), vec4<f32>(y.y), at == vec4<u32>((code >> 2u) & 3u));
}

// Twice the mean of a patch and its differences along columns, rows and both; its own inverse.
fn haar(v: vec4<f32>) -> vec4<f32> {
  let a = vec4<f32>(v.xy + v.zw, v.xy - v.zw);
  return 0.5 * vec4<f32>(a.x + a.y, a.x - a.y, a.z + a.w, a.z - a.w);
}
fn elu(a: vec4<f32>) -> vec4<f32> { return select(exp(a) - 1.0, a, a > vec4<f32>()); }
// its slope, by what left it
fn slope(a: vec4<f32>) -> vec4<f32> { return select(a + 1.0, vec4<f32>(1.0), a > vec4<f32>()); }

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id * ROWS >= p.rows) { return; }
  let bound = p.first + p.rows - 1u;
  let count = (p.rows + ROWS - 1u) / ROWS;
  var v: array<vec4<f32>, ROWS>; var c: array<vec4<f32>, ROWS>;
  var sums: array<f32, ROWS>; var weight: array<f32, ROWS>;
  #for r in ROWS
  let row$r = p.first + id * ROWS + $ru;
  let at$r = places(min(row$r, bound));
  v[$r] = p.sign * vec4<f32>(x[at$r.x], x[at$r.y], x[at$r.z], x[at$r.w]);
  if (CARRY == 1u && row$r <= bound) {
    c[$r] = vec4<f32>(g[at$r.x], g[at$r.y], g[at$r.z], g[at$r.w]);
    if (DIR == 1u) { weight[$r] = lambda[row$r / p.patches]; }
  }
  if (DIR == 1u && (p.flags & 2u) != 0u) { v[$r] = haar(v[$r]); c[$r] = haar(c[$r]); }
  #end
  for (var j = p.begin; j < p.end; j++) {
    let k = select(j, p.begin + p.end - 1u - j, DIR == 1u);
    let code = (p.masks[k / 16u][k / 4u % 4u] >> (8u * (k % 4u))) & 255u;
    var u: array<vec2<f32>, ROWS>; var y: array<vec2<f32>, ROWS>; var cy: array<vec2<f32>, ROWS>;
    var s: array<vec2<f32>, ROWS>; var t: array<vec2<f32>, ROWS>; var du: array<vec2<f32>, ROWS>;
    #for r in ROWS
    u[$r] = pair(v[$r], code); y[$r] = pair(v[$r], code >> 4u); cy[$r] = pair(c[$r], code >> 4u);
    #end
    // of the two cotangents that of s needs t in the density direction, that of t needs s in the other
    for (var turn = 0u; turn < 2u; turn++) {
      let net = turn ^ DIR;
      let at = (2u * k + net) * NET;
      var a: array<vec4<f32>, M * ROWS * H4>;
      #for n in H4
      {
        let w0 = weights[at + $nu]; let w1 = weights[at + H4 + $nu]; let b = weights[at + 2u * H4 + $nu];
        #for r in ROWS
        a[$ru * H4 + $nu] = elu(b + u[$r].x * w0 + u[$r].y * w1);
        #end
      }
      #end
      #for m in M1
      #for n in H4
      {
        let b = weights[at + 3u * H4 + $mu * STEP + H * H4 + $nu];
        #for r in ROWS
        var z$r = b;
        #end
        #for i in H
        {
          let w = weights[at + 3u * H4 + $mu * STEP + $iu * H4 + $nu];
          #for r in ROWS
          z$r += a[($mu * ROWS + $ru) * H4 + $iu / 4u][$iu % 4u] * w;
          #end
        }
        #end
        #for r in ROWS
        a[(($mu + 1u) * ROWS + $ru) * H4 + $nu] = elu(z$r);
        #end
      }
      #end
      #end
      let tail = weights[at + TAIL];
      var o: array<vec2<f32>, ROWS>;
      #for r in ROWS
      o[$r] = tail.xy;
      #end
      #for n in H4
      {
        let w0 = weights[at + LAST + $nu]; let w1 = weights[at + LAST + H4 + $nu];
        #for r in ROWS
        {
          let h = a[((M - 1u) * ROWS + $ru) * H4 + $nu];
          o[$r] += vec2<f32>(dot(h, w0), dot(h, w1));
        }
        #end
      }
      #end
      // cotangents of the last layer, and of the scales
      var d: array<vec2<f32>, ROWS>; var ds: array<vec2<f32>, ROWS>;
      #for r in ROWS
      if (net == 0u) {
        let h = vec2<f32>(tanh_(o[$r].x), tanh_(o[$r].y));
        s[$r] = tail.zw * h; let of_s = select(1.0 + y[$r] * cy[$r], cy[$r] * (y[$r] - t[$r]) + weight[$r], DIR == 1u);
        ds[$r] = of_s * h;
        d[$r] = of_s * tail.zw * (1.0 - h * h);
      } else {
        t[$r] = o[$r]; d[$r] = cy[$r];
        if (DIR == 0u) { d[$r] *= exp(-s[$r]); }
      }
      #end
      if (CARRY == 1u) {
        let q = ((k - p.begin) * 2u + net) * NET;
        var e: array<vec4<f32>, ROWS * H4>;
        #for n in H4
        {
          let w0 = weights[at + LAST + $nu]; let w1 = weights[at + LAST + H4 + $nu];
          var g0 = vec4<f32>(); var g1 = vec4<f32>();
          #for r in ROWS
          {
            let h = a[((M - 1u) * ROWS + $ru) * H4 + $nu];
            g0 += d[$r].x * h; g1 += d[$r].y * h;
            e[$ru * H4 + $nu] = (d[$r].x * w0 + d[$r].y * w1) * slope(h);
          }
          #end
          if (GRAD == 1u) { partial[(q + LAST + $nu) * count + id] = g0; partial[(q + LAST + H4 + $nu) * count + id] = g1; }
        }
        #end
        if (GRAD == 1u) {
          var g0 = vec4<f32>();
          #for r in ROWS
          g0 += vec4<f32>(d[$r], select(vec2<f32>(), ds[$r], net == 0u));
          #end
          partial[(q + TAIL) * count + id] = g0;
        }
        #for m in M1
        {
          // from the hidden layer M - 1 - m to the one before
          var f: array<vec4<f32>, ROWS * H4>;
          #for i in H
          {
            #for r in ROWS
            var z$r = 0.0;
            #end
            #for n in H4
            {
              let w = weights[at + 3u * H4 + (M - 2u - $mu) * STEP + $iu * H4 + $nu];
              var g0 = vec4<f32>();
              #for r in ROWS
              z$r += dot(w, e[$ru * H4 + $nu]);
              g0 += a[((M - 2u - $mu) * ROWS + $ru) * H4 + $iu / 4u][$iu % 4u] * e[$ru * H4 + $nu];
              #end
              if (GRAD == 1u) { partial[(q + 3u * H4 + (M - 2u - $mu) * STEP + $iu * H4 + $nu) * count + id] = g0; }
            }
            #end
            #for r in ROWS
            f[$ru * H4 + $iu / 4u][$iu % 4u] = z$r;
            #end
          }
          #end
          #for n in H4
          {
            var g0 = vec4<f32>();
            #for r in ROWS
            g0 += e[$ru * H4 + $nu];
            e[$ru * H4 + $nu] = f[$ru * H4 + $nu] * slope(a[((M - 2u - $mu) * ROWS + $ru) * H4 + $nu]);
            #end
            if (GRAD == 1u) { partial[(q + 3u * H4 + (M - 2u - $mu) * STEP + H * H4 + $nu) * count + id] = g0; }
          }
          #end
        }
        #end
        #for n in H4
        {
          let w0 = weights[at + $nu]; let w1 = weights[at + H4 + $nu];
          var g0 = vec4<f32>(); var g1 = vec4<f32>(); var g2 = vec4<f32>();
          #for r in ROWS
          {
            let h = e[$ru * H4 + $nu];
            du[$r] += vec2<f32>(dot(w0, h), dot(w1, h));
            g0 += u[$r].x * h; g1 += u[$r].y * h; g2 += h;
          }
          #end
          if (GRAD == 1u) { partial[(q + $nu) * count + id] = g0; partial[(q + H4 + $nu) * count + id] = g1; partial[(q + 2u * H4 + $nu) * count + id] = g2; }
        }
        #end
      }
    }
    #for r in ROWS
    sums[$r] += s[$r].x + s[$r].y;
    if (DIR == 0u) {
      y[$r] = y[$r] * exp(s[$r]) + t[$r]; cy[$r] *= exp(-s[$r]);
      du[$r] = -du[$r];
    } else {
      y[$r] = (y[$r] - t[$r]) * exp(-s[$r]); cy[$r] *= exp(s[$r]);
    }
    v[$r] = put(v[$r], code >> 4u, y[$r]);
    if (CARRY == 1u) { c[$r] = put(put(c[$r], code >> 4u, cy[$r]), code, pair(c[$r], code) + du[$r]); }
    #end
  }
  #for r in ROWS
  if (DIR == 0u && (p.flags & 2u) != 0u) { v[$r] = haar(v[$r]); c[$r] = haar(c[$r]); }
  if (row$r <= bound) {
    x[at$r.x] = v[$r].x; x[at$r.y] = v[$r].y; x[at$r.z] = v[$r].z; x[at$r.w] = v[$r].w;
    if (CARRY == 1u) { g[at$r.x] = c[$r].x; g[at$r.y] = c[$r].y; g[at$r.z] = c[$r].z; g[at$r.w] = c[$r].w; }
    if ((p.flags & 1u) != 0u) { log_det[row$r / p.patches * (p.side * p.side / 4u) + row$r % p.patches] += sums[$r]; }
  }
  #end
}
