//! Timed runs: one timestamped pass a dispatch, many dispatches a query set.

use std::time::Instant;

use super::engine::SUBMISSION_S;
use super::launch::Dispatch;
use super::{Gpu, Op, Recording};
use crate::error::{Error, Result};

/// Dispatches that share a query set; WebGPU allows sets of 4096 queries, each dispatch takes two.
const SET: usize = 1024;

/// Time of one dispatch of a timed run.
#[derive(Clone, Debug)]
pub struct Timed {
    /// Phase and what was computed.
    pub name: String,
    /// Name of its file.
    pub kernel: &'static str,
    /// Begin, counted from that of the first dispatch.
    pub begin: f64,
    /// On the device.
    pub seconds: f64,
    /// Operations and bytes of the kernel's formula; 0 where the work was skipped.
    pub flops: f64,
    /// Read and written, by the kernel's formula.
    pub bytes: f64,
    /// Its [`super::Gate`] was shut: the launch did nothing.
    pub skipped: bool,
}

/// What one query set's dispatches leave for the host.
struct Readback {
    queries: wgpu::QuerySet,
    resolve: wgpu::Buffer,
    staging: wgpu::Buffer,
}

/// First half of the staging buffer: stamps; second half: gate words.
const STAMP_BYTES: u64 = 16;

impl Gpu {
    /// Runs a recording with one timestamped pass a dispatch: the sum of the times is that of an untimed run, less
    /// what overlaps there and the gaps between launches.
    ///
    /// Without timestamps on the adapter, each dispatch is submitted and waited for by itself, and its
    /// time includes that wait (some 0.1 ms).
    pub fn run_timed(&self, recording: &Recording) -> Result<Vec<Timed>> {
        if self.features.contains(wgpu::Features::TIMESTAMP_QUERY) { self.run_stamped(recording) } else { self.run_waited(recording) }
    }

