// ancestral: spins drawn site by site, q(s_i = +1 | s_<i) = 1 / (1 + exp(-l_i)), with ln q0 of what was drawn.
//
// The logit l_i comes from masked layers, each of which adds the outputs of site i alone to a cache of those of the sites
// before it: a whole sample costs one triangular pass. The program has two vec4<u32> a layer:
//   (source, target, inputs, outputs) (weights, bias, slopes, flags)
//   target (i, c) = f(bias (i, c) + sum over sites j < i (flag 1: j <= i; flags 1 and 16: j = i) and d of
//                   weights (i, c; j, d) source (j, d))
//   flag 2: there is a bias; f: flag 4 PReLU with slopes (i, c), flag 8 tanh, else the identity
//   flag 32: a residual ends: what target (i, c) holds, from a layer before, is added to the sum
// Source and target are places in the cache, `inputs` and `outputs` units a site; weights, bias and slopes are words of the
// parameters, rows of weights (i, c) without gaps. The cache holds SPAN samples after SPAN samples, of these
// unit u of sample w at word u SPAN + w % SPAN: what a workgroup needs lies together. First the spins, last the logits (from
// unit `logits` on); it is kept between launches, of which each does sites site .. end - 1.
// To the logit in the cache `factor` (h_i + sum over j < i of J_ij s_j) is added, from `fields` as in the kernel of that name.
//   spins of sample w at (first + w) sites, log_q[first + w] = ln q0
// One invocation owns TILE samples, which share the loaded weights: on CPU drivers loads are what costs, on GPUs samples are
// few. Trips: sites x (layers x (outputs / 4 + outputs % 4) x inputs seen + (11 + entries) TILE) and more, see the host side.
struct Params {
  seed_low: u32, seed_high: u32, step: u32, purpose: u32,
  first_walker: u32, count: u32, sites: u32, site: u32,
  end: u32, layers: u32, logits: u32, first: u32,
  factor: f32, pad0: u32, pad1: u32, pad2: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> program: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> parameters: array<f32>;
@group(0) @binding(3) var<storage, read_write> cache: array<f32>;
@group(0) @binding(4) var<storage, read_write> spins: array<f32>;
@group(0) @binding(5) var<storage, read_write> log_q: array<f32>;
@group(0) @binding(6) var<storage, read> fields: array<vec2<u32>>;

const SPAN = WG * TILE;

// The word of unit 0 of a sample.
fn place(w: u32) -> u32 { return w / SPAN * (p.logits + p.sites) * SPAN + w % SPAN; }

fn put(w: u32, head: vec4<u32>, about: vec4<u32>, unit: u32, sum: f32) {
  if (w >= p.count) { return; }
  var v = sum;
  let at = place(w) + (head.y + unit) * SPAN;
  if ((about.w & 2u) != 0u) { v += parameters[about.y + unit]; }
  if ((about.w & 32u) != 0u) { v += cache[at]; }
  if ((about.w & 4u) != 0u) { v *= select(parameters[about.z + unit], 1.0, v > 0.0); }
  if ((about.w & 8u) != 0u) { v = tanh_(v); }
  cache[at] = v;
}

// Outputs of one site for samples w .. w + TILE - 1: rows by four, then one by one.
fn layer(w: u32, site: u32, head: vec4<u32>, about: vec4<u32>) {
  let inclusive = about.w & 1u;
  let diagonal = (about.w & 16u) != 0u;
  let begin = select(0u, site * head.z, diagonal);
  let sees = (site + inclusive) * head.z - begin;
  let unit = site * head.w;
  // sites that the rows of all sites before see
  let triangle = site * (site + 1u) / 2u - select(site, 0u, inclusive == 1u);
  var at = about.x + head.z * head.w * select(triangle, site, diagonal);
  #for t in TILE
  let x$t = place(min(w + $tu, p.count - 1u)) + (head.x + begin) * SPAN;
  #end
  var row = 0u;
  for (; row + 4u <= head.w; row += 4u) {
    #for t in TILE
    var sum$t = vec4<f32>();
    #end
    for (var k = 0u; k < sees; k++) {
      let m = at + k;
      let column = vec4<f32>(parameters[m], parameters[m + sees], parameters[m + 2u * sees], parameters[m + 3u * sees]);
      #for t in TILE
      sum$t += cache[x$t + k * SPAN] * column;
      #end
    }
    #for t in TILE
    for (var r = 0u; r < 4u; r++) { put(w + $tu, head, about, unit + row + r, sum$t[r]); }
    #end
    at += 4u * sees;
  }
  for (; row < head.w; row++) {
    #for t in TILE
    var sum$t = 0.0;
    #end
    for (var k = 0u; k < sees; k++) {
      let m = parameters[at + k];
      #for t in TILE
      sum$t += cache[x$t + k * SPAN] * m;
      #end
    }
    #for t in TILE
    put(w + $tu, head, about, unit + row, sum$t);
    #end
    at += sees;
  }
}

fn draw(w: u32, site: u32) {
  let at = place(w) + (p.logits + site) * SPAN;
  let logit = cache[at] + p.factor * field(w, site, p.sites);
  cache[at] = logit;
  cache[place(w) + site * SPAN] = draw_spin(w, site, p.sites, logit);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = (flat_group(group, groups) * WG + lane) * TILE;
  if (w >= p.count) { return; }
  for (var site = p.site; site < p.end; site++) {
    for (var l = 0u; l < p.layers; l++) { layer(w, site, program[2u * l], program[2u * l + 1u]); }
    for (var t = w; t < min(w + TILE, p.count); t++) { draw(t, site); }
  }
}
