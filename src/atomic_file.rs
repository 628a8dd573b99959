//! Files that are either whole or absent: written aside, synced, renamed.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use crate::error::{Error, Result};

/// Replaces `path` by `bytes`; whatever happens meanwhile, the old or the new file is there.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let fail = |what: &str, e: &std::io::Error| Error::Io(format!("{}: cannot {what} ({} bytes): {e}", path.display(), bytes.len()));
    let folder = match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    };
    let mut aside = tempfile::NamedTempFile::new_in(folder).map_err(|e| fail("create a file beside it", &e))?;
    aside.write_all(bytes).map_err(|e| fail("be written", &e))?;
    aside.as_file().sync_all().map_err(|e| fail("be synced", &e))?;
    open_to_others(aside.as_file());
    aside.persist(path).map_err(|e| fail("be put in place", &e.error))?;
    // the rename itself must reach the disk; not every platform can sync a folder
    if let Ok(f) = File::open(folder) {
        let _ = f.sync_all();
    }
    Ok(())
}

/// Fails as [`write()`] would if nothing can be written at `path`.
pub fn check(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if path.is_dir() {
        return Err(Error::Io(format!("{}: is a folder; name a file", path.display())));
    }
    if !folder.is_dir() {
        return Err(Error::Io(format!("{}: cannot be written: there is no folder {}", path.display(), folder.display())));
    }
    let made = tempfile::NamedTempFile::new_in(folder);
    made.map(|_| ()).map_err(|e| Error::Io(format!("{}: cannot be written: {e}", path.display())))
}

/// Temporary files are private; results are as readable as any other file.
fn open_to_others(file: &File) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let _ = file.set_permissions(std::fs::Permissions::from_mode(0o644));
    }
    #[cfg(not(unix))]
    let _ = file;
}
