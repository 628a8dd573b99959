//! `helmholtz man`.

use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::report::say;
use crate::run::log;

#[derive(clap::Args)]
pub struct Args {
    /// Folder of the pages, NAME.1; where `man` looks for them: share/man/man1
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub fn run(args: Args) -> Result<()> {
    let shown = args.folder.display();
    log::folder(&args.folder)?;
    clap_mangen::generate_to(super::command(), &args.folder)
        .map_err(|e| Error::Io(format!("{shown}: the pages cannot be written: {e}")))?;
    say(&format!("pages: {shown}"));
    Ok(())
}
