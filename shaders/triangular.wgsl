// triangular: one block step of L y = b (backward = 0) or L^T x = y (backward = 1), blocks of BLOCK.
//
//   inverses: the factorised matrix, whose diagonal blocks hold the inverses of those of L
//   factor    [4 ld4][4 ld4]: blocks of L below the diagonal;  rhs, solution [4 ld4] f32
// The workgroups all form solution_k = L_kk^-1 rhs_k (or its transpose); the first one stores it; workgroup g
// then subtracts L_ik solution_k from its block of rhs (i = k + 1 + g, or i = g < k with L_ki^T).
// Skipped if gate[SKIP_SOLVE] = 1. Trips: 2 BLOCK.
struct Params { block: u32, blocks: u32, ld4: u32, backward: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> inverses: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> factor: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> rhs: array<f32>;
@group(0) @binding(4) var<storage, read_write> solution: array<f32>;
@group(0) @binding(5) var<storage, read> gate: array<u32>;

const BLOCK4 = BLOCK / 4u;

var<workgroup> known: array<vec4<f32>, BLOCK4>;
var<workgroup> found: array<f32, BLOCK>;

@compute @workgroup_size(BLOCK)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let g = flat_group(group, groups);
  if (gate[SKIP_SOLVE] == 1u) { return; }
  let first = BLOCK * p.block;
  known[lane / 4u][lane % 4u] = rhs[first + lane];
  workgroupBarrier();
  let d = first * p.ld4 + BLOCK4 * p.block;
  var value = 0.0;
  if (p.backward == 0u) {
    for (var c = 0u; c < BLOCK4; c++) { value += dot(inverses[d + lane * p.ld4 + c], known[c]); }
  } else {
    for (var i = 0u; i < BLOCK; i++) { value += inverses[d + i * p.ld4 + lane / 4u][lane % 4u] * known[i / 4u][i % 4u]; }
  }
  found[lane] = value;
  workgroupBarrier();
  if (g == 0u) { solution[first + lane] = value; }
  if (p.backward == 0u) {
    let i = p.block + 1u + g;
    if (i >= p.blocks) { return; }
    let at = (BLOCK * i + lane) * p.ld4 + BLOCK4 * p.block;
    var sum = 0.0;
    for (var c = 0u; c < BLOCK4; c++) {
      sum += dot(factor[at + c], vec4<f32>(found[4u * c], found[4u * c + 1u], found[4u * c + 2u], found[4u * c + 3u]));
    }
    rhs[BLOCK * i + lane] -= sum;
  } else {
    if (g >= p.block) { return; }
    let at = first * p.ld4 + BLOCK4 * g + lane / 4u;
    var sum = 0.0;
    for (var i = 0u; i < BLOCK; i++) { sum += factor[at + i * p.ld4][lane % 4u] * found[i]; }
    rhs[BLOCK * g + lane] -= sum;
  }
}
