//! Which of several devices a test runs on: a software driver compiles in the queue of a device, one kernel after another, and
//! leaves the code on disk for the others. So tests that run side by side have a device each.

use std::sync::{Mutex, OnceLock};

/// Most devices of a process.
pub const MOST: usize = 8;

fn free() -> &'static Mutex<Vec<usize>> {
    static FREE: OnceLock<Mutex<Vec<usize>>> = OnceLock::new();
    let cores = || std::thread::available_parallelism().map_or(1, usize::from).min(MOST);
    FREE.get_or_init(|| Mutex::new((0..cores()).rev().collect()))
}

/// A device's number, for the life of a thread; the first device for threads beyond the cores.
struct Lease(Option<usize>);

impl Drop for Lease {
    fn drop(&mut self) {
        free().lock().unwrap().extend(self.0);
    }
}

/// The number of this thread's device, below [`MOST`].
pub fn mine() -> usize {
    thread_local!(static MINE: Lease = Lease(free().lock().unwrap().pop()));
    MINE.with(|lease| lease.0.unwrap_or(0))
}
