//! Stopping: the first interrupt lets the step finish and be saved, the second ends at once.

use std::io::Write;
use std::sync::atomic::{AtomicU32, Ordering};

static SIGNALS: AtomicU32 = AtomicU32::new(0);

/// Listens to SIGINT and SIGTERM from now on.
pub fn listen() {
    // a second listener in one process changes nothing
    let _ = ctrlc::set_handler(|| {
        if SIGNALS.fetch_add(1, Ordering::SeqCst) > 0 {
            leave();
        }
        let _ = writeln!(std::io::stderr(), "\nstopping after this step; once more stops at once");
    });
}

/// Whether the user asked to stop.
pub fn requested() -> bool {
    SIGNALS.load(Ordering::SeqCst) > 0
}

/// Ends the process as stopped, without waiting for a driver that may still compile or compute in its threads, whose
/// code the usual way out would take apart under them.
pub fn leave() -> ! {
    let _ = std::io::stdout().flush();
    #[cfg(unix)]
    {
        unsafe extern "C" {
            fn _exit(code: std::ffi::c_int) -> !;
        }
        // SAFETY: POSIX; it returns to nobody and touches no memory of this process.
        unsafe { _exit(130) }
    }
    #[cfg(not(unix))]
    std::process::exit(130)
}
