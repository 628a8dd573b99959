//! Every format read back, and every fault refused with its place.

use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};

use super::super::{Couplings, Enumeration};

/// A model as a file of these bytes; what was said of it without the path, which must come first.
fn read(name: &str, bytes: &[u8]) -> Result<Couplings, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    Couplings::read(&path).map_err(|e| {
        assert_eq!(e.exit_code(), 2, "{e}");
        e.to_string().strip_prefix(&format!("{}", path.display())).unwrap_or_else(|| panic!("no path: {e}")).to_string()
    })
}

fn glass() -> Couplings {
    Couplings::sherrington_kirkpatrick(7, 1).unwrap()
}

fn lines(model: &Couplings, separator: &str) -> String {
    let rows =
        model.dense().chunks(model.n()).map(|r| r.iter().map(f64::to_string).collect::<Vec<_>>().join(separator)).collect::<Vec<_>>();
    rows.join("\n") + "\n"
}

fn little<const N: usize>(values: &[f64], write: fn(f64) -> [u8; N]) -> Vec<u8> {
    values.iter().flat_map(|v| write(*v)).collect()
}

/// As numpy.save writes it.
fn npy(kind: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let mut header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
    header += &" ".repeat(63 - (header.len() + 10) % 64);
    header += "\n";
    [b"\x93NUMPY\x01\x00".as_slice(), &(header.len() as u16).to_le_bytes(), header.as_bytes(), data].concat()
}

fn tensors(of: &[(&str, Dtype, &[usize], Vec<u8>)]) -> Vec<u8> {
    let views = of.iter().map(|(name, kind, shape, bytes)| (*name, TensorView::new(*kind, shape.to_vec(), bytes).unwrap()));
    safetensors::serialize(views, None).unwrap()
}

#[test]
fn every_format_reads_back() {
    let model = glass();
    let dense = model.dense();
    let [wide, single] = [little(&dense, f64::to_le_bytes), little(&dense, |v| (v as f32).to_le_bytes())];
    let rows: Vec<&[f64]> = dense.chunks(7).collect();
    let list =
        |separator: &str| model.bonds().iter().map(|b| format!("{1}{0}{2}{0}{3}\n", separator, b.j, b.i, b.coupling)).collect::<String>();
    for (name, bytes) in [
        ("a.json", serde_json::to_vec(&serde_json::json!({ "n": 7, "J": rows, "note": "of no use" })).unwrap()),
        ("a.json", serde_json::to_vec(&rows).unwrap()),
        ("a.csv", lines(&model, ",").into_bytes()),
        ("A.CSV", lines(&model, ";").replace('\n', "\r\n").into_bytes()),
        ("a.txt", format!("\u{feff}# couplings\n\n{}", lines(&model, "  ")).into_bytes()),
        ("a.csv", list(",").into_bytes()),
        ("a.dat", ("i j J\n".to_string() + &list("\t")).into_bytes()),
        ("a ä.npy", npy("<f8", "(7, 7)", &wide)),
        ("a.npy", npy("<f4", "(7, 7)", &single)),
        ("a.safetensors", tensors(&[("J", Dtype::F64, &[7, 7], wide.clone())])),
        ("a.safetensors", tensors(&[("J", Dtype::F32, &[7, 7], single)])),
    ] {
        assert_eq!(read(name, &bytes).as_ref(), Ok(&model), "{name}");
    }
    // with fields; whole numbers; version 2 of numpy's header, in order of columns
    let fields = [0.5, -1.0, 0.25, 2.0, 0.0, 0.125, -3.0];
    let want = model.with_fields(&fields).unwrap();
    let json = serde_json::to_vec(&serde_json::json!({ "J": want.dense().chunks(7).collect::<Vec<_>>(), "h": fields })).unwrap();
    assert_eq!(read("a.json", &json).as_ref(), Ok(&want));
    let half = little(&fields, |v| half::bf16::from_f64(v).to_le_bytes());
    assert_eq!(read("a.safetensors", &tensors(&[("J", Dtype::F64, &[7, 7], wide), ("h", Dtype::BF16, &[7], half)])).as_ref(), Ok(&want));
    let signs = Couplings::from_bonds(3, [(0, 1, 1.0), (0, 2, -1.0)]).unwrap();
    let whole = signs.dense();
    for (kind, data) in [
        ("<i8", little(&whole, |v| (v as i64).to_le_bytes())),
        ("<i4", little(&whole, |v| (v as i32).to_le_bytes())),
        ("|i1", little(&whole, |v| (v as i8).to_le_bytes())),
    ] {
        assert_eq!(read("a.npy", &npy(kind, "(3, 3)", &data)).as_ref(), Ok(&signs));
    }
    let header = "{'shape': (3,3), 'fortran_order': True, 'descr': '<f8'}";
    let second =
        [b"\x93NUMPY\x02\x00".as_slice(), &(header.len() as u32).to_le_bytes(), header.as_bytes(), &little(&whole, f64::to_le_bytes)];
    assert_eq!(read("a.npy", &second.concat()).as_ref(), Ok(&signs));
    // three lines of three numbers: what they are follows from the numbers
    assert_eq!(read("a.csv", b"0,1,-1\n1,0,0\n-1,0,0\n").as_ref(), Ok(&signs));
    assert_eq!(read("a.csv", b"0,1,1\n2,0,-1\n1,2,0\n").as_ref(), Ok(&signs));
    assert_eq!(read("a.csv", b"0,1,1\n").unwrap().n(), 2);
    // a last or first site without a bond is said by a coupling of 0
    assert_eq!(read("a.csv", b"1,2,1\n0,1,0\n8,0,0\n2,3,1\n").unwrap().n(), 9);
}

