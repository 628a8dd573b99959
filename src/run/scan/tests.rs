use super::*;

fn series(target: &str, line: &str) -> Result<Series> {
    wish(target, line, |_| {})
}

fn wish(target: &str, line: &str, change: impl Fn(&mut Request)) -> Result<Series> {
    let mut request = Request { settings: line.split_whitespace().map(String::from).collect(), ..Request::default() };
    change(&mut request);
    Series::new(OsStr::new(target), &request)
}

fn names(s: &Series) -> Vec<&str> {
    s.points.iter().map(|p| p.name.as_str()).collect()
}

fn why(s: Result<Series>) -> String {
    s.map(|s| names(&s).join(" ")).unwrap_err().to_string()
}

/// The axis changes fastest wherever it was given, and a point starts from its neighbour there where the network is the same.
#[test]
fn points_are_run_along_the_axis() {
    let s = series("sk", "n=6 beta=0.5,1.0..1.5 width=2,3").unwrap();
    let wanted = ["width=2,beta=0.5", "width=2,beta=1", "width=2,beta=1.5", "width=3,beta=0.5", "width=3,beta=1", "width=3,beta=1.5"];
    assert_eq!(names(&s), wanted);
    assert_eq!((s.lists[s.axis].name, s.lists.len()), ("beta", 2));
    assert_eq!(s.points.iter().map(|p| p.curve).collect::<Vec<_>>(), [0, 0, 0, 1, 1, 1]);
    assert_eq!(s.points.iter().map(|p| p.before).collect::<Vec<_>>(), [None, Some(0), Some(1), None, Some(3), Some(4)]);
    // sizes are no axis along which parameters fit
    let s = series("ising", "L=3,4 beta=0.4").unwrap();
    assert!(s.lists[s.axis].name == "L" && s.points.iter().all(|p| p.before.is_none()));
    // nor is a network
    let s = series("sk", "n=6 beta=1 depth=1,2").unwrap();
    assert_eq!(s.points.iter().map(|p| p.before).collect::<Vec<_>>(), [None, None]);
    let s = wish("sk", "n=6 beta=0.5,1", |r| r.cold = true).unwrap();
    assert!(s.points.iter().all(|p| p.before.is_none()));
    // nor are repetitions, which would go on training
    assert!(series("sk", "n=6 beta=1 seed=1,2").unwrap().points.iter().all(|p| p.before.is_none()));
}

#[test]
fn the_first_points_have_settings_of_their_own() {
    let s = wish("sk", "n=6 beta=0.5,1 steps=10", |r| {
        r.variants = vec!["depth=1".into(), "depth=2 width=3".into()];
        r.first = vec!["steps=40".into()];
    })
    .unwrap();
    assert_eq!(names(&s), ["depth=1,beta=0.5", "depth=1,beta=1", "depth=2,width=3,beta=0.5", "depth=2,width=3,beta=1"]);
    let texts = |name: &str| s.points.iter().map(|p| p.resolved.values.text(name).to_string()).collect::<Vec<_>>();
    assert_eq!(texts("steps"), ["40", "10", "40", "10"]);
    // β does not rise from 0 again, unless it is told to
    assert_eq!(texts("anneal"), ["0.6", "0", "0.6", "0"]);
    let s = series("sk", "n=6 beta=0.5,1 anneal=0.25").unwrap();
    assert!(s.points.iter().all(|p| p.resolved.values.text("anneal") == "0.25"));
}

#[test]
fn what_is_no_scan_is_refused() {
    for (target, line, reason) in [
        ("sk", "n=6 beta=1", "no setting has several values"),
        ("sk", "n=6 beta=0.1..1", "beta=0.1..1: 0.1..1 has no step"),
        ("sk", "n=6 beta=0.5,0.50", "two points of the scan would be beta=0.5"),
        ("sk", "n=6 beta=0.5,-1", "-1 is out of range"),
        ("sk", "n=6 beta=0.5,1 steps=x", "steps=x"),
        ("sk", "n=6 beta=0.5,1 bta=3", "unknown key"),
        ("sk", "n=6 beta=0.5,1 depth", "not of the form key=value"),
        ("sk", "n=6 beta=1,2..1000 disorder=1,2..500", "more than 10000 combinations"),
        ("electron-gas", "n=3 rs=0,1 theta=0.5", "energies of rs=1 are in Ry, those of rs=0 in Ry/rs²"),
    ] {
        assert!(why(series(target, line)).contains(reason), "{line}: {}", why(series(target, line)));
    }
    let first = |word: &str| why(wish("sk", "n=6 beta=0.5,1", |r| r.first = vec![word.into()]));
    assert!(first("steps").contains("--first \"steps\" is not of the form") && first("stps=3").contains("Did you mean steps?"));
    // a twist has commas of its own
    let s = series("electron-gas", "n=3 rs=1 theta=0.5 twist=0.1,0.2;0.3,0.4").unwrap();
    assert_eq!(names(&s), ["twist=0.1_0.2", "twist=0.3_0.4"]);
    assert!(why(series("electron-gas", "n=3 rs=1 theta=0.5 twist=0.1,0.2")).contains("no setting has several values"));
}

/// A point is kept if it was run with its settings to its end, and refused if it was begun with others.
#[test]
fn points_are_known_again() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let line = "n=6 beta=0.5,1 steps=10";
    let s = series("sk", line).unwrap();
    let (first, second) = (&s.points[0], &s.points[1]);
    assert_eq!(finished(at, first).unwrap(), None);
    let settle = |p: &Point, ended: &str| {
        let mut run = p.resolved.clone();
        run.derive("batch", "500", "by the device");
        if p.before.is_some() {
            run.start_from(at.join("params.safetensors"));
        }
        std::fs::write(at.join("config.toml"), run.toml()).unwrap();
        let mut summary = Summary::new(s.kind, &run.values, "device", 10, 1.0, [("F", (-1.0).into())].into(), "steps");
        summary.ended = ended.into();
        std::fs::write(at.join("summary.json"), serde_json::to_string(&summary).unwrap()).unwrap();
    };
    settle(first, "stopped by the user");
    assert_eq!(finished(at, first).unwrap(), None);
    settle(first, "finished");
    assert_eq!(finished(at, first).unwrap().map(|s| s.result["F"].value), Some(-1.0));
    let refused = |p: &Point| finished(at, p).unwrap_err().to_string();
    assert!(
        refused(second).contains("beta = 0.5 then, 1 now")
            && refused(second).contains("from nothing then, from parameters of another run now")
    );
    settle(second, "finished");
    assert!(finished(at, second).unwrap().is_some());
    let other = |line: &str| series("sk", line).unwrap();
    assert!(refused(&other("n=6 beta=0.5,1 steps=20").points[1]).contains("steps = 10 then, 20 now"));
    // a batch that was left to the device may be given later as it was found, and not as another
    assert!(finished(at, &other("n=6 beta=0.5,1 steps=10 batch=500").points[1]).unwrap().is_some());
    assert!(refused(&other("n=6 beta=0.5,1 steps=10 batch=400").points[1]).contains("batch = 500 then, 400 now"));
    assert!(refused(&wish("sk", line, |r| r.cold = true).unwrap().points[1]).contains("anneal = 0 then, 0.6 now"));
    assert!(refused(&series("hopfield", "n=8 beta=0.5,1").unwrap().points[0]).contains("system = sk then, hopfield now"));
    std::fs::write(at.join("summary.json"), "{").unwrap();
    assert!(refused(second).contains("summary.json is damaged"));
}
