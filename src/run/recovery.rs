//! A run whose device is lost, or cannot allocate an array, goes on from its last checkpoint: on a device opened anew, or with
//! smaller chunks. Random numbers are addressed by step and walker: steps made again on the same adapter have the same bits, in
//! smaller chunks the same draws.

use super::Phase;
use super::checkpoint::folder::newest;
use super::job::{Job, Start};
use super::train::Outcome;
use crate::error::{Error, Result};

/// Devices that a run may lose.
const MOST_LOST: usize = 3;

/// Runs `attempt` until it ends by itself, or by what no other device and no smaller chunk would mend.
pub(super) fn train(job: &mut Job, attempt: impl Fn(&mut Job) -> Outcome) -> Outcome {
    // for a fault before the first checkpoint
    let (start, remarks) = (job.start.clone(), job.remarks.clone());
    let (mut lost, mut refused) = (0, String::new());
    loop {
        let outcome = attempt(job);
        let mended = match &outcome.error {
            Some(Error::Lost(why)) => {
                lost += 1;
                reopen(job, lost, why)
            }
            Some(Error::Memory(why)) => halve(job, why, &mut refused),
            _ => return outcome,
        };
        let again = mended.and_then(|said| go_back(job, (&start, &remarks), &said).map(|from| format!("{said}, {from}")));
        match again {
            Ok(text) => job.warning(&text),
            Err(e) => return Outcome { error: Some(e), ..outcome },
        }
    }
}

/// Another device in the place of the one that was lost for the `lost`-th time.
fn reopen(job: &mut Job, lost: usize, why: &str) -> Result<String> {
    let saved = "what was saved is whole: the same command goes on from the last checkpoint";
    if lost > MOST_LOST {
        return Err(Error::Lost(format!(
            "{why}; it was lost {lost} times, {MOST_LOST} times it was opened again; {saved}, perhaps on another --device"
        )));
    }
    let Some(reopen) = &mut job.reopen else { return Err(Error::Lost(format!("{why}; {saved}"))) };
    job.gpu = reopen().map_err(|e| Error::Lost(format!("{why}; no device can be opened in its place ({e}); {saved}")))?;
    Ok(format!("{why}; opened again ({lost} of at most {MOST_LOST} times): {}", job.gpu.describe()))
}

/// Half the chunk; `refused` is the array that did not fit the last time: one that is no smaller now has nothing to do with chunks.
fn halve(job: &mut Job, why: &str, refused: &mut String) -> Result<String> {
    let chunk = job.bill.chunk;
    if chunk < 2 || why == *refused {
        return Err(Error::Device(format!("{why}; a smaller chunk than {chunk} does not help: use a smaller batch, or smaller networks")));
    }
    *refused = why.into();
    job.bill.chunk = chunk.div_ceil(2);
    job.derive("chunk", job.bill.chunk, "half of what the device could not allocate");
    Ok(format!("{why}: the chunk is halved to {} walkers", job.bill.chunk))
}

/// Sets the job back to its last checkpoint, or to its start where there is none; says which.
fn go_back(job: &mut Job, (start, remarks): (&Start, &[String]), why: &str) -> Result<String> {
    let (path, steps) = (job.log.path.clone(), std::mem::take(&mut job.records).len());
    let Ok(found) = newest(&path, Phase::Frozen) else {
        if steps > 0 {
            return Err(Error::Device(format!("{why}; {} has no checkpoint to go back to: {steps} steps are lost", path.display())));
        }
        (job.start, job.remarks) = (start.clone(), remarks.to_vec());
        return Ok("starting again".into());
    };
    job.log.rewind(&job.resolved, job.gpu.manifest(), &found)?;
    found.warnings().iter().for_each(|text| job.warning(text));
    let at = found.checkpoint.head.progress.words();
    job.start = Start::Resumed(found.checkpoint);
    Ok(format!("going on from {at}"))
}
