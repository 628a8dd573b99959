//! Where a training step of a run spends its time: what `helmholtz profile DIR` left, as a picture.

use std::path::Path;

use serde_json::Value;

use super::picture::{Anchor, Axis, COLORS, GREY, INK, Labels, Panel, Picture, Text};
use crate::error::{Error, Result};

/// Name of the file in a run directory.
pub const PROFILE: &str = "profile.json";
/// Kernels with a bar of their own; the rest share one.
const MOST: usize = 14;

/// A picture of `profile.json` in a run directory; none without the file.
///
/// # Errors
/// [`Error::User`] if it is damaged.
pub(super) fn times(folder: &Path) -> Result<Option<String>> {
    let path = folder.join(PROFILE);
    let Ok(text) = std::fs::read_to_string(&path) else { return Ok(None) };
    let damaged = || Error::User(format!("{}: damaged; `helmholtz profile {}` makes it anew", path.display(), folder.display()));
    let told: Value = serde_json::from_str(&text).map_err(|_| damaged())?;
    bars(&told).map(Some).ok_or_else(damaged)
}

fn bars(told: &Value) -> Option<String> {
    let profile = &told["profile"];
    let row = |r: &Value| Some((r["name"].as_str()?.to_string(), 1e3 * r["seconds"].as_f64()?, r["launches"].as_u64()?));
    let mut rows = profile["kernels"].as_array()?.iter().map(row).collect::<Option<Vec<_>>>()?;
    if rows.len() > MOST {
        let rest = rows.split_off(MOST - 1);
        rows.push((format!("{} others", rest.len()), rest.iter().map(|r| r.1).sum(), rest.iter().map(|r| r.2).sum()));
    }
    let (wall, sum) = (1e3 * profile["wall_s"].as_f64()?, 1e3 * profile["sum_s"].as_f64()?);
    let (height, top) = (34.0 * rows.len() as f64, 130.0);
    let mut picture = Picture::new(1200.0, top + height + 80.0);
    let title = format!("Time per kernel of a training step of {} walkers", told["batch"].as_u64()?);
    picture.text((30.0, 42.0), &Text::plain(&title), 26.0, INK, Anchor::Start);
    let said = format!(
        "Once measured: {sum:.1} ms in all; an untimed step takes {wall:.1} ms. Right of the bars: launches. {}",
        told["device"]["name"].as_str().unwrap_or("")
    );
    for (y, line) in [(72.0, said), (95.0, format!("Clock: {}", told["clock"].as_str()?))] {
        picture.text((30.0, y), &Text::plain(&line).fitted(16.0, 1140.0), 16.0, GREY, Anchor::Start);
    }
    let longest = rows.iter().map(|r| r.1).fold(0.0, f64::max);
    let panel = Panel {
        left: 270.0,
        top,
        width: 880.0,
        height,
        x: Axis::linear(0.0..1.15 * longest.max(1e-6)),
        y: Axis::linear(0.0..rows.len() as f64),
    };
    panel.grid(&mut picture, (8, 0), Labels { x: true, y: false, whole: false });
    for (k, (name, ms, launches)) in rows.iter().enumerate() {
        let (end, y) = (panel.at(*ms, 0.0).0, top + 34.0 * k as f64);
        picture.rect(panel.left, y + 6.0, end - panel.left, 22.0, COLORS[0]);
        picture.text((panel.left - 10.0, y + 23.0), &Text::plain(name).fitted(16.0, 240.0), 16.0, INK, Anchor::End);
        picture.text((end + 8.0, y + 23.0), &Text::plain(&launches.to_string()), 16.0, GREY, Anchor::Start);
    }
    panel.frame(&mut picture);
    picture.text((panel.left + 0.5 * panel.width, panel.bottom() + 54.0), &Text::plain("time (ms)"), 19.0, INK, Anchor::Middle);
    Some(picture.svg())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Bars as long as their times, the smallest kernels together, and the clock in words.
    #[test]
    fn bars_are_times() {
        let kernel = |k: usize| json!({ "name": format!("kernel_{k}"), "seconds": 0.9f64.powi(k as i32), "launches": k + 1 });
        let kernels: Vec<Value> = (0..20).map(kernel).collect();
        let told = json!({ "batch": 64, "clock": "the device's clock", "device": { "name": "a device" },
            "profile": { "kernels": kernels, "wall_s": 2.5, "sum_s": 2.0 } });
        let svg = bars(&told).unwrap();
        for part in ["of 64 walkers", "the device&apos;s clock", "7 others", "kernel_12", "time (ms)", "2500.0 ms", "a device"] {
            assert!(svg.replace('\'', "&apos;").contains(part), "{part}: {svg}");
        }
        assert!(!svg.contains("kernel_13"));
        let wide = |line: &str| line.split("width=\"").nth(1)?.split('"').next()?.parse::<f64>().ok();
        let bars: Vec<f64> = svg.lines().filter(|l| l.contains("height=\"22.0\"")).filter_map(wide).collect();
        let others: f64 = (13..20).map(|k| 0.9f64.powi(k)).sum();
        // widths are told to a tenth of a pixel, of some 500
        let as_times = |k: usize, time: f64| (bars[k] / bars[0] - time).abs() < 1e-3;
        assert!(bars.len() == MOST && as_times(1, 0.9) && as_times(12, 0.9f64.powi(12)) && as_times(13, others), "{bars:?}");
        assert_eq!(super::bars(&json!({ "profile": {} })), None);
    }

    #[test]
    fn runs_without_a_profile_have_no_picture() {
        let folder = tempfile::tempdir().unwrap();
        assert!(times(folder.path()).unwrap().is_none());
        std::fs::write(folder.path().join(PROFILE), "{}").unwrap();
        assert!(times(folder.path()).unwrap_err().to_string().contains("helmholtz profile"));
    }
}
