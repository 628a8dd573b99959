//! Every failure a user can meet, with its exit code.

/// What went wrong. The text says what, where, which value, and what to do.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// A bad input: unknown key, value out of range, unreadable setting.
    #[error("{0}")]
    User(String),
    /// No adapter, memory that a run does not fit, a kernel that cannot run here.
    #[error("{0}")]
    Device(String),
    /// The device is gone, with everything on it: a run goes on from its last checkpoint on another one.
    #[error("{0}")]
    Lost(String),
    /// An array that the device could not allocate: a smaller chunk may fit.
    #[error("{0}; use a smaller batch or chunk")]
    Memory(String),
    /// Non-finite energies, a solver that failed.
    #[error("{0}")]
    Numerics(String),
    /// A file or folder that cannot be read or written.
    #[error("{0}")]
    Io(String),
    /// Stopped by the user; everything was saved.
    #[error("stopped by the user; the run so far is saved")]
    Interrupted,
    /// Stopped before the end of the time it was given; everything was saved.
    #[error("stopped by its time limit; the run so far is saved")]
    TimeLimit,
}

impl Error {
    /// Process exit code: 2 user, 3 device or memory, 4 numerics, 5 I/O, 130 stopped and saved.
    pub fn exit_code(&self) -> i32 {
        match self {
            Error::User(_) => 2,
            Error::Device(_) | Error::Lost(_) | Error::Memory(_) => 3,
            Error::Numerics(_) => 4,
            Error::Io(_) => 5,
            Error::Interrupted | Error::TimeLimit => 130,
        }
    }

    /// Whether nothing went wrong: a run was asked to stop, and can go on.
    pub fn is_stop(&self) -> bool {
        matches!(self, Error::Interrupted | Error::TimeLimit)
    }

    /// How a run ended.
    pub fn ended(&self) -> String {
        match self {
            Error::Interrupted => "stopped by the user".into(),
            Error::TimeLimit => "stopped by its time limit".into(),
            other => other.to_string(),
        }
    }
}

/// `std::result::Result` with [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
