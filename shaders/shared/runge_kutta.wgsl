// Weights of the four stages of Runge and Kutta, and how far the next one goes with their rate (of a step).
fn stage_weight(stage: u32) -> f32 { return select(0.33333334, 0.16666667, stage == 0u || stage == 3u); }
fn stage_reach(stage: u32) -> f32 { return select(0.5, 1.0, stage == 2u); }
