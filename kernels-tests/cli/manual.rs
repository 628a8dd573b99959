//! Help, completions and manual pages.

use super::{err, out, refused, run, run_in};

#[test]
fn help_and_version_succeed() {
    for line in ["--help", "--version", "train --help", "report --help"] {
        let o = run(line);
        assert!(o.status.success() && err(&o).is_empty() && !out(&o).is_empty(), "{line}");
    }
    refused(&run(""), 2, &["Usage"], "no command");
}

/// Completions and manual pages know every command and option, as they come from the same definitions.
#[test]
fn completions_and_manual_pages_know_every_command() {
    for (shell, part) in [("bash", "complete -F _helmholtz"), ("zsh", "#compdef helmholtz"), ("fish", "complete -c helmholtz")] {
        let o = run(&format!("completions {shell}"));
        let script = out(&o);
        assert!(o.status.success() && script.contains(part) && script.contains("until-error"), "{shell}: {script}");
    }
    refused(&run("completions cmd"), 2, &["bash", "zsh", "fish", "powershell"], "another shell");
    let folder = tempfile::tempdir().unwrap();
    let o = run_in(folder.path(), &["man", "man1"]);
    assert!(o.status.success(), "{}", err(&o));
    let page = |name: &str| std::fs::read_to_string(folder.path().join("man1").join(name)).expect(name);
    let whole = page("helmholtz.1");
    for command in ["train", "scan", "eval", "devices", "verify", "check", "exact", "inverse", "profile", "report", "keys"] {
        let of = page(&format!("helmholtz-{command}.1"));
        assert!(
            of.contains(&format!("helmholtz\\-{command} \\- "))
                && of.contains(&format!("helmholtz {command}"))
                && whole.contains(&format!("helmholtz\\-{command}(1)")),
            "{command}: {of}"
        );
    }
    assert!(page("helmholtz-eval.1").contains("\\-\\-until\\-error"), "options");
}
