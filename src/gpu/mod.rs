//! The only part that knows wgpu: adapters, buffers, kernels, recordings and their execution.

mod adapter;
mod buffer;
mod cache;
mod context;
mod engine;
mod facts;
mod launch;
mod memory;
mod pipelines;
mod recording;
mod reflect;
mod shader;
mod tally;
mod timing;
mod warm;

pub use wgpu::DeviceType;

pub use adapter::{Listed, Profile, choose, list};
pub use buffer::{Buffer, Role};
pub use cache::{cache_folder, homeless_cache};
pub use context::Gpu;
pub use facts::Facts;
pub use launch::{Access, Binding, Dispatch, Launch, Words};
pub use recording::{Gate, MAX_TRIPS, Op, Recording, grid};
pub use shader::{Constants, Kernel, SHARED};
pub use timing::Timed;
