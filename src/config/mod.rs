//! What the user meant: defaults, then a TOML file, then `key=value`; every value knows its origin. No system is known here.

mod keys;
mod list;
mod resolve;
mod spelling;
mod system;
mod value;

pub use crate::{choice, settings};
pub use keys::{Group, Key, Parsed, Values, read};
pub use list::list;
pub use resolve::{Origin, Resolved, Source, find};
pub use spelling::nearest;
pub use system::{Bearing, System};
pub use value::{Range, Value, compact};
