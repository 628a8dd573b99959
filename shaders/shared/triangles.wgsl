// Four rows of a triangular system in registers. A mat4x4 holds rows as its columns: x * l is the row l times the rows x.
const FOUR = vec4<u32>(0u, 1u, 2u, 3u);

// v[q] without an array in memory.
fn component(v: vec4<f32>, q: u32) -> f32 {
  return select(select(v.x, v.y, q == 1u), select(v.z, v.w, q == 3u), q > 1u);
}

// x := L^-1 x, L below the diagonal of d, ones on it.
fn down(x: ptr<function, mat4x4<f32>>, d: mat4x4<f32>) {
  #for r in 4
  (*x)[$r] -= (*x) * select(vec4<f32>(), d[$r], FOUR < vec4<u32>($ru));
  #end
}

// x := U^-1 x, U above the diagonal of d, reciprocals on it.
fn up(x: ptr<function, mat4x4<f32>>, d: mat4x4<f32>) {
  #for r in 4
  (*x)[3 - $r] = d[3 - $r][3 - $r] * ((*x)[3 - $r] - (*x) * select(vec4<f32>(), d[3 - $r], FOUR > vec4<u32>(3u - $ru)));
  #end
}

// The same for complex systems, real and imaginary parts apart.
fn complex_down(xr: ptr<function, mat4x4<f32>>, xi: ptr<function, mat4x4<f32>>, dr: mat4x4<f32>, di: mat4x4<f32>) {
  #for r in 4
  let lr$r = select(vec4<f32>(), dr[$r], FOUR < vec4<u32>($ru));
  let li$r = select(vec4<f32>(), di[$r], FOUR < vec4<u32>($ru));
  let re$r = (*xr) * lr$r - (*xi) * li$r;
  (*xi)[$r] -= (*xi) * lr$r + (*xr) * li$r;
  (*xr)[$r] -= re$r;
  #end
}

fn complex_up(xr: ptr<function, mat4x4<f32>>, xi: ptr<function, mat4x4<f32>>, dr: mat4x4<f32>, di: mat4x4<f32>) {
  #for r in 4
  let ur$r = select(vec4<f32>(), dr[3 - $r], FOUR > vec4<u32>(3u - $ru));
  let ui$r = select(vec4<f32>(), di[3 - $r], FOUR > vec4<u32>(3u - $ru));
  let scale$r = vec2<f32>(dr[3 - $r][3 - $r], di[3 - $r][3 - $r]);
  let re$r = (*xr)[3 - $r] - (*xr) * ur$r + (*xi) * ui$r;
  let im$r = (*xi)[3 - $r] - (*xi) * ur$r - (*xr) * ui$r;
  (*xr)[3 - $r] = scale$r.x * re$r - scale$r.y * im$r;
  (*xi)[3 - $r] = scale$r.x * im$r + scale$r.y * re$r;
  #end
}
