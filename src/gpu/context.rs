//! An opened device: memory, error handlers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::pipelines::Pipelines;
use super::{Buffer, Listed, Profile};
use crate::error::{Error, Result};

/// What wgpu and the driver reported, and nobody has heard yet.
#[derive(Default)]
struct Failures {
    /// Why the device is gone. It stays so.
    lost: Option<String>,
    /// The first array that could not be allocated.
    memory: Option<String>,
    other: Vec<String>,
}

/// An opened device. All methods take `&self`; clone an `Arc` to share it.
pub struct Gpu {
    /// Name, driver, kind.
    pub info: wgpu::AdapterInfo,
    /// Of the opened device.
    pub limits: wgpu::Limits,
    /// Of the opened device.
    pub features: wgpu::Features,
    /// How kernels are laid out.
    pub profile: Profile,
    /// Memory of the device in bytes, where its driver tells.
    pub memory: Option<u64>,
    /// Shader run-time checks on, and fresh buffers filled with NaN: for tests and `--checked`.
    pub checked: bool,
    /// Longest wait for a submission before the device counts as hung.
    pub deadline: Duration,
    /// What the device was opened from; unknown for one of the caller's.
    pub(super) adapter: Option<wgpu::Adapter>,
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) rate: Mutex<f64>,
    pub(super) pipelines: Pipelines,
    failures: Arc<Mutex<Failures>>,
    allocated: AtomicU64,
}

impl Gpu {
    /// Opens the adapter that `selector` names (see [`super::choose`]).
    pub fn open(selector: Option<&str>) -> Result<Gpu> {
        Gpu::open_listed(super::choose(selector)?)
    }

    /// Opens with run-time checks on: what the tests use.
    pub fn open_checked(selector: Option<&str>) -> Result<Gpu> {
        let mut gpu = Gpu::open(selector)?;
        gpu.checked = true;
        Ok(gpu)
    }

