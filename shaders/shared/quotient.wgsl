// t / d: in float it is exact for t < 2^22, and far cheaper than integer division on CPU drivers.
fn quotient(t: u32, d: u32) -> u32 { return u32((f32(t) + 0.5) / f32(d)); }
