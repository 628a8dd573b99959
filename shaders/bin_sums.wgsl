// bin_sums: sums over the walkers that count of each column of a table, and of its squares.
//
//   partial[group][0][c] = sum_w v_wc,   partial[group][1][c] = sum_w v_wc^2,   w of a span of walkers with weight.w != 0
//   values f32 [walker][columns];  weights vec4 [batch] of `weights`, those of the chunk from walker `first` on
//   partial f32 [groups][2][columns], those of the chunk from row `row` on: the host adds them in float64
// One workgroup a span; a lane owns columns lane, lane + WG, ... Trips: span ceil(columns/WG).
struct Params { walkers: u32, columns: u32, span: u32, first: u32, row: u32, pad0: u32, pad1: u32, pad2: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> partial: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let g = flat_group(group, groups);
  if (g * p.span >= p.walkers) { return; }
  let end = min(p.walkers, (g + 1u) * p.span);
  for (var c = lane; c < p.columns; c += WG) {
    var sum = 0.0;
    var squares = 0.0;
    for (var w = g * p.span; w < end; w++) {
      if (weights[p.first + w].w != 0.0) {
        let v = values[w * p.columns + c];
        sum += v;
        squares += v * v;
      }
    }
    let at = 2u * (p.row + g) * p.columns + c;
    partial[at] = sum;
    partial[at + p.columns] = squares;
  }
}
