//! The `helmholtz` command.

fn main() -> std::process::ExitCode {
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        // SAFETY: no other thread runs yet. Mesa prints a message where the variable is unset.
        unsafe { std::env::set_var("XDG_RUNTIME_DIR", std::env::temp_dir()) };
    }
    let unset = |name: &str| std::env::var_os(name).is_none_or(|v| v.is_empty());
    if ["HOME", "XDG_CACHE_HOME", "MESA_SHADER_CACHE_DIR"].into_iter().all(unset)
        && let Some(folder) = helmholtz::gpu::homeless_cache()
    {
        // SAFETY: as above. Without it a software driver compiles for a minute in every run.
        unsafe { std::env::set_var("MESA_SHADER_CACHE_DIR", folder) };
    }
    helmholtz::cli::main()
}
