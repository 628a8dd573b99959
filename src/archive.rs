//! The state of a run on its way into a checkpoint or out of one. Whoever holds a part of it names the part once, for both
//! ways, so that what is saved and what is restored cannot differ.
//!
//! ```
//! use helmholtz::Gpu;
//! use helmholtz::archive::Archive;
//!
//! # fn main() -> helmholtz::Result<()> {
//! struct Chain {
//!     step: u32,
//!     sums: Vec<f64>,
//! }
//!
//! impl Chain {
//!     fn state(&mut self, a: &mut Archive) -> helmholtz::Result<()> {
//!         a.value("step", &mut self.step)?;
//!         a.list("sums", &mut self.sums)
//!     }
//! }
//!
//! let gpu = Gpu::open(None)?;
//! let mut archive = Archive::saving(&gpu);
//! Chain { step: 7, sums: vec![0.5, f64::NAN] }.state(&mut archive)?;
//! let mut other = Chain { step: 0, sums: Vec::new() };
//! let mut archive = Archive::restoring(&gpu, archive.finish()?);
//! other.state(&mut archive)?;
//! archive.finish()?;
//! assert!(other.step == 7 && other.sums[0] == 0.5 && other.sums[1].is_nan());
//! # Ok(())
//! # }
//! ```

use std::collections::BTreeMap;

use safetensors::tensor::Dtype;

use crate::error::{Error, Result};
use crate::gpu::{Buffer, Gpu};

/// Numbers under a name, bit by bit.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers {
    /// F32, U32 or F64.
    pub dtype: Dtype,
    /// Little-endian.
    pub bytes: Vec<u8>,
}

/// Everything a run goes on from, by names such as `flow/parameters`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State(pub BTreeMap<String, Numbers>);

impl State {
    /// Numbers of an array of the device; none under another name.
    pub fn floats(&self, name: &str) -> Vec<f32> {
        let read = |b: &[u8; 4]| f32::from_le_bytes(*b);
        self.0.get(name).filter(|n| n.dtype == Dtype::F32).map_or(Vec::new(), |n| n.bytes.as_chunks::<4>().0.iter().map(read).collect())
    }
}

/// A number of the host; whole ones up to 2⁵³.
pub trait Number: Copy {
    /// As it is kept.
    fn kept(self) -> f64;
    /// As it was.
    fn restored(kept: f64) -> Self;
}

impl Number for f64 {
    fn kept(self) -> f64 {
        self
    }

    fn restored(kept: f64) -> f64 {
        kept
    }
}

impl Number for u32 {
    fn kept(self) -> f64 {
        self as f64
    }

    fn restored(kept: f64) -> u32 {
        kept as u32
    }
}

impl Number for usize {
    fn kept(self) -> f64 {
        self as f64
    }

    fn restored(kept: f64) -> usize {
        kept as usize
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Save,
    Restore,
    /// Into another run.
    Fork,
}

/// Takes state out of a run or puts it into one.
pub struct Archive<'g> {
    gpu: &'g Gpu,
    way: Way,
    state: State,
    /// Arrays of the device among it.
    arrays: Vec<Buffer>,
    prefix: String,
}

