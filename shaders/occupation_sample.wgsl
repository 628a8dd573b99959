// occupation_sample: states drawn from p(K) token by token, with their ln p.
//
// Row i: logits (x1hat for i = 0, else the network on s_0 .. s_(i-1)) + bias row i; the choice among
// s_(i-1) < j <= M - n + i is by inversion with the first uniform number of the Philox counter
// (i, first_walker + w, step, purpose); so a draw depends on the walker's global index alone.
// A workgroup carries WALKERS walkers through tokens token .. token + tokens - 1. The network is a
// list of stages (shared/tokens), each with a barrier behind it; here
//   kind 0  flag 4: only columns a window can reach, the others keep what they held
//   kind 4  target = momentum of the last chosen orbital
// Stage 0 writes x1hat to the logits; stages 1 .. stages - 1 are the network. Places are vec4 units in
// the walker's `stride` of `scratch`, which keeps the cache between launches. Heads are padded to
// multiples of 4 columns. `tables`: M momenta, then n rows of ld4 biases. One invocation of a `linear`
// stage owns TILE walkers x 4 columns (TILE 1 or 4).
// Trips: tokens x stages x rounds x length, see the host side.
struct Params {
  seed_low: u32, seed_high: u32, step: u32, purpose: u32,
  first_walker: u32, count: u32, n: u32, orbitals: u32,
  ld4: u32, token: u32, tokens: u32, stages: u32,
  stride: u32, first: u32, logits: u32, scale: f32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> program: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> tables: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> scratch: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> states: array<u32>;
@group(0) @binding(6) var<storage, read_write> logp: array<f32>;

// Whether columns 4 col .. 4 col + 3 lie outside the windows of row `token` of TILE walkers.
fn outside_windows(walker: u32, col: u32, token: u32) -> bool {
  if (4u * col > p.orbitals - p.n + token) { return true; }
  if (token == 0u) { return false; }
  let last = p.count - 1u;
  let at = p.first * p.n + token - 1u;
  var before = states[at + walker * p.n];
  if (TILE > 1u) {
    before = min(before, states[at + min(walker + 1u, last) * p.n]);
    before = min(before, states[at + min(walker + 2u, last) * p.n]);
    before = min(before, states[at + min(walker + 3u, last) * p.n]);
  }
  return 4u * col + 3u <= before;
}

fn logit(walker: u32, token: u32, j: u32) -> f32 {
  let place = j >> 2u;
  return scratch[walker * p.stride + p.logits + place][j & 3u] + tables[p.orbitals + token * p.ld4 + place][j & 3u];
}

fn draw(walker: u32, token: u32) {
  let s = (p.first + walker) * p.n + token;
  let high = p.orbitals - p.n + token;
  var low = 0u;
  // within the table whatever the state
  if (token > 0u) { low = min(states[s - 1u] + 1u, high); }
  var most = -3.0e38;
  for (var j = low; j <= high; j++) { most = max(most, logit(walker, token, j)); }
  var sum = 0.0;
  for (var j = low; j <= high; j++) { sum += exp(logit(walker, token, j) - most); }
  let counter = vec4<u32>(token, p.first_walker + walker, p.step, p.purpose);
  let bound = uniform4(philox(vec2<u32>(p.seed_low, p.seed_high), counter)).x * sum;
  // the last orbital of non-zero weight is taken where rounding leaves the bound above all sums
  var choice = low;
  var below = 0.0;
  for (var j = low; j <= high; j++) {
    let e = exp(logit(walker, token, j) - most);
    if (e > 0.0 && below <= bound) { choice = j; }
    below += e;
    if (below > bound) { break; }
  }
  states[s] = choice;
  let gain = logit(walker, token, choice) - most - log1p_(sum - 1.0);
  var before = 0.0;
  if (token > 0u) { before = logp[p.first + walker]; }
  logp[p.first + walker] = before + gain;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first = flat_group(group, groups) * WALKERS;
  let walkers = min(WALKERS, p.count - min(first, p.count));
  for (var token = p.token; token < p.token + p.tokens; token++) {
    // the first token needs stage 0 alone, the others all but stage 0
    let begin = select(1u, 0u, token == 0u);
    let end = select(p.stages, 1u, token == 0u);
    for (var stage = begin; stage < end; stage++) {
      let head = program[3u * stage];
      let place = program[3u * stage + 1u];
      let bias = program[3u * stage + 2u].x;
      let wide = select(1u, TILE, head.x == 0u);
      let tasks = ((walkers + wide - 1u) / wide) * head.z;
      for (var task = lane; task < tasks; task += WG) {
        let walker = first + (task / head.z) * wide;
        let col = task % head.z;
        if (head.x == 4u) {
          scratch[walker * p.stride + place.y] = tables[min(states[(p.first + walker) * p.n + token - 1u], p.orbitals - 1u)];
        } else if ((head.w & 4u) == 0u || !outside_windows(walker, col, token)) {
          carry_out(head, place, bias, walker, col, max(token, 1u));
        }
      }
      storageBarrier();
    }
    for (var w = lane; w < walkers; w += WG) { draw(first + w, token); }
    storageBarrier();
  }
}
