//! Log lines on their way out: the logging thread only appends to memory, and a thread writes what has
//! accumulated. A line costs its invocation neither a system call nor a wake-up.

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread::JoinHandle,
    time::Duration,
};

/// The time for which the thread lets lines accumulate before it writes.
const GATHER: Duration = Duration::from_millis(20);
/// The limit of bytes that may wait, for example while the disk does not respond; events beyond it are dropped
/// and counted.
const MAX_WAITING: usize = 8 << 20;
/// The time that closing waits for lines that are not written yet.
const LAST_LINES: Duration = Duration::from_secs(2);

/// Lines in the order in which they were logged, each with a tag that says where it belongs.
pub struct Batch<T> {
    pub bytes: Vec<u8>,
    /// The end of each line in `bytes`.
    pub lines: Vec<(T, usize)>,
    /// Events since the last batch that were dropped for lack of space.
    pub dropped: u64,
}

impl<T> Default for Batch<T> {
    fn default() -> Self {
        Self { bytes: Vec::new(), lines: Vec::new(), dropped: 0 }
    }
}

struct State<T> {
    batch: Batch<T>,
    /// The thread waits to be woken.
    is_asleep: bool,
    is_closed: bool,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    wake: Condvar,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sending side, which any number of threads can share.
pub struct LogWriter<T>(Arc<Shared<T>>);

impl<T> Clone for LogWriter<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> LogWriter<T> {
    /// Appends one event: one or more lines with their line ends. After closing, it is discarded.
    pub fn append(&self, tag: T, event: &[u8]) {
        let mut state = self.0.lock();
        if state.is_closed {
            return;
        }
        let batch = &mut state.batch;
        if batch.bytes.len() + event.len() > MAX_WAITING {
            batch.dropped += 1;
        } else {
            batch.bytes.extend_from_slice(event);
            batch.lines.push((tag, batch.bytes.len()));
        }
        if std::mem::take(&mut state.is_asleep) {
            drop(state);
            self.0.wake.notify_one();
        }
    }
}

/// Ends the thread when dropped, after everything logged until then is written; waits for that for up to
/// [`LAST_LINES`].
pub struct Closing<T> {
    shared: Arc<Shared<T>>,
    thread: Option<JoinHandle<()>>,
    /// Disconnected by the thread when it ends.
    done: Receiver<()>,
}

impl<T> Drop for Closing<T> {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.wake.notify_one();
        // Joining would wait without a bound for a disk that hangs; the thread then ends with its process.
        if let Some(thread) = self.thread.take()
            && self.done.recv_timeout(LAST_LINES) != Err(RecvTimeoutError::Timeout)
        {
            let _ = thread.join();
        }
    }
}

/// Starts the thread, which passes one batch after the other to `write`.
pub fn start<T: Send + 'static>(
    mut write: impl FnMut(&Batch<T>) + Send + 'static,
) -> (LogWriter<T>, Closing<T>) {
    let state = State { batch: Batch::default(), is_asleep: false, is_closed: false };
    let shared = Arc::new(Shared { state: Mutex::new(state), wake: Condvar::new() });
    let own = shared.clone();
    let (_running, done) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        let _running: Sender<()> = _running;
        // The two batches are swapped, so that their memory is reused.
        let mut batch = Batch::default();
        while next(&own, &mut batch) {
            write(&batch);
            batch.bytes.clear();
            batch.lines.clear();
            batch.dropped = 0;
        }
    });
    (LogWriter(shared.clone()), Closing { shared, thread: Some(thread), done })
}

/// Waits for the next batch. Returns false if nothing is left and nothing more can come.
fn next<T>(shared: &Shared<T>, batch: &mut Batch<T>) -> bool {
    let is_empty = |batch: &Batch<T>| batch.lines.is_empty() && batch.dropped == 0;
    let mut state = shared.lock();
    while is_empty(&state.batch) && !state.is_closed {
        state.is_asleep = true;
        state = shared.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
    state.is_asleep = false;
    if !state.is_closed {
        let closed = |state: &mut State<T>| !state.is_closed;
        state = shared
            .wake
            .wait_timeout_while(state, GATHER, closed)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
    }
    std::mem::swap(&mut state.batch, batch);
    !is_empty(batch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lines_are_written_in_order_and_the_last_ones_at_the_end() {
        let (written, batches) = mpsc::channel();
        let (writer, closing) = start(move |batch: &Batch<usize>| {
            written.send((batch.bytes.clone(), batch.lines.clone())).unwrap();
        });
        for number in 0..1000 {
            writer.append(number, format!("{number}\n").as_bytes());
        }
        drop(closing);
        writer.append(0, b"too late\n");
        let (bytes, lines): (Vec<_>, Vec<_>) = batches.iter().unzip();
        let expected: String = (0..1000).map(|number| format!("{number}\n")).collect();
        assert_eq!(String::from_utf8(bytes.concat()).unwrap(), expected);
        let tags: Vec<usize> = lines.concat().into_iter().map(|(tag, _)| tag).collect();
        assert_eq!(tags, (0..1000).collect::<Vec<_>>());
        assert!(lines.len() < 100, "{} batches", lines.len());
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let (hold, held) = mpsc::channel::<()>();
        let (counted, counts) = mpsc::channel();
        let (writer, closing) = start(move |batch: &Batch<()>| {
            let _ = held.recv();
            counted.send((batch.lines.len(), batch.dropped)).unwrap();
        });
        for _ in 0..40 {
            writer.append((), &vec![b'x'; 1 << 20]);
        }
        drop(hold);
        drop(closing);
        let (kept, dropped) = counts.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        assert_eq!(kept as u64 + dropped, 40);
        assert!((8..=16).contains(&kept), "{kept}");
    }
}
