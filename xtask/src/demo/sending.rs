//! The scanner at work in a thread of its own, so that results are shown while later images are still being sent.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;

use anyhow::anyhow;
use lab::modality::{Answer, Modality};

/// Images in one association. More would fit; a stopped demo waits for at most this many.
const ASSOCIATION: usize = 50;

/// A scanner that sends.
pub(crate) struct Sending {
    /// Its answers, in the order of sending; bounded by the number of images.
    pub answers: Receiver<Answer>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Sending {
    /// Begins to send `files`.
    #[must_use]
    pub(crate) fn begin(modality: Modality, files: Vec<PathBuf>) -> Self {
        let (tell, answers) = channel();
        let thread = std::thread::spawn(move || {
            for part in files.chunks(ASSOCIATION) {
                // Whoever listened is gone once the demo stops; the device has the image all the same.
                modality.send(part, |answer| drop(tell.send(answer)))?;
            }
            Ok(())
        });
        Self { answers, thread: Some(thread) }
    }

    /// Whether all is said, and how it ended; `None` while it sends.
    pub(crate) fn ended(&mut self) -> Option<anyhow::Result<()>> {
        let thread = self.thread.take_if(|thread| thread.is_finished())?;
        Some(thread.join().unwrap_or_else(|_| Err(anyhow!("the sending thread failed"))))
    }
}
