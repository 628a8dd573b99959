// metropolis_accept: takes a proposal with probability min(1, exp 2 (ln|Psi'| - ln|Psi|)).
//
//   x, proposal f32 [walker][size]; log_psi, proposed f32 [walker]
//   counts u32 [batch][2]: += accepted, += proposals whose ln|Psi| is not finite or below -1e29 (refused)
//   series f32 [sweep][tracked]: ln|Psi|^2 after the move, for the first `tracked` walkers of the batch
//   here  place in the batch of this chunk's first walker; first_walker: its global number, for random numbers
// An accepted x is folded into [0, length). A walker without a finite ln|Psi| of its own takes any finite one.
// One workgroup a walker: all lanes decide alike, then copy. Trips: ceil(size / WG) + 10.
struct Params {
  seed_low: u32, seed_high: u32, step: u32, purpose: u32,
  first_walker: u32, walkers: u32, size: u32, here: u32,
  tracked: u32, sweep: u32, length: f32, inverse_length: f32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read> proposal: array<f32>;
@group(0) @binding(3) var<storage, read_write> log_psi: array<f32>;
@group(0) @binding(4) var<storage, read> proposed: array<f32>;
@group(0) @binding(5) var<storage, read_write> counts: array<u32>;
@group(0) @binding(6) var<storage, read_write> series: array<f32>;

fn usable(v: f32) -> bool { return finite(v) && v > -1e29; }

fn fold(v: f32) -> f32 {
  var f = v - p.length * floor(v * p.inverse_length);
  if (f < 0.0) { f += p.length; }
  if (f >= p.length) { f -= p.length; }
  return f;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let flat = flat_group(group, groups);
  let w = min(flat, p.walkers - 1u);
  let before = log_psi[w];
  let after = proposed[w];
  let bits = philox(vec2<u32>(p.seed_low, p.seed_high), vec4<u32>(0xffffffffu, p.first_walker + w, p.step, p.purpose));
  let possible = usable(after);
  let accepted = possible && (!usable(before) || log(uniform4(bits).x) < 2.0 * (after - before));
  // everybody has read log_psi before lane 0 replaces it
  storageBarrier();
  if (flat < p.walkers) {
    if (accepted) {
      for (var c = lane; c < p.size; c += WG) { x[w * p.size + c] = fold(proposal[w * p.size + c]); }
    }
    if (lane == 0u) {
      let walker = p.here + w;
      if (accepted) {
        log_psi[w] = after;
        counts[2u * walker] += 1u;
      }
      if (!possible) { counts[2u * walker + 1u] += 1u; }
      if (walker < p.tracked) { series[p.sweep * p.tracked + walker] = 2.0 * select(before, after, accepted); }
    }
  }
}
