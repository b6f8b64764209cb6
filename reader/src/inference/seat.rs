//! One thread with one runner: takes batches from the line, answers each request exactly once, and sees to it that there
//! is a runner: hires one, replaces one that died or is due, and swaps to another model without a gap.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use metrics::{counter, histogram};

use super::line::{Request, Taken};
use super::retry::{self, Then};
use super::runner::{Fault, Ran};
use super::shadow::Seen;
use super::shared::{Hired, Shared};
use super::{InferError, Inference, OpenError};
use crate::model::session::Output;

/// How often an idle seat looks whether its runner lives and fits: soon enough that the next image finds a new one.
const LOOK_AROUND: Duration = Duration::from_secs(2);

pub(super) struct Seat {
    shared: Arc<Shared>,
    hired: Option<Hired>,
    coming: Option<Receiver<Result<Hired, OpenError>>>,
    not_before: Instant,
    failures: u32,
    heard: u64,
}

/// Some of the images of a batch, and what they have been through.
struct Lot {
    requests: Vec<Request>,
    failures: u32,
    halved: bool,
}

impl Seat {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, hired: None, coming: None, not_before: Instant::now(), failures: 0, heard: 0 }
    }

    /// Works until the line is closed.
    pub(super) fn work(mut self) {
        while self.staff() {
            self.look_around();
            let shared = Arc::clone(&self.shared);
            match shared.line.take(&mut self.heard, LOOK_AROUND) {
                Taken::Batch(requests) => self.serve(requests),
                Taken::Nothing => {}
                Taken::Closed => return,
            }
        }
    }

    /// Sees to it that there is a runner; false once the engine is closed. Tells on the engine's standing why there is none.
    fn staff(&mut self) -> bool {
        while self.hired.is_none() {
            let shared = Arc::clone(&self.shared);
            if !shared.line.rest(&mut self.heard, retry::pause(self.failures)) {
                return false;
            }
            match shared.hire() {
                Ok(hired) => self.seat(hired),
                Err(OpenError::Stopped) => return false,
                Err(error) => {
                    self.failures = self.failures.saturating_add(1);
                    shared.vacant(&error);
                }
            }
        }
        true
    }

    fn seat(&mut self, hired: Hired) {
        self.shared.seated(&hired, self.hired.is_some());
        // The one that was here has no batch in hand: it is drained, and ends here.
        self.hired = Some(hired);
    }

    /// Loses a runner that failed, or takes in the one that was ordered, or orders one. Never waits.
    fn look_around(&mut self) {
        let Some(hired) = &mut self.hired else { return };
        if !hired.runner.alive() {
            self.lose("idle", &Fault::Died);
            return;
        }
        match self.coming.as_ref().map(Receiver::try_recv) {
            Some(Ok(Ok(hired))) => {
                self.coming = None;
                self.seat(hired);
            }
            Some(Ok(Err(error))) => {
                tracing::warn!(error = %error, "a new inference process could not be started; the old one goes on");
                self.coming = None;
                self.not_before = Instant::now() + retry::LONGEST_PAUSE;
            }
            Some(Err(TryRecvError::Disconnected)) => self.coming = None,
            Some(Err(TryRecvError::Empty)) => {}
            None => self.order_if_due(),
        }
    }

    fn order_if_due(&mut self) {
        let Some(hired) = &self.hired else { return };
        if Instant::now() < self.not_before {
            return;
        }
        if let Some(hired) = self.shared.spare_for(hired.generation) {
            self.seat(hired);
            return;
        }
        let Some(reason) = self.shared.due(hired) else { return };
        tracing::info!(reason, "the inference process is being replaced; it goes on until the next one is ready");
        counter!("inference_process_replacements_total", "reason" => reason).increment(1);
        let (sender, receiver) = sync_channel(1);
        let shared = Arc::clone(&self.shared);
        let hire = move || {
            // A seat that has left takes nothing; what was hired ends with the message.
            let _ = sender.send(shared.hire());
            shared.line.call();
        };
        match thread::Builder::new().name("inference-hire".into()).spawn(hire) {
            Ok(_) => self.coming = Some(receiver),
            Err(_) => self.not_before = Instant::now() + retry::LONGEST_PAUSE,
        }
    }

    /// Lets go of a runner that failed.
    fn lose(&mut self, when: &str, fault: &Fault) {
        self.hired = None;
        self.coming = None;
        self.failures = self.failures.saturating_add(1);
        self.shared.lost();
        let reason = match fault {
            Fault::Died => "died",
            Fault::Hung(_) => "hung",
            Fault::Nonsense(_) => "nonsense",
            Fault::Failed(_) => "failed",
            Fault::Stopped => "stopped",
        };
        counter!("inference_process_replacements_total", "reason" => reason).increment(1);
        tracing::error!(when, error = %fault, "an inference process is replaced; no image is lost by it");
    }

    /// Answers each of the requests, whatever it takes.
    fn serve(&mut self, requests: Vec<Request>) {
        let mut lots = vec![Lot { requests, failures: 0, halved: false }];
        while let Some(mut lot) = lots.pop() {
            lot.requests.retain(|request| !request.answer.is_closed());
            if lot.requests.is_empty() {
                continue;
            }
            // Dropping requests tells their callers `Stopped`.
            if !self.staff() {
                return;
            }
            match self.run(&lot) {
                Ok((ran, started)) => self.answer(lot, ran, started),
                Err(Fault::Stopped) => return,
                Err(fault) => {
                    self.lose("in a batch", &fault);
                    lots.extend(after(lot, &fault));
                }
            }
        }
    }

    fn run(&mut self, lot: &Lot) -> Result<(Ran, Instant), Fault> {
        let started = Instant::now();
        let hired = self.hired.as_mut().ok_or(Fault::Died)?;
        let images: Vec<&[u8]> = lot.requests.iter().map(|request| &*request.image).collect();
        let ran = hired.runner.run(&images)?;
        if ran.outputs.len() != images.len() {
            return Err(Fault::Nonsense(format!("{} answers for {} images", ran.outputs.len(), images.len())));
        }
        self.failures = 0;
        self.shared.line.took(started.elapsed());
        histogram!("inference_batch_images").record(images.len() as f64);
        Ok((ran, started))
    }

    fn answer(&self, lot: Lot, ran: Ran, started: Instant) {
        let Some(hired) = &self.hired else { return };
        let model = hired.runner.model();
        for (request, output) in lot.requests.into_iter().zip(ran.outputs) {
            let Output { logit, saliency, embedding } = output;
            let inference = Inference {
                logit,
                saliency,
                embedding,
                model: Arc::clone(model),
                queue_ms: started.saturating_duration_since(request.since).as_secs_f64() * 1e3,
                transfer_ms: ran.transfer_ms,
                infer_ms: ran.compute_ms,
            };
            // A caller that gave up has dropped its end; its answer is dropped with it.
            let _ = request.answer.send(Ok(inference));
            self.shared.shadow.offer(|| Seen { image: request.image, logit, model: Arc::clone(model) });
        }
    }
}

/// What is left to do of a lot that failed.
fn after(mut lot: Lot, fault: &Fault) -> Vec<Lot> {
    lot.failures += 1;
    match retry::then(lot.requests.len(), lot.failures, lot.halved) {
        Then::Again => vec![lot],
        Then::Halve => {
            let second = lot.requests.split_off(lot.requests.len() / 2);
            [second, lot.requests].map(|requests| Lot { requests, failures: 0, halved: true }).into()
        }
        Then::Tell => {
            for request in lot.requests {
                let _ = request.answer.send(Err(InferError::Fatal { times: lot.failures, problem: fault.to_string() }));
            }
            Vec::new()
        }
    }
}
