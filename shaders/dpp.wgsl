// dpp: draws n points from the determinantal point process |det e^(i k_a.z_i)|^2 / (n! L^(n dim)) of each
// walker's occupied plane waves: exact, independent samples.
//
//   For i = 0 .. n-1 (Hough, Krishnapur, Peres, Virag, Prob. Surveys 3, 206 (2006), doi 10.1214/154957806000000078):
//   y uniform in the box, v_a = e^(i k_a.y)/sqrt(n), accepted with probability 1 - sum_j<i |q_j^* v|^2, whose
//   mean is (n - i)/n; then q_i = v orthogonalised against the q_j (Gram-Schmidt, twice), z_i = y.
//
// Electrons and states of spin up, the first `up`, are a process of their own, and those of spin down: v has the states of the
// electron's spin alone, n and i count those, and the q_j of the other spin are orthogonal to it.
//
//   states   u32 [walker][n], indices into orbitals vec4 [M], m + t (integer momentum plus twist); the twist
//            multiplies v by a phase, which cancels: m alone enters
//   basis    vec4 [walker][a][ld4]: two complex entries of row a of Q each, columns j; scratch kept between launches
//   progress u32 [walker][4]: particles placed, candidates of the present particle that were refused, all
//            candidates so far, 0. `begin` sets it to 0; a walker is done at n
//   z        f32 [walker][n][dim], units of `length`
// A workgroup owns a walker. It tries TRIALS candidates at once: a lane takes PAIRS pairs of columns j for all of them, so
// that an element of Q is loaded once for TRIALS products; the first accepted one in the order of candidates counts.
// Gram-Schmidt runs a second time only where the first leaves less than half of |v| (rounding over what is left).
// Random numbers: candidate t of particle i of the global walker first_walker + w has counter i 2^16 + t, for any TRIALS, WG,
// chunk or number of launches.
// A launch stops a walker before `budget` loop trips are spent; the next goes on.
// Trips of a round: see `cost`, and dpp.rs.
struct Params {
  seed_low: u32, seed_high: u32, step: u32, purpose: u32,
  first_walker: u32, walkers: u32, n: u32, dim: u32,
  ld4: u32, begin: u32, budget: u32, orbitals: u32,
  length: f32, twist_x: f32, twist_y: f32, twist_z: f32,
  up: u32, pad0: u32, pad1: u32, pad2: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> states: array<u32>;
@group(0) @binding(2) var<storage, read> orbitals: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> basis: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> progress: array<u32>;
@group(0) @binding(5) var<storage, read_write> z: array<f32>;

// v of all candidates, two an entry: [a][trial / 2]
var<workgroup> wave: array<vec4<f32>, ROWS * TRIALS / 2>;
// q_j^* v of the accepted candidate, two columns an entry
var<workgroup> overlap: array<vec4<f32>, ROWS / 2>;
var<workgroup> sums: array<f32, WG * TRIALS>;
// particle, candidates refused, all candidates, accepted trial (TRIALS: none)
var<workgroup> place: vec4<u32>;
// |v|^2 outside of the columns so far, and how often the accepted one is orthogonalised
var<workgroup> outside: array<f32, TRIALS>;
var<workgroup> turns: u32;

// conj(a) b of two complex numbers at a time
fn conjugate_times(a: vec4<f32>, b: vec2<f32>) -> vec4<f32> {
  return vec4<f32>(a.x, -a.y, a.z, -a.w) * b.x + a.yxwz * b.y;
}

fn candidate(walker: u32, particle: u32, trial: u32) -> vec4<f32> {
  let counter = vec4<u32>(particle * 65536u + trial, p.first_walker + walker, p.step, p.purpose);
  return uniform4(philox(vec2<u32>(p.seed_low, p.seed_high), counter));
}

// Upper bound of the loop trips of one invocation in a round that places particle i.
fn cost(i: u32) -> u32 {
  let pairs = (i + 1u) / 2u;
  let columns = (pairs + PAIRS * WG - 1u) / (PAIRS * WG) * (p.n + 1u);
  return 32u + 3u * TRIALS + 2u * WG + 4u * ((p.n + WG - 1u) / WG) + 3u * columns + 2u * ((p.n + LINES * WG - 1u) / (LINES * WG)) * (pairs + 1u);
}

// v_a of the accepted candidate
fn accepted(a: u32, winner: u32) -> vec2<f32> {
  let v = wave[a * TRIALS / 2u + winner / 2u];
  return select(v.xy, v.zw, (winner & 1u) == 1u);
}

fn replace(a: u32, winner: u32, v: vec2<f32>) {
  let at = a * TRIALS / 2u + winner / 2u;
  let old = wave[at];
  wave[at] = select(vec4<f32>(v, old.zw), vec4<f32>(old.xy, v), (winner & 1u) == 1u);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let flat = flat_group(group, groups);
  let w = min(flat, p.walkers - 1u);
  let base = w * p.n * p.ld4;
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
  let t = vec3<f32>(p.twist_x, p.twist_y, p.twist_z);
  var spent = 64u + 4u * ((p.n + WG - 1u) / WG) * 15u;
  loop {
    let at = workgroupUniformLoad(&place);
    let i = at.x;
    if (i >= p.n || spent + cost(i) > p.budget) { break; }
    spent += cost(i);
    let root = inverseSqrt(f32(select(p.n - p.up, p.up, i < p.up)));

    var y: array<vec4<f32>, TRIALS>;
    #for t in TRIALS
    y[$t] = candidate(w, i, at.y + $tu);
    #end
    for (var a = lane; a < p.n; a += WG) {
      let m = round(orbitals[min(states[w * p.n + a], p.orbitals - 1u)].xyz - t);
      let size = select(0.0, root, (a < p.up) == (i < p.up));
      var v: array<vec2<f32>, TRIALS>;
      #for t in TRIALS
      {
        var u = y[$t].xyz;
        if (p.dim == 2u) { u.z = 0.0; }
        let turns = m * (u - round(u));
        let rest = turns - round(turns);
        v[$t] = size * sincos2pi(rest.x + rest.y + rest.z).yx;
      }
      #end
      #for t in HALF
      wave[a * HALF + $tu] = vec4<f32>(v[2u * $tu], v[2u * $tu + 1u]);
      #end
    }
    workgroupBarrier();

    // sums of |q_j^* v|^2
    var inside: array<f32, TRIALS>;
    for (var j = PAIRS * lane; 2u * j < i; j += PAIRS * WG) {
      var c: array<array<vec4<f32>, PAIRS>, TRIALS>;
      let column = base + j;
      for (var a = 0u; a < p.n; a++) {
        #for q in PAIRS
        let q$q = basis[column + a * p.ld4 + $qu];
        #end
        #for t in HALF
        {
          let v = wave[a * HALF + $tu];
          #for q in PAIRS
          c[2u * $tu][$q] += conjugate_times(q$q, v.xy);
          c[2u * $tu + 1u][$q] += conjugate_times(q$q, v.zw);
          #end
        }
        #end
      }
      #for q in PAIRS
      if (2u * (j + $qu) < i) {
        #for t in TRIALS
        inside[$t] += dot(c[$t][$q], c[$t][$q]);
        #end
      }
      #end
    }
    #for t in TRIALS
    sums[lane * TRIALS + $tu] = inside[$t];
    #end
    workgroupBarrier();
    if (lane < TRIALS) {
      var all = 0.0;
      for (var q = 0u; q < WG; q++) { all += sums[q * TRIALS + lane]; }
      outside[lane] = 1.0 - all;
    }
    workgroupBarrier();
    if (lane == 0u) {
      var winner = TRIALS;
      #for t in TRIALS
      if (winner == TRIALS && outside[$t] > y[$t].w) { winner = $tu; }
      #end
      place.w = winner;
      turns = select(1u, 2u, outside[min(winner, TRIALS - 1u)] < 0.25);
    }
    let winner = workgroupUniformLoad(&place).w;
    let times = workgroupUniformLoad(&turns);
    if (winner < TRIALS) {
      for (var turn = 0u; turn < times; turn++) {
        for (var j = PAIRS * lane; 2u * j < i; j += PAIRS * WG) {
          var c: array<vec4<f32>, PAIRS>;
          for (var a = 0u; a < p.n; a++) {
            let v = accepted(a, winner);
            #for q in PAIRS
            c[$q] += conjugate_times(basis[base + a * p.ld4 + j + $qu], v);
            #end
          }
          #for q in PAIRS
          if (2u * (j + $qu) < i) { overlap[j + $qu] = c[$q]; }
          #end
        }
        workgroupBarrier();
        for (var a = LINES * lane; a < p.n; a += LINES * WG) {
          #for r in LINES
          let a$r = min(a + $ru, p.n - 1u);
          var v$r = accepted(a$r, winner);
          #end
          for (var j = 0u; 2u * j < i; j++) {
            let c = overlap[j];
            #for r in LINES
            {
              let q = basis[base + a$r * p.ld4 + j];
              v$r -= q.xy * c.x + vec2<f32>(-q.y, q.x) * c.y + q.zw * c.z + vec2<f32>(-q.w, q.z) * c.w;
            }
            #end
          }
          #for r in LINES
          if (a + $ru < p.n) { replace(a + $ru, winner, v$r); }
          #end
        }
        workgroupBarrier();
      }
      var square = 0.0;
      for (var a = lane; a < p.n; a += WG) {
        let v = accepted(a, winner);
        square += dot(v, v);
      }
      sums[lane] = square;
      workgroupBarrier();
      square = 0.0;
      for (var q = 0u; q < WG; q++) { square += sums[q]; }
      let scale = inverseSqrt(max(square, 1e-30));
      for (var a = lane; a < p.n; a += WG) {
        let v = scale * accepted(a, winner);
        let to = base + a * p.ld4 + i / 2u;
        if ((i & 1u) == 0u) {
          basis[to] = vec4<f32>(v, 0.0, 0.0);
        } else {
          basis[to] = vec4<f32>(basis[to].xy, v);
        }
      }
      if (lane == 0u) {
        let y = candidate(w, i, at.y + winner);
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