impl<'g> Archive<'g> {
    fn new(gpu: &'g Gpu, way: Way, state: State) -> Archive<'g> {
        Archive { gpu, way, state, arrays: Vec::new(), prefix: String::new() }
    }

    /// Collects the state of what is asked for it.
    pub fn saving(gpu: &'g Gpu) -> Archive<'g> {
        Archive::new(gpu, Way::Save, State::default())
    }

    /// Puts a state back.
    pub fn restoring(gpu: &'g Gpu, state: State) -> Archive<'g> {
        Archive::new(gpu, Way::Restore, state)
    }

    /// Puts a state into a run of other settings: what the state lacks, and schedules ([`Archive::schedule`]), stay as they are.
    pub fn forking(gpu: &'g Gpu, state: State) -> Archive<'g> {
        Archive::new(gpu, Way::Fork, state)
    }

    /// The state that was collected.
    ///
    /// # Errors
    /// [`Error::User`] if some of what was to be restored is nobody's.
    pub fn finish(self) -> Result<State> {
        match self.state.0.keys().next().filter(|_| self.way == Way::Restore) {
            Some(name) => Err(Error::User(format!("{name} is no state of this run"))),
            None => Ok(self.state),
        }
    }

    /// Whether a state is put back, not collected.
    pub fn restores(&self) -> bool {
        self.way != Way::Save
    }

    /// Whether an array of the device was among what was asked for.
    pub fn holds(&self, buffer: &Buffer) -> bool {
        self.arrays.iter().any(|a| a.same(buffer))
    }

    /// What `part` asks for is called `name/…`.
    pub fn part(&mut self, name: &str, part: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let whole = format!("{}{name}/", self.prefix);
        let before = std::mem::replace(&mut self.prefix, whole);
        let done = part(self);
        self.prefix = before;
        done
    }

    /// How far a run is: another one begins anew there.
    pub fn schedule(&mut self, part: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        if self.way == Way::Fork { Ok(()) } else { part(self) }
    }

    /// The next numbers of this name, if there are any to restore.
    fn take(&mut self, name: &str) -> Result<Option<Numbers>> {
        let whole = format!("{}{name}", self.prefix);
        match self.state.0.remove(&whole) {
            None if self.way == Way::Restore => Err(Error::User(format!("{whole} is missing"))),
            found => Ok(found),
        }
    }

    fn put(&mut self, name: &str, dtype: Dtype, bytes: Vec<u8>) {
        self.state.0.insert(format!("{}{name}", self.prefix), Numbers { dtype, bytes });
    }

    /// A number.
    pub fn value<T: Number>(&mut self, name: &str, value: &mut T) -> Result<()> {
        let mut one = vec![value.kept()];
        self.list(name, &mut one)?;
        let [kept] = one[..] else { return Err(self.other(name, one.len(), 1)) };
        *value = T::restored(kept);
        Ok(())
    }

    /// Any number of numbers.
    pub fn list(&mut self, name: &str, values: &mut Vec<f64>) -> Result<()> {
        if !self.restores() {
            self.put(name, Dtype::F64, values.iter().flat_map(|v| v.to_le_bytes()).collect());
        } else if let Some(found) = self.take(name)? {
            *values = found.bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect();
        }
        Ok(())
    }

    /// As many numbers as there are.
    pub fn numbers<'v>(&mut self, name: &str, values: impl IntoIterator<Item = &'v mut f64>) -> Result<()> {
        let places: Vec<&mut f64> = values.into_iter().collect();
        let mut list: Vec<f64> = places.iter().map(|v| **v).collect();
        self.list(name, &mut list)?;
        if list.len() != places.len() {
            return Err(self.other(name, list.len(), places.len()));
        }
        places.into_iter().zip(list).for_each(|(place, v)| *place = v);
        Ok(())
    }

    /// The first `words` f32 of an array of the device.
    pub fn floats(&mut self, name: &str, buffer: &Buffer, words: usize) -> Result<()> {
        self.arrays_of(name, Dtype::F32, &[(buffer, words)])
    }

    /// The first `words` words of an array of the device.
    pub fn words(&mut self, name: &str, buffer: &Buffer, words: usize) -> Result<()> {
        self.arrays_of(name, Dtype::U32, &[(buffer, words)])
    }

    /// The same of f32 in several arrays, as one.
    pub fn chunks(&mut self, name: &str, chunks: &[(&Buffer, usize)]) -> Result<()> {
        self.arrays_of(name, Dtype::F32, chunks)
    }

    fn arrays_of(&mut self, name: &str, dtype: Dtype, chunks: &[(&Buffer, usize)]) -> Result<()> {
        self.arrays.extend(chunks.iter().map(|(buffer, _)| (*buffer).clone()));
        let gpu = self.gpu;
        if !self.restores() {
            let read = |(buffer, words): &(&Buffer, usize)| gpu.read_words::<u32>(buffer, *words);
            let all: Vec<Vec<u32>> = chunks.iter().map(read).collect::<Result<_>>()?;
            self.put(name, dtype, all.iter().flatten().flat_map(|w| w.to_le_bytes()).collect());
            return Ok(());
        }
        let Some(found) = self.take(name)? else { return Ok(()) };
        let words: Vec<u32> = found.bytes.as_chunks::<4>().0.iter().map(|b| u32::from_le_bytes(*b)).collect();
        let needed = chunks.iter().map(|(_, words)| words).sum::<usize>();
        if words.len() != needed {
            return Err(self.other(name, words.len(), needed));
        }
        let mut rest = &words[..];
        for (buffer, words) in chunks {
            let (own, more) = rest.split_at(*words);
            gpu.write(buffer, own);
            rest = more;
        }
        Ok(())
    }

    fn other(&self, name: &str, found: usize, needed: usize) -> Error {
        let whole = format!("{}{name}", self.prefix);
        Error::User(format!("{whole} has {found} numbers, a run of these settings {needed}"))
    }
}
