//! The only place that shows results: progress, tables, figures, notes.

mod arrays;
mod comparison;
mod console;
mod figure;
mod kernels;
mod live;
mod notes;
mod oracle;
mod page;
mod picture;
mod plot;
mod profile;
mod published;
mod read;
mod recovered;
pub mod scan;
mod table;

pub use arrays::write_tables;
pub use comparison::{compare, names};
pub use console::{Console, say, stdout_fault};
pub use figure::draw;
pub use kernels::PROFILE;
pub use live::course;
pub use notes::notes;
pub use oracle::Known;
pub use page::{check as check_page, page};
pub use picture::{check as check_picture, write as write_picture};
pub use plot::draw_plot;
pub use profile::{Profile, Row, list, rows, table, trace};
pub use published::{published_json, published_table};
pub use read::{RunDir, read};
pub use recovered::{METHODS, Recovered};
pub use table::{duration, plus_minus, result_table};
