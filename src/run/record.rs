//! What one training step leaves in the logs: one table of columns with units.

use super::Thermo;
use crate::config::Settings;
use crate::estimate::Energies;

/// What a step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Moved p(K) alone towards the ideal gas; F is that of the ideal gas in the model's states.
    Pretraining,
    /// Measured, then updated the parameters; what logs without the column hold.
    #[default]
    Training,
    /// Measured with frozen parameters.
    Frozen,
}

impl Phase {
    /// The word in the logs.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Pretraining => "pretraining",
            Phase::Training => "training",
            Phase::Frozen => "frozen",
        }
    }

    fn read(text: &str) -> Option<Phase> {
        [Phase::Pretraining, Phase::Training, Phase::Frozen].into_iter().find(|p| p.name() == text)
    }
}

/// One step. Energies are per electron in Ry (at rs = 0 in Ry/rs²), entropies per electron in k_B,
/// each with its statistical error of this step (one standard deviation). Unknown: NaN.
#[derive(Clone, Debug, PartialEq)]
pub struct StepRecord {
    /// Counted from 0, pretraining by itself; step 0 is measured before the first update.
    pub step: usize,
    pub phase: Phase,
    /// Since the run began.
    pub seconds: f64,
    /// Free energy F = E − T S.
    pub f: f64,
    pub f_err: f64,
    /// Energy E = K + V.
    pub e: f64,
    pub e_err: f64,
    /// Kinetic energy after a partial integration that takes noise away.
    pub k: f64,
    pub k_err: f64,
    /// Potential energy, E − K.
    pub v: f64,
    pub v_err: f64,
    /// Entropy of the occupation distribution.
    pub s: f64,
    pub s_err: f64,
    /// The same means from the local kinetic energy and the Coulomb sum themselves.
    pub k_local: f64,
    pub k_local_err: f64,
    pub v_local: f64,
    pub v_local_err: f64,
    /// Accepted share of proposals: Metropolis moves, or candidates of exact draws.
    pub acceptance: f64,
    /// Integrated autocorrelation time of ln|Ψ|² along the chains, in Metropolis sweeps (exact draws: 1).
    pub tau: f64,
    /// Standard deviation of a proposed Metropolis move, in rs a0.
    pub width: f64,
    /// Euclidean norms of the two gradients, in Ry/rs².
    pub grad_van: f64,
    pub grad_flow: f64,
    /// Walkers whose local energy was not finite and was left out.
    pub nonfinite: usize,
    /// Wall time of the step.
    pub ms: f64,
}

impl StepRecord {
    /// The averages of a step's batch in printed units; everything else unknown.
    pub fn new(step: usize, seconds: f64, energies: &Energies, settings: &Settings) -> StepRecord {
        let t = Thermo::new(energies, settings);
        StepRecord {
            step,
            seconds,
            f: t.f.value,
            f_err: t.f.error,
            e: t.e.value,
            e_err: t.e.error,
            k: t.k.value,
            k_err: t.k.error,
            v: t.v.value,
            v_err: t.v.error,
            s: t.s.value,
            s_err: t.s.error,
            k_local: t.k_local.value,
            k_local_err: t.k_local.error,
            v_local: t.v_local.value,
            v_local_err: t.v_local.error,
            nonfinite: energies.failed,
            ..Default::default()
        }
    }
}

impl Default for StepRecord {
    fn default() -> Self {
        let nan = f64::NAN;
        StepRecord {
            step: 0,
            phase: Phase::default(),
            seconds: 0.0,
            f: nan,
            f_err: nan,
            e: nan,
            e_err: nan,
            k: nan,
            k_err: nan,
            v: nan,
            v_err: nan,
            s: nan,
            s_err: nan,
            k_local: nan,
            k_local_err: nan,
            v_local: nan,
            v_local_err: nan,
            acceptance: nan,
            tau: nan,
            width: nan,
            grad_van: nan,
            grad_flow: nan,
            nonfinite: 0,
            ms: nan,
        }
    }
}

