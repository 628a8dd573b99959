//! The effective mass m*/m of a series of runs by several roads, which need not agree, beside published values.
//!
//! S/S_ideal = m*/m is the law of the infinite system at low temperature; in a box levels are discrete, and the slopes of E_K and
//! of -kT ln p(K) over Σ k² are other roads from the same state.

use super::{KIND, Settings, ideal};
use crate::config::Group;
use crate::error::Result;
use crate::estimate::plot::{Axis, Graph, Style};
use crate::estimate::{Estimate, Plot};
use crate::problem::published::sources;
use crate::problem::{Course, Named, Sequence};
use crate::system::IdealGas;

/// m*/m by each road.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Masses {
    /// S/S_ideal.
    pub entropy: Estimate,
    /// Of the canonical gas of c k² in the same box whose entropy is S.
    pub canonical: Estimate,
    /// One over the slope of the local energies over Σ k².
    pub energies: Estimate,
    /// One over that of -kT ln p(K).
    pub occupations: Estimate,
}

impl Masses {
    /// From the averages of a run.
    ///
    /// # Errors
    /// Those of settings that make no gas.
    pub fn new(s: &Settings, result: &Named<Estimate>) -> Result<Masses> {
        let gas = s.gas()?;
        let own = gas.ideal()?;
        let (entropy, of) = (result["S"], ideal(s)?.get("S").copied().unwrap_or(f64::NAN));
        let inverse = |slope: Estimate| Estimate::new(1.0 / slope.value, slope.error / slope.value.powi(2));
        Ok(Masses {
            entropy: Estimate::new(entropy.value / of, entropy.error / of),
            canonical: canonical(&own, s.units().entropy, entropy)?,
            energies: inverse(result["slope_E"]),
            occupations: inverse(result["slope_p"]),
        })
    }
}

/// The mass at which quasi-particles on the levels of `ideal` have the entropy (times `unit`): S falls with c = m/m*.
fn canonical(ideal: &IdealGas, unit: f64, entropy: Estimate) -> Result<Estimate> {
    let of = |c: f64| Ok(unit * ideal.scaled(c)?.entropy);
    let (mut low, mut high) = (1e-3_f64, 1e3_f64);
    if !(of(low)? > entropy.value && of(high)? < entropy.value) {
        return Ok(Estimate::default());
    }
    // halves of the logarithm, to 1e-12 of it
    for _ in 0..44 {
        let middle = (low * high).sqrt();
        if of(middle)? > entropy.value { low = middle } else { high = middle }
    }
    let (c, step) = ((low * high).sqrt(), 1e-4);
    let rise = (of(c * (1.0 + step))? - of(c * (1.0 - step))?) / (2.0 * step * c);
    Ok(Estimate::new(1.0 / c, entropy.error / rise.abs() / (c * c)))
}

