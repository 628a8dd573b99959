//! The only part that knows wgpu: adapters, buffers, kernels, recordings and their execution.

mod adapter;
mod buffer;
mod context;
mod engine;
mod facts;
mod recording;
mod shader;

pub use wgpu::DeviceType;

pub use adapter::{Listed, Profile, choose, list};
pub use buffer::Buffer;
pub use context::Gpu;
pub use engine::Timed;
pub use facts::Facts;
pub use recording::{Dispatch, MAX_TRIPS, Op, Recording, grid};
pub use shader::{Constants, Kernel, SHARED};
