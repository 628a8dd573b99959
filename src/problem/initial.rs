//! Parameters that a run starts from: the settings they were made with against those of the run.

use std::path::Path;

use crate::checksum::Checksum;
use crate::config::{Bearing, Resolved};
use crate::error::{Error, Result};
use crate::model::file::ParameterFile;
use crate::model::provenance::Provenance;

/// Parameters from a file that fits the settings.
#[derive(Clone, Debug)]
pub struct Initial {
    /// A vector for each table of the kind, in the table's order.
    pub vectors: Vec<Vec<f32>>,
    /// What the user should know of them: other settings they were made with, or that none are known.
    pub remark: Option<String>,
}

impl Initial {
    /// A number that changes with every parameter.
    pub fn checksum(&self) -> u64 {
        self.vectors.iter().fold(Checksum::of(&[]), |sum, v| sum.and(bytemuck::cast_slice(v))).value()
    }

    /// The seed of the draws of a run that starts from them: another than that of the run which made them, or the same random
    /// numbers that trained them would test them. Its lower half changes.
    pub fn seed_after(&self, seed: u64) -> u64 {
        let sum = self.checksum();
        seed ^ (sum as u32 ^ (sum >> 32) as u32).max(1) as u64
    }
}

/// Where parameters come from that `steps` updates with these settings have made.
pub fn provenance(resolved: &Resolved, steps: usize) -> Provenance {
    let values = &resolved.values;
    Provenance {
        version: env!("CARGO_PKG_VERSION").into(),
        system: resolved.system.name.into(),
        settings: values.keys().map(|key| (key.name.to_string(), values.text(key.name).to_string())).collect(),
        steps,
    }
}

/// The parameters of a file.
///
/// # Errors
/// [`Error::User`] with every setting that changes the parameters' meaning and is not what it was, or with the tensors
/// that do not fit.
pub fn initial(file: &ParameterFile, resolved: &Resolved) -> Result<Initial> {
    let remark = compare(&file.path, file.made.as_ref(), resolved)?;
    let tables = (resolved.kind().tables)(&resolved.values)?;
    let parts: Vec<_> = tables.iter().map(|(table, prefix)| (table, *prefix)).collect();
    let vectors = file.vectors(&parts)?.into_iter().map(|v| v.iter().map(|v| *v as f32).collect()).collect();
    Ok(Initial { vectors, remark })
}