/// Which road, in a legend.
type Road = (&'static str, Style, fn(&Masses) -> Estimate);

/// All of one course; of several the first and the third.
const ROADS: [Road; 4] = [
    ("*S*/*S*_{ideal}", Style::Joined, |m| m.entropy),
    ("canonical gas of this *S*", Style::Open, |m| m.canonical),
    ("slope of *E*_{K}", Style::Points, |m| m.energies),
    ("slope of −*kT* ln *p*", Style::Open, |m| m.occupations),
];

/// Published m*/m of electrons in two dimensions, at T = 0 of an infinite system, and S/S_ideal of as many electrons as are `there`.
fn published(there: &[Settings]) -> Vec<(String, Style, Vec<[f64; 3]>)> {
    let styles = |quantity: &str| match quantity {
        "m*/m" => [Style::Points, Style::Open, Style::Joined],
        _ => [Style::Dashed, Style::Dotted, Style::DashDotted],
    };
    let mut curves = Vec::new();
    for quantity in ["m*/m", "S/S_ideal"] {
        let of_gas = sources().iter().filter(|s| s.system == KIND.name() && s.number("dim") == Some(2.0));
        let fitting = of_gas.filter(|s| s.number("n").is_none_or(|n| there.iter().any(|s| s.n as f64 == n)));
        let found = fitting.filter_map(|s| Some((s, s.curve("rs", quantity)?)));
        for ((source, points), style) in found.zip(styles(quantity).into_iter().cycle()) {
            let n = source.number("n").map_or(String::new(), |n| format!(", *n* = {n}"));
            curves.push((format!("{}{n}", source.citation), style, points));
        }
    }
    curves
}

/// m*/m along a series, `mass`; none without a slope, where nothing interacts or all walkers were in one state.
///
/// # Errors
/// Those of settings that make no gas.
pub fn picture(s: &Sequence) -> Result<Option<Plot>> {
    let mut graph = Graph::new(s.axis.clone(), Axis::new("mass", "*m*∗/*m*", ""));
    let settings = |values| Settings::read(values);
    let all: Vec<Settings> = s.courses.iter().flat_map(|c| &c.runs).map(|run| settings(run.1)).collect();
    let alike = all.iter().all(|s| s.dim == 2 && s.polarisation == 1.0 && (s.theta - 0.15).abs() < 1e-9);
    if s.setting == "rs" && alike && s.axis.name == "rs" {
        for (label, style, points) in published(&all) {
            graph = graph.beside(&label, style, points);
        }
    }
    let mut any = false;
    for (k, course) in s.courses.iter().enumerate() {
        let masses = known(course)?;
        any |= masses.iter().any(|(_, m)| m.energies.value.is_finite());
        let roads: &[usize] = if s.courses.len() == 1 { &[0, 1, 2, 3] } else { &[0, 2] };
        for (color, road) in roads.iter().enumerate() {
            let (label, style, of) = ROADS[*road];
            let points = masses.iter().map(|(x, m)| (x, of(m))).filter(|(_, e)| e.value.is_finite());
            let points = points.map(|(x, e)| [*x, e.value, e.error]).collect();
            let (label, color) = if s.courses.len() == 1 { (label.to_string(), color) } else { (format!("{}, {label}", course.name), k) };
            graph.curves.push(crate::estimate::plot::Curve { label, style, color: Some(color), points });
        }
    }
    let caption = "Effective mass of quasi-particles by several roads; bars are one standard error. Grey: published values.";
    Ok(any.then(|| Plot::graph("mass", &s.title, caption, graph)))
}

fn known(course: &Course) -> Result<Vec<(f64, Masses)>> {
    course.runs.iter().map(|(x, values, result)| Ok((*x, Masses::new(&Settings::read(values), result)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Values;
    use crate::estimate::plot::{Content, Curve};

    fn settings(text: &str) -> Settings {
        Settings::of(text).unwrap()
    }

    /// A run whose p(K) is the canonical gas of c k² has every road but S/S_ideal at 1/c, with errors by first differences.
    #[test]
    fn roads_of_quasi_particles_meet() {
        let s = settings("n=7 rs=4 theta=0.2");
        let gas = s.gas().unwrap();
        let own = gas.ideal().unwrap();
        let entropy = |c: f64| own.scaled(c).unwrap().entropy / 7.0;
        let (c, error) = (1.8, 0.001);
        let result: Named<Estimate> =
            [("S", Estimate::new(entropy(c), error)), ("slope_E", Estimate::new(c, 0.09)), ("slope_p", Estimate::new(c, 0.018))].into();
        let m = Masses::new(&s, &result).unwrap();
        let near = |e: Estimate, value: f64, error: f64, by: f64| (e.value - value).abs() < 1e-9 && (e.error / error - 1.0).abs() < by;
        assert!(near(m.energies, 1.0 / c, 0.05 / c, 1e-9) && near(m.occupations, 1.0 / c, 0.01 / c, 1e-9), "{m:?}");
        // to where the entropy is one error more
        let mut moved = result.clone();
        moved["S"].value += error;
        let shift = Masses::new(&s, &moved).unwrap().canonical.value - 1.0 / c;
        assert!(near(m.canonical, 1.0 / c, shift, 0.02) && shift > 0.0, "{m:?}, {shift}");
        let exact = ideal(&s).unwrap().get("S").copied().unwrap();
        assert!(near(m.entropy, entropy(c) / exact, error / exact, 1e-9), "{m:?}");
        // more entropy than any mass gives
        moved["S"].value = 1e3;
        assert!(Masses::new(&s, &moved).unwrap().canonical.value.is_nan());
    }

    fn drawn(lines: &[&str], setting: &'static str, slope: f64) -> Option<Vec<Curve>> {
        let values: Vec<Vec<Values>> =
            lines.iter().map(|line| ["1", "5"].map(|rs| settings(&format!("{line} rs={rs}")).values()).into()).collect();
        let result: Named<Estimate> =
            [("S", Estimate::new(0.2, 0.01)), ("slope_E", Estimate::new(slope, 0.1)), ("slope_p", Estimate::new(1.5, 0.1))].into();
        let courses = lines.iter().zip(&values).map(|(line, v)| Course { name: String::from(*line), runs: runs(v, &result) }).collect();
        let sequence = Sequence { setting, axis: Axis::new(setting, "", ""), title: String::new(), courses };
        let Content::Graph(graph) = picture(&sequence).unwrap()?.content else { panic!("no graph") };
        Some(graph.curves)
    }

    fn runs<'r>(values: &'r [Values], result: &'r Named<Estimate>) -> Vec<(f64, &'r Values, &'r Named<Estimate>)> {
        values.iter().map(|v| (v.get::<f64>("rs"), v, result)).collect()
    }

    #[test]
    fn published_values_stand_where_they_are_of_the_same_gas() {
        let labels = |curves: Vec<Curve>| curves.into_iter().map(|c| c.label).collect::<Vec<_>>();
        let one = drawn(&["n=29 theta=0.15"], "rs", 2.0).unwrap();
        assert_eq!(one.iter().filter(|c| c.color.is_none()).count(), 4, "{one:?}");
        let energies = one.iter().find(|c| c.label == "slope of *E*_{K}").unwrap();
        assert_eq!(energies.points, [[1.0, 0.5, 0.025], [5.0, 0.5, 0.025]]);
        assert_eq!(labels(one).len(), 8);
        // another temperature or dimension, or an axis that is not rs
        assert_eq!(labels(drawn(&["n=29 theta=0.2"], "rs", 2.0).unwrap()).len(), 4);
        assert_eq!(labels(drawn(&["n=29 theta=0.15 dim=3"], "rs", 2.0).unwrap()).len(), 4);
        assert_eq!(labels(drawn(&["n=29 theta=0.15"], "theta", 2.0).unwrap()).len(), 4);
        let two = labels(drawn(&["n=29 theta=0.15", "n=13 theta=0.15"], "rs", 2.0).unwrap());
        assert_eq!(two.len(), 8, "{two:?}");
        assert!(two.contains(&"n=13 theta=0.15, *S*/*S*_{ideal}".to_string()), "{two:?}");
        assert_eq!(drawn(&["n=29 theta=0.15"], "rs", f64::NAN), None);
    }
}
