//! Waiting for a mapped buffer, blocking or as a future, with no runtime.

use super::Context;
use crate::error::{Error, Result};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as TaskContext, Poll, Waker};

#[derive(Debug, Default)]
struct State {
    result: Option<std::result::Result<(), wgpu::BufferAsyncError>>,
    waker: Option<Waker>,
}

/// Tells when a buffer's mapping is done.
#[derive(Debug)]
pub(crate) struct MapSignal {
    context: Context,
    submission: wgpu::SubmissionIndex,
    state: Arc<Mutex<State>>,
    waiting: bool,
}

/// Asks for the mapping of a whole buffer after a submission.
pub(crate) fn map_read(
    context: &Context,
    buffer: &wgpu::Buffer,
    submission: wgpu::SubmissionIndex,
) -> Result<MapSignal> {
    let state = Arc::new(Mutex::new(State::default()));
    let shared = Arc::clone(&state);
    let landed = move |result| {
        let mut state = shared.lock().unwrap_or_else(PoisonError::into_inner);
        state.result = Some(result);
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    };
    // A lost device makes buffers that are invalid without an error of their own.
    context.checked("reading back", || buffer.map_async(wgpu::MapMode::Read, .., landed))?;
    Ok(MapSignal { context: context.clone(), submission, state, waiting: false })
}

impl MapSignal {
    /// Blocks until the mapping is done.
    pub(crate) fn wait(&self) -> Result<()> {
        self.poll_device(wgpu::PollType::Wait {
            submission_index: Some(self.submission.clone()),
            timeout: None,
        })?;
        loop {
            let done = self.state.lock().unwrap_or_else(PoisonError::into_inner).result.take();
            if let Some(result) = done {
                return self.finish(result);
            }
            self.poll_device(wgpu::PollType::wait_indefinitely())?;
            std::thread::yield_now();
        }
    }

    /// As a future: the first call that is not ready starts a thread that waits for the submission.
    pub(crate) fn poll(&mut self, task: &mut TaskContext<'_>) -> Poll<Result<()>> {
        if let Err(error) = self.poll_device(wgpu::PollType::Poll) {
            return Poll::Ready(Err(error));
        }
        {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(result) = state.result.take() {
                drop(state);
                return Poll::Ready(self.finish(result));
            }
            state.waker = Some(task.waker().clone());
        }
        if !self.waiting {
            self.waiting = true;
            let device = self.context.device().clone();
            let submission = self.submission.clone();
            let state = Arc::clone(&self.state);
            let waiter = std::thread::Builder::new().name("tilehawk wait".to_owned()).spawn(move || {
                let wait = wgpu::PollType::Wait { submission_index: Some(submission), timeout: None };
                let failed = device.poll(wait).is_err();
                let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
                if failed && state.result.is_none() {
                    state.result = Some(Err(wgpu::BufferAsyncError));
                }
                if let Some(waker) = state.waker.take() {
                    waker.wake();
                }
            });
            if let Err(error) = waiter {
                return Poll::Ready(Err(Error::device(format!("no thread to wait for the device: {error}"))));
            }
        }
        Poll::Pending
    }

    fn poll_device(&self, poll: wgpu::PollType) -> Result<()> {
        self.context.device().poll(poll).map(drop).map_err(|e| {
            self.context.lost_error().unwrap_or_else(|| Error::device(format!("waiting for the device: {e}")))
        })
    }

    fn finish(&self, result: std::result::Result<(), wgpu::BufferAsyncError>) -> Result<()> {
        result.map_err(|e| {
            self.context.lost_error().unwrap_or_else(|| {
                Error::device(format!("the results could not be read back ({e}); the device may be lost"))
            })
        })
    }
}
