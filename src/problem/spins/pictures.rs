//! Pictures of samples with frozen parameters beside what is known exactly: overlaps, energies, correlations, configurations.

use std::collections::BTreeMap;

use super::oracle::{Shape, pairs};
use crate::error::Result;
use crate::estimate::plot::{Axis, Graph, Image, Plot, Style};
use crate::estimate::{Estimate, jackknife};
use crate::system::spins::{Couplings, Enumeration, Hopfield};

/// What a model is beside its couplings.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    /// Side and edges of a lattice.
    pub lattice: Option<Shape>,
    /// A Hopfield network of two patterns.
    pub patterns: Option<Hopfield>,
}

/// The last samples.
pub struct Samples {
    /// ±1 `[sample][n]`.
    pub spins: Vec<f32>,
    /// E without a model's offset, and R.
    pub energies: Vec<f32>,
    /// ln q + βE, without what is constant.
    pub reduced: Vec<f64>,
    /// Each stands for its mirror image as well.
    pub even: bool,
    /// C(r) of all frozen samples with importance weights, on a lattice that is not too large.
    pub weighted: Vec<Estimate>,
}

/// Spins of which all states are summed for the exact lines.
const SUMMED: usize = 20;
/// Dots of a plane, pairs of a histogram for each sample, bins of energies, images, blocks of a jackknife.
const DOTS: usize = 4000;
const PARTNERS: usize = 16;
const BINS: usize = 40;
const IMAGES: usize = 12;
const BLOCKS: usize = 32;
const NONE: f64 = f64::NAN;

/// All pictures that suit the model.
///
/// # Errors
/// Those of the exact sums.
pub fn pictures(model: &Couplings, beta: f64, subject: &Subject, samples: &Samples) -> Result<Vec<Plot>> {
    let (n, count) = (model.n(), samples.energies.len());
    let all = if n <= SUMMED { Some(Enumeration::new(model)?) } else { None };
    let states: Vec<Vec<i8>> = samples.spins.chunks(n).enumerate().map(|(w, s)| state(s, samples.even && w % 2 == 1)).collect();
    let caption = format!("{count} samples of q at β = {beta}");
    let mut plots = vec![energies(model, beta, samples, all.as_ref(), &caption)];
    plots.push(overlaps(beta, &states, samples.even, all.as_ref(), &caption));
    if let Some(network) = &subject.patterns
        && let Some(plane) = plane(network, beta, &states, &caption)?
    {
        plots.push(plane);
    }
    if let Some((side, edges)) = subject.lattice {
        plots.push(correlations((side, edges), beta, samples, all.as_ref()));
        let image = |s: &Vec<i8>| {
            let m = s.iter().map(|v| *v as f64).sum::<f64>() / n as f64;
            Image { caption: format!("*E*/*n* = {:.3}, *m* = {m:.2}", model.energy(s) / n as f64), width: side, spins: s.clone() }
        };
        plots.push(Plot::gallery("samples", "Samples", &caption, states.iter().take(IMAGES).map(image).collect()));
    }
    Ok(plots)
}

fn state(spins: &[f32], mirrored: bool) -> Vec<i8> {
    spins.iter().map(|s| if (*s > 0.0) != mirrored { 1 } else { -1 }).collect()
}

/// Numbers in even bins from `low`, as steps of density; `weights` add up to 1.
fn histogram(values: impl Iterator<Item = (f64, f64)>, low: f64, width: f64, bins: usize) -> Vec<f64> {
    let mut sums = vec![0.0; bins];
    values.for_each(|(x, weight)| sums[(((x - low) / width) as usize).min(bins - 1)] += weight / width);
    sums
}

fn steps(density: &[f64], low: f64, width: f64) -> Vec<[f64; 3]> {
    let level = |k: usize| density.get(k).copied().unwrap_or(0.0);
    (0..=density.len()).map(|k| [low + k as f64 * width, level(k), NONE]).collect()
}

/// Levels of a histogram of `count` independent numbers at the middles of its bins, with their errors.
fn points(density: &[f64], low: f64, width: f64, count: f64) -> Vec<[f64; 3]> {
    let error = |d: f64| (d * width * (1.0 - d * width) / count).sqrt() / width;
    density.iter().enumerate().filter(|(_, d)| **d > 0.0).map(|(k, d)| [low + (k as f64 + 0.5) * width, *d, error(*d)]).collect()
}

