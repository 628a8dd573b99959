//! What one training step leaves in the logs: columns with units, made from the kind's quantities.

use serde::{Deserialize, Serialize};

use crate::estimate::Estimate;
use crate::problem::{Kind, Measured, Named, Quantity, Role, SCHEDULED, Unit};

/// What a step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Before training, towards a start that is known exactly; no part of the result.
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

    /// The phase of this name.
    pub fn read(text: &str) -> Option<Phase> {
        [Phase::Pretraining, Phase::Training, Phase::Frozen].into_iter().find(|p| p.name() == text)
    }
}

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub struct StepRecord {
    /// Counted from 0, pretraining by itself; step 0 is measured before the first update.
    pub step: usize,
    pub phase: Phase,
    /// Since the run began.
    pub seconds: f64,
    /// The kind's quantities in printed units, each with its statistical error of this step (one standard deviation).
    pub values: Named<Estimate>,
    /// Samples that were left out because a number of theirs was not finite.
    pub nonfinite: usize,
    /// Wall time of the step.
    pub ms: f64,
}

impl StepRecord {
    /// Whether it measured the system that `last` did: a schedule may have begun with another.
    pub fn like(&self, last: &StepRecord) -> bool {
        let scheduled = |r: &StepRecord| r.values.get(SCHEDULED).map(|e| e.value);
        scheduled(self) == scheduled(last)
    }

    /// What a step measured; everything else unknown.
    pub fn new(step: usize, seconds: f64, measured: &Measured) -> StepRecord {
        StepRecord { step, seconds, values: measured.values.clone(), nonfinite: measured.failed, ..Default::default() }
    }
}

impl Default for StepRecord {
    fn default() -> Self {
        StepRecord { step: 0, phase: Phase::default(), seconds: 0.0, values: Named::default(), nonfinite: 0, ms: f64::NAN }
    }
}

/// One column of the logs.
struct Column {
    name: String,
    unit: Unit,
    cell: Cell,
}

