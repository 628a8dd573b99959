//! Device memory: a named array of 32-bit words, allocated when first used.

use std::sync::{Arc, OnceLock};

/// A storage buffer of `words` 32-bit words. Cloning shares the memory.
///
/// The memory is allocated when a recording first runs on a device, so recordings can be made,
/// printed and compared without one.
#[derive(Clone)]
pub struct Buffer {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    words: usize,
    raw: OnceLock<wgpu::Buffer>,
}

impl Buffer {
    /// A buffer of `words` 32-bit words (f32 or u32), zero at first use (NaN in checked mode).
    pub fn new(name: impl Into<String>, words: usize) -> Self {
        Buffer { inner: Arc::new(Inner { name: name.into(), words: words.max(4), raw: OnceLock::new() }) }
    }

    /// Wraps a buffer of the caller's. It needs the usages `STORAGE | COPY_SRC | COPY_DST`.
    pub fn from_wgpu(name: impl Into<String>, raw: wgpu::Buffer) -> Self {
        let words = (raw.size() / 4) as usize;
        let buffer = Buffer { inner: Arc::new(Inner { name: name.into(), words, raw: OnceLock::new() }) };
        let _ = buffer.inner.raw.set(raw);
        buffer
    }

    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Length in 32-bit words.
    pub fn words(&self) -> usize {
        self.inner.words
    }

    pub fn bytes(&self) -> u64 {
        4 * self.inner.words as u64
    }

    pub(super) fn raw(&self, allocate: impl FnOnce(&str, u64) -> wgpu::Buffer) -> &wgpu::Buffer {
        self.inner.raw.get_or_init(|| allocate(&self.inner.name, self.bytes()))
    }
}

impl std::fmt::Debug for Buffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}[{}]", self.inner.name, self.inner.words)
    }
}