/// The distribution of E/n beside that of all states.
fn energies(model: &Couplings, beta: f64, samples: &Samples, all: Option<&Enumeration>, caption: &str) -> Plot {
    let n = model.n() as f64;
    let own: Vec<f64> = samples.energies.iter().map(|e| (*e as f64 + model.offset()) / n).collect();
    let exact: Vec<(f64, f64)> = all.map_or(Vec::new(), |all| all.weights(beta).into_iter().map(|(e, p)| (e / n, p)).collect());
    let likely = exact.iter().filter(|(_, p)| *p > 0.0).map(|(e, _)| *e);
    let (mut low, mut high) = own.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), e| (a.min(*e), b.max(*e)));
    if all.is_some() {
        let least = likely.fold(f64::INFINITY, f64::min);
        low = low.min(least);
    }
    let room = 1e-9 + 0.001 * (high - low);
    (low, high) = (low - room, high + room);
    let width = (high - low) / BINS as f64;
    let share = 1.0 / own.len() as f64;
    let found = histogram(own.iter().map(|e| (*e, share)), low, width, BINS);
    let mut graph = Graph::new(Axis::new("E", "*E*/*n*", "J"), Axis::new("p", "probability density", "1/J"));
    if all.is_some() {
        let inside = exact.into_iter().filter(|(e, _)| (low..high).contains(e));
        graph = graph.beside("all states", Style::Steps, steps(&histogram(inside, low, width, BINS), low, width));
    }
    let graph = graph.with("samples", Style::Points, points(&found, low, width, own.len() as f64));
    Plot::graph("energies", "Distribution of the energy", caption, graph)
}

/// P(q) of pairs of samples, q = Σ s s'/n: of pairs within blocks, whose spread is the error.
fn overlaps(beta: f64, states: &[Vec<i8>], even: bool, all: Option<&Enumeration>, caption: &str) -> Plot {
    let (n, blocks) = (states[0].len(), BLOCKS.min(states.len() / 2).max(1));
    let bins = if n <= 100 { n + 1 } else { 101 };
    let width = 2.0 / (bins - 1) as f64;
    let (low, q) = (-1.0 - 0.5 * width, |k: usize| 1.0 - 2.0 * k as f64 / n as f64);
    let block = |b: usize| {
        let own: Vec<&Vec<i8>> = states.iter().skip(b).step_by(blocks).collect();
        let mut counts = vec![0.0; n + 1];
        // a sample and the next ones
        for (w, d) in (0..own.len()).flat_map(|w| (1..=PARTNERS.min(own.len() - 1)).map(move |d| (w, d))) {
            let k = own[w].iter().zip(own[(w + d) % own.len()]).filter(|(x, y)| x != y).count();
            counts[k] += 1.0;
            counts[if even { n - k } else { k }] += 1.0;
        }
        let pairs = counts.iter().sum::<f64>();
        histogram(counts.iter().enumerate().map(|(k, c)| (q(k), c / pairs)), low, width, bins)
    };
    let all_blocks: Vec<Vec<f64>> = (0..blocks).map(block).collect();
    let level = |k: usize| {
        let mean = all_blocks.iter().map(|b| b[k]).sum::<f64>() / blocks as f64;
        let squares = all_blocks.iter().map(|b| (b[k] - mean).powi(2)).sum::<f64>();
        [low + (k as f64 + 0.5) * width, mean, (squares / (blocks * blocks.saturating_sub(1)) as f64).sqrt()]
    };
    let found = (0..bins).map(level).filter(|[_, mean, _]| *mean > 0.0).collect();
    let mut graph = Graph::new(Axis::new("q", "overlap *q* of two samples", ""), Axis::new("P", "*P*(*q*)", ""));
    if let Some(all) = all {
        let exact = all.overlaps(beta).into_iter().enumerate().map(|(k, p)| (q(k), p));
        graph = graph.beside("all pairs of states", Style::Steps, steps(&histogram(exact, low, width, bins), low, width));
    }
    Plot::graph("overlaps", "Overlaps of pairs of samples", caption, graph.with("pairs of samples", Style::Points, found))
}

