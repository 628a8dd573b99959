//! `helmholtz completions`.

use clap_complete::Shell;

use crate::error::{Error, Result};
use crate::report::say;

#[derive(clap::Args)]
pub struct Args {
    /// The shell that shall complete them
    shell: Shell,
}

pub fn run(args: Args) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), super::NAME, &mut script);
    say(String::from_utf8(script).map_err(|e| Error::Io(format!("the completions are no text: {e}")))?.trim_end());
    Ok(())
}