    /// Opens a listed adapter with all its limits and the features the library can use.
    pub fn open_listed(listed: Listed) -> Result<Gpu> {
        let profile = Profile::of(&listed.info)?;
        let useful = wgpu::Features::TIMESTAMP_QUERY | wgpu::Features::TIMESTAMP_QUERY_INSIDE_PASSES | wgpu::Features::PIPELINE_CACHE;
        let features = listed.adapter.features() & useful;
        let limits = listed.adapter.limits();
        let memory = super::memory::total(&listed.adapter);
        let (device, queue) = pollster::block_on(listed.adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("helmholtz"),
            required_features: features,
            required_limits: limits.clone(),
            ..Default::default()
        }))
        .map_err(|e| Error::Device(format!("adapter {} ({}) cannot be opened: {e}", listed.index, listed.info.name)))?;
        let mut gpu = Gpu::from_device(listed.info, device, queue)?;
        gpu.profile = profile;
        gpu.memory = memory;
        gpu.adapter = Some(listed.adapter);
        Ok(gpu)
    }

    /// Takes over a device of the caller's, so that kernels run on the caller's buffers
    /// ([`Buffer::from_wgpu`]). Its error and loss callbacks are replaced.
    pub fn from_device(info: wgpu::AdapterInfo, device: wgpu::Device, queue: wgpu::Queue) -> Result<Gpu> {
        let failures: Arc<Mutex<Failures>> = Arc::default();
        let sink = failures.clone();
        device.on_uncaptured_error(Arc::new(move |e: wgpu::Error| sink.lock().unwrap().other.push(e.to_string())));
        let sink = failures.clone();
        device.set_device_lost_callback(move |reason, text| {
            sink.lock().unwrap().lost.get_or_insert(format!("the device is lost ({reason:?}): {text}"));
        });
        Ok(Gpu {
            profile: Profile::of(&info)?,
            info,
            limits: device.limits(),
            features: device.features(),
            memory: None,
            checked: false,
            deadline: Duration::from_secs(120),
            adapter: None,
            device,
            queue,
            rate: Mutex::new(2e9),
            pipelines: Pipelines::default(),
            failures,
            allocated: AtomicU64::new(0),
        })
    }

    /// The same device, with other pipelines.
    pub(super) fn with_pipelines(&self, pipelines: Pipelines) -> Gpu {
        Gpu {
            info: self.info.clone(),
            limits: self.limits.clone(),
            features: self.features,
            profile: self.profile,
            memory: self.memory,
            checked: self.checked,
            deadline: self.deadline,
            adapter: self.adapter.clone(),
            device: self.device.clone(),
            queue: self.queue.clone(),
            rate: Mutex::new(*self.rate.lock().unwrap()),
            pipelines,
            failures: self.failures.clone(),
            allocated: AtomicU64::new(0),
        }
    }

    /// Gives the device up; everything after fails with [`Error::Lost`].
    pub fn destroy(&self) {
        self.device.destroy();
    }

    /// One line for the top of every output: name, back end, driver, profile.
    pub fn describe(&self) -> String {
        format!(
            "device: {} ({:?}, {}{}), profile {}",
            self.info.name,
            self.info.backend,
            if self.info.device_type == wgpu::DeviceType::Cpu { "software driver " } else { "" },
            self.info.driver_info,
            self.profile.name()
        )
    }

    /// Bytes of all arrays allocated so far, given up or not.
    pub fn allocated(&self) -> u64 {
        self.allocated.load(Ordering::Relaxed)
    }

    /// Largest storage buffer in 32-bit words that one kernel can bind.
    pub fn max_words(&self) -> usize {
        (self.limits.max_storage_buffer_binding_size.min(self.limits.max_buffer_size) / 4) as usize
    }

    /// Allocates; a failure is kept for [`Gpu::take_failures`], and the buffer is then one that every use refuses.
    pub(super) fn allocate(&self, name: &str, bytes: u64) -> wgpu::Buffer {
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        let poison = self.checked;
        let memory = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let size = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let raw = self.device.create_buffer(&wgpu::BufferDescriptor { label: Some(name), size: bytes, usage, mapped_at_creation: poison });
        let (size, memory) = (pollster::block_on(size.pop()), pollster::block_on(memory.pop()));
        if let Some(e) = size.or(memory) {
            let text = e.to_string();
            // the last line of wgpu's own words says why
            let last = text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("no reason is given");
            let why = if matches!(e, wgpu::Error::OutOfMemory { .. }) { "out of memory" } else { last };
            let text = format!("array {name} of {bytes} bytes ({} MiB) cannot be allocated ({why})", bytes >> 20);
            self.failures.lock().unwrap().memory.get_or_insert(text);
            return raw;
        }
        self.allocated.fetch_add(bytes, Ordering::Relaxed);
        if poison {
            if let Ok(mut view) = raw.slice(..).get_mapped_range_mut() {
                view.slice(..).copy_from_slice(&vec![0xff; bytes as usize]);
            }
            raw.unmap();
        }
        raw
    }

    /// The device memory behind a buffer, allocated if need be.
    pub fn raw<'b>(&self, buffer: &'b Buffer) -> &'b wgpu::Buffer {
        buffer.raw(|name, bytes| self.allocate(name, bytes), |raw, content| self.queue.write_buffer(raw, 0, content))
    }

    /// A new buffer holding `data` (any 4-byte plain type).
    pub fn upload<T: bytemuck::Pod>(&self, name: &str, data: &[T]) -> Buffer {
        let buffer = Buffer::new(name, std::mem::size_of_val(data) / 4);
        self.write(&buffer, data);
        buffer
    }

    /// Writes to the start of a buffer.
    pub fn write<T: bytemuck::Pod>(&self, buffer: &Buffer, data: &[T]) {
        if !data.is_empty() {
            self.queue.write_buffer(self.raw(buffer), 0, bytemuck::cast_slice(data));
        }
    }

    /// Errors that wgpu or the driver reported since the last call.
    ///
    /// # Errors
    /// [`Error::Lost`] from when the device is gone, [`Error::Memory`] for an array that could not be allocated,
    /// [`Error::Device`] for what else went wrong.
    pub fn take_failures(&self) -> Result<()> {
        let quiet = |f: &Failures| f.lost.is_none() && f.memory.is_none() && f.other.is_empty();
        if quiet(&self.failures.lock().unwrap()) {
            return Ok(());
        }
        // a loss is told when the device is polled, what follows from it at once
        let _ = self.device.poll(wgpu::PollType::Poll);
        let mut failures = self.failures.lock().unwrap();
        let Failures { lost, memory, other } = std::mem::take(&mut *failures);
        failures.lost.clone_from(&lost);
        let name = &self.info.name;
        // what follows from a loss or from a failed allocation says nothing more
        Err(match (lost, memory) {
            (Some(why), _) => Error::Lost(format!("{name}: {why}")),
            (None, Some(why)) => Error::Memory(format!("{name}: {why}")),
            (None, None) => Error::Device(format!("{name}: {}", other.join("; "))),
        })
    }

    /// Waits for everything submitted; an error if the deadline passes or the device is lost.
    pub fn wait(&self) -> Result<()> {
        let status = self.device.poll(wgpu::PollType::Wait { submission_index: None, timeout: Some(self.deadline) });
        self.take_failures()?;
        status.map(|_| ()).map_err(|e| {
            Error::Device(format!(
                "{} did not finish within {} s ({e}); the driver may have hung: use a smaller batch or another --device",
                self.info.name,
                self.deadline.as_secs()
            ))
        })
    }

    /// Reads the first `words` words of a buffer.
    pub fn read_words<T: bytemuck::Pod>(&self, buffer: &Buffer, words: usize) -> Result<Vec<T>> {
        let size = 4 * words.min(buffer.words()) as u64;
        self.read_raw(self.raw(buffer), size)
    }

    /// Reads the first bytes of device memory.
    pub(super) fn read_raw<T: bytemuck::Pod>(&self, raw: &wgpu::Buffer, size: u64) -> Result<Vec<T>> {
        let staging = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("readback"),
            size,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(raw, 0, &staging, 0, size);
        self.queue.submit([encoder.finish()]);
        staging.slice(..).map_async(wgpu::MapMode::Read, |_| {});
        self.wait()?;
        let view = staging.slice(..).get_mapped_range().map_err(|e| Error::Device(format!("device memory cannot be read: {e:?}")))?;
        Ok(bytemuck::pod_collect_to_vec(&view[..]))
    }

    /// Reads a whole buffer.
    pub fn read<T: bytemuck::Pod>(&self, buffer: &Buffer) -> Result<Vec<T>> {
        self.read_words(buffer, buffer.words())
    }
}
