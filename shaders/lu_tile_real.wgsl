// lu_tile_real: ln|det A|, sign det A and (inverse = 1) A^-1 of a batch of real matrices.
//
//   matrices, inverse_out   [batch][4 ld4][4 ld4] f32, padding zero; input kept
//   logdet, sign            [batch] f32; status [batch] u32: 1 zero or non-finite pivot, 2 pivots differ by more than
//                           1e3, 4 a pivot was not finite
// A workgroup of G x G threads owns a matrix of order <= G S and keeps it in registers: thread (ti, tj) has the rows
// ti + G i and the columns tj + G j, i, j < S. Gauss-Jordan steps with partial pivoting in place (Higham, Accuracy and
// Stability, ch. 14); rows never move, `origin` and `place` say which row was the pivot of which step. A step shares its
// column and its pivot row through workgroup memory. Pivots compare on 13 bits, ties to the smaller row. The sign counts
// the inversions of the order of the pivots. The determinant alone skips the columns done.
// Trips: order.
struct Params { batch: u32, order: u32, ld4: u32, inverse: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> matrices: array<f32>;
@group(0) @binding(2) var<storage, read_write> logdet: array<f32>;
@group(0) @binding(3) var<storage, read_write> sign_out: array<f32>;
@group(0) @binding(4) var<storage, read_write> status: array<u32>;
@group(0) @binding(5) var<storage, read_write> inverse_out: array<f32>;

const SIDE = G * S;
var<workgroup> best_key: array<atomic<u32>, 2>;
// the columns of two steps: a thread may be one step ahead
var<workgroup> column: array<f32, 2 * SIDE>;
var<workgroup> row: array<f32, SIDE>;
var<workgroup> origin: array<u32, SIDE>;
var<workgroup> place: array<u32, SIDE>;

fn pivot_key(x: f32, row: u32) -> u32 {
  return (bitcast<u32>(abs(x)) & 0xfffffc00u) | (1023u - row);
}

@compute @workgroup_size(G * G)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let b = flat_group(group, groups);
  if (b >= p.batch) { return; }
  let ti = lane / G;
  let tj = lane % G;
  let m = p.order;
  let ld = 4u * p.ld4;
  let full = p.inverse != 0u;
  #for i in S
  #for j in S
  var a$i_$j = 0.0;
  if (ti + G * $iu < m && tj + G * $ju < m) { a$i_$j = matrices[(b * ld + ti + G * $iu) * ld + tj + G * $ju]; }
  #end
  #end
  for (var e = lane; e < SIDE; e += G * G) {
    origin[e] = e;
    place[e] = e;
  }
  if (lane < 2u) { atomicStore(&best_key[lane], 0u); }
  workgroupBarrier();

  var mantissa = 1.0;
  var exponent = 0;
  var largest = 0.0;
  var smallest = 3e38;
  var flags = 0u;
  var inversions = 0u;
  // rows that were pivots: all of the matrix by bits, own ones
  var taken = vec4<u32>();
  #for i in S
  var done$i = ti + G * $iu >= m;
  #end
  for (var k = 0u; k < m; k++) {
    let shared_column = (k & 1u) * SIDE;
    if (tj == k % G) {
      var best = 0u;
      #for i in S
      var c$i = a$i_0;
      #for j in S
      if (k / G == $ju) { c$i = a$i_$j; }
      #end
      column[shared_column + ti + G * $iu] = c$i;
      if (!done$i) { best = max(best, pivot_key(c$i, ti + G * $iu)); }
      #end
      atomicMax(&best_key[k & 1u], best);
    }
    workgroupBarrier();
    let r = 1023u - (atomicLoad(&best_key[k & 1u]) & 1023u);
    if (ti == r % G) {
      #for j in S
      var r$j = a0_$j;
      #for i in S
      if (r / G == $iu) { r$j = a$i_$j; }
      #end
      row[tj + G * $ju] = r$j;
      #end
    }
    if (lane == 0u) {
      atomicStore(&best_key[(k + 1u) & 1u], 0u);
      origin[k] = r;
      place[r] = k;
    }
    workgroupBarrier();
    let pivot = column[shared_column + r];
    let size = abs(pivot);
    largest = max(largest, size);
    smallest = min(smallest, size);
    var reciprocal = 0.0;
    if (!finite(pivot)) {
      flags |= 5u;
    } else if (size < 1.2e-38) {
      flags |= 1u;
    } else {
      reciprocal = 1.0 / pivot;
      let e = exponent_of(pivot);
      mantissa *= pivot * power_of_two(-e);
      let f = exponent_of(mantissa);
      mantissa *= power_of_two(-f);
      exponent += e + f;
    }
    let whole = vec4<u32>(r) >= vec4<u32>(32u, 64u, 96u, 128u);
    let part = vec4<u32>(r / 32u) == vec4<u32>(0u, 1u, 2u, 3u);
    let bit = select(vec4<u32>(), vec4<u32>(1u << (r % 32u)), part);
    let before = countOneBits(taken & select(select(vec4<u32>(), bit - 1u, part), vec4<u32>(0xffffffffu), whole));
    inversions += r - (before.x + before.y + before.z + before.w);
    taken |= bit;
    #for i in S
    let own$i = ti + G * $iu == r;
    let factor$i = select(column[shared_column + ti + G * $iu], -1.0, own$i);
    done$i = done$i || own$i;
    #end
    #for j in S
    if (full || G * ($ju + 1u) > k) {
      let here = tj + G * $ju == k;
      let scaled = select(row[tj + G * $ju], 1.0, here) * reciprocal;
      #for i in S
      a$i_$j = select(a$i_$j, 0.0, own$i || here) - factor$i * scaled;
      #end
    }
    #end
  }

  if (largest > 1e3 * smallest) { flags |= 2u; }
  let singular = (flags & 1u) != 0u;
  if (lane == 0u) {
    logdet[b] = select(ln_scaled(abs(mantissa), exponent), -1e30, singular);
    sign_out[b] = select(sign(mantissa) * select(1.0, -1.0, (inversions & 1u) != 0u), 0.0, singular);
    status[b] = flags;
  }
  if (!full) { return; }
  #for i in S
  #for j in S
  if (ti + G * $iu < ld && tj + G * $ju < ld) {
    inverse_out[(b * ld + place[ti + G * $iu]) * ld + origin[tj + G * $ju]] = select(a$i_$j, 0.0, singular);
  }
  #end
  #end
}
