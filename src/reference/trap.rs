//! Twins of the kernels of electrons in a trap: the flow and its derivatives, local energies and scores.
//!
//! Derivatives of the reverse flow are those of the sums over all directions (the forward Laplacian), where the kernel
//! of a workgroup carries a second derivative for each direction: two ways to the same numbers.

use crate::system::oscillator::{Orbital, hermite};

/// A point of the plane.
pub type Point = [f64; 2];

fn dot(a: Point, b: Point) -> f64 {
    a[0] * b[0] + a[1] * b[1]
}

/// The flow: its parameters (b, W1, W2 of η, then of μ) and the steps of its integrator.
#[derive(Clone, Debug)]
pub struct Flow {
    /// 6 x units.
    pub parameters: Vec<f64>,
    /// Of the integrator, from 0 to 1.
    pub steps: usize,
}

/// A pair, or an electron by itself, as velocities and divergences see it: `a` = (f, f'/r, (f'' - f'/r)/r²), `w` its share of
/// the divergence, `c` = (w'/r, (w'' - w'/r)/r²).
struct Term {
    d: Point,
    a: [f64; 3],
    w: f64,
    c: [f64; 2],
}

impl Flow {
    fn units(&self) -> usize {
        self.parameters.len() / 6
    }

    /// f and its first three derivatives by its argument; `part`: 0 for η, 1 for μ.
    pub fn radial(&self, part: usize, q: f64) -> [f64; 4] {
        let (n, at) = (self.units(), 3 * part * self.units());
        let mut f = [0.0; 4];
        for k in 0..n {
            let [b, w1, w2] = [0, 1, 2].map(|row| self.parameters[at + row * n + k]);
            let s = 1.0 / (1.0 + (-(w1 * q + b)).exp());
            let ds = s * (1.0 - s);
            let jets = [s, w1 * ds, w1 * w1 * ds * (1.0 - 2.0 * s), w1.powi(3) * ds * (1.0 - 6.0 * s + 6.0 * s * s)];
            f.iter_mut().zip(jets).for_each(|(f, s)| *f += w2 * s);
        }
        f
    }

    fn pair(&self, d: Point) -> Term {
        let r = dot(d, d).sqrt();
        let [f, f1, f2, f3] = self.radial(0, r);
        let c = f2 + 3.0 * f1 / r;
        let second = (f3 * r + 4.0 * f2 - c) / (r * r);
        Term { d, a: [f, f1 / r, (f2 - f1 / r) / (r * r)], w: 2.0 * (f1 * r + 2.0 * f), c: [2.0 * c, 2.0 * second] }
    }

    fn body(&self, d: Point) -> Term {
        let q = dot(d, d);
        let [f, f1, f2, f3] = self.radial(1, q);
        Term { d, a: [f, 2.0 * f1, 4.0 * f2], w: 2.0 * q * f1 + 2.0 * f, c: [8.0 * f1 + 4.0 * q * f2, 24.0 * f2 + 8.0 * q * f3] }
    }

    /// Pairs i < j and electrons (i = j).
    fn terms(&self, y: &[Point]) -> Vec<(usize, usize, Term)> {
        let mut terms = Vec::new();
        for i in 0..y.len() {
            for j in i + 1..y.len() {
                terms.push((i, j, self.pair([y[i][0] - y[j][0], y[i][1] - y[j][1]])));
            }
            terms.push((i, i, self.body(y[i])));
        }
        terms
    }

    /// dr/dt and its divergence.
    fn velocity(&self, y: &[Point]) -> (Vec<Point>, f64) {
        let (mut v, mut divergence) = (vec![[0.0; 2]; y.len()], 0.0);
        for (i, j, t) in self.terms(y) {
            divergence += t.w;
            for c in 0..2 {
                v[i][c] += t.a[0] * t.d[c];
                if i != j {
                    v[j][c] -= t.a[0] * t.d[c];
                }
            }
        }
        (v, divergence)
    }

