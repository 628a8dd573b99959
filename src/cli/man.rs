//! `helmholtz man`.

use std::path::PathBuf;

use clap_mangen::Man;

use crate::atomic_file;
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
    log::folder(&args.folder)?;
    let whole = super::command();
    let commands: Vec<_> = whole.get_subcommands().cloned().collect();
    let pages = commands.into_iter().map(|c| {
        let name = format!("{}-{}", super::NAME, c.get_name());
        // `helmholtz train`, as it is called, in the synopsis of helmholtz-train(1)
        (c.bin_name(name.replacen('-', " ", 1)).display_name(name.clone()).disable_version_flag(true), name)
    });
    let mut written = 0;
    for (command, name) in std::iter::once((whole.clone(), super::NAME.to_string())).chain(pages) {
        let file = args.folder.join(format!("{name}.1"));
        let mut page = Vec::new();
        let man = Man::new(command).title(name).source(concat!("helmholtz ", env!("CARGO_PKG_VERSION")));
        man.render(&mut page).map_err(|e| Error::Io(format!("{}: the page cannot be made: {e}", file.display())))?;
        atomic_file::write(&file, &page)?;
        written += 1;
    }
    say(&format!("{written} pages in {}", args.folder.display()));
    Ok(())
}
