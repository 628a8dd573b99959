//! The only place that shows results: progress, tables, figures, notes.

mod comparison;
mod console;
mod figure;
mod notes;
mod oracle;
mod page;
mod picture;
mod plot;
mod profile;
mod read;
mod recovered;
pub mod scan;
mod table;

pub use comparison::compare;
pub use console::{Console, say, stdout_fault};
pub use figure::draw;
pub use notes::notes;
pub use oracle::Known;
pub use page::{check as check_page, page};
pub use picture::{check as check_picture, write as write_picture};
pub use plot::draw_plot;
pub use profile::{Profile, Row, list, rows, table, trace};
pub use read::{RunDir, read};
pub use recovered::{METHODS, Recovered};
pub use table::{duration, plus_minus, result_table};
