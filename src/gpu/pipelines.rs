//! Pipelines: one for each kernel and set of constants, made once, ahead of their use and in parallel where asked for.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::cache::Cache;
use super::launch::Dispatch;
use super::reflect::Declared;
use super::tally::{COUNTER, counting};
use super::{Constants, Gpu, Kernel, Recording};
use crate::error::{Error, Result};

type Key = (&'static str, Constants);

/// A kernel ready to run.
pub(super) struct Pipeline {
    pub raw: wgpu::ComputePipeline,
    /// Its bindings, in checked mode.
    pub declared: Option<Declared>,
    /// Invocations of a workgroup, where they count themselves.
    pub threads: Option<u32>,
}

/// The pipelines of a device.
#[derive(Default)]
pub(super) struct Pipelines {
    made: Mutex<HashMap<Key, Arc<Pipeline>>>,
    /// How many, and the seconds that were waited for them.
    spent: Mutex<(usize, f64)>,
    /// A kernel broken on purpose: name, text, replacement.
    edit: Option<(&'static str, String, String)>,
    pub(super) cache: Option<Cache>,
}

impl Gpu {
    /// This device with a kernel broken on purpose: `from` is replaced by `to` in its text, shared fragments included,
    /// before it is compiled. Memory and the pipelines of all other kernels are shared. For tests that must fail when the
    /// kernel is wrong.
    pub fn broken(&self, kernel: &'static Kernel, from: &str, to: &str) -> Gpu {
        let mut made = self.pipelines.made.lock().unwrap().clone();
        made.retain(|(name, _), _| *name != kernel.name);
        let edit = Some((kernel.name, from.into(), to.into()));
        self.with_pipelines(Pipelines { made: Mutex::new(made), edit, ..Pipelines::default() })
    }

    /// Number of pipelines made so far and the seconds it took, those of [`Gpu::warm`] included.
    pub fn compiled(&self) -> (usize, f64) {
        *self.pipelines.spent.lock().unwrap()
    }

    /// Makes every pipeline a recording needs that is not there yet, on all cores, before the first step is timed. Some drivers, llvmpipe
    /// among them, only translate here and compile at the first launch: see [`Gpu::warm`].
    pub fn prepare(&self, recording: &Recording) -> Result<()> {
        let mut wanted = HashSet::new();
        let made = self.pipelines.made.lock().unwrap();
        let missing: Vec<&Dispatch> = recording
            .dispatches()
            .filter(|d| wanted.insert((d.kernel.name, &d.constants)) && !made.contains_key(&(d.kernel.name, d.constants.clone())))
            .collect();
        drop(made);
        if missing.is_empty() {
            return Ok(());
        }
        let start = Instant::now();
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(d) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
                self.make(d.kernel, &d.constants)?;
            }
            Ok(())
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(missing.len());
        let done: Vec<Result<()>> = std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let own = work();
            let lost = || Err(Error::Device(format!("{}: a thread that compiles kernels was lost", self.info.name)));
            std::iter::once(own).chain(others.into_iter().map(|t| t.join().unwrap_or_else(|_| lost()))).collect()
        });
        self.spend(missing.len(), start);
        done.into_iter().collect()
    }

    pub(super) fn pipeline(&self, d: &Dispatch) -> Result<Arc<Pipeline>> {
        self.pipeline_of(d.kernel, &d.constants)
    }

    pub(super) fn pipeline_of(&self, kernel: &'static Kernel, constants: &Constants) -> Result<Arc<Pipeline>> {
        if let Some(p) = self.pipelines.made.lock().unwrap().get(&(kernel.name, constants.clone())) {
            return Ok(p.clone());
        }
        let start = Instant::now();
        let pipeline = self.make(kernel, constants)?;
        self.spend(1, start);
        Ok(pipeline)
    }

    pub(super) fn spend(&self, count: usize, start: Instant) {
        let mut total = self.pipelines.spent.lock().unwrap();
        *total = (total.0 + count, total.1 + start.elapsed().as_secs_f64());
    }

    fn make(&self, kernel: &'static Kernel, constants: &Constants) -> Result<Arc<Pipeline>> {
        let pipeline = Arc::new(self.compile(kernel, constants)?);
        self.pipelines.made.lock().unwrap().insert((kernel.name, constants.clone()), pipeline.clone());
        Ok(pipeline)
    }

    fn compile(&self, kernel: &'static Kernel, constants: &Constants) -> Result<Pipeline> {
        // scopes belong to their thread: those of other kernels are not seen here
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        // the counter is one more storage buffer
        let room = |text: &str| text.matches("var<storage").count() < self.limits.max_storage_buffers_per_shader_stage as usize;
        let count = |text: String| if self.checked && room(&text) { counting(&text).unwrap_or(text) } else { text };
        let text = match &self.pipelines.edit {
            Some((name, from, to)) if *name == kernel.name => kernel.wgsl_edited(constants, |text| count(text).replacen(from, to, 1)),
            _ => kernel.wgsl_edited(constants, count),
        };
        let declared = if self.checked { Declared::of(&text) } else { None };
        let threads = declared.as_ref().filter(|_| text.contains(COUNTER)).map(|declared| declared.threads);
        let descriptor = wgpu::ShaderModuleDescriptor { label: Some(kernel.name), source: wgpu::ShaderSource::Wgsl(text.into()) };
        let module = if self.checked {
            self.device.create_shader_module(descriptor)
        } else {
            // SAFETY: every launch states the words that each binding touches, in terms of the sizes it passes to the kernel, and
            // buffers shorter than that are refused when it is recorded (`launch.rs`). That no kernel touches more is what the
            // tests show: there exactly these words are bound with all run-time checks on, at odd sizes and chunk edges,
            // and a kernel that touches more gives other numbers than its float64 twin. Indices made on the device are clamped in the kernels.
            unsafe { self.device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked()) }
        };
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(kernel.name),
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions { zero_initialize_workgroup_memory: false, ..Default::default() },
            cache: self.pipelines.cache.as_ref().map(|c| &c.raw),
        });
        match pollster::block_on(scope.pop()) {
            None => Ok(Pipeline { raw: pipeline, declared, threads }),
            Some(e) => {
                // a device that is gone compiles nothing
                let _ = self.device.poll(wgpu::PollType::Poll);
                self.take_failures()?;
                Err(Error::Device(format!("kernel {} does not compile on {}: {e}", kernel.name, self.info.name)))
            }
        }
    }
}
