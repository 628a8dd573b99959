// special: y[i] = f(x[i]) for one of the functions of shared/special.wgsl, element by element.
//
// FUNCTION: 0 sincos2pi, 1 erfc, 2 tanh, 3 expm1, 4 log1p, 5 softplus, 6 log_sigmoid, 7 softplus_jet,
// 8 finite (1 or 0). WIDTH values a result: 2 for sincos2pi (sin, cos), 4 for the jet, 1 otherwise;
// y holds `count` x WIDTH words. Trips: WIDTH.
struct Params { count: u32, pad0: u32, pad1: u32, pad2: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn apply(v: f32) -> vec4<f32> {
  switch FUNCTION {
    case 0u: { return vec4<f32>(sincos2pi(v), 0.0, 0.0); }
    case 1u: { return vec4<f32>(erfc(v)); }
    case 2u: { return vec4<f32>(tanh_(v)); }
    case 3u: { return vec4<f32>(expm1_(v)); }
    case 4u: { return vec4<f32>(log1p_(v)); }
    case 5u: { return vec4<f32>(softplus(v)); }
    case 6u: { return vec4<f32>(log_sigmoid(v)); }
    case 7u: { return softplus_jet(v); }
    default: { return vec4<f32>(select(0.0, 1.0, finite(v))); }
  }
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.count) { return; }
  let value = apply(x[id]);
  for (var c = 0u; c < WIDTH; c++) { y[WIDTH * id + c] = value[c]; }
}
