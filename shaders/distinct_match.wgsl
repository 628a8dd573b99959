// distinct_match: first[w] = the first walker whose state is that of walker w, w itself if none before has it.
//
//   states u32 [walker][n];  hash vec2<u32> [walker] of `distinct_hash`;  first u32 [walker]
//   The pass looks at earlier walkers from .. to - 1; a walker that found its like in an earlier pass keeps it.
// Equal hashes are only a hint: states are compared orbital by orbital. A workgroup owns WG walkers and takes the
// hashes of the earlier ones through workgroup memory, WG at a time.
// Trips: (to - from) (1 + 1 / WG) + n for every walker before with the same hash, up to the first with the same state.
struct Params { walkers: u32, n: u32, start: u32, end: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> states: array<u32>;
@group(0) @binding(2) var<storage, read> hash: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read_write> first: array<u32>;

var<workgroup> tile: array<vec2<u32>, WG>;

fn equal(a: u32, b: u32) -> bool {
  for (var i = 0u; i < p.n; i++) {
    if (states[a * p.n + i] != states[b * p.n + i]) { return false; }
  }
  return true;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let base = flat_group(group, groups) * WG;
  let w = min(base + lane, p.walkers - 1u);
  let mine = hash[w];
  var found = w;
  if (p.start > 0u) { found = first[w]; }
  let end = min(min(base + WG, p.walkers), p.end);
  for (var at = p.start; at < end; at += WG) {
    let count = min(WG, end - at);
    workgroupBarrier();
    if (lane < count) { tile[lane] = hash[at + lane]; }
    workgroupBarrier();
    for (var i = 0u; i < count; i++) {
      if (at + i < w && found == w && all(tile[i] == mine)) {
        if (equal(at + i, w)) { found = at + i; }
      }
    }
  }
  if (base + lane < p.walkers) { first[w] = found; }
}
