//! A recording: the list of named dispatches that make a step, before any of it runs.

use std::collections::{BTreeMap, BTreeSet};

use super::Buffer;
use super::launch::Dispatch;
use crate::error::{Error, Result};

/// The most loop trips an invocation may make. Mesa 22.3's llvmpipe silently stops all loops of an
/// invocation after 65,535 trips, and real GPUs reset long dispatches.
pub const MAX_TRIPS: u64 = 60_000;

/// An entry of a [`Recording`].
#[derive(Clone)]
pub enum Op {
    /// A kernel's launch.
    Dispatch(Dispatch),
    /// Copies `words` words between buffers, from and to the given words.
    Copy {
        /// Source.
        from: Buffer,
        /// First word of the source.
        from_word: usize,
        /// Goal, another buffer.
        to: Buffer,
        /// First word of the goal.
        to_word: usize,
        /// How many.
        words: usize,
    },
    /// Sets a whole buffer to zero bits.
    Clear(Buffer),
}

/// Named operations in order. Later operations see the results of earlier ones.
#[derive(Clone, Default)]
pub struct Recording {
    /// In order.
    pub ops: Vec<Op>,
    phase: String,
    gate: Option<Gate>,
    gates: BTreeMap<usize, Gate>,
    /// The first operation that no device may run, in words.
    fault: Option<String>,
}

/// A word on the device that holds 1 where the dispatches after it have nothing left to do: iterations
/// recorded beyond convergence. The kernels look at it themselves; a profile reads it so as not to
/// count work that was not done.
#[derive(Clone)]
pub struct Gate {
    /// Where the word lies.
    pub buffer: Buffer,
    /// Its place there.
    pub word: usize,
}

impl Recording {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Names the phase that the following dispatches belong to.
    pub fn phase(&mut self, name: &str) {
        self.phase = name.to_string();
    }

    /// Says which word makes the kernels of the following dispatches skip their work, if any does.
    pub fn gate(&mut self, gate: Option<(&Buffer, usize)>) {
        self.gate = gate.map(|(buffer, word)| Gate { buffer: buffer.clone(), word });
    }

    /// The gate of the operation `index`.
    pub(super) fn gate_of(&self, index: usize) -> Option<&Gate> {
        self.gates.get(&index)
    }

    pub(super) fn push(&mut self, mut dispatch: Dispatch) {
        if dispatch.groups.contains(&0) {
            return;
        }
        if !self.phase.is_empty() {
            dispatch.name = format!("{}/{}", self.phase, dispatch.name);
        }
        if let Some(gate) = &self.gate {
            self.gates.insert(self.ops.len(), gate.clone());
        }
        self.fault = self.fault.take().or_else(|| dispatch.fault());
        self.ops.push(Op::Dispatch(dispatch));
    }

    /// Copies `words` words from the start of one buffer to the start of another.
    pub fn copy(&mut self, from: &Buffer, to: &Buffer, words: usize) {
        self.copy_range(from, 0, to, 0, words);
    }

    /// Copies `words` words from word `from_word` of one buffer to word `to_word` of another.
    pub fn copy_range(&mut self, from: &Buffer, from_word: usize, to: &Buffer, to_word: usize, words: usize) {
        let (given, taken) = (to.words(), from.words());
        if from.same(to) || from_word + words > taken || to_word + words > given {
            self.fault.get_or_insert(format!(
                "copy of {words} words from word {from_word} of {} ({taken} words) to word {to_word} of {} ({given} words): outside of a buffer, or within one",
                from.name(),
                to.name()
            ));
        }
        self.ops.push(Op::Copy { from: from.clone(), from_word, to: to.clone(), to_word, words });
    }

    /// Sets all words of a buffer to 0.
    pub fn clear(&mut self, buffer: &Buffer) {
        self.ops.push(Op::Clear(buffer.clone()));
    }

    /// Appends another recording.
    pub fn append(&mut self, other: &Recording) {
        let first = self.ops.len();
        self.fault = self.fault.take().or_else(|| other.fault.clone());
        self.gates.extend(other.gates.iter().map(|(index, gate)| (first + index, gate.clone())));
        self.ops.extend(other.ops.iter().cloned());
    }

