//! How many words of an array a launch touches.

use crate::gpu::{Binding, Buffer};

/// A buffer of `each` words a unit: a walker, a direction of a walker, or a row of each.
pub(super) struct Array {
    pub buffer: Buffer,
    each: usize,
}

impl Array {
    /// For up to `units` units.
    pub fn new(name: impl Into<String>, units: usize, each: usize) -> Array {
        Array { buffer: Buffer::new(name, units * each), each }
    }

    /// What a launch reads that goes through the first `units` units.
    pub fn read(&self, units: usize) -> Binding {
        Binding::read(&self.buffer, units * self.each)
    }

    pub fn write(&self, units: usize) -> Binding {
        Binding::write(&self.buffer, units * self.each)
    }

    pub fn update(&self, units: usize) -> Binding {
        Binding::update(&self.buffer, units * self.each)
    }
}

/// Words up to the last one touched, if that is word `used` of the last of `count` blocks, `stride` words apart.
pub(super) fn span(count: usize, stride: usize, used: usize) -> usize {
    count.checked_sub(1).map_or(0, |before| before * stride + used)
}

/// An input that the kernel does not look at, as it is launched.
pub(super) fn unused(buffer: &Buffer) -> Binding {
    Binding::read(buffer, 4)
}

/// Rewrites an output, or adds to what it holds.
pub(super) fn put(buffer: &Buffer, words: usize, add: bool) -> Binding {
    if add { Binding::update(buffer, words) } else { Binding::write(buffer, words) }
}
