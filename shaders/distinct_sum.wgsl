// distinct_sum: sums over the walkers of each distinct state.
//
//   mode 0: out[row] = sqrt(c), c the number of walkers in the row: the factor of its score in a Fisher matrix
//   mode 1: out[row] = sum of their weights / sqrt(c): the weight of the score times that factor
//   place u32 [walker], total u32 [1] of `distinct_rows`;  weights f32, a walker's at stride w;
//   factors f32 [row]: sqrt(c), read in mode 1;  out f32 [rows], 0 past the last row
// A workgroup owns a row: lanes add walkers lane, lane + WG, ..., then a tree. Trips: walkers / WG + 6.
struct Params { walkers: u32, rows: u32, stride: u32, mode: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> place: array<u32>;
@group(0) @binding(2) var<storage, read> total: array<u32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read> factors: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

var<workgroup> partial: array<f32, WG>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = flat_group(group, groups);
  if (row >= p.rows) { return; }
  var sum = 0.0;
  if (row < total[0]) {
    for (var w = lane; w < p.walkers; w += WG) {
      if (place[w] == row) {
        if (p.mode == 0u) { sum += 1.0; } else { sum += weights[p.stride * w]; }
      }
    }
  }
  partial[lane] = sum;
  workgroupBarrier();
  for (var s = WG / 2u; s > 0u; s >>= 1u) {
    if (lane < s) { partial[lane] += partial[lane + s]; }
    workgroupBarrier();
  }
  if (lane == 0u) {
    let t = partial[0];
    if (p.mode == 0u) { out[row] = sqrt(t); } else { out[row] = t / max(factors[row], 1.0); }
  }
}
