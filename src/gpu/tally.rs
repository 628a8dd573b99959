//! In checked mode every invocation of a kernel counts itself, and the host compares with what it launched: no number comes from a
//! kernel that a driver did not run, or not wholly, and that left what was in its arrays before.

use super::pipelines::Pipeline;
use super::{Gpu, Op, Recording};
use crate::error::{Error, Result};

/// Counters lie this far apart; every device accepts the alignment.
const STRIDE: usize = 256;
/// What a kernel that counts calls its counter.
pub(super) const COUNTER: &str = "invocations_run";

/// A kernel's text in which `main` counts its invocations, nothing where there is no `main`.
pub(super) fn counting(text: &str) -> Option<String> {
    let main = text.find("fn main(")?;
    let body = main + text[main..].find('{')? + 1;
    let (head, rest) = text.split_at(body);
    Some(format!("{head} atomicAdd(&{COUNTER}, 1u);{rest}\n@group(1) @binding(0) var<storage, read_write> {COUNTER}: atomic<u32>;\n"))
}

/// A counter for each operation of a recording.
pub(super) struct Tally(wgpu::Buffer);

impl Gpu {
    /// Counters at zero.
    pub(super) fn tally(&self, operations: usize) -> Tally {
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
        let size = (operations.max(1) * STRIDE) as u64;
        Tally(self.device.create_buffer(&wgpu::BufferDescriptor { label: Some("tally"), size, usage, mapped_at_creation: false }))
    }

    /// Lets the next launch of a pass count in the counter of operation `index`, if its kernel counts.
    pub(super) fn count(&self, pass: &mut wgpu::ComputePass<'_>, pipeline: &Pipeline, tally: &Tally, index: usize) {
        if pipeline.threads.is_none() {
            return;
        }
        let counter = wgpu::BufferBinding { buffer: &tally.0, offset: (index * STRIDE) as u64, size: std::num::NonZeroU64::new(4) };
        let group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.raw.get_bind_group_layout(1),
            entries: &[wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::Buffer(counter) }],
        });
        pass.set_bind_group(1, &group, &[]);
    }

    /// Waits for a recording and compares.
    ///
    /// # Errors
    /// [`Error::Device`] with the first launch that did not run, or not wholly.
    pub(super) fn compare(&self, recording: &Recording, tally: &Tally) -> Result<()> {
        let counts: Vec<u32> = self.read_raw(&tally.0, tally.0.size())?;
        for (index, op) in recording.ops.iter().enumerate() {
            let Op::Dispatch(d) = op else { continue };
            let Some(threads) = self.pipeline(d)?.threads else { continue };
            // modulo 2³², as the counter counts
            let launched = d.groups.iter().fold(threads, |all, groups| all.wrapping_mul(*groups));
            let ran = counts[index * STRIDE / 4];
            if ran != launched {
                return Err(Error::Device(format!(
                    "kernel {} ({}): {ran} of {launched} invocations ran on {}: what it should have written is what was there before; update the driver, or use another --device",
                    d.kernel.name, d.name, self.info.name
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::counting;

    #[test]
    fn invocations_count_themselves_first() {
        let text = counting("@compute @workgroup_size(64)\nfn main(\n  @builtin(x) a: u32,\n) {\n  if (a > 1u) { return; }\n}").unwrap();
        assert!(text.contains(") { atomicAdd(&invocations_run, 1u);\n  if (a > 1u)") && text.ends_with("atomic<u32>;\n"), "{text}");
        assert_eq!(counting("fn other() {}"), None);
    }
}