/// What a cell of a line holds.
#[derive(Clone, Copy)]
enum Cell {
    Step,
    Seconds,
    Value(&'static Quantity),
    Error(&'static Quantity),
    Nonfinite,
    Ms,
    Phase,
    /// Written by another version.
    Unknown,
}

/// The column of [`Phase`], the last one: half a word there tells a torn line from a whole one.
const PHASE: &str = "phase";

/// All columns with numbers in the order of `metrics.csv`.
fn columns(kind: &Kind) -> Vec<Column> {
    let column = |name: &str, unit, cell| Column { name: name.into(), unit, cell };
    let mut columns = vec![column("step", Unit::Of(""), Cell::Step), column("seconds", Unit::Of("s"), Cell::Seconds)];
    for q in kind.quantities.iter().filter(|q| q.role != Role::Conclusion) {
        columns.push(column(q.name, q.unit, Cell::Value(q)));
        if q.role != Role::Diagnostic {
            columns.push(column(&format!("{}_err", q.name), q.unit, Cell::Error(q)));
        }
    }
    columns.extend([column("nonfinite", Unit::Of("walkers"), Cell::Nonfinite), column("ms", Unit::Of("ms"), Cell::Ms)]);
    columns
}

impl Cell {
    fn get(self, r: &StepRecord) -> f64 {
        match self {
            Cell::Step => r.step as f64,
            Cell::Seconds => r.seconds,
            Cell::Value(q) => r.values[q.name].value,
            Cell::Error(q) => r.values[q.name].error,
            Cell::Nonfinite => r.nonfinite as f64,
            Cell::Ms => r.ms,
            Cell::Phase | Cell::Unknown => f64::NAN,
        }
    }

    fn set(self, r: &mut StepRecord, v: f64) {
        match self {
            Cell::Step => r.step = v as usize,
            Cell::Seconds => r.seconds = v,
            Cell::Value(q) if q.role == Role::Diagnostic => r.values[q.name] = v.into(),
            Cell::Value(q) => r.values[q.name].value = v,
            Cell::Error(q) => r.values[q.name].error = v,
            Cell::Nonfinite => r.nonfinite = v as usize,
            Cell::Ms => r.ms = v,
            Cell::Phase | Cell::Unknown => {}
        }
    }

    fn whole(self) -> bool {
        matches!(self, Cell::Step | Cell::Nonfinite)
    }

    /// The value as text that reads back exactly; `.` decimals always; empty if unknown.
    fn text(self, r: &StepRecord) -> String {
        let v = self.get(r);
        if v.is_nan() { String::new() } else { format!("{v}") }
    }
}

/// The header of `metrics.csv`: `name [unit]`, energies in `energy`.
pub fn csv_header(kind: &Kind, energy: &str) -> String {
    let header = |c: Column| match c.unit.name(energy) {
        "" => c.name,
        unit => format!("{} [{unit}]", c.name),
    };
    columns(kind).into_iter().map(header).chain([PHASE.to_string()]).collect::<Vec<_>>().join(",")
}

/// A line of `metrics.csv`.
pub fn csv_line(kind: &Kind, r: &StepRecord) -> String {
    columns(kind).iter().map(|c| c.cell.text(r)).chain([r.phase.name().to_string()]).collect::<Vec<_>>().join(",")
}

/// What the numbers of a step are called.
pub fn names(kind: &Kind) -> Vec<String> {
    columns(kind).into_iter().map(|c| c.name).collect()
}

/// Them, in this order; NaN is unknown.
pub fn numbers(kind: &Kind, r: &StepRecord) -> Vec<f64> {
    columns(kind).iter().map(|c| c.cell.get(r)).collect()
}

/// The step of a phase that these are the numbers of.
pub fn of_numbers(kind: &Kind, phase: Phase, numbers: &[f64]) -> StepRecord {
    let mut r = StepRecord { phase, ..StepRecord::default() };
    columns(kind).iter().zip(numbers).filter(|(_, v)| !v.is_nan()).for_each(|(c, v)| c.cell.set(&mut r, *v));
    r
}

/// The object of a step in `events.jsonl`; unknown values are null.
pub fn json(kind: &Kind, r: &StepRecord) -> serde_json::Value {
    let mut map = serde_json::Map::new();
    map.insert("event".into(), "step".into());
    map.insert(PHASE.into(), r.phase.name().into());
    for c in columns(kind) {
        let v = c.cell.get(r);
        map.insert(c.name, if c.cell.whole() { (v as u64).into() } else { v.into() });
    }
    map.into()
}

/// Unit of each column, energies in `energy`.
pub fn units(kind: &Kind, energy: &str) -> serde_json::Value {
    columns(kind).into_iter().map(|c| (c.name, c.unit.name(energy).into())).collect::<serde_json::Map<_, _>>().into()
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

/// Reads `metrics.csv` back: columns are found by name, so that order and additions do not matter.
pub fn read_csv(kind: &Kind, text: &str) -> Result<Logged, String> {
    let mut lines = text.split_inclusive('\n');
    let header = lines.next().ok_or("is empty")?.trim_end();
    let f = kind.quantities[0].name;
    let mut energy = String::new();
    let (known, mut cells) = (columns(kind), Vec::new());
    for h in header.split(',') {
        let name = h.split(" [").next().unwrap_or(h);
        if name == f
            && let Some((_, unit)) = h.trim_end_matches(']').split_once(" [")
        {
            energy = unit.into();
        }
        let number = known.iter().find(|c| c.name == name).map(|c| c.cell);
        cells.push(number.unwrap_or(if name == PHASE { Cell::Phase } else { Cell::Unknown }));
    }
    if !cells.iter().any(|c| matches!(c, Cell::Value(q) if q.name == f)) {
        return Err(format!("has no column {f}"));
    }
    let mut logged = Logged { energy, records: Vec::new(), torn: 0 };
    for line in lines {
        match line.strip_suffix('\n').and_then(|whole| read_line(whole, &cells)) {
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
            Cell::Phase => r.phase = Phase::read(cell)?,
            Cell::Unknown => {}
            number => number.set(&mut r, if cell.is_empty() { f64::NAN } else { cell.parse().ok()? }),
        }
    }
    Some(r)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::kinds;

    fn kind() -> &'static Kind {
        kinds().next().unwrap()
    }

    #[test]
    fn csv_reads_back_exactly() {
        let f = Estimate::new(-0.1680000000000003, 1e-17);
        let mut a = StepRecord { step: 7, values: [("F", f)].into(), nonfinite: 2, ..Default::default() };
        for c in columns(kind()) {
            if c.cell.get(&a).is_nan() {
                c.cell.set(&mut a, 1.0 / 3.0);
            }
        }
        for phase in [Phase::Pretraining, Phase::Training, Phase::Frozen] {
            a.phase = phase;
            let text = format!("{}\n{}\n", csv_header(kind(), "Ry"), csv_line(kind(), &a));
            assert_eq!(read_csv(kind(), &text).unwrap(), Logged { energy: "Ry".into(), records: vec![a.clone()], torn: 0 });
            assert_eq!(json(kind(), &a)["phase"], phase.name());
            assert_eq!(of_numbers(kind(), phase, &numbers(kind(), &a)), a);
        }
        assert!(read_csv(kind(), "step,E\n").is_err());
        // a log without phases
        assert_eq!(read_csv(kind(), "step,F [Ry]\n0,-1\n").unwrap().records[0].phase, Phase::Training);
    }

    /// A line cut anywhere, in the middle of the log or at its end, is left out and counted, and spoils no other.
    #[test]
    fn torn_lines_are_left_out_and_counted() {
        let records: Vec<StepRecord> = (0..3)
            .map(|step| StepRecord { step, values: [("F", Estimate::new(-0.5, 0.1))].into(), nonfinite: 12, ..Default::default() })
            .collect();
        let lines: Vec<String> = records.iter().map(|r| format!("{}\n", csv_line(kind(), r))).collect();
        let head = format!("{}\n", csv_header(kind(), "Ry"));
        let whole = lines[1].len() - 1;
        let left = |log: &Logged| log.records.iter().map(|r| (r.step, r.nonfinite)).collect::<Vec<_>>();
        for cut in 1..whole {
            let torn = &lines[1][..cut];
            let middle = read_csv(kind(), &format!("{head}{}{torn}\n{}", lines[0], lines[2])).unwrap();
            assert_eq!((left(&middle), middle.torn), (vec![(0, 12), (2, 12)], 1), "{cut}");
            let end = read_csv(kind(), &format!("{head}{}{torn}", lines[0])).unwrap();
            assert_eq!((left(&end), end.torn), (vec![(0, 12)], 1), "{cut}");
        }
    }

    #[test]
    fn unknown_values_are_empty_and_null() {
        let r = StepRecord::default();
        assert!(csv_line(kind(), &r).contains(",,"));
        assert!(json(kind(), &r)["tau"].is_null());
    }
}