/// Costs of all x against energies of all s, in both notations.
#[test]
fn qubo_costs_are_energies() {
    let plain = "0,0,1.5\n0,1,-2\n1,0,0.5\n2,2,-1\n1,3,3\n";
    let program = "c a comment\np qubo 0 4 2 3\n0 0 1.5\n0 1 -2\n1 0 0.5\n2 2 -1\n1 3 3\n";
    let models = [read("a.qubo", plain.as_bytes()).unwrap(), read("a.qubo", program.as_bytes()).unwrap()];
    assert_eq!(models[0], models[1]);
    let cost = |x: [f64; 4]| 1.5 * x[0] - 1.5 * x[0] * x[1] - x[2] + 3.0 * x[1] * x[3];
    let mut lowest = f64::INFINITY;
    for bits in 0..16u8 {
        let up = [0, 1, 2, 3].map(|i| bits >> i & 1);
        let want = cost(up.map(f64::from));
        assert_eq!(models[0].energy(&up.map(|x| 2 * x as i8 - 1)), want);
        lowest = lowest.min(want);
    }
    assert_eq!(Enumeration::new(&models[0]).unwrap().ground().0, lowest);
    assert_eq!(read("a.qubo", b"p qubo 0 6 0 1\n0 1 1\n").unwrap().n(), 6);
}

