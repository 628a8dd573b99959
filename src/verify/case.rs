//! A reference case: CASE.json, CASE.params.safetensors, CASE.samples.safetensors.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::config::{Origin, Resolved, Source};
use crate::error::{Error, Result};
use crate::model::file::{ParameterFile, Tensor, read_tensors};
use crate::problem::electron_gas::Settings;
use crate::problem::electron_gas::settings::SYSTEM;

/// Everything a case says. Tensors other than `x` and `state_idx` are optional.
pub struct Case {
    pub name: String,
    pub settings: Settings,
    pub parameters: ParameterFile,
    /// Values by walker, in Ry/rs² and rs a0; see the case's own `conventions`.
    pub samples: BTreeMap<String, Tensor>,
    pub walkers: usize,
    /// Number of orbitals M.
    pub orbitals: usize,
    /// (Ry/rs²)⁻¹, as stored.
    pub beta: Option<f64>,
    /// Side of the box in rs a0, as stored.
    pub length: Option<f64>,
}

/// Names of a case's settings and the settings they are.
const RENAMED: &[(&str, &str)] =
    &[("Theta", "theta"), ("Emax", "emax"), ("Gmax", "gmax"), ("mc_stddev", "mc_width"), ("pair_distance", "feature")];
const SAME: &[&str] = &[
    "n",
    "dim",
    "rs",
    "theta",
    "emax",
    "twist",
    "kappa",
    "gmax",
    "depth",
    "spsize",
    "tpsize",
    "nlayers",
    "modelsize",
    "nheads",
    "nhidden",
    "damping",
    "max_norm",
    "feature",
];

/// Shapes of known tensors; B walkers, n electrons, d dimensions, M orbitals, D = n d, * any.
const SHAPES: &[(&str, &str)] = &[
    ("sp_indices_twist", "Md"),
    ("Es_twist", "M"),
    ("state_idx", "Bn"),
    ("x", "Bnd"),
    ("x_start", "Bnd"),
    ("z", "Bnd"),
    ("logprob", "B"),
    ("van_cond_logp", "Bn"),
    ("van_logits", "*nM"),
    ("logpsi.re", "B"),
    ("logpsi.im", "B"),
    ("logpsi_start.re", "B"),
    ("logpsi_start.im", "B"),
    ("logphi.re", "B"),
    ("logphi.im", "B"),
    ("half_logdetjac", "B"),
    ("grad_logpsi.re", "Bnd"),
    ("grad_logpsi.im", "Bnd"),
    ("grad_half_logdetjac", "Bnd"),
    ("lap_half_logdetjac", "B"),
    ("lap_logpsi.re", "B"),
    ("lap_logpsi.im", "B"),
    ("kinetic.re", "B"),
    ("kinetic.im", "B"),
    ("potential", "B"),
    ("potential_pair", "B"),
    ("eloc.re", "B"),
    ("eloc.im", "B"),
    ("floc", "B"),
    ("jac", "*DD"),
    ("quantum_score.re", "B*"),
    ("quantum_score.im", "B*"),
    ("classical_score", "B*"),
];

impl Case {
    /// Reads a case given the path of its JSON file.
    pub fn read(path: &Path) -> Result<Case> {
        Case::of(path, &super::json(path)?)
    }