    fn integrate(&self, start: &[Point], sign: f64) -> (Vec<Point>, f64) {
        let flat = |y: &[Point]| y.iter().flatten().copied().chain([0.0]).collect::<Vec<f64>>();
        let rate = |y: &[f64]| {
            let points: Vec<Point> = y[..y.len() - 1].chunks(2).map(|c| [c[0], c[1]]).collect();
            let (v, divergence) = self.velocity(&points);
            v.iter().flatten().map(|v| sign * v).chain([divergence]).collect()
        };
        let y = rk4(flat(start), self.steps, rate);
        let points = y[..y.len() - 1].chunks(2).map(|c| [c[0], c[1]]).collect();
        (points, y[y.len() - 1])
    }

    /// x of z.
    pub fn forward(&self, z: &[Point]) -> Vec<Point> {
        self.integrate(z, 1.0).0
    }

    /// z of x, and ∫ div v dt.
    pub fn reverse(&self, x: &[Point]) -> (Vec<Point>, f64) {
        self.integrate(x, -1.0)
    }
}

/// Four stages of Runge and Kutta a step, from 0 to 1.
fn rk4(start: Vec<f64>, steps: usize, rate: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    let (mut y, h) = (start, 1.0 / steps as f64);
    for _ in 0..steps {
        let moved = |k: &[f64], by: f64| y.iter().zip(k).map(|(y, k)| y + by * k).collect::<Vec<f64>>();
        let k1 = rate(&y);
        let k2 = rate(&moved(&k1, 0.5 * h));
        let k3 = rate(&moved(&k2, 0.5 * h));
        let k4 = rate(&moved(&k3, h));
        y = (0..y.len()).map(|i| y[i] + h / 6.0 * (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i])).collect();
    }
    y
}

/// What the reverse flow makes of x, with derivatives by all of its coordinates.
#[derive(Clone, Debug)]
pub struct Reversed {
    /// z(x).
    pub z: Vec<Point>,
    /// ∂z/∂x, \[coordinate of z\]\[of x\].
    pub jacobian: Vec<Vec<f64>>,
    /// Δ z.
    pub laplacian: Vec<f64>,
    /// δ = ∫ div v dt.
    pub delta: f64,
    /// ∇ δ.
    pub gradient: Vec<f64>,
    /// Δ δ.
    pub lap_delta: f64,
}

impl Flow {
    /// The forward Laplacian of the reverse flow (arXiv 2307.08214): one integration of y, J = ∂y/∂x, l = Δy, δ, ∇δ and Δδ.
    pub fn reversed(&self, x: &[Point]) -> Reversed {
        let m = 2 * x.len();
        // y, J row by row, l, delta, gradient, Laplacian
        let (jacobian, laplacian, delta, gradient) = (m, m + m * m, 2 * m + m * m, 2 * m + m * m + 1);
        let mut start: Vec<f64> = x.iter().flatten().copied().collect();
        start.resize(gradient + m + 1, 0.0);
        (0..m).for_each(|c| start[jacobian + c * m + c] = 1.0);
        let rate = |s: &[f64]| {
            let mut out = vec![0.0; s.len()];
            let y: Vec<Point> = s[..m].chunks(2).map(|c| [c[0], c[1]]).collect();
            for (i, j, t) in self.terms(&y) {
                let of = |at: usize| if i == j { s[at + 2 * i] } else { s[at + 2 * i] - s[at + 2 * j] };
                let l: Point = [of(laplacian), of(laplacian + 1)];
                let row = |a: usize| -> Vec<f64> {
                    let at = |i: usize, c: usize| s[jacobian + (2 * i + a) * m + c];
                    (0..m).map(|c| if i == j { at(i, c) } else { at(i, c) - at(j, c) }).collect()
                };
                let r = [row(0), row(1)];
                let p = |a: usize, b: usize| r[a].iter().zip(&r[b]).map(|(u, v)| u * v).sum::<f64>();
                let (pd, trace) = ([p(0, 0) * t.d[0] + p(0, 1) * t.d[1], p(1, 0) * t.d[0] + p(1, 1) * t.d[1]], p(0, 0) + p(1, 1));
                let (dpd, dl) = (dot(t.d, pd), dot(t.d, l));
                let add = |out: &mut [f64], at: usize, per: usize, value: f64| {
                    out[at + 2 * per * i] -= value;
                    if i != j {
                        out[at + 2 * per * j] += value;
                    }
                };
                for a in 0..2 {
                    add(&mut out, a, 1, t.a[0] * t.d[a]);
                    let force = t.a[0] * l[a] + t.a[1] * (t.d[a] * dl + 2.0 * pd[a] + trace * t.d[a]) + t.a[2] * dpd * t.d[a];
                    add(&mut out, laplacian + a, 1, force);
                }
                for c in 0..m {
                    let dr = t.d[0] * r[0][c] + t.d[1] * r[1][c];
                    for a in 0..2 {
                        add(&mut out, jacobian + a * m + c, m, t.a[0] * r[a][c] + t.a[1] * t.d[a] * dr);
                    }
                    out[gradient + c] += t.c[0] * dr;
                }
                out[delta] += t.w;
                out[gradient + m] += t.c[0] * (dl + trace) + t.c[1] * dpd;
            }
            out
        };
        let s = rk4(start, self.steps, rate);
        Reversed {
            z: s[..m].chunks(2).map(|c| [c[0], c[1]]).collect(),
            jacobian: s[jacobian..laplacian].chunks(m).map(<[f64]>::to_vec).collect(),
            laplacian: s[laplacian..delta].to_vec(),
            delta: s[delta],
            gradient: s[gradient..gradient + m].to_vec(),
            lap_delta: s[gradient + m],
        }
    }
}

