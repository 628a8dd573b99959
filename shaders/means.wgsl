// means: columns of `moments` added over its workgroups and divided by the number of walkers counted.
//
//   mean f32 [COLUMNS]: 0 and 19 stay counts, the others become means (0 if no walker counts, and no number if the count is none)
// One workgroup, lane q owns column q. Trips: groups + 1.
struct Params { groups: u32, pad0: u32, pad1: u32, pad2: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> partial: array<f32>;
@group(0) @binding(2) var<storage, read_write> mean: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(local_invocation_index) lane: u32) {
  if (lane >= COLUMNS) { return; }
  var total = 0.0;
  var count = 0.0;
  for (var g = 0u; g < p.groups; g++) {
    total += partial[COLUMNS * g + lane];
    count += partial[COLUMNS * g];
  }
  // a count that is no number must stay so: comparisons with it may come out either way
  if (lane != 0u && lane != 19u) { total /= select(count, 1.0, finite(count) && count < 1.0); }
  mean[lane] = total;
}
