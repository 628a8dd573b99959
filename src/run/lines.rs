//! Logs that grow by lines.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use crate::error::{Error, Result};

/// A log that grows by lines.
pub(super) struct Lines {
    pub path: PathBuf,
    pub file: File,
    /// The last write ended in the middle of a line.
    torn: bool,
    /// Lines that are not in the file.
    pub lost: usize,
}

impl Lines {
    pub fn open(path: PathBuf) -> Result<Lines> {
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let file = file.map_err(|e| Error::Io(format!("{}: cannot be opened: {e}", path.display())))?;
        Ok(Lines { path, file, torn: false, lost: 0 })
    }

    /// The same file with its first `bytes` alone; how many of these it lacks.
    pub fn cut(path: PathBuf, bytes: u64) -> Result<(Lines, u64)> {
        let lines = Lines::open(path)?;
        let fail = |e: std::io::Error| Error::Io(format!("{}: cannot be cut to {bytes} bytes: {e}", lines.path.display()));
        let found = lines.file.metadata().map_err(fail)?.len();
        if found > bytes {
            lines.file.set_len(bytes).map_err(fail)?;
        }
        let torn = std::fs::read(&lines.path).map_err(fail)?.last().is_some_and(|last| *last != b'\n');
        Ok((Lines { torn, ..lines }, bytes.saturating_sub(found)))
    }

    /// Bytes so far, and whether they are on the disk.
    pub fn synced(&self) -> (u64, Result<()>) {
        let fail = |e: std::io::Error| Error::Io(format!("{}: cannot be synced: {e}", self.path.display()));
        match self.file.metadata() {
            Ok(m) => (m.len(), self.file.sync_data().map_err(fail)),
            // whatever is there belongs to it
            Err(e) => (u64::MAX, Err(fail(e))),
        }
    }

    /// Appends a line; what is left of a torn one before it is ended first, so that it spoils no other.
    pub fn append(&mut self, line: &str) -> Result<()> {
        let text = format!("{}{line}\n", if self.torn { "\n" } else { "" });
        let mut written = 0;
        while written < text.len() {
            match self.file.write(&text.as_bytes()[written..]) {
                Ok(0) => return Err(self.lose(written, &text, "nothing can be written")),
                Ok(n) => written += n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.lose(written, &text, &e.to_string())),
            }
        }
        self.torn = false;
        Ok(())
    }

    pub fn lose(&mut self, written: usize, text: &str, why: &str) -> Error {
        self.lost += 1;
        self.torn = if written > 0 { !text[..written].ends_with('\n') } else { self.torn };
        Error::Io(format!("{}: a line of {} bytes cannot be written: {why}", self.path.display(), text.len()))
    }
}
