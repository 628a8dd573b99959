//! `helmholtz report`.

use std::path::PathBuf;

use crate::atomic_file;
use crate::error::{Error, Result};
use crate::report::{compare, draw, notes, read, result_table, say};

#[derive(clap::Args)]
pub struct Args {
    /// Run directories
    #[arg(required = true, value_name = "DIR")]
    runs: Vec<PathBuf>,
    /// Draw the free energy of all runs against the time they took (SVG)
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
    /// Print one JSON object: the summary, or {"runs": [...]} of several
    #[arg(long)]
    json: bool,
}

pub fn run(args: Args) -> Result<()> {
    if let Some(path) = &args.compare {
        atomic_file::check(path)?;
    }
    let (mut summaries, mut runs) = (Vec::new(), Vec::new());
    for path in &args.runs {
        let mut run = read(path)?;
        if run.summary.notes.is_empty() {
            run.summary.notes = notes(&run.summary, &run.records);
        }
        let figure = path.join("figures").join("run.svg");
        std::fs::create_dir_all(path.join("figures")).map_err(|e| Error::Io(format!("{}: cannot be made: {e}", figure.display())))?;
        draw(&figure, &run.summary, &run.records)?;
        if args.json {
            let summary = serde_json::to_value(&run.summary);
            summaries.push(summary.map_err(|e| Error::Io(format!("the summary cannot be encoded: {e}")))?);
        } else {
            say(&result_table(&run.summary));
            say(&format!("  figure: {}", figure.display()));
        }
        runs.push(run);
    }
    if let Some(path) = &args.compare {
        compare(path, &runs)?;
        if !args.json {
            say(&format!("comparison: {}", path.display()));
        }
    }
    match summaries.as_slice() {
        [] => {}
        [one] => say(&one.to_string()),
        all => say(&serde_json::json!({ "runs": all }).to_string()),
    }
    Ok(())
}
