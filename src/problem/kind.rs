//! What command line, logs, reports and figures know of a system: one row each, its [`Kind`].
//!
//! They print, log and draw whatever quantities the row names, in its units and words, and know no physics.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Named, Problem, kind};
use crate::config::{System, Values};
use crate::error::Result;
use crate::estimate::plot::Axis;
use crate::estimate::{Draws, Estimate, Plot};
use crate::gpu::Gpu;
use crate::model::parameters::Table;

/// Names, shapes and prefixes of the parameters of a problem's learners.
pub type Tables = Vec<(Table, &'static str)>;
/// Opens a problem on a device.
pub type Open = fn(&Gpu, &Values, Option<Parameters>) -> Result<Box<dyn Problem>>;
/// A vector for each of these tables.
pub type Parameters = Vec<Vec<f32>>;

/// A system, as all but its own files know it.
pub struct Kind {
    /// Its name and its settings.
    pub system: &'static System,
    /// What printed values are per ("electron"), and the symbol of how many of these there are.
    pub per: &'static str,
    pub count: &'static str,
    /// F first, then in the order of logs and tables.
    pub quantities: &'static [Quantity],
    /// The settings that name a system of this kind.
    pub parameters: &'static [Parameter],
    /// Those that a series of runs may go over, the first that differs counts; with the symbol of its axis.
    pub scanned: &'static [(&'static str, &'static str)],
    /// The one of them that is the temperature, or its inverse, and nothing else; empty: none.
    pub temperature: &'static str,
    /// Settings, where they are left at their defaults, of a run that starts from the parameters of a neighbour in a scan.
    pub warm: &'static [(&'static str, &'static str)],
    /// What theory knows besides [`Kind::exact`], to be marked in figures of series.
    pub landmarks: fn(&Values) -> Vec<Landmark>,
    /// Pictures of a series of runs besides those of its results.
    ///
    /// # Errors
    /// [`crate::Error::User`] for settings that make no system.
    pub pictures: fn(&Sequence) -> Result<Vec<Plot>>,
    /// A figure's title in the markup of [`crate::report`]; `<name>` stands for a parameter.
    pub title: &'static str,
    pub exact: Exact,
    /// Whether the exact values are of the system itself, not of one that it is compared with.
    pub solved: fn(&Values) -> bool,
    /// Unit of the printed energies.
    pub energy_unit: fn(&Values) -> &'static str,
    /// What settings mean, before anything is run.
    pub means: fn(&Values) -> Result<Means>,
    /// β per printed unit of energy: β times a printed difference of F is in nats (per electron, …).
    pub beta: fn(&Values) -> Result<f64>,
    /// What F is, in a sentence, if there is something to know before it is quoted; by its parameters, and whether chains drew.
    pub caveat: fn(&Named<serde_json::Value>, bool) -> Option<String>,
    /// What the samples of successive steps have to do with each other.
    pub draws: fn(&Values) -> Draws,
    /// How samples are drawn, in words.
    pub sampling: fn(&Values) -> String,
    /// Settings of which a smaller value may help where memory is short, after the batch; each with one that divides it.
    pub sizes: &'static [(&'static str, Option<&'static str>)],
    /// Names, shapes and prefixes of the parameters that are saved and started from.
    pub tables: fn(&Values) -> Result<Tables>,
    /// Batch and chunk where they are left to the program (`auto`), by what the device carries; from sizes alone.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if not even one sample fits, or a chunk that was asked for does not.
    pub settle: fn(&Gpu, &Values) -> Result<(usize, usize)>,
    /// A run's problem for settings with batch and chunk, from the parameters given (one vector a table) or fresh ones.
    /// Nothing of the size of the batch is allocated before it is used.
    pub open: Open,
}

/// What a run measures.
pub struct Quantity {
    /// Its column in the logs; in lower case its key in JSON.
    pub name: &'static str,
    /// In words, and what it is made of.
    pub meaning: &'static str,
    pub formula: &'static str,
    pub unit: Unit,
    pub role: Role,
    pub beside: Beside,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Averaged over steps; in the table and the figure, where the scatter of steps is checked.
    Result,
    /// Averaged over steps; in logs and the summary alone.
    Logged,
    /// A number of a step without an error; in the logs alone.
    Diagnostic,
    /// Known at the end of a run, of all its samples together.
    Conclusion,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// The run's unit of energy.
    Energy,
    Entropy,
    /// Another, or none.
    Of(&'static str),
}

/// The number among a run's exact ones ([`Exact::of`]) that stands beside a quantity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Beside {
    Nothing,
    /// That of its own name.
    Own,
    /// That of another one, which it equals there.
    Equal(&'static str),
    Number(f64),
}

/// A value of a setting or a quantity that theory knows, in markup what it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Landmark {
    pub of: &'static str,
    pub value: f64,
    pub label: &'static str,
}

/// Finished runs along one setting.
pub struct Sequence<'r> {
    /// Its name.
    pub setting: &'static str,
    pub axis: Axis,
    /// Of a figure, in markup.
    pub title: String,
    pub courses: Vec<Course<'r>>,
}

