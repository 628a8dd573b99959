use super::super::picture::probe::{lines, overlaps, points, scales, words};
use super::*;
use crate::estimate::plot::Axis as Along;

fn axes() -> (Along, Along) {
    (Along::new("beta", "*β*", "1/J"), Along::new("F", "*F*/*n*", "J"))
}

fn graph() -> Graph {
    let (x, y) = axes();
    Graph::new(x, y)
        .with("made", Style::Joined, vec![[0.25, -1.5, 0.125], [0.5, -1.25, 0.25], [1.0, -1.0, 0.125]])
        .beside("Bethe", Style::Dotted, vec![[0.25, -1.0, f64::NAN], [0.5, -1.125, f64::NAN], [1.0, f64::NAN, f64::NAN]])
        .mark(At::X(0.44), "*β*_{c}")
        .mark(At::Y(-1.75), "ground state")
}

/// Values are read back from the picture by the labels at its ticks.
#[test]
fn a_graph_shows_what_its_points_are() {
    let svg = graphs("Title", "caption", &[("heading", &graph())]);
    let (x, y) = scales(&svg, ROOM.0, 860.0);
    let read: Vec<Vec<(f64, f64)>> = lines(&svg).iter().map(|l| points(l).into_iter().map(|p| (x(p.0), y(p.1))).collect()).collect();
    let near = |a: (f64, f64), b: (f64, f64)| (a.0 - b.0).abs() < 2e-3 && (a.1 - b.1).abs() < 2e-3;
    let has =
        |wanted: &[(f64, f64)]| read.iter().any(|line| line.len() == wanted.len() && line.iter().zip(wanted).all(|(a, b)| near(*a, *b)));
    assert!(has(&[(0.25, -1.5), (0.5, -1.25), (1.0, -1.0)]), "{read:?}");
    // one standard error to each side
    assert!(has(&[(0.5, -1.5), (0.5, -1.0)]) && has(&[(1.0, -1.125), (1.0, -0.875)]), "{read:?}");
    // a line ends where there is no value, and a cross says so
    assert!(has(&[(0.25, -1.0), (0.5, -1.125)]), "{read:?}");
    let crosses = lines(&svg)
        .iter()
        .filter(|l| l.contains(r#"stroke-width="2.2""#) && points(l).len() == 2 && (points(l)[0].0 - points(l)[1].0).abs() == 10.0)
        .count();
    assert_eq!(crosses, 4, "two strokes in the graph, two in the legend: {svg}");
    let said = words(&svg);
    for text in ["Title", "caption", "F/n (J), heading", "β (1/J)", "made", "Bethe", "no value", "βc", "ground state"] {
        assert!(said.iter().any(|w| w == text), "{text}: {said:?}");
    }
    assert!(overlaps(&svg).is_empty() && !svg.contains("NaN"), "{:?}", overlaps(&svg));
}

/// A bar that reaches below zero ends at the frame; what is not positive is left out.
#[test]
fn logarithms_show_what_they_can() {
    let (x, y) = axes();
    let points = vec![[1.0, 1e-3, 2e-3], [2.0, 1e-1, 5e-2], [3.0, 0.0, 1e-3], [4.0, -1.0, f64::NAN]];
    let g = Graph::new(x, y.logarithmic()).with("q", Style::Joined, points);
    let svg = graphs("", "", &[("", &g)]);
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    let panel = Panel {
        left: ROOM.0,
        top: TOP,
        width: 860.0,
        height: 480.0,
        x: Axis::around(1.0..4.0, 0.05),
        y: Axis::logarithmic(1e-3 / 1.5..0.15),
    };
    for (v, error) in [(1e-3, 2e-3), (1e-1, 5e-2)] {
        let x = panel.at(if v < 0.01 { 1.0 } else { 2.0 }, v).0;
        let low = if v > error { panel.at(0.0, v - error).1 } else { panel.bottom() };
        let bar = format!(r#"points="{x:.1},{low:.1} {x:.1},{:.1}""#, panel.at(0.0, v + error).1);
        assert!(svg.contains(&bar), "{bar}: {svg}");
    }
    assert_eq!(svg.matches("<circle").count(), 3, "two points, one in the legend");
}

#[test]
fn many_panels_share_a_legend() {
    let g = graph();
    let svg = graphs("Title", "", &[("a", &g), ("b", &g), ("c", &g)]);
    for text in ["made", "Bethe"] {
        assert_eq!(words(&svg).iter().filter(|w| *w == text).count(), 1, "{text}");
    }
    assert!(overlaps(&svg).is_empty(), "{:?}", overlaps(&svg));
    // entries that do not fit a row begin another
    let (x, y) = axes();
    let many = (0..30).fold(Graph::new(x, y), |g, k| g.with(&format!("curve number {k}"), Style::Line, vec![[0.0, k as f64, 0.0]]));
    let svg = graphs("", "", &[("", &many)]);
    assert!(overlaps(&svg).is_empty(), "{:?}", overlaps(&svg));
    assert_eq!(words(&svg).iter().filter(|w| w.starts_with("curve number")).count(), 30);
}

/// A length along one axis is the same along the other, and every dot is there.
#[test]
fn planes_have_equal_axes() {
    let (x, y) = axes();
    let cloud: Vec<[f64; 3]> = (0..50).map(|k| [k as f64 / 10.0, (k % 7) as f64 / 10.0, f64::NAN]).collect();
    let g = Graph { square: true, ..Graph::new(x, y) }.with("samples", Style::Scatter, cloud);
    let svg = graphs("", "", &[("", &g)]);
    let dots: usize = svg.split("<path d=\"").skip(1).map(|p| p.split('"').next().unwrap().matches('M').count()).sum();
    assert_eq!(dots, 50);
    let (x, y) = scales(&svg, ROOM.0, 560.0);
    assert!(((x(200.0) - x(100.0)) / (y(100.0) - y(200.0)) - 1.0).abs() < 1e-3);
}

/// A histogram's levels reach from one edge to the next.
#[test]
fn steps_are_bins() {
    let (x, y) = axes();
    let g = Graph::new(x, y).with("p", Style::Steps, vec![[0.0, 1.0, 0.5], [1.0, 4.0, f64::NAN], [3.0, 0.0, f64::NAN]]);
    let svg = graphs("", "", &[("", &g)]);
    let (x, y) = scales(&svg, ROOM.0, 860.0);
    let stairs = lines(&svg).iter().map(|l| points(l)).find(|p| p.len() == 4).unwrap();
    let read: Vec<(f64, f64)> = stairs.iter().map(|p| (x(p.0), y(p.1))).collect();
    for (a, b) in read.iter().zip([(0.0, 1.0), (1.0, 1.0), (1.0, 4.0), (3.0, 4.0)]) {
        assert!((a.0 - b.0).abs() < 0.01 && (a.1 - b.1).abs() < 0.02, "{read:?}");
    }
}

/// The dark area is the number of spins that are up.
#[test]
fn galleries_show_every_spin() {
    let spins: Vec<i8> = (0..10).map(|i| if [0, 3, 4, 9].contains(&i) { 1 } else { -1 }).collect();
    let images = vec![Image { caption: "*m* = −0.2".into(), width: 4, spins }; 3];
    let svg = gallery("Samples", "caption", &images);
    let number =
        |l: &str, name: &str| -> f64 { l.split(&format!(" {name}=\"")).nth(1).unwrap().split('"').next().unwrap().parse().unwrap() };
    let dark = svg.lines().filter(|l| l.contains(COLORS[0])).map(|l| number(l, "width") * number(l, "height"));
    let cell = 65.0;
    assert!((dark.sum::<f64>() / (cell * cell) - 12.0).abs() < 0.05, "{svg}");
    assert_eq!(words(&svg).iter().filter(|w| *w == "m = −0.2").count(), 3);
    assert!(overlaps(&svg).is_empty());
}

#[test]
fn nothing_to_show_is_no_trouble() {
    let (x, y) = axes();
    let none = Graph::new(x.logarithmic(), y).with("a", Style::Joined, vec![[f64::NAN; 3], [-1.0, 2.0, 0.0]]);
    for svg in [
        graphs("", "", &[("", &none)]),
        gallery("", "", &[]),
        gallery("", "", &[Image { caption: String::new(), width: 0, spins: vec![] }]),
    ] {
        assert!(svg.starts_with("<svg") && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
