//! What the user meant: defaults, then a TOML file, then `key=value`; every value knows its origin.

mod keys;
mod resolve;
mod rules;
mod spelling;
mod system;
mod value;

pub use keys::{Bearing, KEYS, Key, Settings};
pub use resolve::{Origin, Resolved, Source};
pub use rules::Units;
pub use spelling::nearest;
pub use system::{ELECTRON_GAS, SYSTEMS, System};
pub use value::{Baseline, Feature, Gauge, Laplacian, Optimizer, Prior, Range, Sampler, Value, compact};
