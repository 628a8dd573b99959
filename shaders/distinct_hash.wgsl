// distinct_hash: two 32-bit hashes of each walker's occupied orbitals, by which equal states find each other.
//
//   a <- (a xor s) 0x01000193, a <- a xor a >> 15;   b <- (b + s) 0x85ebca6b, b <- b xor b >> 13;   s = s_0 .. s_(n-1)
//   states u32 [walker][n];  hash vec2<u32> [walker]. Modulo 2^32. One invocation a walker. Trips: n.
struct Params { walkers: u32, n: u32, pad0: u32, pad1: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> states: array<u32>;
@group(0) @binding(2) var<storage, read_write> hash: array<vec2<u32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = flat_group(group, groups) * WG + lane;
  if (w >= p.walkers) { return; }
  var a = 0x811c9dc5u;
  var b = 0x9e3779b9u;
  for (var i = 0u; i < p.n; i++) {
    let s = states[w * p.n + i];
    a = (a ^ s) * 0x01000193u;
    a ^= a >> 15u;
    b = (b + s) * 0x85ebca6bu;
    b ^= b >> 13u;
  }
  hash[w] = vec2<u32>(a, b);
}