/// Those that differ in that setting alone, in its order.
pub struct Course<'r> {
    /// In what they differ from those of other courses; in markup.
    pub name: String,
    /// Their place on the axis, their settings, and what they gave.
    pub runs: Vec<(f64, &'r Values, &'r Named<Estimate>)>,
}

/// A setting that names a system: as in files, in the name of a run's folder, in words.
#[derive(Clone, Copy)]
pub struct Parameter {
    pub name: &'static str,
    pub short: &'static str,
    pub meaning: &'static str,
    /// The value at which it is not told, and what stands before any other in a title.
    pub usual: Option<(f64, &'static str)>,
}

impl Parameter {
    /// Its text among the parameters of a system, unless it has its usual value.
    pub fn told(&self, of: &Named<serde_json::Value>) -> Option<String> {
        let number = of.number(self.name);
        // files of earlier builds may lack it
        self.usual.is_none_or(|(value, _)| number.is_finite() && number != value).then(|| of.text(self.name))
    }
}

/// A system whose values are known exactly, which stand beside those of a run.
pub struct Exact {
    /// "ideal gas"; and as an index of symbols.
    pub name: &'static str,
    pub index: &'static str,
    pub of: fn(&Values) -> Result<Named<f64>>,
}

/// What settings mean: sizes, units, what cut-offs cost.
pub struct Means {
    /// For people, a line each; and for programs.
    pub lines: Vec<String>,
    pub json: serde_json::Value,
}

impl Unit {
    /// Its name where energies are in `energy`; empty: none.
    pub fn name(self, energy: &str) -> &str {
        match self {
            Unit::Energy => energy,
            Unit::Entropy => "k_B",
            Unit::Of(name) => name,
        }
    }
}

impl Quantity {
    /// One of the results.
    pub const fn result(name: &'static str, meaning: &'static str, formula: &'static str, unit: Unit, beside: Beside) -> Quantity {
        Quantity { name, meaning, formula, unit, role: Role::Result, beside }
    }

    /// An energy in logs and summary.
    pub const fn logged(name: &'static str, meaning: &'static str) -> Quantity {
        Quantity { name, meaning, formula: "", unit: Unit::Energy, role: Role::Logged, beside: Beside::Nothing }
    }

    /// Known at the end of a run.
    pub const fn conclusion(name: &'static str, meaning: &'static str, unit: Unit) -> Quantity {
        Quantity { name, meaning, formula: "", unit, role: Role::Conclusion, beside: Beside::Nothing }
    }

    /// A number of a step, in the logs.
    pub const fn diagnostic(name: &'static str, meaning: &'static str, unit: &'static str) -> Quantity {
        Quantity { name, meaning, formula: "", unit: Unit::Of(unit), role: Role::Diagnostic, beside: Beside::Nothing }
    }

