//! A training run: what it records, its directory, how it is stopped.

pub mod chains;
pub mod claim;
pub mod cutoffs;
mod duration;
mod failures;
pub mod fitting;
pub mod initial;
pub mod job;
mod listener;
pub mod log;
pub mod memory;
pub mod network;
pub mod pretraining;
pub mod profile;
pub mod record;
pub mod result;
pub mod stop;
pub mod summary;
pub mod train;
pub mod trainer;

pub use claim::Claim;
pub use cutoffs::Cutoffs;
pub use duration::duration;
pub use job::Job;
pub use listener::Listener;
pub use log::RunLog;
pub use record::{Phase, StepRecord};
pub use summary::Summary;
