// What samplers of spins share: the field of the spins drawn before, and the draw of one with its part of ln q0.
//
// For kernels with Params of a seed, first_walker, step, purpose and `first`, the table `fields` of the kernel of that name,
// `spins` (sample w at (first + w) sites) and log_q[first + w]. Random numbers: number i % 4 of Philox counter (i / 4,
// first_walker + w, step, purpose).

// Of the sum over j < i of J_ij s_j every `lanes`-th entry from `lane` on. Trips: these entries of the site.
fn field_of(lane: u32, lanes: u32, w: u32, site: u32, sites: u32) -> f32 {
  var sum = 0.0;
  let end = fields[site + 1u].x;
  for (var k = fields[site].x + lane; k < end; k += lanes) {
    let entry = fields[k];
    sum += bitcast<f32>(entry.y) * spins[(p.first + w) * sites + min(entry.x, site)];
  }
  return sum;
}

// h_i + sum over j < i of J_ij s_j.
fn field(w: u32, site: u32, sites: u32) -> f32 { return field_of(0u, 1u, w, site, sites) + bitcast<f32>(fields[site].y); }

// The spin, +1 with probability 1 / (1 + exp(-logit)).
fn draw_spin(w: u32, site: u32, sites: u32, logit: f32) -> f32 {
  let e = exp(-abs(logit));
  let up = select(e, 1.0, logit > 0.0) / (1.0 + e);
  let counter = vec4<u32>(site / 4u, p.first_walker + w, p.step, p.purpose);
  let u = uniform4(philox(vec2<u32>(p.seed_low, p.seed_high), counter))[site % 4u];
  let s = select(-1.0, 1.0, u < up);
  spins[(p.first + w) * sites + site] = s;
  var before = 0.0;
  if (site > 0u) { before = log_q[p.first + w]; }
  // by bits: a logit that is not finite leaves no finite ln q0
  log_q[p.first + w] = before + select(log_sigmoid(s * logit), logit, !finite(logit));
  return s;
}