/// ln|det| of a row-major m x m matrix and its inverse: Gauss and Jordan with pivots.
fn invert(a: &[f64], m: usize) -> (f64, Vec<f64>) {
    let mut rows: Vec<Vec<f64>> = a.chunks(m).map(<[f64]>::to_vec).collect();
    rows.iter_mut().enumerate().for_each(|(i, row)| row.extend((0..m).map(|j| f64::from(u8::from(i == j)))));
    let mut log = 0.0;
    for k in 0..m {
        let best = (k..m).max_by(|i, j| rows[*i][k].abs().total_cmp(&rows[*j][k].abs())).unwrap_or(k);
        rows.swap(k, best);
        let pivot = rows[k][k];
        log += pivot.abs().ln();
        rows[k].iter_mut().for_each(|v| *v /= pivot);
        let own = rows[k].clone();
        for (_, row) in rows.iter_mut().enumerate().filter(|(i, _)| *i != k) {
            let factor = row[k];
            row.iter_mut().zip(&own).for_each(|(v, p)| *v -= factor * p);
        }
    }
    (log, rows.iter().flat_map(|row| row[m..].to_vec()).collect())
}

/// ln|Φ|, its gradient and its matrix of second derivatives, for the determinant of some orbitals.
pub struct Slater {
    /// Without the constant of the normalisation.
    pub log: f64,
    /// \[2 n\].
    pub gradient: Vec<f64>,
    /// \[2 n\]\[2 n\].
    pub hessian: Vec<Vec<f64>>,
}

/// h, its first and its second derivative of an orbital along (x, x), (x, y), (y, y).
pub(super) fn derivatives(o: Orbital, z: Point) -> [f64; 6] {
    let along = |k: usize, x: f64| {
        let h = hermite(k, x);
        let lower = |j: usize, times: f64| if k >= j { times * h[k - j] } else { 0.0 };
        let k = k as f64;
        [h[h.len() - 1], lower(1, (2.0 * k).sqrt()), lower(2, (4.0 * k * (k - 1.0)).max(0.0).sqrt())]
    };
    let (x, y) = (along(o.nx, z[0]), along(o.ny, z[1]));
    [x[0] * y[0], x[1] * y[0], x[0] * y[1], x[2] * y[0], x[1] * y[1], x[0] * y[2]]
}

