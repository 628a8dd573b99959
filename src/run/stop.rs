//! Stopping: the first interrupt lets the step finish and be saved, the second ends at once.

use std::sync::atomic::{AtomicU32, Ordering};

static SIGNALS: AtomicU32 = AtomicU32::new(0);

/// Listens to SIGINT and SIGTERM from now on.
pub fn listen() {
    // a second listener in one process changes nothing
    let _ = ctrlc::set_handler(|| {
        if SIGNALS.fetch_add(1, Ordering::SeqCst) > 0 {
            std::process::exit(130);
        }
        eprintln!("\nstopping after this step; once more stops at once");
    });
}

/// Whether the user asked to stop.
pub fn requested() -> bool {
    SIGNALS.load(Ordering::SeqCst) > 0
}
