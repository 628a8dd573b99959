//! `helmholtz report`.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::report::{
    check_page, check_picture, compare, course, draw, names, notes, page, published_json, published_table, read, result_table, say,
    write_picture, write_tables,
};
use crate::run::claim::running;

#[derive(clap::Args)]
pub struct Args {
    /// Run directories
    #[arg(required = true, value_name = "DIR")]
    runs: Vec<PathBuf>,
    /// Draw the run's figure into this file too: .svg, .png or .pdf
    #[arg(long, value_name = "FILE")]
    figure: Option<PathBuf>,
    /// Write figures/NAME.svg of the run into the file of --figure instead
    #[arg(long, value_name = "NAME", requires = "figure")]
    plot: Option<String>,
    /// Draw the learning curves and final free energies of all runs into one figure: .svg, .png or .pdf
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
    /// Write all runs into one HTML file that needs nothing beside it: tables, notes, figures, settings
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write steps, results, published values and the numbers of figures of a run into this folder, each as CSV and as NPY for
    /// numpy.load; those of several runs into folders of their own in it
    #[arg(long, value_name = "DIR")]
    tables: Option<PathBuf>,
    /// Follow runs that go on: read their logs again every so many seconds, show the course of F and the table, and write the
    /// files asked for anew, until all have ended
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "5", conflicts_with = "json")]
    watch: Option<f64>,
    /// Print one JSON object: the summary, or {"runs": [...]} of several
    #[arg(long)]
    json: bool,
}

pub fn run(args: Args) -> Result<()> {
    for path in args.figure.iter().chain(&args.compare) {
        check_picture(path)?;
    }
    if let Some(path) = &args.html {
        check_page(path)?;
    }
    if args.figure.is_some() && args.runs.len() > 1 {
        return Err(Error::User(format!("--figure draws one run, and {} are given; --compare draws several", args.runs.len())));
    }
    let Some(seconds) = args.watch else { return show(&args, false) };
    let pause = Duration::try_from_secs_f64(seconds).ok().filter(|_| seconds >= 0.1);
    let pause = pause.ok_or_else(|| Error::User(format!("--watch={seconds}: seconds between two looks, at least 0.1")))?;
    loop {
        // asked before the logs are read: what is shown last is the end
        let live = args.runs.iter().any(|path| running(path));
        if std::io::stdout().is_terminal() {
            // an empty screen
            say("\x1b[2J\x1b[H");
        }
        show(&args, live)?;
        if !live {
            return Ok(());
        }
        std::thread::sleep(pause);
    }
}

/// All that was asked for; `live`: of runs that go on.
fn show(args: &Args, live: bool) -> Result<()> {
    let (mut summaries, mut runs) = (Vec::new(), Vec::new());
    for path in &args.runs {
        let mut run = read(path)?;
        let goes_on = live && running(path);
        if goes_on {
            run.summary.ended = "finished".into();
        }
        if run.summary.notes.is_empty() {
            run.summary.notes = notes(&run.summary, &run.records);
        }
        if goes_on {
            // nothing to be noted: half a line is one that is being written
            run.summary.ended = "goes on".into();
        } else if run.torn > 0 {
            run.summary.notes.push(format!("{} torn lines of metrics.csv are left out", run.torn));
        }
        if args.watch.is_some() {
            say(&course(&run));
        }
        if args.json {
            let mut summary = serde_json::to_value(&run.summary).map_err(|e| Error::Io(format!("the summary cannot be encoded: {e}")))?;
            summary["published"] = published_json(&run);
            summaries.push(summary);
        } else {
            say(&result_table(&run.summary));
            published_table(&run).iter().for_each(|text| say(text));
        }
        // what was asked for is the table: a folder one may only read is no failure of it
        match super::figure(path, &run.summary, &run.records) {
            Ok(figure) if !args.json => say(&format!("  figure: {}", figure.display())),
            Ok(_) => {}
            Err(e) => super::complain(&format!("warning: {e}")),
        }
        // a file that was asked for is
        if let Some(path) = &args.figure {
            match &args.plot {
                Some(name) => write_picture(path, picture(&run.path, name)?)?,
                None => draw(path, &run.summary, &run.records)?,
            }
            if !args.json {
                say(&format!("  figure: {}", path.display()));
            }
        }
        runs.push(run);
    }
    if let Some(path) = &args.compare {
        compare(path, &runs)?;
        if !args.json {
            say(&format!("comparison: {}", path.display()));
        }
    }
    if let Some(path) = &args.html {
        page(path, &runs)?;
        if !args.json {
            say(&format!("page: {}", path.display()));
        }
    }
    if let Some(folder) = &args.tables {
        for (run, name) in runs.iter().zip(names(&runs)) {
            let folder = if runs.len() > 1 { folder.join(name.replace('/', "-")) } else { folder.clone() };
            write_tables(&folder, run)?;
            if !args.json {
                say(&format!("tables: {}", folder.display()));
            }
        }
    }
    match summaries.as_slice() {
        [] => {}
        [one] => say(&one.to_string()),
        all => say(&serde_json::json!({ "runs": all }).to_string()),
    }
    Ok(())
}

/// A picture that a run has left.
fn picture(run: &Path, name: &str) -> Result<String> {
    let folder = run.join("figures");
    let file = folder.join(format!("{name}.svg"));
    std::fs::read_to_string(&file).map_err(|e| {
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let mut there: Vec<String> =
            entries.filter_map(|e| Some(e.file_name().to_string_lossy().strip_suffix(".svg")?.to_string())).collect();
        there.sort();
        Error::User(format!("{}: cannot be read ({e}); there is {}", file.display(), there.join(", ")))
    })
}
