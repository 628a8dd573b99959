// images_join: ln q = ln of the mean of q0 over the images of each sample, ln sum_m exp(l_m) - ln(images), from their logarithms.
//
//   logs    f32 [image][count]: l_m = ln q0 of image m
//   log_q   f32 [count]. What is not finite in one image stays so, by bits. One invocation a sample. Trips: 2 images.
struct Params { count: u32, images: u32, first: u32, step: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> logs: array<f32>;
@group(0) @binding(2) var<storage, read_write> log_q: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = flat_group(group, groups) * WG + lane;
  if (w >= p.count) { return; }
  var most = logs[w];
  var wrong = 0.0;
  var any = false;
  for (var m = 0u; m < p.images; m++) {
    let l = logs[m * p.count + w];
    if (!finite(l)) { wrong = l; any = true; }
    most = max(most, l);
  }
  var sum = 0.0;
  for (var m = 0u; m < p.images; m++) { sum += exp(logs[m * p.count + w] - most); }
  // the sum lies between 1 and the number of images
  log_q[w] = select(most + (log1p_(sum - 1.0) - log1p_(f32(p.images) - 1.0)), wrong, any);
}