/// The determinant at z.
pub fn slater(z: &[Point], state: &[Orbital]) -> Slater {
    let n = z.len();
    let table: Vec<Vec<[f64; 6]>> = z.iter().map(|z| state.iter().map(|o| derivatives(*o, *z)).collect()).collect();
    let matrix: Vec<f64> = table.iter().flatten().map(|d| d[0]).collect();
    let (log, inverse) = invert(&matrix, n);
    let product = |i: usize, c: usize, k: usize| (0..n).map(|j| table[i][j][c] * inverse[j * n + k]).sum::<f64>();
    let g = |i: usize, a: usize, k: usize| product(i, 1 + a, k);
    let squares: f64 = z.iter().map(|z| dot(*z, *z)).sum();
    let gradient = (0..2 * n).map(|p| g(p / 2, p % 2, p / 2) - z[p / 2][p % 2]).collect();
    let entry = |p: usize, q: usize| {
        let (i, a, k, b) = (p / 2, p % 2, q / 2, q % 2);
        let own = if i == k { product(i, 3 + a + b, i) - f64::from(u8::from(a == b)) } else { 0.0 };
        own - g(i, a, k) * g(k, b, i)
    };
    let hessian = (0..2 * n).map(|p| (0..2 * n).map(|q| entry(p, q)).collect()).collect();
    Slater { log: log - 0.5 * squares, gradient, hessian }
}

/// What a walker is worth: see `trap_energy`.
#[derive(Clone, Copy, Debug)]
pub struct Energy {
    /// -(Δ ln p)/4 - |∇ ln p|²/8.
    pub kinetic: f64,
    /// |∇ ln p|²/8: the same mean.
    pub gradient_kinetic: f64,
    /// Σ r²/2.
    pub trap: f64,
    /// Σ 1/r_ij, without Z.
    pub coulomb: f64,
    /// 2 ln|Φ(z)| - δ.
    pub log_p: f64,
    /// δ.
    pub delta: f64,
    /// ln|det ∂z/∂x|.
    pub log_det: f64,
}

/// Potentials of the trap and of unit charges.
pub fn potentials(x: &[Point]) -> (f64, f64) {
    let mut coulomb = 0.0;
    for i in 0..x.len() {
        for j in i + 1..x.len() {
            coulomb += 1.0 / (x[i][0] - x[j][0]).hypot(x[i][1] - x[j][1]);
        }
    }
    (0.5 * x.iter().map(|x| dot(*x, *x)).sum::<f64>(), coulomb)
}

/// Local energy of a walker, with ∇_z ln|Φ| where it ends.
pub fn trap_energy(flow: &Flow, x: &[Point], state: &[Orbital]) -> (Energy, Vec<f64>) {
    let m = 2 * x.len();
    let r = flow.reversed(x);
    let s = slater(&r.z, state);
    let j = |a: usize, c: usize| r.jacobian[a][c];
    let mut quadratic = 0.0;
    let mut square = 0.0;
    for c in 0..m {
        let along: f64 = (0..m).map(|a| s.gradient[a] * j(a, c)).sum();
        square += (2.0 * along - r.gradient[c]).powi(2);
        for a in 0..m {
            quadratic += (0..m).map(|b| s.hessian[a][b] * j(a, c) * j(b, c)).sum::<f64>();
        }
    }
    let linear: f64 = s.gradient.iter().zip(&r.laplacian).map(|(g, l)| g * l).sum();
    let laplacian = 2.0 * (quadratic + linear) - r.lap_delta;
    let (trap, coulomb) = potentials(x);
    let (log_det, _) = invert(&r.jacobian.concat(), m);
    let energy = Energy {
        kinetic: -0.25 * laplacian - 0.125 * square,
        gradient_kinetic: 0.125 * square,
        trap,
        coulomb,
        log_p: 2.0 * s.log - r.delta,
        delta: r.delta,
        log_det,
    };
    (energy, s.gradient)
}