    /// Reads a case given its JSON and the path of that file.
    pub fn of(path: &Path, json: &Value) -> Result<Case> {
        let shown = path.display();
        let settings = json.get("settings").and_then(Value::as_object).ok_or_else(|| {
            Error::User(format!(
                "{shown} has no \"settings\": a case is CASE.json beside CASE.params.safetensors and CASE.samples.safetensors"
            ))
        })?;
        let parameters = ParameterFile::read(&path.with_extension("params.safetensors"))?;
        let samples = read_tensors(&path.with_extension("samples.safetensors"))?;
        // cases hold draws of chains
        let mut given: BTreeMap<String, String> = BTreeMap::from([("sampler".into(), "metropolis".into())]);
        for (key, value) in settings {
            let name = RENAMED.iter().find(|(old, _)| old == key).map_or(key.as_str(), |(_, new)| new);
            if SAME.contains(&name) || name == "mc_width" {
                given.insert(name.into(), plain(value));
            }
        }
        infer(&mut given, &parameters, &samples);
        let origin = Origin::Derived(shown.to_string());
        let sources: Vec<Source> = given.into_iter().map(|(key, text)| Source { key, text, origin: origin.clone() }).collect();
        let settings_now = Resolved::from_sources(&SYSTEM, &sources, Vec::new()).map_err(|e| Error::User(format!("{shown}: {e}")))?.read();
        let number = |key: &str| settings.get(key).and_then(Value::as_f64);
        let name = path.file_stem().map_or(String::new(), |s| s.to_string_lossy().into_owned());
        let rows = |tensor: &str, what: &str| {
            samples.get(tensor).and_then(|t| t.shape.first().copied()).ok_or_else(|| {
                Error::User(format!("{}: tensor {tensor} ({what}) is missing", path.with_extension("samples.safetensors").display()))
            })
        };
        let walkers = rows("x", "positions, (walkers, n, dim)")?;
        rows("state_idx", "occupied orbitals, (walkers, n)")?;
        let orbitals = match samples.get("sp_indices_twist").or(parameters.tensors.get("van/transformer/x1hat")) {
            Some(t) => t.shape.first().copied().unwrap_or(0),
            None => rows("sp_indices_twist", "orbital momenta, (orbitals, dim)")?,
        };
        let case = Case { name, settings: settings_now, parameters, samples, walkers, orbitals, beta: number("beta"), length: number("L") };
        case.check().map_err(|wrong| Error::User(format!("{shown}: the tensors do not fit the settings:\n  {}", wrong.join("\n  "))))?;
        Ok(case)
    }

    /// A tensor's values, if the case has it.
    pub fn get(&self, name: &str) -> Option<&[f64]> {
        self.samples.get(name).map(|t| t.data.as_slice())
    }

    /// Occupied orbitals of all walkers, (walkers, n), ascending.
    pub fn states(&self) -> Vec<u32> {
        self.get("state_idx").unwrap_or_default().iter().map(|&v| v as u32).collect()
    }

