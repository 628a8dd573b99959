//! Every failure a user can meet, with its exit code.

/// What went wrong. The text says what, where, which value, and what to do.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// A bad input: unknown key, value out of range, unreadable setting.
    #[error("{0}")]
    User(String),
    /// No adapter, device lost, out of memory, a kernel that cannot run here.
    #[error("{0}")]
    Device(String),
    /// Non-finite energies, a solver that failed.
    #[error("{0}")]
    Numerics(String),
    /// A file or folder that cannot be read or written.
    #[error("{0}")]
    Io(String),
    /// Stopped by the user; everything was saved.
    #[error("stopped by the user; the run so far is saved")]
    Interrupted,
}

impl Error {
    /// Process exit code: 2 user, 3 device or memory, 4 numerics, 5 I/O, 130 stopped.
    pub fn exit_code(&self) -> i32 {
        match self {
            Error::User(_) => 2,
            Error::Device(_) => 3,
            Error::Numerics(_) => 4,
            Error::Io(_) => 5,
            Error::Interrupted => 130,
        }
    }
}

/// `std::result::Result` with [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
