// ancestral_group: what `ancestral` draws, with a workgroup for each sample: on GPUs samples are few.
//
// Program, parameters, fields and results as there; the cache of a sample lies together, unit u at word u (logits + sites of
// them). The lanes take the terms of a sum by turns, four rows at a time, and a tree in workgroup memory adds them up. Bound by
// the weights, which every sample reads once, from the cache of the device. Trips: sites x (layers x outputs / 4 x (inputs seen
// / WG + log2 WG) + entries / WG + log2 WG), each loop met two more, and the random numbers: see the host side.
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

var<workgroup> parts: array<vec4<f32>, WG>;

// The sum of what the lanes hold, for all of them.
fn total(lane: u32, part: vec4<f32>) -> vec4<f32> {
  parts[lane] = part;
  workgroupBarrier();
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    if (lane < half) { parts[lane] += parts[lane + half]; }
    workgroupBarrier();
  }
  let sum = parts[0];
  workgroupBarrier();
  return sum;
}

fn put(own: u32, head: vec4<u32>, about: vec4<u32>, unit: u32, sum: f32) {
  var v = sum;
  let at = own + head.y + unit;
  if ((about.w & 2u) != 0u) { v += parameters[about.y + unit]; }
  if ((about.w & 32u) != 0u) { v += cache[at]; }
  if ((about.w & 4u) != 0u) { v *= select(parameters[about.z + unit], 1.0, v > 0.0); }
  if ((about.w & 8u) != 0u) { v = tanh_(v); }
  cache[at] = v;
}

// Outputs of one site of the sample whose cache begins at `own`: rows by four.
fn layer(own: u32, site: u32, lane: u32, head: vec4<u32>, about: vec4<u32>) {
  let inclusive = about.w & 1u;
  let diagonal = (about.w & 16u) != 0u;
  let begin = select(0u, site * head.z, diagonal);
  let sees = (site + inclusive) * head.z - begin;
  // sites that the rows of all sites before see
  let triangle = site * (site + 1u) / 2u - select(site, 0u, inclusive == 1u);
  var at = about.x + head.z * head.w * select(triangle, site, diagonal);
  let x = own + head.x + begin;
  for (var row = 0u; row < head.w; row += 4u) {
    // rows past the last read the last again
    let most = min(head.w - row, 4u) - 1u;
    let places = min(vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(most)) * sees + at;
    var sum = vec4<f32>();
    for (var k = lane; k < sees; k += WG) {
      let m = places + k;
      sum += cache[x + k] * vec4<f32>(parameters[m.x], parameters[m.y], parameters[m.z], parameters[m.w]);
    }
    let all = total(lane, sum);
    if (lane <= most) { put(own, head, about, site * head.w + row + lane, all[lane]); }
    at += (most + 1u) * sees;
  }
  storageBarrier();
  workgroupBarrier();
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = flat_group(group, groups);
  if (w >= p.count) { return; }
  let own = w * (p.logits + p.sites);
  for (var site = p.site; site < p.end; site++) {
    for (var l = 0u; l < p.layers; l++) { layer(own, site, lane, program[2u * l], program[2u * l + 1u]); }
    let known = total(lane, vec4<f32>(field_of(lane, WG, w, site, p.sites), 0.0, 0.0, 0.0)).x;
    if (lane == 0u) {
      let at = own + p.logits + site;
      let logit = cache[at] + p.factor * (known + bitcast<f32>(fields[site].y));
      cache[at] = logit;
      cache[own + site] = draw_spin(w, site, p.sites, logit);
    }
    storageBarrier();
    workgroupBarrier();
  }
}