    /// In words, and what it is made of: `free energy E − TS`.
    pub fn words(&self) -> String {
        format!("{} {}", self.meaning, self.formula).trim_end().to_string()
    }

    /// Its exact value among those of a run.
    pub fn exact(&self, known: &Named<f64>) -> Option<f64> {
        match self.beside {
            Beside::Nothing => None,
            Beside::Own => known.get(self.name).copied(),
            Beside::Equal(other) => known.get(other).copied(),
            Beside::Number(value) => Some(value),
        }
    }
}

impl Kind {
    /// As the command line and files call it.
    pub fn name(&self) -> &'static str {
        self.system.name
    }

    /// The quantities of tables and figures, F first.
    pub fn results(&self) -> impl Iterator<Item = &'static Quantity> {
        self.quantities.iter().filter(|q| q.role == Role::Result)
    }

    /// How a quantity is written in figures: what is extensive per electron, spin, …
    pub fn symbol(&self, q: &Quantity) -> String {
        match q.unit {
            Unit::Of(_) => format!("*{}*", q.name),
            Unit::Energy | Unit::Entropy => format!("*{}*/{}", q.name, self.count),
        }
    }

    /// Those with averages over steps.
    pub fn averaged(&self) -> impl Iterator<Item = &'static Quantity> {
        self.quantities.iter().filter(|q| matches!(q.role, Role::Result | Role::Logged))
    }

    /// The entropy, of which the share of the exact one is told, if it is among the results.
    pub fn entropy(&self) -> Option<&'static Quantity> {
        self.results().find(|q| q.unit == Unit::Entropy)
    }

    /// What the share of the exact entropy that a run reaches is called: `S/S_ideal`.
    pub fn share(&self) -> Option<String> {
        self.entropy().map(|q| format!("{0}/{0}_{1}", q.name, self.exact.index))
    }

    /// `electron gas, n=13 dim=2 rs=10 theta=0.15`.
    pub fn words(&self, parameters: &Named<serde_json::Value>) -> String {
        let given = self.parameters.iter().filter_map(|p| Some(format!("{}={}", p.name, p.told(parameters)?)));
        format!("{}, {}", self.system.name.replace('-', " "), given.collect::<Vec<_>>().join(" "))
    }

    /// The title with the texts of the parameters.
    pub fn titled(&self, text: impl Fn(&str) -> String) -> String {
        let told = |p: &Parameter| match (p.usual, text(p.name)) {
            (None, text) => text,
            (Some((value, before)), text) => match text.parse::<f64>() {
                Ok(number) if number != value => format!("{before}{text}"),
                _ => String::new(),
            },
        };
        self.parameters.iter().fold(self.title.to_string(), |title, p| title.replace(&format!("<{}>", p.name), &told(p)))
    }

    /// The parameters of a system of this kind.
    pub fn parameters_of(&self, values: &Values) -> Named<serde_json::Value> {
        self.parameters.iter().map(|p| (p.name, values.json(p.name))).collect()
    }
}

