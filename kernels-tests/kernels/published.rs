//! Values per walker computed by independent float64 code for published and random parameters.

use std::collections::HashMap;

use crate::reference_data::find;

/// A case of the reference data: its settings and its arrays.
pub struct Case {
    pub settings: serde_json::Value,
    pub arrays: HashMap<String, Vec<f64>>,
}

impl Case {
    /// Reads `NAME.json` and `NAME.samples.safetensors`.
    pub fn load(name: &str) -> Case {
        let read = |file: String| {
            let path = find(&file).unwrap_or_else(|| panic!("{file}: take cases from reference_data::present"));
            std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
        };
        let text: serde_json::Value = serde_json::from_slice(&read(format!("{name}.json"))).unwrap();
        let bytes = read(format!("{name}.samples.safetensors"));
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let mut arrays = HashMap::new();
        for (key, view) in tensors.tensors() {
            let values = match view.dtype() {
                safetensors::Dtype::F64 => view.data().chunks(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect(),
                safetensors::Dtype::I32 => view.data().chunks(4).map(|b| i32::from_le_bytes(b.try_into().unwrap()) as f64).collect(),
                other => panic!("{key}: {other:?}"),
            };
            arrays.insert(key, values);
        }
        Case { settings: text["settings"].clone(), arrays }
    }

    pub fn number(&self, key: &str) -> f64 {
        self.settings[key].as_f64().unwrap_or_else(|| panic!("no setting {key}"))
    }

    pub fn size(&self, key: &str) -> usize {
        self.number(key) as usize
    }

    pub fn array(&self, key: &str) -> &[f64] {
        self.arrays.get(key).unwrap_or_else(|| panic!("no array {key}"))
    }

    /// The gas of the case, with its table of orbitals.
    pub fn gas(&self) -> helmholtz::system::ElectronGas {
        let dim = self.size("dim");
        let twist: Vec<f64> = self.settings["twist"].as_array().unwrap().iter().map(|t| t.as_f64().unwrap()).collect();
        let table = self
            .array("sp_indices_twist")
            .chunks(dim)
            .map(|m| {
                let mut row = [0; 3];
                for c in 0..dim {
                    row[c] = (m[c] - twist[c]).round() as i32;
                }
                row
            })
            .collect();
        let (rs, theta, emax) = (self.number("rs"), self.number("Theta"), self.size("Emax") as u32);
        let gas = helmholtz::system::ElectronGas::with(self.size("n"), dim, rs, theta, Some(emax), Some(&twist)).unwrap();
        gas.with_orbitals(table).unwrap()
    }

    pub fn states(&self) -> Vec<u32> {
        self.array("state_idx").iter().map(|&s| s as u32).collect()
    }
}

/// A JSON file of kernels-tests/data.
pub fn data(file: &str) -> Result<serde_json::Value, String> {
    let path = find(file).ok_or_else(|| format!("kernels-tests/data/{file} comes with the repository"))?;
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))
}

/// As the device takes it.
pub fn single(x: &[f64]) -> Vec<f32> {
    x.iter().map(|&v| v as f32).collect()
}

/// Rounded to f32, so that device and twin start from the same numbers.
pub fn rounded(x: &[f64]) -> Vec<f64> {
    x.iter().map(|&v| v as f32 as f64).collect()
}