impl Flow {
    /// ∂ ln p/∂ parameters of the discrete reverse map, by its adjoint.
    pub fn scores(&self, x: &[Point], state: &[Orbital]) -> Vec<f64> {
        let (n, h) = (x.len(), 1.0 / self.steps as f64);
        let rate = |y: &[Point]| self.velocity(y).0.into_iter().map(|v| [-v[0], -v[1]]).collect::<Vec<Point>>();
        let moved = |y: &[Point], k: &[Point], by: f64| (0..n).map(|i| [y[i][0] + by * k[i][0], y[i][1] + by * k[i][1]]).collect();
        let (mut y, mut stages): (Vec<Point>, Vec<[Vec<Point>; 4]>) = (x.to_vec(), Vec::new());
        for _ in 0..self.steps {
            let k1 = rate(&y);
            let y2: Vec<Point> = moved(&y, &k1, 0.5 * h);
            let k2 = rate(&y2);
            let y3: Vec<Point> = moved(&y, &k2, 0.5 * h);
            let k3 = rate(&y3);
            let y4: Vec<Point> = moved(&y, &k3, h);
            let k4 = rate(&y4);
            let all = |i: usize, c: usize| y[i][c] + h / 6.0 * (k1[i][c] + 2.0 * k2[i][c] + 2.0 * k3[i][c] + k4[i][c]);
            let next: Vec<Point> = (0..n).map(|i| [all(i, 0), all(i, 1)]).collect();
            stages.push([y, y2, y3, y4]);
            y = next;
        }
        let g = slater(&y, state).gradient;
        let mut bar: Vec<Point> = g.chunks(2).map(|g| [2.0 * g[0], 2.0 * g[1]]).collect();
        let mut scores = vec![0.0; self.parameters.len()];
        for at in stages.iter().rev() {
            let mut total = bar.clone();
            let mut later = vec![[0.0; 2]; n];
            for (s, (weight, step)) in [(h / 6.0, 0.5 * h), (h / 3.0, 0.5 * h), (h / 3.0, h), (h / 6.0, 0.0)].into_iter().enumerate().rev()
            {
                let k: Vec<Point> = (0..n).map(|i| [0, 1].map(|c| weight * bar[i][c] + step * later[i][c])).collect();
                later = self.pull(&at[s], &k, -weight, &mut scores);
                (0..n).for_each(|i| (0..2).for_each(|c| total[i][c] += later[i][c]));
            }
            bar = total;
        }
        scores
    }

    /// Pulls the cotangents `k` of -v and `w` of the divergence at y back to y; adds to those of the parameters.
    fn pull(&self, y: &[Point], k: &[Point], w: f64, scores: &mut [f64]) -> Vec<Point> {
        let mut out = vec![[0.0; 2]; y.len()];
        for (i, j, t) in self.terms(y) {
            let pair = i != j;
            let q = if pair { [k[i][0] - k[j][0], k[i][1] - k[j][1]] } else { k[i] };
            let (dq, r2) = (dot(t.d, q), dot(t.d, t.d));
            for c in 0..2 {
                let value = w * t.c[0] * t.d[c] - t.a[0] * q[c] - t.a[1] * t.d[c] * dq;
                out[i][c] += value;
                if pair {
                    out[j][c] -= value;
                }
            }
            // what f and f' of the argument are worth
            let r = if pair { r2.sqrt() } else { r2 };
            let (a, b) = if pair { (4.0 * w - dq, 2.0 * w * r) } else { (2.0 * w - dq, 2.0 * w * r) };
            let (n, at) = (self.units(), if pair { 0 } else { 3 * self.units() });
            for u in 0..n {
                let [b0, w1, w2] = [0, 1, 2].map(|row| self.parameters[at + row * n + u]);
                let s = 1.0 / (1.0 + (-(w1 * r + b0)).exp());
                let (d1, d2) = (s * (1.0 - s), s * (1.0 - s) * (1.0 - 2.0 * s));
                scores[at + u] += w2 * (a * d1 + b * w1 * d2);
                scores[at + n + u] += w2 * (a * r * d1 + b * (d1 + w1 * r * d2));
                scores[at + 2 * n + u] += a * s + b * w1 * d1;
            }
        }
        out
    }
}