/// Refuses other settings than those that parameters were `made` with, in the file at `path`, where these change what the
/// parameters mean; returns what is to be said of the others.
///
/// # Errors
/// [`Error::User`] with those that are refused.
pub fn compare(path: &Path, made: Option<&Provenance>, resolved: &Resolved) -> Result<Option<String>> {
    let shown = path.display();
    let Some(made) = made else {
        return Ok(Some(format!(
            "{shown} does not say with which settings its parameters were made: nothing is known of them but that their shapes fit"
        )));
    };
    let (mut refused, mut then, mut now) = (Vec::new(), Vec::new(), Vec::new());
    let (system, values) = (resolved.system, &resolved.values);
    if made.system != system.name {
        refused.push(format!("system = {} in the file, {} now", made.system, system.name));
    }
    for (key, there) in values.changed(|name| made.settings.get(name).map(String::as_str)) {
        let (old, here) = (there.unwrap_or("not told"), values.text(key.name));
        match (system.bearing)(key) {
            Bearing::Meaning if there.is_some() => {
                refused.push(format!("{} = {old} in the file, {here} now: set {}={old}", key.name, key.name));
            }
            Bearing::Meaning | Bearing::Start => {
                then.push(format!("{} = {old}", key.name));
                now.push(format!("{} = {here}", key.name));
            }
            Bearing::None => {}
        }
    }
    if !refused.is_empty() {
        return Err(Error::User(format!(
            "{shown} was made with other settings, without which its parameters mean something else:\n  {}\nor start without --params",
            refused.join("\n  ")
        )));
    }
    Ok((!then.is_empty()).then(|| format!("started from parameters made at {}; now {} ({shown})", then.join(", "), now.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::file::Part;
    use crate::problem::resolve;

    const TINY: &str = "n=3 rs=1 theta=0.5 emax=4 spsize=4 tpsize=4 modelsize=4 nheads=2 nhidden=4 nlayers=1";

    fn settings(more: &str) -> Resolved {
        let words: Vec<String> = format!("{TINY} {more}").split_whitespace().map(String::from).collect();
        let mut own: Vec<String> = Vec::new();
        // what comes later replaces what came before
        for word in words {
            let key = word.split('=').next().unwrap().to_string();
            own.retain(|w| !w.starts_with(&format!("{key}=")));
            own.push(word);
        }
        resolve("electron-gas", &own).unwrap()
    }

    /// Parameters made with `s`.
    fn saved(folder: &Path, s: &Resolved) -> ParameterFile {
        let path = folder.join("p.safetensors");
        let tables = (s.kind().tables)(&s.values).unwrap();
        let vectors: Vec<Vec<f32>> = tables.iter().zip([0.1, 0.2, 1.5]).map(|((table, _), v)| vec![v; table.len()]).collect();
        let parts = tables.iter().zip(&vectors).map(|((table, prefix), values)| Part { table, prefix, values });
        ParameterFile::write(&path, &parts.collect::<Vec<_>>(), &provenance(s, 7)).unwrap();
        ParameterFile::read(&path).unwrap()
    }

    #[test]
    fn parameters_of_another_model_are_refused_with_the_difference() {
        let folder = tempfile::tempdir().unwrap();
        let file = saved(folder.path(), &settings(""));
        assert_eq!(file.made.as_ref().map(|m| m.steps), Some(7));
        for (more, difference) in [
            ("prior=none", "prior = quasiparticle in the file, none now: set prior=quasiparticle"),
            ("feature=legacy", "feature = half in the file, legacy now: set feature=half"),
            ("emax=5", "emax = 4 in the file, 5 now: set emax=4"),
            ("twist=0.1", "twist = 0.25,0.25 in the file, 0.1,0.1 now: set twist=0.25,0.25"),
            ("dim=3", "dim = 2 in the file, 3 now: set dim=2"),
            ("nheads=4", "nheads = 2 in the file, 4 now: set nheads=2"),
            ("depth=3", "depth = 2 in the file, 3 now: set depth=2"),
            ("nlayers=2 spsize=8", "spsize = 4 in the file, 8 now: set spsize=4"),
        ] {
            let error = initial(&file, &settings(more)).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(difference), "{more}: {error}");
        }
    }

    #[test]
    fn draws_after_training_have_another_seed() {
        let start = |a: &[f32], b: &[f32]| Initial { vectors: vec![a.to_vec(), b.to_vec()], remark: None };
        let seed = start(&[1.0, 2.0], &[3.0]).seed_after(42);
        assert!(seed != 42 && seed == start(&[1.0, 2.0], &[3.0]).seed_after(42) && seed >> 32 == 0);
        assert_ne!(seed, start(&[1.0, 2.0], &[3.0000002]).seed_after(42));
        assert_ne!(seed, start(&[1.0, 2.0], &[3.0]).seed_after(43));
    }

    #[test]
    fn other_settings_are_said() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = saved(folder.path(), &settings("sampler=metropolis"));
        let same = initial(&file, &settings("sampler=metropolis seed=7 batch=64 steps=10 damping=0.01 rs=1.0")).unwrap();
        assert_eq!((same.remark.clone(), same.vectors[0][0], same.vectors[1][0]), (None, 0.1, 0.2));
        let remark = initial(&file, &settings("rs=5 theta=0.15 gauge=published n=4")).unwrap().remark.unwrap();
        let said = "made at n = 3, rs = 1, theta = 0.5, sampler = metropolis, gauge = fixed; now n = 4, rs = 5, theta = 0.15, sampler = exact, gauge = published";
        assert!(remark.contains(said), "{remark}");
        // a setting that an older program did not have
        file.made.as_mut().unwrap().settings.remove("feature");
        assert!(initial(&file, &settings("")).unwrap().remark.unwrap().contains("feature = not told"));
        file.made = None;
        assert!(initial(&file, &settings("")).unwrap().remark.unwrap().contains("nothing is known of them"));
    }
}
