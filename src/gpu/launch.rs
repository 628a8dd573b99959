//! Describing a launch: which words of which buffers a kernel reads and writes, checked before anything runs.
//!
//! Release shaders run without bounds checks, so a kernel's host side states the words that each binding touches, from the
//! sizes it passes to the shader. They are compared with the buffer's length when the launch is recorded, and no more than
//! them is bound: where checks are on, as in the tests, a kernel that touches more than its host states gives wrong numbers.

use std::ops::Range;

use super::{Buffer, Constants, Kernel, Recording};

/// What a kernel does with a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Not changed.
    Read,
    /// Written without being read before.
    Write,
    /// Reads what it then replaces, wholly or in part.
    Update,
}

/// A buffer bound to a launch.
#[derive(Clone)]
pub struct Binding {
    /// Bound from its first word on.
    pub buffer: Buffer,
    /// As the shader declares it.
    pub access: Access,
    /// The words that the kernel touches. Bound are those from the first word of the buffer to the end of them.
    pub words: Range<usize>,
}

impl Binding {
    fn new(buffer: &Buffer, access: Access, words: impl Words) -> Binding {
        Binding { buffer: buffer.clone(), access, words: words.range() }
    }

    /// A buffer of which a kernel reads `words`: a number of them, or a range.
    pub fn read(buffer: &Buffer, words: impl Words) -> Binding {
        Binding::new(buffer, Access::Read, words)
    }

    /// A buffer of which a kernel writes `words`.
    pub fn write(buffer: &Buffer, words: impl Words) -> Binding {
        Binding::new(buffer, Access::Write, words)
    }

    /// A buffer of which a kernel reads `words` and writes some of them.
    pub fn update(buffer: &Buffer, words: impl Words) -> Binding {
        Binding::new(buffer, Access::Update, words)
    }

    /// Bytes that cross the memory's bus if each word is moved once.
    fn bytes(&self) -> f64 {
        let each = if self.access == Access::Update { 8.0 } else { 4.0 };
        each * self.words.len() as f64
    }
}

/// One launch of a kernel.
#[derive(Clone)]
pub struct Dispatch {
    /// Shown in listings and profiles: phase, then what it computes.
    pub name: String,
    /// What runs.
    pub kernel: &'static Kernel,
    /// Text constants of the shader.
    pub constants: Constants,
    /// Bytes of the kernel's `Params`.
    pub params: Vec<u8>,
    /// Storage buffers for bindings 1, 2, …
    pub bindings: Vec<Binding>,
    /// Number of workgroups; see [`super::grid`].
    pub groups: [u32; 3],
    /// Upper bound of loop trips of one invocation.
    pub trips: u64,
    /// Floating-point operations of the launch, from the kernel's formula.
    pub flops: f64,
    /// Bytes read and written, where the bindings' words do not tell.
    pub moved: Option<f64>,
}

impl Dispatch {
    /// Bytes read and written: each word that a binding touches once, unless the kernel's formula says otherwise.
    pub fn bytes(&self) -> f64 {
        self.moved.unwrap_or_else(|| self.bindings.iter().map(Binding::bytes).sum())
    }

    /// Why the bindings are no good, if they are not: a buffer that is too short, or one that is written and bound twice.
    pub(super) fn fault(&self) -> Option<String> {
        let wrong =
            |index: usize, what: String| Some(format!("kernel {} ({}), binding {}: {what}", self.kernel.name, self.name, index + 1));
        for (index, b) in self.bindings.iter().enumerate() {
            let (name, given, needed) = (b.buffer.name(), b.buffer.words(), b.words.end);
            if needed > given {
                return wrong(index, format!("buffer {name} has {given} words, the launch needs {needed}"));
            }
            let written = |other: &Binding| other.buffer.same(&b.buffer) && (b.access, other.access) != (Access::Read, Access::Read);
            if let Some(other) = self.bindings[..index].iter().position(written) {
                return wrong(index, format!("buffer {name} is written, and is binding {} too", other + 1));
            }
        }
        None
    }
}

/// Words of a binding: all up to a number, or a range.
pub trait Words {
    /// First word to behind the last.
    fn range(self) -> Range<usize>;
}

impl Words for usize {
    fn range(self) -> Range<usize> {
        0..self
    }
}

impl Words for Range<usize> {
    fn range(self) -> Range<usize> {
        self
    }
}

/// A launch that is being described; [`Launch::groups`] records it.
#[must_use = "a launch is recorded by `groups`"]
pub struct Launch<'r> {
    recording: &'r mut Recording,
    dispatch: Dispatch,
}

impl Recording {
    /// Describes a launch of `kernel`; `params` are its `Params`. Bindings follow in the shader's order, from 1.
    pub fn launch<P: bytemuck::Pod>(&mut self, name: impl Into<String>, kernel: &'static Kernel, params: &P) -> Launch<'_> {
        let dispatch = Dispatch {
            name: name.into(),
            kernel,
            constants: Vec::new(),
            params: bytemuck::bytes_of(params).to_vec(),
            bindings: Vec::new(),
            groups: [0; 3],
            trips: 0,
            flops: 0.0,
            moved: None,
        };
        Launch { recording: self, dispatch }
    }
}

impl Launch<'_> {
    /// Adds text constants.
    pub fn constants(mut self, constants: &[(&'static str, u32)]) -> Self {
        self.dispatch.constants.extend_from_slice(constants);
        self
    }

    /// The next binding, of which the kernel reads `words`: a number of them, or a range.
    pub fn read(self, buffer: &Buffer, words: impl Words) -> Self {
        self.bindings([Binding::read(buffer, words)])
    }

    /// The next binding, of which the kernel writes `words`.
    pub fn write(self, buffer: &Buffer, words: impl Words) -> Self {
        self.bindings([Binding::write(buffer, words)])
    }

    /// The next binding, of which the kernel reads `words` and writes some of them.
    pub fn update(self, buffer: &Buffer, words: impl Words) -> Self {
        self.bindings([Binding::update(buffer, words)])
    }

    /// The next bindings.
    pub fn bindings(mut self, bindings: impl IntoIterator<Item = Binding>) -> Self {
        self.dispatch.bindings.extend(bindings);
        self
    }

    /// The most loop trips of an invocation (none where it is not said).
    pub fn trips(mut self, trips: u64) -> Self {
        self.dispatch.trips = trips;
        self
    }

    /// Floating-point operations of the launch, by formula.
    pub fn flops(mut self, flops: f64) -> Self {
        self.dispatch.flops = flops;
        self
    }

    /// Bytes read and written, where they are not each word of the bindings once: rows with gaps, tables looked up, matrices
    /// read again and again.
    pub fn moved(mut self, bytes: f64) -> Self {
        self.dispatch.moved = Some(bytes);
        self
    }

    /// Records the launch with these workgroups. A fault of its bindings is kept: the recording then refuses to run.
    pub fn groups(mut self, groups: [u32; 3]) {
        self.dispatch.groups = groups;
        self.recording.push(self.dispatch);
    }
}
