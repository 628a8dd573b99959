// dpp: draws n points from the determinantal point process |det e^(i k_a.z_i)|^2 / (n! L^(n dim)) of each
// walker's occupied plane waves: exact, independent samples.
//
//   For i = 0 .. n-1 (Hough, Krishnapur, Peres, Virag, Prob. Surveys 3, 206 (2006), doi 10.1214/154957806000000078):
//   y uniform in the box, v_a = e^(i k_a.y)/sqrt(n), accepted with probability 1 - sum_j<i |q_j^* v|^2, whose
//   mean is (n - i)/n; then q_i = v orthogonalised against the q_j (Gram-Schmidt, twice), z_i = y.
//
//   states   u32 [walker][n], indices into orbitals vec4 [M], m + t (integer momentum plus twist); the twist
//            multiplies v by a phase, which cancels: m alone enters
//   basis    vec4 [walker][a][ld4]: two complex entries of row a of Q each, columns j; scratch kept between launches
//   progress u32 [walker][4]: particles placed, candidates of the present particle that were refused, all
//            candidates so far, 0. `begin` sets it to 0; a walker is done at n
//   z        f32 [walker][n][dim], units of `length`
// A workgroup owns a walker. It tries TRIALS candidates at once, each by PARTS lanes that share the columns j;
// the first accepted one in the order of candidates counts. Random numbers: candidate t of particle i of the
// global walker first + w has counter i 2^16 + t, for any TRIALS, PARTS, chunk or number of launches.
// A launch stops a walker before `budget` loop trips are spent; the next goes on.
// Trips of a round: see `cost`, and dpp.rs.
struct Params {
  seed_low: u32, seed_high: u32, step: u32, purpose: u32,
  first: u32, walkers: u32, n: u32, dim: u32,
  ld4: u32, begin: u32, budget: u32, pad: u32,
  length: f32, twist_x: f32, twist_y: f32, twist_z: f32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> states: array<u32>;
@group(0) @binding(2) var<storage, read> orbitals: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> basis: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> progress: array<u32>;
@group(0) @binding(5) var<storage, read_write> z: array<f32>;

const WG: u32 = TRIALS * PARTS;
// v of all candidates: [a][trial]
var<workgroup> wave: array<vec2<f32>, ROWS * TRIALS>;
// q_j^* v of the accepted candidate, two columns an entry
var<workgroup> overlap: array<vec4<f32>, ROWS / 2>;
var<workgroup> sums: array<f32, WG>;
// particle, candidates refused, all candidates, accepted trial (TRIALS: none)
var<workgroup> place: vec4<u32>;

// conj(a) b of two complex numbers at a time
fn conjugate_times(a: vec4<f32>, b: vec2<f32>) -> vec4<f32> {
  return vec4<f32>(a.x, -a.y, a.z, -a.w) * b.x + a.yxwz * b.y;
}

fn candidate(walker: u32, particle: u32, trial: u32) -> vec4<f32> {
  let counter = vec4<u32>(particle * 65536u + trial, p.first + walker, p.step, p.purpose);
  return uniform4(philox(vec2<u32>(p.seed_low, p.seed_high), counter));
}

// Upper bound of the loop trips of one invocation in a round that places particle i.
fn cost(i: u32) -> u32 {
  let rows = (p.n + WG - 1u) / WG;
  let pairs = (i + 1u) / 2u;
  return 16u + p.n + TRIALS + PARTS + 2u * WG + ((i + 3u) / 4u + PARTS - 1u) / PARTS * (p.n + 1u)
    + 2u * (pairs + WG - 1u) / WG * (p.n + 1u) + 2u * rows * (pairs + 1u) + 4u * rows;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let flat = flat_group(group, groups);
  let w = min(flat, p.walkers - 1u);
  let base = w * p.n * p.ld4;
  let trial = lane % TRIALS;
  let part = lane / TRIALS;
  if (lane == 0u) {
    place = vec4<u32>(0u, 0u, 0u, TRIALS);
    if (p.begin == 0u) { place = vec4<u32>(progress[4u * w], progress[4u * w + 1u], progress[4u * w + 2u], TRIALS); }
    if (flat >= p.walkers) { place.x = p.n; }
  }
  if (p.begin != 0u && flat < p.walkers) {
    // a walker that is never finished has at least distinct points
    for (var i = lane; i < p.n; i += WG) {
      let y = candidate(w, i, 0u);
      for (var c = 0u; c < p.dim; c++) { z[(w * p.n + i) * p.dim + c] = p.length * y[c]; }
    }
  }
  let root = inverseSqrt(f32(p.n));
  let t = vec3<f32>(p.twist_x, p.twist_y, p.twist_z);
  var spent = 64u + 4u * ((p.n + WG - 1u) / WG) * 15u;
  loop {
    let at = workgroupUniformLoad(&place);
    let i = at.x;
    if (i >= p.n || spent + cost(i) > p.budget) { break; }
    spent += cost(i);

    let y = candidate(w, i, at.y + trial);
    var u = y.xyz;
    if (p.dim == 2u) { u.z = 0.0; }
    for (var a = part; a < p.n; a += PARTS) {
      let m = round(orbitals[states[w * p.n + a]].xyz - t);
      let turns = m * (u - round(u));
      let rest = turns - round(turns);
      wave[a * TRIALS + trial] = root * sincos2pi(rest.x + rest.y + rest.z).yx;
    }
    workgroupBarrier();

    // sum of |q_j^* v|^2, four columns at a time; a partial sum above 1 - u refuses already
    var inside = 0.0;
    for (var j = 4u * part; j < i && inside < 1.0 - y.w; j += 4u * PARTS) {
      var c0 = vec4<f32>();
      var c1 = vec4<f32>();
      let column = base + j / 2u;
      for (var a = 0u; a < p.n; a++) {
        let v = wave[a * TRIALS + trial];
        c0 += conjugate_times(basis[column + a * p.ld4], v);
        c1 += conjugate_times(basis[column + a * p.ld4 + 1u], v);
      }
      inside += dot(c0, c0) + dot(c1, c1);
    }
    sums[lane] = inside;
    workgroupBarrier();
    if (part == 0u) {
      for (var q = 1u; q < PARTS; q++) { inside += sums[q * TRIALS + trial]; }
      sums[lane] = 1.0 - inside - y.w;
    }
    workgroupBarrier();
    if (lane == 0u) {
      var winner = TRIALS;
      for (var q = TRIALS; q > 0u; q--) { winner = select(winner, q - 1u, sums[q - 1u] > 0.0); }
      place.w = winner;
    }
    let winner = workgroupUniformLoad(&place).w;
    if (winner < TRIALS) {
      for (var turn = 0u; turn < 2u; turn++) {
        for (var j = lane; 2u * j < i; j += WG) {
          var c = vec4<f32>();
          for (var a = 0u; a < p.n; a++) { c += conjugate_times(basis[base + a * p.ld4 + j], wave[a * TRIALS + winner]); }
          overlap[j] = c;
        }
        workgroupBarrier();
        for (var a = lane; a < p.n; a += WG) {
          var v = wave[a * TRIALS + winner];
          for (var j = 0u; 2u * j < i; j++) {
            let q = basis[base + a * p.ld4 + j];
            let c = overlap[j];
            v -= q.xy * c.x + vec2<f32>(-q.y, q.x) * c.y + q.zw * c.z + vec2<f32>(-q.w, q.z) * c.w;
          }
          wave[a * TRIALS + winner] = v;
        }
        workgroupBarrier();
      }
      var square = 0.0;
      for (var a = lane; a < p.n; a += WG) {
        let v = wave[a * TRIALS + winner];
        square += dot(v, v);
      }
      sums[lane] = square;
      workgroupBarrier();
      square = 0.0;
      for (var q = 0u; q < WG; q++) { square += sums[q]; }
      let scale = inverseSqrt(max(square, 1e-30));
      for (var a = lane; a < p.n; a += WG) {
        let v = scale * wave[a * TRIALS + winner];
        let to = base + a * p.ld4 + i / 2u;
        if ((i & 1u) == 0u) {
          basis[to] = vec4<f32>(v, 0.0, 0.0);
          // the columns of a block of four that are still to come
          if ((i & 3u) == 0u) { basis[to + 1u] = vec4<f32>(); }
        } else {
          basis[to] = vec4<f32>(basis[to].xy, v);
        }
      }
      if (lane == winner) {
        for (var c = 0u; c < p.dim; c++) { z[(w * p.n + i) * p.dim + c] = p.length * y[c]; }
      }
    }
    storageBarrier();
    workgroupBarrier();
    if (lane == 0u) {
      let tried = min(winner + 1u, TRIALS);
      place = select(vec4<u32>(i, at.y + TRIALS, at.z + tried, TRIALS), vec4<u32>(i + 1u, 0u, at.z + tried, TRIALS), winner < TRIALS);
    }
  }
  if (lane == 0u && flat < p.walkers) {
    let at = place;
    progress[4u * w] = at.x;
    progress[4u * w + 1u] = at.y;
    progress[4u * w + 2u] = at.z;
    progress[4u * w + 3u] = 0u;
  }
}
