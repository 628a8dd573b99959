//! A training run: what it records, its directory, how it is stopped.

pub mod checkpoint;
pub mod claim;
pub mod duration;
pub mod evaluation;
mod failures;
pub mod goal;
pub mod job;
mod lines;
mod listener;
pub mod log;
mod opening;
pub mod profile;
pub mod record;
pub mod recovery;
pub mod result;
pub mod resume;
pub mod scan;
pub mod stop;
pub mod summary;
pub mod train;

pub use claim::Claim;
pub use duration::duration;
pub use goal::Goal;
pub use job::Job;
pub use listener::Listener;
pub use log::RunLog;
pub use record::{Phase, StepRecord};
pub use summary::Summary;