    /// The clock of [`Gpu::run_timed`], in words.
    pub fn clock(&self) -> &'static str {
        match self.features.contains(wgpu::Features::TIMESTAMP_QUERY) {
            true => "timestamps of the device",
            false => "the host's clock, waiting for each launch (some 0.1 ms more for each)",
        }
    }

    /// [`Gpu::run_timed`] by the host's clock.
    fn run_waited(&self, recording: &Recording) -> Result<Vec<Timed>> {
        recording.check()?;
        let uniforms = self.uniforms(recording);
        let tally = self.checked.then(|| self.tally(recording.ops.len()));
        self.wait()?;
        let first = Instant::now();
        let mut out = Vec::new();
        for (index, op) in recording.ops.iter().enumerate() {
            let gate = match recording.gate_of(index) {
                Some(gate) => self.read_words::<u32>(&gate.buffer, gate.word + 1)?[gate.word],
                None => 0,
            };
            let begin = first.elapsed().as_secs_f64();
            self.submit(std::slice::from_ref(op), index, &uniforms, tally.as_ref())?;
            if let Op::Dispatch(d) = op {
                self.wait()?;
                out.push(timed(d, begin, first.elapsed().as_secs_f64() - begin, gate));
            }
        }
        self.wait()?;
        Ok(out)
    }

    /// [`Gpu::run_timed`] by the device's clock.
    fn run_stamped(&self, recording: &Recording) -> Result<Vec<Timed>> {
        recording.check()?;
        let uniforms = self.uniforms(recording);
        let set = self.readback();
        let period = self.queue.get_timestamp_period() as f64 * 1e-9;
        let mut out = Vec::new();
        let mut origin = None;
        let mut start = 0;
        while start < recording.ops.len() {
            let (end, launches) = self.encode_set(recording, start, &uniforms, &set)?;
            let words = self.collect(&set)?;
            for (slot, index) in launches.into_iter().enumerate() {
                let Op::Dispatch(d) = &recording.ops[index] else { continue };
                let (begin, finish) = (words[2 * slot], words[2 * slot + 1]);
                let zero = *origin.get_or_insert(begin);
                let gate = if recording.gate_of(index).is_some() { words[2 * SET + slot] as u32 } else { 0 };
                let since = begin.saturating_sub(zero) as f64 * period;
                out.push(timed(d, since, finish.saturating_sub(begin) as f64 * period, gate));
            }
            start = end;
        }
        Ok(out)
    }

    fn readback(&self) -> Readback {
        let buffer = |size, usage| {
            self.device.create_buffer(&wgpu::BufferDescriptor { label: Some("timestamps"), size, usage, mapped_at_creation: false })
        };
        let set = SET as u64;
        Readback {
            queries: self.device.create_query_set(&wgpu::QuerySetDescriptor {
                label: None,
                ty: wgpu::QueryType::Timestamp,
                count: 2 * SET as u32,
            }),
            resolve: buffer(set * STAMP_BYTES, wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC),
            staging: buffer(set * (STAMP_BYTES + 8), wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST),
        }
    }

    /// Submits operations from `start` on until the set is full, in submissions as long as those of
    /// [`Gpu::run`]; returns where it stopped and the dispatch in each slot.
    fn encode_set(&self, recording: &Recording, start: usize, uniforms: &wgpu::Buffer, set: &Readback) -> Result<(usize, Vec<usize>)> {
        let budget = *self.rate.lock().unwrap() * SUBMISSION_S;
        let mut launches = Vec::new();
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let mut flops = 0.0;
        let mut index = start;
        while index < recording.ops.len() && launches.len() < SET {
            let op = &recording.ops[index];
            self.transfer(&mut encoder, op);
            if let Op::Dispatch(d) = op {
                if flops > 0.0 && flops + d.flops > budget {
                    let full = std::mem::replace(&mut encoder, self.device.create_command_encoder(&Default::default()));
                    self.queue.submit([full.finish()]);
                    self.wait()?;
                    flops = 0.0;
                }
                flops += d.flops;
                let slot = launches.len();
                if let Some(gate) = recording.gate_of(index) {
                    let at = SET as u64 * STAMP_BYTES + 8 * slot as u64;
                    encoder.copy_buffer_to_buffer(self.raw(&gate.buffer), 4 * gate.word as u64, &set.staging, at, 4);
                }
                self.encode_timed(&mut encoder, d, index, uniforms, &set.queries, slot as u32)?;
                launches.push(index);
            }
            index += 1;
        }
        if !launches.is_empty() {
            let used = launches.len() as u32;
            encoder.resolve_query_set(&set.queries, 0..2 * used, &set.resolve, 0);
            encoder.copy_buffer_to_buffer(&set.resolve, 0, &set.staging, 0, STAMP_BYTES * used as u64);
        }
        self.queue.submit([encoder.finish()]);
        Ok((index, launches))
    }

    fn encode_timed(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        d: &Dispatch,
        index: usize,
        uniforms: &wgpu::Buffer,
        queries: &wgpu::QuerySet,
        slot: u32,
    ) -> Result<()> {
        let pipeline = self.pipeline(d)?;
        let group = self.bind(d, index, uniforms, &pipeline)?;
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: None,
            timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                query_set: queries,
                beginning_of_pass_write_index: Some(2 * slot),
                end_of_pass_write_index: Some(2 * slot + 1),
            }),
        });
        pass.set_pipeline(&pipeline.raw);
        pass.set_bind_group(0, &group, &[]);
        // all count in one: what is timed is not compared
        self.count(&mut pass, &pipeline, &self.tally(1), 0);
        pass.dispatch_workgroups(d.groups[0], d.groups[1], d.groups[2]);
        Ok(())
    }

    /// Stamps (ticks, two a slot), then the gate words.
    fn collect(&self, set: &Readback) -> Result<Vec<u64>> {
        set.staging.slice(..).map_async(wgpu::MapMode::Read, |_| {});
        self.wait()?;
        let words = {
            let view = set.staging.slice(..).get_mapped_range().map_err(|e| Error::Device(format!("timestamps: {e:?}")))?;
            bytemuck::pod_collect_to_vec(&view[..])
        };
        set.staging.unmap();
        Ok(words)
    }
}

fn timed(d: &Dispatch, begin: f64, seconds: f64, gate: u32) -> Timed {
    let skipped = gate == 1;
    let done = if skipped { 0.0 } else { 1.0 };
    Timed { name: d.name.clone(), kernel: d.kernel.name, begin, seconds, flops: done * d.flops, bytes: done * d.bytes(), skipped }
}
