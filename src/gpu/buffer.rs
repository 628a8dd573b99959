//! Device memory: a named array of 32-bit words, allocated when first used.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// What an array is to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// What the next step goes on from: parameters, chains, moments. A run that is resumed needs these and no others.
    State,
    /// Made anew each step, and read by the host or by other parts.
    Result,
    /// Meaningless outside of what uses it.
    Scratch,
    /// Written once, from what the host knows.
    Table,
}

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
    role: Role,
    content: Mutex<Option<Content>>,
    raw: OnceLock<wgpu::Buffer>,
}

impl Buffer {
    /// Scratch of `words` 32-bit words (f32 or u32), zero at first use (NaN in checked mode).
    pub fn new(name: impl Into<String>, words: usize) -> Self {
        Buffer::with(name.into(), words.max(4), Role::Scratch, None)
    }

    /// An array of results, as [`Buffer::new`].
    pub fn result(name: impl Into<String>, words: usize) -> Self {
        Buffer::with(name.into(), words.max(4), Role::Result, None)
    }

    /// An array that the next step goes on from, as [`Buffer::new`].
    pub fn state(name: impl Into<String>, words: usize) -> Self {
        Buffer::with(name.into(), words.max(4), Role::State, None)
    }

    /// A table of `words` 32-bit words that holds what `content` makes (any 4-byte plain type) at first use.
    pub fn filled<T: bytemuck::Pod>(name: impl Into<String>, words: usize, content: impl FnOnce() -> Vec<T> + Send + 'static) -> Self {
        Buffer::with_content(name, words, Role::Table, content)
    }

    /// An array that the next step goes on from and that starts with what `content` makes, as [`Buffer::filled`].
    pub fn starting<T: bytemuck::Pod>(name: impl Into<String>, words: usize, content: impl FnOnce() -> Vec<T> + Send + 'static) -> Self {
        Buffer::with_content(name, words, Role::State, content)
    }

    fn with_content<T: bytemuck::Pod>(
        name: impl Into<String>,
        words: usize,
        role: Role,
        content: impl FnOnce() -> Vec<T> + Send + 'static,
    ) -> Self {
        Buffer::with(name.into(), words.max(4), role, Some(Box::new(move || bytemuck::cast_slice(&content()).to_vec())))
    }

    fn with(name: String, words: usize, role: Role, content: Option<Content>) -> Self {
        Buffer { inner: Arc::new(Inner { name, words, role, content: Mutex::new(content), raw: OnceLock::new() }) }
    }

    /// Wraps a buffer of the caller's. It needs the usages `STORAGE | COPY_SRC | COPY_DST`.
    pub fn from_wgpu(name: impl Into<String>, raw: wgpu::Buffer) -> Self {
        let words = (raw.size() / 4) as usize;
        let buffer = Buffer::with(name.into(), words, Role::Scratch, None);
        let _ = buffer.inner.raw.set(raw);
        buffer
    }

    /// As listings show it.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// What it is to a run.
    pub fn role(&self) -> Role {
        self.inner.role
    }

    /// Length in 32-bit words.
    pub fn words(&self) -> usize {
        self.inner.words
    }

    /// Whether this is the other's memory.
    pub fn same(&self, other: &Buffer) -> bool {
        self.identity() == other.identity()
    }

    /// What tells one array's memory from another's.
    pub(super) fn identity(&self) -> usize {
        Arc::as_ptr(&self.inner) as usize
    }

    /// Its length.
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
