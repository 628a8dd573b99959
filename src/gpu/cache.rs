//! Machine code of kernels kept between runs, where the driver hands it out (Vulkan; the others keep their own).

use std::path::{Path, PathBuf};

use super::Gpu;
use crate::atomic_file;
use crate::checksum::Checksum;
use crate::error::{Error, Result};

/// Before the driver's bytes in a file: format, then their checksum. A driver need not survive damaged bytes.
const MAGIC: &[u8; 8] = b"hhcache1";
const HEADER: usize = MAGIC.len() + 8;
/// Files beyond this are started anew: nothing ever leaves a cache.
const MOST: usize = 256 << 20;

/// The open cache of a device.
pub(super) struct Cache {
    pub(super) raw: wgpu::PipelineCache,
    path: PathBuf,
    /// Bytes read from the file; without one, those of a cache with nothing in it: headers.
    known: usize,
}

/// Where caches lie: `HELMHOLTZ_CACHE`, or a folder of this program in the user's cache directory; none where that says
/// `off`, or no such directory is known.
///
/// # Errors
/// [`Error::User`] where `HELMHOLTZ_CACHE` names something that is no folder.
pub fn cache_folder() -> Result<Option<PathBuf>> {
    let named = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    match named("HELMHOLTZ_CACHE") {
        Some(folder) if folder.as_os_str().eq_ignore_ascii_case("off") => Ok(None),
        Some(folder) => {
            // the nearest part of the path that exists
            let there = folder.ancestors().find(|p| p.exists());
            match there {
                Some(there) if !there.is_dir() => Err(Error::User(format!(
                    "HELMHOLTZ_CACHE={}: {} is no folder; give a folder, or off to keep no compiled kernels",
                    folder.display(),
                    there.display()
                ))),
                _ => Ok(Some(folder)),
            }
        }
        None => {
            let users = if cfg!(windows) {
                named("LOCALAPPDATA")
            } else if cfg!(target_os = "macos") {
                named("HOME").map(|home| home.join("Library/Caches"))
            } else {
                named("XDG_CACHE_HOME").filter(|p| p.is_absolute()).or_else(|| named("HOME").map(|home| home.join(".cache")))
            };
            Ok(users.map(|folder| folder.join("helmholtz")))
        }
    }
}

/// A folder for drivers' own caches where no home directory is known: the user's own below the temporary folder, which
/// nobody else can write to; none where that cannot be had.
#[cfg(unix)]
pub fn homeless_cache() -> Option<PathBuf> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    let probe = tempfile::tempfile().ok()?;
    let user = probe.metadata().ok()?.uid();
    let folder = std::env::temp_dir().join(format!("helmholtz-cache-{user}"));
    let _ = std::fs::DirBuilder::new().mode(0o700).create(&folder);
    // machine code is run from here: no link, no folder of another, none that others may write to
    let found = std::fs::symlink_metadata(&folder).ok()?;
    (found.is_dir() && found.uid() == user && found.mode() & 0o077 == 0).then_some(folder)
}

#[cfg(not(unix))]
pub fn homeless_cache() -> Option<PathBuf> {
    None
}

/// The driver's bytes of a file; nothing where it is damaged or not ours.
fn content(file: &[u8]) -> Option<&[u8]> {
    let (head, data) = file.split_at_checked(HEADER)?;
    let sum = u64::from_le_bytes(head[MAGIC.len()..].try_into().ok()?);
    (head.starts_with(MAGIC) && sum == Checksum::of(data).value() && data.len() <= MOST).then_some(data)
}

impl Gpu {
    /// Takes machine code of kernels from the file of this device in `folder` and, after [`Gpu::save_cache`], leaves it
    /// there. Returns the bytes found: 0 without a usable file, `None` where the driver has no such cache.
    ///
    /// To be called before anything is compiled.
    pub fn use_cache(&mut self, folder: &Path) -> Option<usize> {
        if !self.features.contains(wgpu::Features::PIPELINE_CACHE) {
            return None;
        }
        let path = folder.join(wgpu::util::pipeline_cache_key(&self.info)?);
        let file = std::fs::read(&path).unwrap_or_default();
        let data = content(&file);
        // SAFETY: the checksum holds, so these are bytes of `get_data`; wgpu and the driver compare device and versions
        // themselves and start from nothing (`fallback`) where they differ.
        let raw =
            unsafe { self.device.create_pipeline_cache(&wgpu::PipelineCacheDescriptor { label: Some("kernels"), data, fallback: true }) };
        let known = data.map(<[u8]>::len).or_else(|| raw.get_data().map(|d| d.len())).unwrap_or(0);
        self.pipelines.cache = Some(Cache { raw, path, known });
        Some(data.map_or(0, <[u8]>::len))
    }

    /// Writes the cache if it has grown (a driver that keeps its code elsewhere leaves it empty: no file then); returns its bytes then.
    ///
    /// # Errors
    /// [`Error::Io`] where the file cannot be written; nothing depends on it.
    pub fn save_cache(&self) -> Result<Option<usize>> {
        let Some(cache) = &self.pipelines.cache else { return Ok(None) };
        let Some(data) = cache.raw.get_data().filter(|d| d.len() > cache.known && d.len() <= MOST) else { return Ok(None) };
        if let Some(folder) = cache.path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| Error::Io(format!("{}: cannot be made: {e}", folder.display())))?;
        }
        let file = [MAGIC.as_slice(), &Checksum::of(&data).value().to_le_bytes(), &data].concat();
        atomic_file::write(&cache.path, &file)?;
        Ok(Some(data.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_files_are_nothing() {
        let file = [MAGIC.as_slice(), &Checksum::of(b"code").value().to_le_bytes(), b"code"].concat();
        assert_eq!(content(&file), Some(b"code".as_slice()));
        for at in 0..file.len() {
            let mut damaged = file.clone();
            damaged[at] ^= 1;
            assert_eq!((content(&damaged), content(&file[..at])), (None, None), "{at}");
        }
    }
}
