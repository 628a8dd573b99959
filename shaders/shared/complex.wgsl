// Complex numbers as (re, im).

// The larger of |re| and |im|; by bits, so that a NaN is the largest.
fn size_of(x: vec2<f32>) -> f32 {
  let a = bitcast<vec2<u32>>(abs(x));
  return bitcast<f32>(max(a.x, a.y));
}

fn times(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
  return vec2<f32>(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x);
}
