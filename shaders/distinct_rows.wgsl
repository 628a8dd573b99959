// distinct_rows: numbers the distinct states in the order of their first walkers.
//
//   first u32 [walker] of `distinct_match`
//   place u32 [walker]: row of its state;  list u32 [walkers]: first walker of each row, 0 past the last
//   total u32 [4]: number of rows, then 0
// One workgroup: a lane counts the firsts among walkers lane share .. , share = ceil(walkers / WG); a prefix sum over
// the lanes; then rows are handed out, and the others look theirs up. Trips: 4 share + 8.
struct Params { walkers: u32, pad0: u32, pad1: u32, pad2: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> first: array<u32>;
@group(0) @binding(2) var<storage, read_write> place: array<u32>;
@group(0) @binding(3) var<storage, read_write> list: array<u32>;
@group(0) @binding(4) var<storage, read_write> total: array<u32>;

var<workgroup> upto: array<u32, WG>;

@compute @workgroup_size(WG)
fn main(@builtin(local_invocation_index) lane: u32) {
  let share = (p.walkers + WG - 1u) / WG;
  let begin = min(lane * share, p.walkers);
  let end = min(begin + share, p.walkers);
  var own = 0u;
  for (var w = begin; w < end; w++) { own += select(0u, 1u, first[w] == w); }
  upto[lane] = own;
  workgroupBarrier();
  for (var s = 1u; s < WG; s <<= 1u) {
    var before = 0u;
    if (lane >= s) { before = upto[lane - s]; }
    workgroupBarrier();
    upto[lane] += before;
    workgroupBarrier();
  }
  let rows = upto[WG - 1u];
  var row = upto[lane] - own;
  for (var w = begin; w < end; w++) {
    if (first[w] == w) {
      place[w] = row;
      list[row] = w;
      row += 1u;
    }
    if (w >= rows) { list[w] = 0u; }
  }
  storageBarrier();
  workgroupBarrier();
  for (var w = begin; w < end; w++) {
    if (first[w] != w) { place[w] = place[min(first[w], p.walkers - 1u)]; }
  }
  if (lane < 4u) { total[lane] = select(0u, rows, lane == 0u); }
}
