//! Compiling ahead: drivers that only translate a kernel when its pipeline is made, the software one among them,
//! compile it at its first launch, one after another. An empty launch is enough for that.

use std::collections::{HashMap, VecDeque};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{Constants, DeviceType, Dispatch, Gpu, Kernel, Listed, Recording};
use crate::error::{Error, Result};

/// How often a wait looks whether it is still wanted.
const GLANCE: Duration = Duration::from_millis(100);
/// Bytes bound to each binding of an empty launch: the most a uniform array may have.
const DUMMY_BYTES: u64 = 64 << 10;

/// A pipeline to be compiled: its kernel, constants, number of storage buffers, bytes of its `Params`.
type Work = (&'static Kernel, Constants, usize, usize);

impl Gpu {
    /// Makes every pipeline of a recording and lets the driver compile it, on all cores, so that no later launch has to.
    ///
    /// A software driver compiles in the thread of a device's queue: further devices on other cores fill the cache on
    /// disk that they share, and this one takes the code from there. `progress` hears how many are compiled of how many,
    /// at least every tenth of a second, and says whether to go on.
    ///
    /// # Errors
    /// [`Error::Interrupted`] at once where `progress` returns false; what was begun then goes on in the background and
    /// the device should not be waited for.
    pub fn warm(&self, recording: &Recording, progress: &mut dyn FnMut(usize, usize) -> bool) -> Result<()> {
        self.prepare(recording)?;
        let mut distinct: HashMap<(&str, &Constants), &Dispatch> = HashMap::new();
        for d in recording.dispatches() {
            distinct.entry((d.kernel.name, &d.constants)).or_insert(d);
        }
        let mut work: Vec<Work> =
            distinct.into_values().map(|d| (d.kernel, d.constants.clone(), d.buffers.len(), d.params.len())).collect();
        // long texts take longest: they begin first, so that no core is left with one at the end
        work.sort_by_cached_key(|w| std::cmp::Reverse(w.0.wgsl(&w.1).len()));
        let start = Instant::now();
        let done = self.warm_elsewhere(&work, progress).and_then(|()| self.warm_here(&work, progress));
        self.spend(0, start);
        done
    }

    /// Compiles on devices of their own, one a core, where that helps this one.
    fn warm_elsewhere(&self, work: &[Work], progress: &mut dyn FnMut(usize, usize) -> bool) -> Result<()> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from).min(work.len());
        let Some(adapter) = self.adapter.as_ref().filter(|_| self.info.device_type == DeviceType::Cpu && cores > 1) else {
            return Ok(());
        };
        let queue: Arc<Mutex<VecDeque<Work>>> = Arc::new(Mutex::new(work.iter().cloned().collect()));
        let (tell, told) = channel();
        // not scoped: who is told to stop does not wait for a kernel that takes ten seconds
        for _ in 0..cores {
            let (adapter, info, queue, tell, checked) = (adapter.clone(), self.info.clone(), queue.clone(), tell.clone(), self.checked);
            std::thread::spawn(move || {
                let Ok(mut gpu) = Gpu::open_listed(Listed { index: 0, adapter, info }) else { return };
                gpu.checked = checked;
                loop {
                    let Some(next) = queue.lock().ok().and_then(|mut q| q.pop_front()) else { return };
                    // a failure shows on the device that runs the kernel
                    let _ = gpu.launch_empty(&next).and_then(|()| gpu.wait());
                    if tell.send(()).is_err() {
                        return;
                    }
                }
            });
        }
        drop(tell);
        let mut count = 0;
        loop {
            if !progress(count, work.len()) {
                queue.lock().map(|mut q| q.clear()).unwrap_or(());
                return Err(Error::Interrupted);
            }
            match told.recv_timeout(GLANCE) {
                Ok(()) => count += 1,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    /// Launches every pipeline once on this device, with nothing to do.
    fn warm_here(&self, work: &[Work], progress: &mut dyn FnMut(usize, usize) -> bool) -> Result<()> {
        for (count, next) in work.iter().enumerate() {
            self.launch_empty(next)?;
            let begun = Instant::now();
            while self.device.poll(wgpu::PollType::Wait { submission_index: None, timeout: Some(GLANCE) }).is_err() {
                if !progress(count, work.len()) {
                    return Err(Error::Interrupted);
                }
                if begun.elapsed() > self.deadline {
                    let (name, limit) = (next.0.name, self.deadline.as_secs());
                    return Err(Error::Device(format!("{}: kernel {name} did not compile within {limit} s", self.info.name)));
                }
                self.take_failures()?;
            }
            if !progress(count + 1, work.len()) {
                return Err(Error::Interrupted);
            }
        }
        self.take_failures()
    }

    /// Submits a launch of no workgroup: the driver compiles and runs nothing.
    fn launch_empty(&self, (kernel, constants, buffers, params): &Work) -> Result<()> {
        let pipeline = self.pipeline_of(kernel, constants)?;
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::UNIFORM;
        let dummy =
            |size| self.device.create_buffer(&wgpu::BufferDescriptor { label: Some("nothing"), size, usage, mapped_at_creation: false });
        // a buffer a binding: one may not be read and written in the same launch
        let bound: Vec<wgpu::Buffer> = std::iter::once(dummy(*params as u64)).chain((0..*buffers).map(|_| dummy(DUMMY_BYTES))).collect();
        let entries: Vec<wgpu::BindGroupEntry<'_>> =
            bound.iter().enumerate().map(|(i, b)| wgpu::BindGroupEntry { binding: i as u32, resource: b.as_entire_binding() }).collect();
        let layout = pipeline.get_bind_group_layout(0);
        let group = self.device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout: &layout, entries: &entries });
        let mut encoder = self.device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&pipeline);
            pass.set_bind_group(0, &group, &[]);
            pass.dispatch_workgroups(0, 0, 0);
        }
        self.queue.submit([encoder.finish()]);
        Ok(())
    }
}
