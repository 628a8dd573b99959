//! The hierarchical flow of [`crate::model::renorm`] on the device, and the action of its target: `renorm_base`,
//! `renorm_coupling`, `renorm_sum`, `renorm_join`, `renorm_mix`, `dual_modes`, `dual_action`.

mod action;
mod coupling;
mod ends;

pub use action::{ACTION, Action, MODES};
pub use coupling::{COUPLING, Direction, Flow, Gradient, MOST_HIDDEN, SUM};
pub use ends::{BASE, JOIN, Logs, MIX, Mixed, base, draw, join, mix};