impl PartialEq for Kind {
    fn eq(&self, other: &Kind) -> bool {
        self.name() == other.name()
    }
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Files hold a kind's name.
impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        s.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for &'static Kind {
    fn deserialize<D: Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        let name = String::deserialize(d)?;
        kind(&name).ok_or_else(|| de::Error::custom(format!("system {name:?} is unknown")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Bearing;
    use crate::problem::{Beside, electron_gas};
    use crate::report::{draw, result_table};
    use crate::run::{StepRecord, Summary, record};

    static SYSTEM: System = System {
        name: "spin-model",
        example: &[],
        keys: &[LATTICE],
        defaults: &[],
        derive: |_| Ok(()),
        mistakes: |_| Vec::new(),
        bearing: |_| Bearing::None,
    };

    crate::config::settings! {
        /// A lattice.
        #[allow(dead_code)] // its table alone is used
        pub struct Lattice, LATTICE
        "system" {
            lattice: String = "square", crate::config::Range::Any, "", "lattice";
        }
    }

    /// Spins, which have no V, and a magnetisation without a unit.
    static SPINS: Kind = Kind {
        system: &SYSTEM,
        per: "spin",
        count: "*N*",
        quantities: &[
            Quantity { name: "F", meaning: "free energy", formula: "", unit: Unit::Energy, role: Role::Result, beside: Beside::Own },
            Quantity { name: "U", meaning: "energy", formula: "", unit: Unit::Energy, role: Role::Result, beside: Beside::Nothing },
            Quantity { name: "mz", meaning: "order", formula: "", unit: Unit::Of(""), role: Role::Result, beside: Beside::Number(0.0) },
            Quantity { name: "pace", meaning: "", formula: "", unit: Unit::Of("ms"), role: Role::Diagnostic, beside: Beside::Nothing },
        ],
        parameters: &[Parameter { name: "lattice", short: "", meaning: "lattice", usual: None }],
        scanned: &[],
        temperature: "",
        warm: &[],
        landmarks: |_| Vec::new(),
        pictures: |_| Ok(Vec::new()),
        title: "Spins on a <lattice> lattice",
        exact: Exact { name: "transfer matrix", index: "exact", of: |_| Ok(Named::default()) },
        solved: |_| true,
        energy_unit: |_| "J",
        means: |_| Ok(Means { lines: Vec::new(), json: serde_json::Value::Null }),
        beta: |_| Ok(1.0),
        caveat: |_, _| None,
        draws: |_| Draws::Independent,
        sampling: |_| String::new(),
        sizes: &[],
        tables: |_| Ok(Vec::new()),
        settle: |_, _| Ok((2, 2)),
        open: electron_gas::KIND.open,
    };

    /// Logs, table and figure of another system: its own quantities and words, nothing of an electron gas.
    #[test]
    fn another_kind_has_its_own_columns_and_words() {
        assert_eq!(
            record::csv_header(&SPINS, "J"),
            "step,seconds [s],F [J],F_err [J],U [J],U_err [J],mz,mz_err,pace [ms],nonfinite [walkers],ms [ms],phase"
        );
        let values: Named<Estimate> =
            [("F", Estimate::new(-2.25, 0.5)), ("U", Estimate::new(-1.5, 0.25)), ("mz", Estimate::new(0.125, 0.5)), ("pace", 3.0.into())]
                .into();
        let r = StepRecord { step: 4, values: values.clone(), ms: 7.0, ..Default::default() };
        let text = format!("{}\n{}\n", record::csv_header(&SPINS, "J"), record::csv_line(&SPINS, &r));
        let back = record::read_csv(&SPINS, &text).unwrap();
        assert_eq!((back.energy.as_str(), back.records), ("J", vec![r.clone()]));
        assert_eq!(record::json(&SPINS, &r)["mz_err"], 0.5);

        let settings = SYSTEM.values();
        let mut s = Summary::new(&SPINS, &settings, "device", 1, 1.0, values, "1 step");
        s.exact = Some([("F", -2.5)].into());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.svg");
        draw(&path, &s, &[r]).unwrap();
        let (table, picture) = (result_table(&s), std::fs::read_to_string(&path).unwrap());
        for part in
            ["spin model, lattice=square: values per spin", "transfer matrix, exact", "-2.25 ± 0.50", "mz  order", "-2.500000", "0.000000"]
        {
            assert!(table.contains(part), "{part}: {table}");
        }
        for part in ["Spins on a square lattice", "Values per spin", "order"] {
            assert!(picture.contains(part), "{part}: {picture}");
        }
        assert!(!table.contains("ideal") && !picture.contains("ideal") && !table.contains("k_B"), "{table}");
    }
}
