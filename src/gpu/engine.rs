//! Runs recordings in one or few submissions.

use std::time::Instant;

use super::launch::Dispatch;
use super::pipelines::Pipeline;
use super::tally::Tally;
use super::{Gpu, Op, Recording};
use crate::error::{Error, Result};

/// Uniform blocks lie this far apart; every device accepts the alignment.
const UNIFORM_STRIDE: usize = 256;
/// No submission should keep a real GPU longer than this (seconds).
pub(super) const SUBMISSION_S: f64 = 0.1;

impl Gpu {
    /// Runs a recording. Returns when it is submitted; [`Gpu::wait`] or a read waits for it.
    ///
    /// It is split into submissions of about 0.1 s by the operation counts of its dispatches and the
    /// rate this device showed so far. In checked mode it is waited for, and every launch must have run wholly.
    pub fn run(&self, recording: &Recording) -> Result<()> {
        recording.check()?;
        let uniforms = self.uniforms(recording);
        let tally = self.checked.then(|| self.tally(recording.ops.len()));
        let mut start = 0;
        while start < recording.ops.len() {
            let budget = *self.rate.lock().unwrap() * SUBMISSION_S;
            let mut end = start;
            let mut flops = 0.0;
            while end < recording.ops.len() && (end == start || flops < budget) {
                if let Op::Dispatch(d) = &recording.ops[end] {
                    flops += d.flops;
                }
                end += 1;
            }
            let begun = Instant::now();
            self.submit(&recording.ops[start..end], start, &uniforms, tally.as_ref())?;
            // a split recording waits between its parts: the measured rate sizes the next part
            if end < recording.ops.len() {
                self.wait()?;
                if flops > 1e8 {
                    *self.rate.lock().unwrap() = (flops / begun.elapsed().as_secs_f64()).clamp(2e8, 1e14);
                }
            }
            start = end;
        }
        self.take_failures()?;
        tally.map_or(Ok(()), |tally| self.compare(recording, &tally))
    }

    pub(super) fn uniforms(&self, recording: &Recording) -> wgpu::Buffer {
        let size = (recording.ops.len().max(1) * UNIFORM_STRIDE) as u64;
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("params"),
            size,
            usage: wgpu::BufferUsages::UNIFORM,
            mapped_at_creation: true,
        });
        let mut bytes = vec![0u8; size as usize];
        for (index, op) in recording.ops.iter().enumerate() {
            if let Op::Dispatch(d) = op {
                bytes[index * UNIFORM_STRIDE..][..d.params.len()].copy_from_slice(&d.params);
            }
        }
        if let Ok(mut view) = buffer.slice(..).get_mapped_range_mut() {
            view.slice(..).copy_from_slice(&bytes);
        }
        buffer.unmap();
        buffer
    }

    pub(super) fn bind(&self, d: &Dispatch, index: usize, uniforms: &wgpu::Buffer, pipeline: &Pipeline) -> Result<wgpu::BindGroup> {
        if let Some(text) = pipeline.declared.as_ref().and_then(|declared| declared.difference(d)) {
            return Err(Error::Device(text));
        }
        let mut entries = vec![wgpu::BindGroupEntry {
            binding: 0,
            resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer: uniforms,
                offset: (index * UNIFORM_STRIDE) as u64,
                size: std::num::NonZeroU64::new(d.params.len() as u64),
            }),
        }];
        for (i, binding) in d.bindings.iter().enumerate() {
            let buffer = &binding.buffer;
            // no more than the launch needs; a binding must not be empty
            let bytes = 4 * binding.words.end.max(4).min(buffer.words()) as u64;
            if bytes > self.limits.max_storage_buffer_binding_size {
                return Err(Error::Device(format!(
                    "{}: buffer {} needs {} MiB, this device binds at most {} MiB; use a smaller batch or chunk",
                    d.name,
                    buffer.name(),
                    bytes >> 20,
                    self.limits.max_storage_buffer_binding_size >> 20
                )));
            }
            let bound = wgpu::BufferBinding { buffer: self.raw(buffer), offset: 0, size: std::num::NonZeroU64::new(bytes) };
            entries.push(wgpu::BindGroupEntry { binding: i as u32 + 1, resource: wgpu::BindingResource::Buffer(bound) });
        }
        Ok(self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.raw.get_bind_group_layout(0),
            entries: &entries,
        }))
    }

    pub(super) fn submit(&self, ops: &[Op], first: usize, uniforms: &wgpu::Buffer, tally: Option<&Tally>) -> Result<()> {
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let mut i = 0;
        while i < ops.len() {
            match &ops[i] {
                Op::Copy { .. } | Op::Clear(_) => {
                    self.transfer(&mut encoder, &ops[i]);
                    i += 1;
                }
                Op::Dispatch(_) => {
                    let mut pass = encoder.begin_compute_pass(&Default::default());
                    while let Some(Op::Dispatch(d)) = ops.get(i) {
                        let pipeline = self.pipeline(d)?;
                        let group = self.bind(d, first + i, uniforms, &pipeline)?;
                        pass.set_pipeline(&pipeline.raw);
                        pass.set_bind_group(0, &group, &[]);
                        if let Some(tally) = tally {
                            self.count(&mut pass, &pipeline, tally, first + i);
                        }
                        pass.dispatch_workgroups(d.groups[0], d.groups[1], d.groups[2]);
                        i += 1;
                    }
                }
            }
        }
        self.queue.submit([encoder.finish()]);
        Ok(())
    }

    /// Encodes a copy or a clear.
    pub(super) fn transfer(&self, encoder: &mut wgpu::CommandEncoder, op: &Op) {
        match op {
            Op::Copy { from, from_word, to, to_word, words } => {
                let (from_at, to_at) = (4 * *from_word as u64, 4 * *to_word as u64);
                encoder.copy_buffer_to_buffer(self.raw(from), from_at, self.raw(to), to_at, 4 * *words as u64);
            }
            Op::Clear(b) => encoder.clear_buffer(self.raw(b), 0, None),
            Op::Dispatch(_) => {}
        }
    }
}
