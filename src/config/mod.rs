//! What the user meant: defaults, then a TOML file, then `key=value`; every value knows its origin.

mod keys;
mod resolve;
mod rules;
mod spelling;
mod value;

pub use keys::{Bearing, KEYS, Key, Settings};
pub use resolve::{Origin, Resolved, Source};
pub use rules::Units;
pub use spelling::nearest;
pub use value::{Baseline, Feature, Gauge, Laplacian, Optimizer, Prior, Range, Sampler, Value, compact};
