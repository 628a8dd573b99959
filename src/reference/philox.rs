//! Twin of `philox`: Philox4x32-10 and the numbers made of its bits.

use super::special::sincos2pi;

/// Ten rounds on a counter.
pub fn philox(key: [u32; 2], counter: [u32; 4]) -> [u32; 4] {
    let (mut c, mut k) = (counter, key);
    for _ in 0..10 {
        let a = 0xd251_1f53u64 * c[0] as u64;
        let b = 0xcd9e_8d57u64 * c[2] as u64;
        c = [(b >> 32) as u32 ^ c[1] ^ k[0], b as u32, (a >> 32) as u32 ^ c[3] ^ k[1], a as u32];
        k = [k[0].wrapping_add(0x9e37_79b9), k[1].wrapping_add(0xbb67_ae85)];
    }
    c
}

/// Uniform numbers inside (0, 1).
pub fn uniform4(bits: [u32; 4]) -> [f64; 4] {
    bits.map(|b| ((b >> 9) as f64 + 0.5) / (1 << 23) as f64)
}

/// Standard normal numbers (Box, Muller).
pub fn normal4(bits: [u32; 4]) -> [f64; 4] {
    let u = uniform4(bits);
    let pair = |r: f64, t: f64| {
        let (s, c) = sincos2pi(t);
        ((-2.0 * r.ln()).sqrt() * s, (-2.0 * r.ln()).sqrt() * c)
    };
    let ((a, b), (c, d)) = (pair(u[0], u[1]), pair(u[2], u[3]));
    [a, b, c, d]
}