/// One column of the logs.
pub struct Column {
    pub name: &'static str,
    /// `Ry` stands for the run's energy unit.
    pub unit: &'static str,
    pub get: fn(&StepRecord) -> f64,
    set: fn(&mut StepRecord, f64),
    whole: bool,
}

macro_rules! columns {
    ($($name:literal $unit:literal $field:ident $whole:literal;)*) => {
        &[$(Column { name: $name, unit: $unit, get: |r| r.$field as f64, set: |r, v| r.$field = v as _, whole: $whole }),*]
    };
}

/// All columns in the order of `metrics.csv`: energies and entropies per electron.
pub static COLUMNS: &[Column] = columns! {
    "step" "" step true;
    "seconds" "s" seconds false;
    "F" "Ry" f false; "F_err" "Ry" f_err false;
    "E" "Ry" e false; "E_err" "Ry" e_err false;
    "K" "Ry" k false; "K_err" "Ry" k_err false;
    "V" "Ry" v false; "V_err" "Ry" v_err false;
    "S" "k_B" s false; "S_err" "k_B" s_err false;
    "K_local" "Ry" k_local false; "K_local_err" "Ry" k_local_err false;
    "V_local" "Ry" v_local false; "V_local_err" "Ry" v_local_err false;
    "acceptance" "" acceptance false;
    "tau" "sweeps" tau false;
    "width" "rs a0" width false;
    "grad_van" "Ry/rs²" grad_van false;
    "grad_flow" "Ry/rs²" grad_flow false;
    "nonfinite" "walkers" nonfinite true;
    "ms" "ms" ms false;
};

impl Column {
    /// `name [unit]`; energies in `energy`.
    pub fn header(&self, energy: &str) -> String {
        match self.unit {
            "" => self.name.into(),
            "Ry" => format!("{} [{energy}]", self.name),
            unit => format!("{} [{unit}]", self.name),
        }
    }

    /// The value as text that reads back exactly; `.` decimals always; empty if unknown.
    pub fn text(&self, r: &StepRecord) -> String {
        let v = (self.get)(r);
        match (v.is_nan(), self.whole) {
            (true, _) => String::new(),
            (_, true) => format!("{v:.0}"),
            _ => format!("{v}"),
        }
    }
}

/// The column of [`Phase`], the last one: half a word there tells a torn line from a whole one.
const PHASE: &str = "phase";

/// The header of `metrics.csv`.
pub fn csv_header(energy: &str) -> String {
    COLUMNS.iter().map(|c| c.header(energy)).chain([PHASE.to_string()]).collect::<Vec<_>>().join(",")
}

/// A line of `metrics.csv`.
pub fn csv_line(r: &StepRecord) -> String {
    COLUMNS.iter().map(|c| c.text(r)).chain([r.phase.name().to_string()]).collect::<Vec<_>>().join(",")
}

/// The object of a step in `events.jsonl`; unknown values are null.
pub fn json(r: &StepRecord) -> serde_json::Value {
    let mut map = serde_json::Map::new();
    map.insert("event".into(), "step".into());
    map.insert(PHASE.into(), r.phase.name().into());
    for c in COLUMNS.iter() {
        let v = (c.get)(r);
        map.insert(c.name.into(), if c.whole { (v as u64).into() } else { v.into() });
    }
    map.into()
}

/// `metrics.csv` read back.
#[derive(Clone, Debug, PartialEq)]
pub struct Logged {
    /// Unit of the energies.
    pub energy: String,
    pub records: Vec<StepRecord>,
    /// Lines that are no step: torn by a full disk or the death of the run. They are left out.
    pub torn: usize,
}

