// ancestral_convolution: spins of a square lattice drawn site by site, q(s_i = +1 | s_<i) = 1 / (1 + exp(-l_i)), with ln q0 of
// what was drawn; the logit l_i comes from masked convolutions.
//
// Each layer adds the channels of site i alone to a cache of those of the sites before it, from its taps: taps x inputs x
// outputs multiply-adds a site instead of a whole pass. The program has three vec4<u32> a layer:
//   (source, target, inputs, outputs) (h, taps, weights, bias) (slopes, flags, 0, 0)
//   target (i, c) = f(bias c + sum over taps t and d of weights (t, d, c) source (i + o_t, d)), o_t as in `convolution`
//   flag 2: there is a bias; flag 4: f is PReLU with slopes c, else the identity
//   flag 8: a residual ends: what target (i, c) holds, from a layer before, is added to the sum
// Source and target are vec4 of a sample's part of the cache (`stride` of them), ceil(outputs / 4) a site; a layer of one input
// sees the spins. Weights, bias and slopes are places (vec4) of `weights`, padded with zeros. The last layer makes the logits,
// from vec4 `logits` on. The cache is kept between launches, of which each does sites site .. end - 1.
// To the logit in the cache `factor` (h_i + sum over j < i of J_ij s_j) is added, from `fields` as in the kernel of that name.
//   spins of sample w at (first + w) side^2, log_q[first + w] = ln q0
// A workgroup owns TILE samples: lane = column of 4 channels + columns x slice; the taps are dealt out to the slices, whose
// sums meet in workgroup memory. TILE + 4 loads of vec4 for 16 TILE multiply-adds: bound by loads. Trips: for each site and
// layer ceil(taps / slices) (3 + inputs / 4) + TILE (3 + slices) and more, see the host side.
struct Params {
  seed_low: u32, seed_high: u32, step: u32, purpose: u32,
  first_walker: u32, count: u32, side: u32, site: u32,
  end: u32, layers: u32, stride: u32, logits: u32,
  first: u32, factor: f32, pad0: u32, pad1: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> program: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> cache: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> spins: array<f32>;
@group(0) @binding(5) var<storage, read_write> log_q: array<f32>;
@group(0) @binding(6) var<storage, read> fields: array<vec2<u32>>;

var<workgroup> sums: array<vec4<f32>, WG * TILE>;

// Sums of a column over the taps slice, slice + slices, ...
fn gather(w: u32, site: u32, lane: u32, column: u32, slice: u32, slices: u32, head: vec4<u32>, about: vec4<u32>) {
  let out4 = (head.w + 3u) / 4u;
  let in4 = head.z / 4u;
  let span = 2u * about.x + 1u;
  #for t in TILE
  let x$t = min(w + $tu, p.count - 1u);
  var sum$t = vec4<f32>();
  #end
  for (var tap = slice; tap < about.y; tap += slices) {
    // below 0 they wrap to large numbers
    let i = site / p.side + tap / span - about.x;
    let j = site % p.side + tap % span - about.x;
    if (i < p.side && j < p.side) {
      let source = i * p.side + j;
      var at = about.z + tap * head.z * out4 + column;
      if (head.z == 1u) {
        let m = weights[at];
        #for t in TILE
        sum$t += spins[(p.first + x$t) * p.side * p.side + source] * m;
        #end
      }
      for (var k = 0u; k < in4; k++) {
        let m0 = weights[at]; let m1 = weights[at + out4]; let m2 = weights[at + 2u * out4]; let m3 = weights[at + 3u * out4];
        #for t in TILE
        { let v = cache[x$t * p.stride + head.x + source * in4 + k]; sum$t += v.x * m0 + v.y * m1 + v.z * m2 + v.w * m3; }
        #end
        at += 4u * out4;
      }
    }
  }
  #for t in TILE
  sums[$tu * WG + lane] = sum$t;
  #end
}

// The sum over slices of the column `own` of `width` from `first` on, and what follows.
fn finish(w: u32, t: u32, site: u32, own: u32, first: u32, width: u32, slices: u32, layer: u32) {
  let head = program[3u * layer]; let about = program[3u * layer + 1u]; let then = program[3u * layer + 2u];
  var v = vec4<f32>();
  for (var s = 0u; s < slices; s++) { v += sums[t * WG + s * width + own]; }
  let column = first + own;
  if (w + t >= p.count) { return; }
  let at = (w + t) * p.stride + head.y + site * ((head.w + 3u) / 4u) + column;
  if ((then.y & 2u) != 0u) { v += weights[about.w + column]; }
  if ((then.y & 8u) != 0u) { v += cache[at]; }
  if ((then.y & 4u) != 0u) { v *= select(weights[then.x + column], vec4<f32>(1.0), v > vec4<f32>()); }
  cache[at] = v;
}

fn draw(w: u32, site: u32) {
  let sites = p.side * p.side;
  let at = w * p.stride + p.logits + site;
  let logit = cache[at].x + p.factor * field(w, site, sites);
  cache[at].x = logit;
  draw_spin(w, site, sites, logit);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = flat_group(group, groups) * TILE;
  if (w >= p.count) { return; }
  for (var site = p.site; site < p.end; site++) {
    for (var l = 0u; l < p.layers; l++) {
      let head = program[3u * l];
      let out4 = (head.w + 3u) / 4u;
      for (var first = 0u; first < out4; first += WG) {
        let width = min(out4 - first, WG);
        let slices = WG / width;
        if (lane < width * slices) { gather(w, site, lane, first + lane % width, lane / width, slices, head, program[3u * l + 1u]); }
        workgroupBarrier();
        for (var u = lane; u < width * TILE; u += WG) { finish(w, u / width, site, u % width, first, width, slices, l); }
        storageBarrier();
        workgroupBarrier();
      }
    }
    if (lane < TILE && w + lane < p.count) { draw(w + lane, site); }
    storageBarrier();
    workgroupBarrier();
  }
}