/// The plane of the overlaps with both patterns, with lines around the most likely 50, 90 and 99 % of the exact distribution.
fn plane(network: &Hopfield, beta: f64, states: &[Vec<i8>], caption: &str) -> Result<Option<Plot>> {
    let Some(exact) = network.exact(beta)? else { return Ok(None) };
    let points = states.iter().take(DOTS).map(|s| network.overlaps(s)).map(|m| [m[0], m[1], NONE]).collect();
    let mut graph = Graph::new(Axis::new("m1", "*m*_{1}", ""), Axis::new("m2", "*m*_{2}", "")).with("samples", Style::Scatter, points);
    let (columns, rows) = (exact.columns, exact.cells.len() / exact.columns);
    let mut sorted: Vec<f64> = exact.cells.iter().map(|c| c.probability).collect();
    sorted.sort_by(|a, b| b.total_cmp(a));
    for (share, style) in [(0.5, Style::Line), (0.9, Style::Dashed), (0.99, Style::Dotted)] {
        let mut sum = 0.0;
        let level = sorted.iter().copied().find(|p| {
            sum += p;
            sum >= share
        });
        // a border without states closes every line
        let inside = |r: usize, c: usize| (1..=rows).contains(&r) && (1..=columns).contains(&c);
        let height = |r: usize, c: usize| if inside(r, c) { exact.cells[(r - 1) * columns + c - 1].probability } else { 0.0 };
        let at = |r: f64, c: f64| {
            // cells are even in both sums
            let (first, last) = (exact.cells[0].overlaps, exact.cells[exact.cells.len() - 1].overlaps);
            let sums = |m: [f64; 2]| [m[0] + m[1], m[0] - m[1]];
            let ([a0, b0], [a1, b1]) = (sums(first), sums(last));
            let share = |at: f64, count: usize| (at - 1.0) / (count - 1).max(1) as f64;
            let (a, b) = (a0 + (a1 - a0) * share(r, rows), b0 + (b1 - b0) * share(c, columns));
            [0.5 * (a + b), 0.5 * (a - b), NONE]
        };
        let line = contour(rows + 2, columns + 2, height, level.unwrap_or(0.0), at);
        graph = graph.beside(&format!("{} % of the exact distribution", 100.0 * share), style, line);
    }
    graph.square = true;
    Ok(Some(Plot::graph("plane", "Overlaps with the two patterns", caption, graph)))
}

/// Lines at `level` of heights on a grid, with a break between them, by marching squares: straight in each square of four heights
/// from edge to edge.
fn contour(
    rows: usize,
    columns: usize,
    height: impl Fn(usize, usize) -> f64,
    level: f64,
    at: impl Fn(f64, f64) -> [f64; 3],
) -> Vec<[f64; 3]> {
    // an edge by its ends, the earlier first
    type Edge = [(usize, usize); 2];
    let crosses = |[a, b]: Edge| (height(a.0, a.1) >= level) != (height(b.0, b.1) >= level);
    let place = |[(r0, c0), (r1, c1)]: Edge| {
        let (a, b) = (height(r0, c0) - level, height(r1, c1) - level);
        let t = a / (a - b);
        at(r0 as f64 + t * (r1 - r0) as f64, c0 as f64 + t * (c1 - c0) as f64)
    };
    let mut next: BTreeMap<Edge, Vec<Edge>> = BTreeMap::new();
    for (r, c) in (1..rows).flat_map(|r| (1..columns).map(move |c| (r - 1, c - 1))) {
        let corners = [(r, c), (r, c + 1), (r + 1, c + 1), (r + 1, c)];
        let around = [[corners[0], corners[1]], [corners[1], corners[2]], [corners[3], corners[2]], [corners[0], corners[3]]];
        let found: Vec<Edge> = around.into_iter().filter(|e| crosses(*e)).collect();
        for piece in found.chunks_exact(2) {
            next.entry(piece[0]).or_default().push(piece[1]);
            next.entry(piece[1]).or_default().push(piece[0]);
        }
    }
    let mut lines = Vec::new();
    // from an open end first, else round a closed line
    while let Some(begin) =
        next.iter().find(|(_, to)| to.len() == 1).or_else(|| next.iter().find(|(_, to)| !to.is_empty())).map(|(e, _)| *e)
    {
        let mut edge = begin;
        lines.push(place(edge));
        while let Some(to) = next.get_mut(&edge).and_then(Vec::pop) {
            let back = next.entry(to).or_default();
            back.iter().position(|e| *e == edge).map(|k| back.swap_remove(k));
            edge = to;
            lines.push(place(edge));
        }
        lines.push([NONE; 3]);
    }
    lines
}

