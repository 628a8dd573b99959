//! Device memory: a named array of 32-bit words, allocated when first used.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A storage buffer of `words` 32-bit words. Cloning shares the memory.
///
/// The memory is allocated when a recording first runs on a device, so recordings can be made,
/// printed and compared, and their memory billed, without one; [`Buffer::filled`] makes its content no earlier either.
#[derive(Clone)]
pub struct Buffer {
    inner: Arc<Inner>,
}

/// Makes the bytes a buffer starts with.
type Content = Box<dyn FnOnce() -> Vec<u8> + Send>;

struct Inner {
    name: String,
    words: usize,
    content: Mutex<Option<Content>>,
    raw: OnceLock<wgpu::Buffer>,
}

impl Buffer {
    /// A buffer of `words` 32-bit words (f32 or u32), zero at first use (NaN in checked mode).
    pub fn new(name: impl Into<String>, words: usize) -> Self {
        Buffer::with(name.into(), words.max(4), None)
    }

    /// A buffer of `words` 32-bit words that holds what `content` makes (any 4-byte plain type) at first use.
    pub fn filled<T: bytemuck::Pod>(name: impl Into<String>, words: usize, content: impl FnOnce() -> Vec<T> + Send + 'static) -> Self {
        Buffer::with(name.into(), words.max(4), Some(Box::new(move || bytemuck::cast_slice(&content()).to_vec())))
    }

    fn with(name: String, words: usize, content: Option<Content>) -> Self {
        Buffer { inner: Arc::new(Inner { name, words, content: Mutex::new(content), raw: OnceLock::new() }) }
    }

    /// Wraps a buffer of the caller's. It needs the usages `STORAGE | COPY_SRC | COPY_DST`.
    pub fn from_wgpu(name: impl Into<String>, raw: wgpu::Buffer) -> Self {
        let words = (raw.size() / 4) as usize;
        let buffer = Buffer::with(name.into(), words, None);
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

    /// Whether this is the other's memory.
    pub(super) fn same(&self, other: &Buffer) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    pub fn bytes(&self) -> u64 {
        4 * self.inner.words as u64
    }

    /// The memory: at first use what `allocate` makes, into which `write` puts the content.
    pub(super) fn raw(&self, allocate: impl FnOnce(&str, u64) -> wgpu::Buffer, write: impl FnOnce(&wgpu::Buffer, &[u8])) -> &wgpu::Buffer {
        self.inner.raw.get_or_init(|| {
            let raw = allocate(&self.inner.name, self.bytes());
            if let Some(content) = self.inner.content.lock().unwrap_or_else(PoisonError::into_inner).take() {
                write(&raw, &content());
            }
            raw
        })
    }
}

impl std::fmt::Debug for Buffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}[{}]", self.inner.name, self.inner.words)
    }
}