#[test]
fn faults_are_refused_with_their_place() {
    let good = lines(&glass(), ",");
    let [mut nan, mut lopsided, mut own] = [glass().dense(), glass().dense(), glass().dense()];
    (nan[2 * 7 + 4], lopsided[2 * 7 + 4], own[8]) = (f64::NAN, 5.5, 2.0);
    let wide = |values: &[f64]| little(values, f64::to_le_bytes);
    let json = |text: &str| text.as_bytes().to_vec();
    let zero = little(&[0.0; 4], f64::to_le_bytes);
    for (name, bytes, part) in [
        // all formats: what a matrix must be
        ("a.npy", npy("<f8", "(7, 7)", &wide(&nan)), "J[2][4] = NaN is not a finite number; every coupling and field must be finite"),
        ("a.npy", npy("<f8", "(7, 7)", &wide(&lopsided)), "J[2][4] = 5.5, but J[4][2] = "),
        ("a.npy", npy("<f8", "(7, 7)", &wide(&own)), "J[1][1] = 2 on the diagonal; s² = 1 makes it a constant, set it to 0"),
        ("a.csv", json("0,1\n0,0\n"), "J[0][1] = 1, but J[1][0] = 0; J must be symmetric (of a triangle, give J + Jᵀ)"),
        ("a.csv", json("0\n"), "n = 1; a model of coupled spins has at least 2"),
        ("a.csv", vec![], "the file is empty; give couplings J"),
        ("a.toml", json("J = 1"), "couplings are read from .json, .csv, .txt, .dat, .npy, .safetensors and .qubo"),
        ("noending", json("1"), "couplings are read from"),
        // text
        ("a.csv", json("# nothing\n\n"), "no numbers are in it"),
        ("a.csv", json(&good.replacen('\n', ",1\n", 1)), "line 2 has 7 numbers, line 1 has 8; every row has as many as there are rows"),
        ("a.csv", json("# J\n0,1\n\n1,0,2\n"), "line 4 has 3 numbers, line 2 has 2"),
        ("a.csv", json("0,1\n1,0\n1,1\n"), "3 rows of 2 numbers; J must be n x n (or a list of lines i,j,J)"),
        ("a.csv", json("0,1\n1,x\n"), "line 2, column 1: \"x\" is not a number"),
        ("a.csv", json("0;1,5\n1,5;0\n"), "line 1, column 1: \"1,5\" is not a number; write decimals with a point"),
        ("a.csv", json("0,1,\n1,0,\n"), "line 1, column 2: \"\" is not a number"),
        ("a.csv", json("0,inf\ninf,0\n"), "line 1, column 1: inf is not finite in single precision"),
        ("a.csv", json("0,1e39\n1e39,0\n"), "line 1, column 1: 1e39 is not finite in single precision"),
        ("a.csv", vec![0x30, 0x2c, 0xff, 0x0a], "byte 2 is no text; save it as UTF-8"),
        ("a.csv", json("0,1,2\n1,0,3\n2,4,0\n"), "J[1][2] = 3, but J[2][1] = 4"),
        ("a.csv", json("1,0.5,2\n0.5,0,3\n2,3,0\n"), "J[0][0] = 1 on the diagonal"),
        // lists
        ("a.csv", json("0,1,1\n1,2,1\n2,2,1\n3,0,1\n"), "line 3: a bond of site 2 with itself; leave it out (fields h are given in .json"),
        ("a.csv", json("0,1,1\n\n1,2,1\n2,1,4\n1,3,1\n"), "line 4: sites 2 and 1 stand in line 3 already; keep one of them"),
        ("a.csv", json("0,1,1\n1,2,1\n1,0,1\n"), "line 3: sites 1 and 0 stand in line 1 already"),
        ("a.csv", json("1,2,1\n2,3,1\n"), "its smallest site is 1; sites count from 0: subtract 1"),
        ("a.csv", json("0,1,1\n0,2.5,1\n"), "line 2, column 1: 2.5 is not a site"),
        ("a.csv", json("0,1,1\n-1,2,1\n"), "line 2, column 0: -1 is not a site"),
        ("a.csv", json("0,1,1\n4000000000,2,1\n"), "line 2, column 0: 4000000000 is not a site"),
        ("a.csv", json("0,1,1\n0,2,nan\n"), "line 2, column 2: nan is not finite"),
        // JSON
        ("a.json", json("{\"J\": [[0, 1], [1, 0]"), "it is not JSON (EOF while parsing a list at line 1 column 21)"),
        ("a.json", json("{\"couplings\": []}"), "it has no key J"),
        ("a.json", json("{\"J\": 3}"), "J = 3 is not an array of numbers"),
        ("a.json", json("{\"J\": []}"), "no numbers are in it"),
        ("a.json", json("{\"J\": [[0, 1], 1]}"), "J[1] = 1 is not an array of numbers"),
        ("a.json", json("{\"J\": [[0, null], [1, 0]]}"), "J[0][1] = null is not a number"),
        ("a.json", json("{\"J\": [[0, 1], [1]]}"), "J[1] has 1 numbers, J[0] has 2"),
        ("a.json", json("{\"J\": [[0, 1, 2], [1, 0, 3]]}"), "2 rows of 3 numbers; J must be n x n"),
        ("a.json", json("{\"n\": 3, \"J\": [[0, 1], [1, 0]]}"), "n = 3, but J is 2 x 2; correct n or leave it out"),
        ("a.json", json("{\"J\": [[0, 1], [1, 0]], \"h\": [1]}"), "1 fields h for 2 spins; give one a spin"),
        ("a.json", json("{\"J\": [[0, 1], [1, 0]], \"h\": [1, \"2\"]}"), "h[1] = \"2\" is not a number"),
        // numpy
        ("a.npy", json("0,1\n1,0\n"), "it is not a whole .npy file (8 bytes); write it with numpy.save"),
        ("a.npy", npy("<f8", "(2, 2)", &zero)[..40].to_vec(), "it is not a whole .npy file (40 bytes)"),
        ("a.npy", npy("<f8", "(2, 2)", &zero[..31]), "its shape is [2, 2] of 8 bytes each, but 31 bytes of numbers follow"),
        ("a.npy", npy("<f8", "(4,)", &zero), "J has shape [4]; it must be n x n"),
        ("a.npy", npy("<f8", "(1, 4)", &zero), "J has shape [1, 4]; it must be n x n"),
        (
            "a.npy",
            npy(">f8", "(2, 2)", &zero),
            "its numbers have type \">f8\", <f8 or <f4 is needed; write it with numpy.save(path, J.astype('<f8'))",
        ),
        ("a.npy", npy("<f8", "(4294967296, 4294967296)", &zero), "bytes of numbers follow"),
        ("a.npy", npy("<f8", "(0, 0)", &[]), "n = 0"),
        // safetensors
        ("a.safetensors", json("nothing"), " is not a safetensors file, or is damaged"),
        ("a.safetensors", tensors(&[("K", Dtype::F64, &[2, 2], zero.clone())]), "it holds a tensor \"K\"; a model has J and perhaps h"),
        ("a.safetensors", tensors(&[("h", Dtype::F64, &[4], zero.clone())]), "it has no tensor J"),
        ("a.safetensors", tensors(&[("J", Dtype::F64, &[4], zero.clone())]), "J has shape [4]; it must be n x n"),
        (
            "a.safetensors",
            tensors(&[("J", Dtype::F64, &[2, 2], zero.clone()), ("h", Dtype::F64, &[4], zero.clone())]),
            "4 fields h for 2 spins",
        ),
        (
            "a.safetensors",
            tensors(&[("J", Dtype::F64, &[2, 2], zero.clone()), ("h", Dtype::F64, &[2, 1], zero[..16].to_vec())]),
            "h has shape [2, 1]; it must be [n]",
        ),
        ("a.safetensors", tensors(&[("J", Dtype::U8, &[2, 2], vec![0; 4])]), "J has type U8; F32 or F64 is needed"),
        // QUBO
        ("a.qubo", json("# none\n"), "no numbers are in it; give lines i,j,Q"),
        ("a.qubo", json("0 1 1\n0 2\n"), "line 2 has 2 numbers; a list has lines i,j,Q"),
        ("a.qubo", json("0 0 1\n0 1 1\n0 1 2\n"), "line 3: sites 0 and 1 stand in line 2 already"),
        ("a.qubo", json("1 1 1\n1 2 1\n"), "its smallest site is 1; sites count from 0: subtract 1"),
        ("a.qubo", json("p qubo 0 2 1 1\n0 2 1\n"), "line 1 says 2 variables, but variable 2 is used"),
        ("a.qubo", json("c\np qubo x\n0 2 1\n"), "line 2: \"p qubo x\" does not say how many variables there are"),
        ("a.qubo", json("0 0 1\n"), "n = 1; a model of coupled spins has at least 2"),
        ("a.qubo", json("p qubo 0 99999999999 0 1\n0 1 1\n"), "n = 99999999999; at most 1048576 spins are possible"),
    ] {
        let said = read(name, &bytes).expect_err(part);
        assert!(said.starts_with([':', ' ']) && said.contains(part), "{name}{said}\n  not: {part}");
    }
    let error = Couplings::read(Path::new("nowhere/J.npy")).unwrap_err();
    assert_eq!((error.exit_code(), error.to_string().as_str()), (2, "nowhere/J.npy: no such file"));
}