    fn check(&self) -> std::result::Result<(), Vec<String>> {
        let s = &self.settings;
        let mut wrong = Vec::new();
        for (name, letters) in SHAPES {
            let Some(t) = self.samples.get(*name) else { continue };
            let want: Vec<Option<usize>> = letters
                .chars()
                .map(|c| match c {
                    'B' => Some(self.walkers),
                    'n' => Some(s.n),
                    'd' => Some(s.dim),
                    'M' => Some(self.orbitals),
                    'D' => Some(s.n * s.dim),
                    _ => None,
                })
                .collect();
            if t.shape.len() != want.len() || t.shape.iter().zip(&want).any(|(a, b)| b.is_some_and(|b| b != *a)) {
                let shape: Vec<String> = want.iter().map(|w| w.map_or("any".into(), |v| v.to_string())).collect();
                wrong.push(format!("{name} has shape {:?}, needs [{}]", t.shape, shape.join(", ")));
            }
        }
        if wrong.is_empty() {
            let last = self.orbitals as f64;
            for (walker, row) in self.get("state_idx").unwrap_or_default().chunks(s.n).enumerate() {
                if row.windows(2).any(|w| w[0] >= w[1]) || row.iter().any(|&v| v < 0.0 || v >= last || v.fract() != 0.0) {
                    wrong.push(format!("state_idx of walker {walker} is not strictly ascending below {last}"));
                    break;
                }
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(s) => s.clone(),
        Value::Array(a) => a.iter().map(plain).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// Fills in what the tensors tell and what older files leave out.
fn infer(given: &mut BTreeMap<String, String>, parameters: &ParameterFile, samples: &BTreeMap<String, Tensor>) {
    let shape = |t: Option<&Tensor>, i: usize| t.and_then(|t| t.shape.get(i)).map(|v| v.to_string());
    let p = |name: &str| parameters.tensors.get(name);
    let flow: Vec<&String> = parameters.tensors.keys().filter(|n| n.starts_with("flow/fermi_net/~/linear") && n.ends_with("/w")).collect();
    let depth = flow.len().div_ceil(2);
    let layers = parameters.tensors.keys().filter(|n| n.starts_with("van/transformer/layer") && n.ends_with("_attn/query/w")).count();
    // the twist is what the stored momenta lack to the nearest integers
    let twist = samples.get("sp_indices_twist").and_then(|t| {
        let dim = *t.shape.get(1)?;
        let parts: Vec<String> = t.data.get(..dim)?.iter().map(|v| format!("{:?}", v - v.round())).collect();
        Some(parts.join(","))
    });
    let found = [
        ("n", shape(samples.get("x"), 1)),
        ("dim", shape(samples.get("x"), 2)),
        ("depth", (depth > 0).then(|| depth.to_string())),
        ("spsize", shape(p("flow/fermi_net/~/linear/b"), 0)),
        ("tpsize", shape(p(&format!("flow/fermi_net/~/linear_{depth}/b")), 0)),
        ("nlayers", (layers > 0).then(|| layers.to_string())),
        ("modelsize", shape(p("van/transformer/embedding_mlp/b"), 0)),
        ("nhidden", shape(p("van/transformer/layer0_mlp/linear/b"), 0)),
        ("twist", twist),
        // what the published program uses
        ("kappa", Some("10".into())),
        ("gmax", Some("15".into())),
        ("feature", Some("half".into())),
    ];
    for (key, value) in found {
        if let (false, Some(value)) = (given.contains_key(key), value) {
            given.insert(key.into(), value);
        }
    }
}

#[cfg(test)]
#[path = "../../kernels-tests/reference_data.rs"]
mod reference_data;

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> std::path::PathBuf {
        let case = reference_data::find("n7_d3_random.json").unwrap();
        case.parent().unwrap().into()
    }

    #[test]
    fn stored_cases_load() {
        let folder = folder();
        let case = Case::read(&folder.join("n7_d3_random.json")).unwrap();
        let s = &case.settings;
        assert_eq!((s.n, s.dim, s.depth, s.spsize, s.tpsize, s.nheads, s.emax), (7, 3, 3, 8, 6, 2, 4));
        assert_eq!((case.walkers, case.orbitals, case.states().len()), (16, 33, 112));
        assert!(case.get("eloc.re").is_some() && case.get("nothing").is_none());
        let Some(legacy) = reference_data::find("n29_d2_rs10_legacy.json") else { return };
        let legacy = Case::read(&legacy).unwrap();
        assert_eq!(legacy.settings.feature, crate::model::backflow::Feature::Legacy);
        assert_eq!(legacy.settings.twist, [0.25, 0.25]);
    }

    #[test]
    fn what_the_tensors_tell_may_be_left_out() {
        let folder = folder();
        let to = tempfile::tempdir().unwrap();
        for part in ["params.safetensors", "samples.safetensors"] {
            std::fs::copy(folder.join(format!("n7_d3_random.{part}")), to.path().join(format!("c.{part}"))).unwrap();
        }
        let json = to.path().join("c.json");
        std::fs::write(&json, r#"{"settings": {"rs": 2.0, "Theta": 0.25, "Emax": 4, "nheads": 2}}"#).unwrap();
        let (full, short) = (Case::read(&folder.join("n7_d3_random.json")).unwrap(), Case::read(&json).unwrap());
        assert_eq!(full.settings, short.settings);
        for (text, part) in [
            (r#"{"settings": {"rs": 2.0, "Theta": -1}}"#, "theta=-1: -1 is out of range"),
            (r#"{"settings": {"rs": 2.0, "n": 8, "Theta": 1, "nheads": 2}}"#, "x has shape [16, 7, 3], needs [16, 8, 3]"),
            (r#"{"x": 1}"#, "no \"settings\""),
            ("[", "not valid JSON"),
        ] {
            std::fs::write(&json, text).unwrap();
            let error = Case::read(&json).map(|_| ()).unwrap_err();
            assert!(error.exit_code() == 2 && error.to_string().contains(part), "{error}");
        }
    }
}
