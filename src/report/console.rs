//! Progress: a bar on a terminal, a plain line now and then on a pipe.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::table::{duration, plus_minus, say};
use crate::run::{Estimate, StepRecord};

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
    unit: &'static str,
    total: usize,
    began: Instant,
    last: Option<Instant>,
}

impl Console {
    /// Progress over `total` steps; energies in `unit`.
    pub fn new(total: usize, unit: &'static str, quiet: bool, json: bool) -> Console {
        let bar = (!quiet && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new(total as u64);
            bar.set_style(style("{spinner} {msg}"));
            // alive while kernels compile
            bar.enable_steady_tick(Duration::from_millis(250));
            bar
        });
        Console { bar, quiet, json, unit, total, began: Instant::now(), last: None }
    }

    /// A line of text where lines go; above the bar if there is one.
    pub fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None if self.json => {
                let _ = writeln!(std::io::stderr(), "{text}");
            }
            None => say(text),
        }
    }

    /// What is going on while no steps are made.
    pub fn phase(&mut self, text: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(text.to_string()),
            None if !self.quiet => self.line(text),
            None => {}
        }
    }

    /// Warnings are shown even when quiet.
    pub fn warning(&mut self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(format!("warning: {text}")),
            None => {
                let _ = writeln!(std::io::stderr(), "warning: {text}");
            }
        }
    }

    pub fn step(&mut self, r: &StepRecord) {
        let done = r.step + 1;
        let f = plus_minus(Estimate::new(r.f, r.f_err));
        let mut text = format!("F = {f} {}/electron", self.unit);
        if r.nonfinite > 0 {
            text.push_str(&format!("  {} not finite", r.nonfinite));
        }
        if let Some(bar) = &self.bar {
            if self.last.is_none() {
                bar.set_style(style("{bar:16} {pos}/{len}  {msg}  {eta} left"));
                bar.reset_eta();
                self.last = Some(Instant::now());
            }
            bar.set_position(done as u64);
            bar.set_message(text);
            return;
        }
        let due = self.last.is_none_or(|t| t.elapsed() >= LINE_EVERY) || done == self.total;
        if self.quiet || !due {
            return;
        }
        let now = Instant::now();
        let spent = now.duration_since(self.began).as_secs_f64();
        let left = spent / done as f64 * self.total.saturating_sub(done) as f64;
        self.last = Some(now);
        let s = plus_minus(Estimate::new(r.s, r.s_err));
        let acceptance = if r.acceptance.is_finite() { format!("  acceptance {:.2}", r.acceptance) } else { String::new() };
        let ms = if r.ms.is_finite() { format!("  {:.0} ms/step", r.ms) } else { String::new() };
        self.line(&format!("step {:>5}/{}  {text}  S = {s} k_B{acceptance}{ms}  {} left", r.step, self.total, duration(left)));
    }

    /// Takes the bar away.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
