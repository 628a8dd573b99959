// Words of the solver's state buffer; skip words stop later launches when they hold 1.
const STATUS: u32 = 0u;         // 1 not finite, 2 pivot not positive, 4 not converged, 8 curvature not positive
const SKIP_SOLVE: u32 = 1u;
const SKIP_FACTOR: u32 = 2u;
const ITERATIONS: u32 = 3u;
const BREAKDOWN: u32 = 4u;
const ATTEMPTS: u32 = 5u;
const TRACE: u32 = 6u;
const REGULARISED: u32 = 7u;    // damping + shift of the preconditioner
const RZ: u32 = 8u;             // two words each
const ALPHA: u32 = 10u;
const ENERGY: u32 = 12u;        // gradient . direction
const SCALE: u32 = 13u;
const RESIDUAL: u32 = 14u;
const CONVERGED: u32 = 15u;
const RAISED: u32 = 16u;         // factor of the shift; kept from solve to solve, 0 counts as 1

fn is_finite(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) < 0x7f800000u; }

// The factor of the shift that word RAISED stands for; a fresh buffer holds zero or, in checked mode, NaN.
fn shift_factor(bits: u32) -> f32 {
  let x = bitcast<f32>(bits);
  return select(1.0, max(x, 1.0), is_finite(x));
}
