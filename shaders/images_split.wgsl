// images_split: the factor f of d ln q of each sample as those of d ln q0 of its images, f exp(l_m) / sum_k exp(l_k).
//
//   logs    f32 [image][count]: l_m = ln q0 of image m;  factor of sample w: word first + step w of factors
//   shares  f32 [image][count]. One invocation a sample. Trips: 3 images.
struct Params { count: u32, images: u32, first: u32, step: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> logs: array<f32>;
@group(0) @binding(2) var<storage, read> factors: array<f32>;
@group(0) @binding(3) var<storage, read_write> shares: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = flat_group(group, groups) * WG + lane;
  if (w >= p.count) { return; }
  var most = logs[w];
  for (var m = 0u; m < p.images; m++) { most = max(most, logs[m * p.count + w]); }
  var sum = 0.0;
  for (var m = 0u; m < p.images; m++) {
    let e = exp(logs[m * p.count + w] - most);
    shares[m * p.count + w] = e;
    sum += e;
  }
  let f = factors[p.first + p.step * w] / sum;
  for (var m = 0u; m < p.images; m++) { shares[m * p.count + w] *= f; }
}