/// Where the cells of a line belong.
enum Cell {
    Number(&'static Column),
    Phase,
    /// Written by another version.
    Unknown,
}

/// Reads `metrics.csv` back: columns are found by name, so that order and additions do not matter.
pub fn read_csv(text: &str) -> Result<Logged, String> {
    let mut lines = text.split_inclusive('\n');
    let header = lines.next().ok_or("is empty")?.trim_end();
    let mut energy = "Ry".to_string();
    let mut columns = Vec::new();
    for h in header.split(',') {
        let name = h.split(" [").next().unwrap_or(h);
        if name == "F"
            && let Some((_, unit)) = h.trim_end_matches(']').split_once(" [")
        {
            energy = unit.into();
        }
        let number = COLUMNS.iter().find(|c| c.name == name).map(Cell::Number);
        columns.push(number.unwrap_or(if name == PHASE { Cell::Phase } else { Cell::Unknown }));
    }
    if !columns.iter().any(|c| matches!(c, Cell::Number(c) if c.name == "F")) {
        return Err("has no column F".into());
    }
    let mut logged = Logged { energy, records: Vec::new(), torn: 0 };
    for line in lines {
        match line.strip_suffix('\n').and_then(|whole| read_line(whole, &columns)) {
            Some(r) => logged.records.push(r),
            None => logged.torn += 1,
        }
    }
    Ok(logged)
}

/// A step; nothing if the line is not whole.
fn read_line(line: &str, columns: &[Cell]) -> Option<StepRecord> {
    let cells: Vec<&str> = line.trim_end_matches('\r').split(',').collect();
    if cells.len() != columns.len() {
        return None;
    }
    let mut r = StepRecord::default();
    for (column, cell) in columns.iter().zip(cells) {
        match column {
            Cell::Number(c) => (c.set)(&mut r, if cell.is_empty() { f64::NAN } else { cell.parse().ok()? }),
            Cell::Phase => r.phase = Phase::read(cell)?,
            Cell::Unknown => {}
        }
    }
    Some(r)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_reads_back_exactly() {
        let mut a = StepRecord { step: 7, f: -0.1680000000000003, f_err: 1e-17, nonfinite: 2, ..Default::default() };
        for c in COLUMNS {
            if (c.get)(&a).is_nan() {
                (c.set)(&mut a, 1.0 / 3.0);
            }
        }
        for phase in [Phase::Pretraining, Phase::Training, Phase::Frozen] {
            a.phase = phase;
            let text = format!("{}\n{}\n", csv_header("Ry"), csv_line(&a));
            assert_eq!(read_csv(&text).unwrap(), Logged { energy: "Ry".into(), records: vec![a.clone()], torn: 0 });
            assert_eq!(json(&a)["phase"], phase.name());
        }
        assert!(read_csv("step,E\n").is_err());
        // a log without phases
        assert_eq!(read_csv("step,F [Ry]\n0,-1\n").unwrap().records[0].phase, Phase::Training);
    }

    /// A line cut anywhere, in the middle of the log or at its end, is left out and counted, and spoils no other.
    #[test]
    fn torn_lines_are_left_out_and_counted() {
        let records: Vec<StepRecord> = (0..3).map(|step| StepRecord { step, f: -0.5, nonfinite: 12, ..Default::default() }).collect();
        let lines: Vec<String> = records.iter().map(|r| format!("{}\n", csv_line(r))).collect();
        let head = format!("{}\n", csv_header("Ry"));
        let whole = lines[1].len() - 1;
        let left = |log: &Logged| log.records.iter().map(|r| (r.step, r.nonfinite)).collect::<Vec<_>>();
        for cut in 1..whole {
            let torn = &lines[1][..cut];
            let middle = read_csv(&format!("{head}{}{torn}\n{}", lines[0], lines[2])).unwrap();
            assert_eq!((left(&middle), middle.torn), (vec![(0, 12), (2, 12)], 1), "{cut}");
            let end = read_csv(&format!("{head}{}{torn}", lines[0])).unwrap();
            assert_eq!((left(&end), end.torn), (vec![(0, 12)], 1), "{cut}");
        }
    }

    #[test]
    fn unknown_values_are_empty_and_null() {
        let r = StepRecord::default();
        assert!(csv_line(&r).contains(",,"));
        assert!(json(&r)["tau"].is_null());
    }
}