    /// The launches, in order.
    pub fn dispatches(&self) -> impl Iterator<Item = &Dispatch> {
        self.ops.iter().filter_map(|op| match op {
            Op::Dispatch(d) => Some(d),
            _ => None,
        })
    }

    /// Every array that it touches, once, with the phase that touches it first: the memory that running it takes.
    pub fn arrays(&self) -> Vec<(&Buffer, &str)> {
        let (mut seen, mut arrays, mut phase) = (BTreeSet::new(), Vec::new(), "");
        let mut meet = |buffer, phase| {
            if seen.insert(Buffer::identity(buffer)) {
                arrays.push((buffer, phase));
            }
        };
        for op in &self.ops {
            match op {
                Op::Dispatch(d) => {
                    phase = d.name.split('/').next().unwrap_or("");
                    d.bindings.iter().for_each(|b| meet(&b.buffer, phase));
                }
                Op::Copy { from, to, .. } => [from, to].into_iter().for_each(|b| meet(b, phase)),
                Op::Clear(buffer) => meet(buffer, phase),
            }
        }
        arrays
    }

    /// Number of different pipelines its dispatches need: one for each kernel and set of constants.
    pub fn pipelines(&self) -> usize {
        self.dispatches().map(|d| (d.kernel.name, &d.constants)).collect::<BTreeSet<_>>().len()
    }

    /// Refuses what a device would run wrongly without an error: buffers that are too short, launches that are too long.
    ///
    /// # Errors
    /// [`Error::Device`] with the kernel, the binding, and the words needed and given, or the limit that is passed.
    pub fn check(&self) -> Result<()> {
        if let Some(fault) = &self.fault {
            return Err(Error::Device(fault.clone()));
        }
        for d in self.dispatches() {
            if d.trips > MAX_TRIPS {
                return Err(Error::Device(format!(
                    "kernel {} ({}) would make {} loop trips in one invocation, more than the {MAX_TRIPS} that every driver carries out; use a smaller system",
                    d.kernel.name, d.name, d.trips
                )));
            }
            if d.groups.contains(&0) {
                return Err(Error::Device(format!(
                    "kernel {} ({}) would be launched with no workgroups: its outputs would be stale",
                    d.kernel.name, d.name
                )));
            }
            if d.groups.iter().any(|&g| g > 65_535) {
                return Err(Error::Device(format!("{}: grid {:?} exceeds 65,535 workgroups a dimension", d.name, d.groups)));
            }
            if d.params.len() != d.kernel.params_bytes {
                return Err(Error::Device(format!(
                    "{}: Params of {} bytes, the kernel takes {}",
                    d.name,
                    d.params.len(),
                    d.kernel.params_bytes
                )));
            }
        }
        Ok(())
    }

    /// The recording asks for what is not to be had: it will not run.
    pub(crate) fn refuse(&mut self, why: &str) {
        self.fault.get_or_insert_with(|| why.into());
    }

    /// Floating-point operations of all dispatches.
    pub fn flops(&self) -> f64 {
        self.dispatches().map(|d| d.flops).sum()
    }

    /// One line an operation: what a test without a device compares.
    pub fn listing(&self) -> String {
        let mut text = String::new();
        for op in &self.ops {
            match op {
                Op::Dispatch(d) => {
                    let constants: Vec<String> = d.constants.iter().map(|(k, v)| format!("{k}={v}")).collect();
                    let buffers: Vec<&Buffer> = d.bindings.iter().map(|b| &b.buffer).collect();
                    text.push_str(&format!("{} {}({}) {:?} {:?}\n", d.name, d.kernel.name, constants.join(" "), d.groups, buffers));
                }
                Op::Copy { from, from_word, to, to_word, words } => {
                    text.push_str(&format!("copy {from:?}+{from_word} -> {to:?}+{to_word} {words}\n"));
                }
                Op::Clear(b) => text.push_str(&format!("clear {b:?}\n")),
            }
        }
        text
    }
}

/// Folds `groups` workgroups into a grid no dimension of which passes the limit. Kernels undo it
/// with `flat_group` and skip the few groups past the end.
pub fn grid(groups: usize) -> [u32; 3] {
    let x = groups.min(32_768);
    [x as u32, if x == 0 { 0 } else { groups.div_ceil(x) as u32 }, 1]
}
