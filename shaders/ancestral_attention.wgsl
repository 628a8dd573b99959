// ancestral_attention: spins drawn site by site, q(s_i = +1 | s_<i) = 1 / (1 + exp(-l_i)), with ln q0 of what was drawn.
//
// The logit l_i comes from a causal transformer with a token a site, whose stages (shared/tokens) keep the keys and values of
// the sites before in the sample's `stride` of `scratch`: a whole sample costs one causal pass. Stage 0 (kind 4): target = the
// spin before, (s_(i-1), 0, 0, 0), 0 for the first site. The logits stand in the first numbers of vec4 `logits` + i.
// Scratch is kept between launches, each of which does all stages of sites site .. end - 1, or stages stage .. stage_end - 1
// of one site, which is drawn behind the last of the `stages`.
// To the logit `factor` (h_i + sum over j < i of J_ij s_j) is added, from `fields` as in the kernel of that name.
//   spins of sample w at (first + w) sites, log_q[first + w] = ln q0
// A workgroup carries SAMPLES samples, a task is 4 columns of a stage for one sample, or for TILE (1 or 4) in a product.
// Trips: sites x stages x rounds x length, see the host side.
struct Params {
  seed_low: u32, seed_high: u32, step: u32, purpose: u32,
  first_walker: u32, count: u32, sites: u32, site: u32,
  end: u32, stage: u32, stage_end: u32, stages: u32,
  stride: u32, first: u32, logits: u32, scale: f32,
  factor: f32, pad0: u32, pad1: u32, pad2: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> program: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> scratch: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> spins: array<f32>;
@group(0) @binding(5) var<storage, read_write> log_q: array<f32>;
@group(0) @binding(6) var<storage, read> fields: array<vec2<u32>>;

fn draw(w: u32, site: u32) {
  let at = w * p.stride + p.logits + site;
  let logit = scratch[at].x + p.factor * field(w, site, p.sites);
  scratch[at].x = logit;
  draw_spin(w, site, p.sites, logit);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first = flat_group(group, groups) * SAMPLES;
  let samples = min(SAMPLES, p.count - min(first, p.count));
  for (var site = p.site; site < p.end; site++) {
    for (var stage = p.stage; stage < p.stage_end; stage++) {
      let head = program[3u * stage];
      let place = program[3u * stage + 1u];
      let bias = program[3u * stage + 2u].x;
      let wide = select(1u, TILE, head.x == 0u);
      let tasks = ((samples + wide - 1u) / wide) * head.z;
      for (var task = lane; task < tasks; task += WG) {
        let w = first + (task / head.z) * wide;
        if (head.x == 4u) {
          var before = 0.0;
          if (site > 0u) { before = spins[(p.first + w) * p.sites + site - 1u]; }
          scratch[w * p.stride + place.y] = vec4<f32>(before, 0.0, 0.0, 0.0);
        } else {
          carry_out(head, place, bias, w, task % head.z, site + 1u);
        }
      }
      storageBarrier();
    }
    if (p.stage_end == p.stages) { for (var w = lane; w < samples; w += WG) { draw(first + w, site); } }
    storageBarrier();
  }
}
