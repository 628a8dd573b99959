//! The only place that shows results: progress, tables, figures, notes.

mod console;
mod figure;
mod notes;
mod read;
mod table;

pub use console::Console;
pub use figure::draw;
pub use notes::notes;
pub use read::{RunDir, read};
pub use table::{plus_minus, result_table, say};