/// ⟨s s'⟩ against the distance along rows and columns of a lattice: of the samples, and reweighted, with errors by jackknife.
fn correlations(shape: Shape, beta: f64, samples: &Samples, all: Option<&Enumeration>) -> Plot {
    let (n, sets) = (shape.0 * shape.0, pairs(shape));
    let count = samples.reduced.len();
    let low = samples.reduced.iter().copied().filter(|r| r.is_finite()).fold(f64::INFINITY, f64::min);
    let weight = |w: usize| if samples.reduced[w].is_finite() { (low - samples.reduced[w]).exp() } else { 0.0 };
    // of each block: Σ 1, Σ w, then both sums of each distance
    let block = |b: usize| {
        let mut sums = vec![0.0; 2 + 2 * sets.len()];
        for w in (b..count).step_by(BLOCKS.min(count)) {
            let (s, weight) = (&samples.spins[w * n..][..n], weight(w));
            sums[0] += 1.0;
            sums[1] += weight;
            for (r, set) in sets.iter().enumerate() {
                let mean = set.iter().map(|(i, j)| (s[*i] * s[*j]) as f64).sum::<f64>() / set.len() as f64;
                sums[2 + 2 * r] += mean;
                sums[3 + 2 * r] += weight * mean;
            }
        }
        sums
    };
    let blocks: Vec<Vec<f64>> = (0..BLOCKS.min(count)).map(block).collect();
    let found = jackknife(blocks.len(), |skip| {
        let kept = blocks.iter().enumerate().filter(|(b, _)| Some(*b) != skip).map(|(_, sums)| sums);
        let total = kept.fold(vec![0.0; 2 + 2 * sets.len()], |t, s| t.iter().zip(s).map(|(a, b)| a + b).collect());
        (2..total.len()).map(|k| total[k] / total[k % 2]).collect()
    });
    let own = |first: usize| found.iter().skip(first).step_by(2).copied().collect::<Vec<_>>();
    let curve = |values: Vec<Estimate>| values.iter().enumerate().map(|(r, e)| [r as f64, e.value, e.error]).collect();
    let weighted = if samples.weighted.is_empty() { own(1) } else { samples.weighted.clone() };
    let mut graph = Graph::new(Axis::new("r", "distance *r*", "sites"), Axis::new("c", "two-point function *C*(*r*)", ""));
    if let Some(all) = all {
        let c = all.correlations(beta).0;
        let mean = |set: &Vec<(usize, usize)>| set.iter().map(|(i, j)| c[i * n + j]).sum::<f64>() / set.len() as f64;
        graph = graph.beside("all states", Style::Line, sets.iter().enumerate().map(|(r, set)| [r as f64, mean(set), NONE]).collect());
    }
    let graph = graph.with("samples", Style::Joined, curve(own(0))).with("reweighted", Style::Points, curve(weighted));
    let caption =
        format!("mean of s s' along rows and columns; {count} samples of q at β = {beta}, and all frozen ones with importance weights");
    Plot::graph("two_point", "Two-point function", &caption, graph)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::plot::Content;
    use crate::number::philox::{Stream, purpose};
    use crate::system::spins::{Boundary, Lattice};

    fn graph(plot: &Plot) -> &Graph {
        let Content::Graph(graph) = &plot.content else { panic!("{} is no graph", plot.name) };
        graph
    }

    /// Samples of e^{-βE}/Z itself.
    fn exact(model: &Couplings, beta: f64, count: usize) -> Samples {
        let at = Stream { seed: 1, step: 0, purpose: purpose::START, first_walker: 0 };
        let states = Enumeration::new(model).unwrap().draw(beta, at.uniforms().take(count));
        let energies = states.iter().map(|s| model.energy(s) as f32).collect();
        Samples {
            spins: states.concat().iter().map(|s| *s as f32).collect(),
            energies,
            reduced: vec![-3.0; count],
            even: true,
            weighted: Vec::new(),
        }
    }

    /// Steps of the exact line and points of samples of the exact distribution: densities of one, within five errors of each
    /// other. The samples of another temperature are seen.
    #[test]
    fn exact_samples_lie_on_the_exact_lines() {
        let model = Couplings::lattice(Lattice::Square, 4, Boundary::Periodic, 1.0).unwrap();
        let subject = Subject { lattice: Some((4, Boundary::Periodic)), patterns: None };
        let worst = |beta: f64| {
            let plots = pictures(&model, 0.4, &subject, &exact(&model, beta, 4000)).unwrap();
            assert_eq!(plots.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["energies", "overlaps", "two_point", "samples"]);
            let mut worst = 0.0_f64;
            for plot in &plots[..2] {
                let [lines, points] = &graph(plot).curves[..] else { panic!("{} curves", graph(plot).curves.len()) };
                let area: f64 = lines.points.windows(2).map(|w| w[0][1] * (w[1][0] - w[0][0])).sum();
                // energies above those of all samples are not shown
                assert!((area - 1.0).abs() < 1e-3, "{}: {area}", plot.name);
                for [x, y, error] in &points.points {
                    let level = lines.points.windows(2).find(|w| w[0][0] <= *x && x < &w[1][0]).unwrap()[0][1];
                    worst = worst.max((y - level).abs() / error.max(1e-3));
                }
            }
            let [line, own, weighted] = &graph(&plots[2]).curves[..] else { panic!("two-point function") };
            for (k, [_, want, _]) in line.points.iter().enumerate().skip(1) {
                let [_, y, error] = own.points[k];
                // equal weights change nothing
                assert!((y - weighted.points[k][1]).abs() < 1e-12);
                worst = worst.max((y - want).abs() / error);
            }
            worst
        };
        assert!(worst(0.4) < 5.0 && worst(0.3) > 8.0, "{} {}", worst(0.4), worst(0.3));
    }

    /// Lines of a cone are circles; those of the exact density enclose its share.
    #[test]
    fn contours_lie_at_their_level() {
        let at = |r: f64, c: f64| [r - 20.0, c - 20.0, NONE];
        let height = |r: usize, c: usize| -((r as f64 - 20.0).powi(2) + (c as f64 - 20.0).powi(2)).sqrt();
        let line = contour(41, 41, height, -12.0, at);
        let radii: Vec<f64> = line.iter().filter(|p| p[0].is_finite()).map(|p| p[0].hypot(p[1])).collect();
        assert!(radii.len() > 100 && radii.iter().all(|r| (r - 12.0).abs() < 0.05), "{radii:?}");
        assert_eq!(line.iter().filter(|p| p[0].is_nan()).count(), 1, "one closed line");
        let network = Hopfield::canonical(40).unwrap();
        let plot = plane(&network, 0.5, &[vec![1; 40]], "").unwrap().unwrap();
        let curves = &graph(&plot).curves;
        let reach = |k: usize| curves[k].points.iter().filter(|p| p[0].is_finite()).fold(0.0_f64, |m, p| m.max(p[0].hypot(p[1])));
        assert!(
            curves.len() == 4 && reach(1) < reach(2) && reach(2) < reach(3) && reach(3) < 1.1,
            "{} {} {}",
            reach(1),
            reach(2),
            reach(3)
        );
        // sites are independent at high temperature but for an overlap's variance of 1/(n (1 - β)): 50 % within √(2 ln 2) of it
        assert!((reach(1) - (2.0 * 2.0_f64.ln() / (40.0 * 0.5)).sqrt()).abs() < 0.06, "{}", reach(1));
        assert!(plane(&Hopfield::random(12, 3, 1).unwrap(), 0.5, &[vec![1; 12]], "").unwrap().is_none());
    }
}
