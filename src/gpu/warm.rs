//! Compiling ahead: drivers that only translate a kernel when its pipeline is made, the software one among them,
//! compile it at its first launch, one after another. An empty launch is enough for that, if its `Params` are those of
//! a real one: lavapipe writes numbers that decide loops and branches into the code.

use std::collections::{HashMap, VecDeque};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{Constants, DeviceType, Gpu, Kernel, Listed, Recording};
use crate::error::{Error, Result};

/// How often a wait looks whether it is still wanted.
const GLANCE: Duration = Duration::from_millis(100);
/// A kernel that takes longer than this was in no cache, nor will the others be: a cached one takes some hundredths of this.
const COLD: Duration = Duration::from_secs(1);
/// Bytes bound to each binding of an empty launch: the most a uniform array may have.
const DUMMY_BYTES: u64 = 64 << 10;

/// A pipeline to be compiled.
#[derive(Clone)]
struct Work {
    kernel: &'static Kernel,
    constants: Constants,
    /// Storage buffers it binds.
    buffers: usize,
    /// The different `Params` it is launched with.
    params: Vec<Vec<u8>>,
}

impl Work {
    /// What a recording needs; long texts first, so that no core is left with one at the end.
    fn of(recording: &Recording) -> Vec<Work> {
        let mut work: HashMap<(&str, &Constants), Work> = HashMap::new();
        for d in recording.dispatches() {
            let new = || Work { kernel: d.kernel, constants: d.constants.clone(), buffers: d.bindings.len(), params: Vec::new() };
            let params = &mut work.entry((d.kernel.name, &d.constants)).or_insert_with(new).params;
            if !params.contains(&d.params) {
                params.push(d.params.clone());
            }
        }
        let mut work: Vec<Work> = work.into_values().collect();
        work.sort_by_cached_key(|w| std::cmp::Reverse(w.kernel.wgsl(&w.constants).len()));
        work
    }
}

impl Gpu {
    /// Makes every pipeline of a recording and lets the driver compile it, on all cores, so that no later launch has to.
    ///
    /// A software driver compiles in the thread of a device's queue: where the code is in no cache yet, further devices on
    /// other cores fill the cache on disk that they share, and this one takes the code from there. `progress` hears how many are compiled of how many,
    /// at least every tenth of a second, and says whether to go on.
    ///
    /// # Errors
    /// [`Error::Interrupted`] at once where `progress` returns false; what was begun then goes on in the background and
    /// the device should not be waited for.
    pub fn warm(&self, recording: &Recording, progress: &mut dyn FnMut(usize, usize) -> bool) -> Result<()> {
        self.prepare(recording)?;
        let work = Work::of(recording);
        let (start, all) = (Instant::now(), work.len());
        let mut shown = 0;
        let mut progress = |count: usize| {
            shown = count.max(shown);
            progress(shown, all)
        };
        let mut alone = true;
        for (count, next) in work.iter().enumerate() {
            let begun = Instant::now();
            self.warm_here(next, &mut || progress(count))?;
            if alone && begun.elapsed() > COLD {
                alone = false;
                self.warm_elsewhere(&work[count + 1..], &mut |more| progress(count + 1 + more))?;
            }
        }
        progress(all);
        self.spend(0, start);
        Ok(())
    }

    /// Compiles on devices of their own, one a core, where that helps this one.
    fn warm_elsewhere(&self, work: &[Work], progress: &mut dyn FnMut(usize) -> bool) -> Result<()> {
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
            if !progress(count) {
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

    /// Lets this device compile a pipeline.
    fn warm_here(&self, work: &Work, go_on: &mut dyn FnMut() -> bool) -> Result<()> {
        self.launch_empty(work)?;
        let begun = Instant::now();
        while self.device.poll(wgpu::PollType::Wait { submission_index: None, timeout: Some(GLANCE) }).is_err() {
            self.take_failures()?;
            if begun.elapsed() > self.deadline {
                let (name, limit) = (work.kernel.name, self.deadline.as_secs());
                return Err(Error::Device(format!("{}: kernel {name} did not compile within {limit} s", self.info.name)));
            }
            if !go_on() {
                return Err(Error::Interrupted);
            }
        }
        self.take_failures()?;
        if go_on() { Ok(()) } else { Err(Error::Interrupted) }
    }

    /// Submits launches of no workgroup: the driver compiles and runs nothing.
    fn launch_empty(&self, work: &Work) -> Result<()> {
        let pipeline = self.pipeline_of(work.kernel, &work.constants)?;
        let buffer = |size, usage, mapped_at_creation| {
            self.device.create_buffer(&wgpu::BufferDescriptor { label: Some("nothing"), size, usage, mapped_at_creation })
        };
        let dummy = |_| buffer(DUMMY_BYTES, wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::UNIFORM, false);
        // a buffer a binding: one may not be read and written in the same launch
        let dummies: Vec<wgpu::Buffer> = (0..work.buffers).map(dummy).collect();
        let layout = pipeline.raw.get_bind_group_layout(0);
        let mut encoder = self.device.create_command_encoder(&Default::default());
        for params in &work.params {
            let uniforms = buffer(params.len() as u64, wgpu::BufferUsages::UNIFORM, true);
            if let Ok(mut view) = uniforms.slice(..).get_mapped_range_mut() {
                view.slice(..).copy_from_slice(params);
            }
            uniforms.unmap();
            let bound = std::iter::once(&uniforms).chain(&dummies).enumerate();
            let entries: Vec<wgpu::BindGroupEntry<'_>> =
                bound.map(|(i, b)| wgpu::BindGroupEntry { binding: i as u32, resource: b.as_entire_binding() }).collect();
            let group = self.device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout: &layout, entries: &entries });
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&pipeline.raw);
            pass.set_bind_group(0, &group, &[]);
            self.count(&mut pass, &pipeline, &self.tally(1), 0);
            pass.dispatch_workgroups(0, 0, 0);
        }
        self.queue.submit([encoder.finish()]);
        Ok(())
    }
}
