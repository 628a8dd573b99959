//! Progress: a bar on a terminal, a plain line now and then on a pipe; and every line on stdout.

use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::table::{duration, plus_minus};
use crate::problem::{ACCEPTANCE, Kind, SCHEDULED};
use crate::run::{Listener, StepRecord};

/// The first failure of stdout.
static FAILED: Mutex<Option<String>> = Mutex::new(None);

/// Prints a line to stdout; a reader that went away (`| head`) is no error, any other failure is kept for
/// [`stdout_fault`].
pub fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    if let Err(e) = writeln!(out, "{text}").and_then(|()| out.flush())
        && e.kind() != ErrorKind::BrokenPipe
        && let Ok(mut failed) = FAILED.lock()
    {
        failed.get_or_insert(e.to_string());
    }
}

/// Why something that was said is not on stdout, if so.
pub fn stdout_fault() -> Option<String> {
    FAILED.lock().ok().and_then(|f| f.clone())
}

/// Longest silence on a pipe.
const LINE_EVERY: Duration = Duration::from_secs(10);

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Where progress goes.
pub struct Console {
    bar: Option<ProgressBar>,
    quiet: bool,
    /// Standard output is kept for one JSON object; lines go to stderr.
    json: bool,
    kind: &'static Kind,
    unit: &'static str,
    stage: Stage,
    last: Option<Instant>,
}

/// What the steps being made belong to.
struct Stage {
    name: &'static str,
    total: usize,
    done: usize,
    /// Of them, when a run went on.
    before: usize,
    /// After its first step, which may compile and allocate: what is left is told by the later ones.
    first: Option<Instant>,
}

impl Stage {
    fn new(name: &'static str, before: usize, total: usize) -> Stage {
        Stage { name, total, done: before, before, first: None }
    }

    /// Seconds left, once two steps are made.
    fn left(&self, now: Instant) -> Option<f64> {
        let made = self.done - self.before;
        let first = self.first.filter(|_| made > 1)?;
        Some(now.duration_since(first).as_secs_f64() / (made - 1) as f64 * self.total.saturating_sub(self.done) as f64)
    }
}

impl Console {
    /// Progress with the energies of this kind in `unit`.
    pub fn new(kind: &'static Kind, unit: &'static str, quiet: bool, json: bool) -> Console {
        let bar = (!quiet && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new(0);
            bar.set_style(style("{spinner} {msg}"));
            // alive while kernels compile
            bar.enable_steady_tick(Duration::from_millis(250));
            bar
        });
        Console { bar, quiet, json, kind, unit, stage: Stage::new("", 0, 0), last: None }
    }
}

impl Listener for Console {
    fn begin(&mut self, name: &'static str, done: usize, total: usize) {
        self.stage = Stage::new(name, done, total);
        self.last = None;
        if let Some(bar) = &self.bar {
            bar.set_style(style("{bar:16} {prefix} {pos}/{len}  {msg}"));
            bar.set_prefix(name);
            bar.set_length(total as u64);
            bar.set_position(done as u64);
            bar.set_message("");
        }
    }

    /// Where lines go; above the bar if there is one.
    fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None if self.json => {
                let _ = writeln!(std::io::stderr(), "{text}");
            }
            None => say(text),
        }
    }

    fn phase(&mut self, text: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(text.to_string()),
            None if !self.quiet => self.line(text),
            None => {}
        }
    }

    /// On a pipe, now and then.
    fn progress(&mut self, what: &str, done: usize, all: usize) {
        let due = self.last.is_none_or(|t| t.elapsed() >= LINE_EVERY);
        if self.bar.is_some() || due {
            self.last = Some(Instant::now());
            self.phase(&format!("{what} {done}/{all}"));
        }
    }

    fn warning(&mut self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(format!("warning: {text}")),
            None => {
                let _ = writeln!(std::io::stderr(), "warning: {text}");
            }
        }
    }

    fn step(&mut self, r: &StepRecord) {
        let now = Instant::now();
        self.stage.done += 1;
        self.stage.first.get_or_insert(now);
        let name = self.kind.quantities[0].name;
        let mut text = format!("{name} = {} {}/{}", plus_minus(r.values[name]), self.unit, self.kind.per);
        if let Some(at) = r.values.get(SCHEDULED) {
            text.push_str(&format!(" at {SCHEDULED} {:.4}", at.value));
        }
        if r.nonfinite > 0 {
            text.push_str(&format!("  {} left out", r.nonfinite));
        }
        let left = self.stage.left(now).map_or(String::new(), |left| format!("  {} left", duration(left)));
        if let Some(bar) = &self.bar {
            bar.set_position(self.stage.done as u64);
            bar.set_message(format!("{text}{left}"));
            return;
        }
        let due = self.last.is_none_or(|t| t.elapsed() >= LINE_EVERY) || self.stage.done == self.stage.total;
        if self.quiet || !due {
            return;
        }
        self.last = Some(now);
        let entropy = self.kind.entropy().map(|q| format!("  {} = {} {}", q.name, plus_minus(r.values[q.name]), q.unit.name(self.unit)));
        let accepted = r.values[ACCEPTANCE].value;
        let acceptance = if accepted.is_finite() { format!("  acceptance {accepted:.2}") } else { String::new() };
        let ms = if r.ms.is_finite() { format!("  {:.0} ms/step", r.ms) } else { String::new() };
        let Stage { name, done, total, .. } = self.stage;
        self.line(&format!("{name} {done:>5}/{total}  {text}{}{acceptance}{ms}{left}", entropy.unwrap_or_default()));
    }

    /// Takes the bar away.
    fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first step, in which a driver may compile, says nothing of the time left.
    #[test]
    fn time_left_is_told_by_the_later_steps() {
        let start = Instant::now();
        let stage = |done| Stage { name: "training", total: 100, done, before: 0, first: Some(start) };
        let now = start + Duration::from_secs(2);
        assert_eq!((stage(1).left(now), stage(0).left(now)), (None, None));
        assert_eq!((stage(5).left(now), stage(100).left(now)), (Some(0.5 * 95.0), Some(0.0)));
        assert_eq!(Stage::new("training", 0, 100).left(now), None);
        // of a run that went on after 90 steps, its own ones tell
        assert_eq!(Stage { before: 90, ..stage(95) }.left(now), Some(0.5 * 5.0));
    }
}
