// momentum_distribution: occupation of plane waves by the electrons, from one that was moved by s (`displace`).
//
//   <a+_k a_k> = n E[ cos(arg Psi(x + s)/Psi(x) - k.s) / cosh ln|Psi(x + s)/Psi(x)| ], averaged over the k of a shell
//   here, moved vec2 [walker]: ln|Psi|, arg Psi before and after;  shift vec4 (s/L, 0) [walker]
//   vectors vec4 (k L/2 pi, 0) [V], shell after shell;  starts u32 [shells + 1]: where each shell begins
//   out f32 [walker][shells] = weight * value (first = 1), or that is added (first = 0)
// The density matrix is that of n E[Psi(x + s)/Psi(x) exp(-i k.s)] over |Psi(x)|^2 (Loewdin, doi 10.1103/PhysRev.97.1474), whose
// terms are unbounded near nodes. x and x + s may change places: the mean over both orders, each by its share of
// |Psi(x)|^2 + |Psi(x + s)|^2 (balance heuristic, doi 10.1145/218380.218498), is the same and never above n.
// One invocation a walker and shell. Phases of k.s to |m| turns are off by eps of them. Trips: vectors of the largest shell.
struct Params { walkers: u32, n: u32, shells: u32, vectors: u32, first: u32, weight: f32, pad0: u32, pad1: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> here: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read> moved: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read> shift: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> vectors: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> starts: array<u32>;
@group(0) @binding(6) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.walkers * p.shells) { return; }
  let w = id / p.shells;
  let s = id % p.shells;
  let first = min(starts[s], p.vectors);
  let end = min(starts[s + 1u], p.vectors);
  let ratio = moved[w] - here[w];
  let turns = ratio.y * 0.15915494309189535;
  let u = shift[w];
  var sum = 0.0;
  for (var v = first; v < end; v++) { sum += sincos2pi(turns - dot(vectors[v], u)).y; }
  let e = exp(-abs(ratio.x));
  let value = p.weight * f32(p.n) * 2.0 * e / (1.0 + e * e) * sum / f32(max(end - first, 1u));
  if (p.first == 1u) { out[id] = value; } else { out[id] += value; }
}
