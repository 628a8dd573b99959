//! `helmholtz profile`.

use std::path::{Path, PathBuf};

use crate::atomic_file;
use crate::error::{Error, Result};
use crate::problem::resolve;
use crate::report::{PROFILE, Profile, say, trace};
use crate::run::profile;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    given: super::Given,
    /// Adapter: index, part of its name, back end or kind (see `helmholtz devices`)
    #[arg(long, value_name = "SEL")]
    device: Option<String>,
    /// Write every launch as a Chrome trace (chrome://tracing, ui.perfetto.dev)
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(args: Args) -> Result<()> {
    let folder = Path::new(&args.given.target);
    // a run's own settings: what is measured is kept beside its results
    let kept = (folder.is_dir() && args.given.settings.is_empty()).then(|| folder.join(PROFILE));
    let resolved = match folder.is_dir() {
        true => resolve(folder.join("config.toml"), &args.given.settings)?,
        false => args.given.resolve()?,
    };
    if let Some(path) = &kept {
        atomic_file::check(path)?;
    }
    if let Some(path) = &args.trace {
        // a file that cannot be written is known before the work is done
        atomic_file::check(path)?;
    }
    let gpu = super::open(args.device.as_deref(), false, super::teller(args.json))?;
    let roof = profile::roof(&gpu)?;
    let measured = profile::measure(&gpu, &resolved, roof, 2)?;
    // kept for the next run; nothing depends on it
    let _ = gpu.save_cache();
    if let Some(path) = &args.trace {
        atomic_file::write(path, trace(&measured.times, &gpu.describe()).to_string().as_bytes())?;
    }
    let (kind, values, profile) = (resolved.kind(), &resolved.values, Profile::of(&measured));
    let encoded = serde_json::to_value(&profile).map_err(|e| Error::Io(format!("the profile cannot be encoded: {e}")))?;
    let object = serde_json::json!({
        "system": kind.name(), "settings": resolved.json(), "device": gpu.manifest(), "batch": measured.batch, "chunk": measured.chunk,
        "pipelines": measured.pipelines, "pipelines_s": measured.pipelines_s, "first_step_s": measured.first_step_s,
        "clock": gpu.clock(), "profile": encoded,
    });
    if let Some(path) = &kept {
        atomic_file::write(path, object.to_string().as_bytes())?;
    }
    if args.json {
        say(&object.to_string());
        return Ok(());
    }
    say(&format!(
        "{}: a training step of {} walkers in chunks of {}, {}",
        kind.words(&kind.parameters_of(values)),
        measured.batch,
        measured.chunk,
        (kind.sampling)(values)
    ));
    say(&format!(
        "{} pipelines made in {:.2} s; first step {:.2} s, a later one {:.2} s",
        measured.pipelines, measured.pipelines_s, measured.first_step_s, measured.wall_s
    ));
    say(&format!("times by {}", gpu.clock()));
    say(&profile.text());
    if let Some(path) = &kept {
        say(&format!("profile: {}; `helmholtz report {} --html FILE` shows it", path.display(), folder.display()));
    }
    if let Some(path) = &args.trace {
        say(&format!("trace: {} launches in {}; open it in chrome://tracing or ui.perfetto.dev", measured.times.len(), path.display()));
    }
    Ok(())
}
