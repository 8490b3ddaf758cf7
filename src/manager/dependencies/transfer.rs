//! Trees on their way into the store and out of it: piece by piece, two of which are in memory at most.

use std::{
    io::{self, Read, Write},
    path::PathBuf,
};

use bytes::{Buf as _, Bytes};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{
    bundle::{self, TreeError, TreeSize},
    disk::remove_tree,
    model::{Dependencies, Digest},
    store::{self, MAX_PIECE},
};

/// The reason why a tree was not stored or fetched.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("the installed packages {0} are not in the store")]
    Missing(Digest),
    #[error("the manager stops")]
    Stopped,
}

/// Waits for a blocking task and panics as it did. A runtime that ends begins none any more: that is an error.
pub async fn finished<T>(task: JoinHandle<T>) -> Result<T, Error> {
    task.await.map_err(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Error::Stopped,
    })
}

/// Stores the files of a folder as the pieces of a tree; returns their size and the number of pieces. Given up, it ends with
/// an error between two pieces, and the caller deletes those that are stored.
pub async fn put(
    store: &dyn store::Dependencies,
    folder: PathBuf,
    tree: &Digest,
    given_up: &CancellationToken,
) -> Result<(TreeSize, u32), Error> {
    let (sender, mut pieces) = mpsc::channel(1);
    let packing = tokio::task::spawn_blocking(move || {
        // Before anything of what is too large is stored.
        bundle::measure(&folder, bundle::MAX_TREE)?;
        bundle::pack_tree(&folder, Pieces { buffer: Vec::with_capacity(MAX_PIECE), sender })
    });
    let mut count = 0;
    while let Some(piece) = pieces.recv().await {
        let put = match given_up.is_cancelled() {
            true => Err(Error::Stopped),
            false => store.put_piece(tree, count, piece).await.map_err(Error::from),
        };
        if let Err(error) = put {
            // The packing ends with its next piece.
            drop(pieces);
            let _ = packing.await;
            return Err(error);
        }
        count += 1;
    }
    if given_up.is_cancelled() {
        return Err(Error::Stopped);
    }
    let size = finished(packing).await??;
    Ok((size, count))
}

/// Unpacks a tree of the store into `folder`, which must not exist yet; it is removed when the unpacking fails or is no
/// longer waited for.
pub async fn fetch(
    store: &dyn store::Dependencies,
    of: &Dependencies,
    folder: PathBuf,
) -> Result<(), Error> {
    let (sender, pieces) = mpsc::channel(1);
    // Dropped with this future.
    let (waiting, _waited_for) = oneshot::channel::<()>();
    let unpacking = tokio::task::spawn_blocking(move || {
        let unpacked = bundle::unpack_tree(Fetched { pieces, current: Bytes::new() }, &folder);
        if (unpacked.is_err() || waiting.is_closed())
            && let Err(error) = remove_tree(&folder)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(folder = %folder.display(), %error, "half of a tree is left; the next start removes it");
        }
        unpacked
    });
    for number in 0..of.pieces {
        let piece = match store.piece(&of.tree, number).await {
            Ok(Some(piece)) => piece,
            // Cut off, the unpacking fails.
            lost => {
                drop(sender);
                let _ = unpacking.await;
                return Err(lost.map_or_else(Error::from, |_| Error::Missing(of.tree.clone())));
            }
        };
        if sender.send(piece).await.is_err() {
            break;
        }
    }
    drop(sender);
    finished(unpacking).await??;
    Ok(())
}

/// A stream that is cut into pieces.
struct Pieces {
    buffer: Vec<u8>,
    sender: mpsc::Sender<Bytes>,
}

impl Pieces {
    fn send(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.buffer, Vec::with_capacity(MAX_PIECE));
        self.sender.blocking_send(piece.into()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(MAX_PIECE - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        if self.buffer.len() == MAX_PIECE {
            self.send()?;
        }
        Ok(taken)
    }

    /// Sends the last piece.
    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() { Ok(()) } else { self.send() }
    }
}

/// A stream that comes in pieces.
struct Fetched {
    pieces: mpsc::Receiver<Bytes>,
    current: Bytes,
}

impl Read for Fetched {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.current.is_empty() {
            let Some(next) = self.pieces.blocking_recv() else { return Ok(0) };
            self.current = next;
        }
        let read = into.len().min(self.current.len());
        self.current.copy_to_slice(&mut into[..read]);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::Arc};

    use super::*;
    use crate::{
        model::{Language, Target},
        store::{Config, connect},
    };

    #[tokio::test]
    async fn a_tree_of_many_pieces_comes_out_of_the_store_as_it_went_in() {
        let dir = tempfile::tempdir().unwrap();
        let config = Config::Sqlite { path: dir.path().join("store.db") };
        let store: Arc<dyn store::Dependencies> = connect(&config).await.unwrap();
        let from = dir.path().join("from");
        fs::create_dir(&from).unwrap();
        // It cannot be compressed.
        let mut bytes = vec![0; 3 * MAX_PIECE];
        getrandom::fill(&mut bytes).unwrap();
        fs::write(from.join("large"), &bytes).unwrap();
        let tree = Digest::of(b"tree");
        let given_up = CancellationToken::new();
        let (size, pieces) = put(&*store, from.clone(), &tree, &given_up).await.unwrap();
        assert_eq!((size.files, size.bytes), (1, bytes.len() as u64));
        assert_eq!(pieces, 4);
        let of = Dependencies {
            key: Digest::of(b"key"),
            tree,
            language: Language::Python,
            target: Target {
                interpreter: String::new(),
                abi: String::new(),
                architecture: String::new(),
                c_library: String::new(),
            },
            packages: Vec::new(),
            files: size.files,
            bytes: size.bytes,
            pieces,
        };
        fetch(&*store, &of, dir.path().join("to")).await.unwrap();
        assert_eq!(fs::read(dir.path().join("to/large")).unwrap(), bytes);
        let more = Dependencies { pieces: 5, ..of };
        let missing = fetch(&*store, &more, dir.path().join("more")).await.unwrap_err();
        assert!(matches!(missing, Error::Missing(_)), "{missing}");
        let cut = fetch(&*store, &Dependencies { pieces: 3, ..more }, dir.path().join("cut")).await;
        assert!(matches!(cut, Err(Error::Tree(TreeError::Stream(_)))), "{cut:?}");
        assert!(!dir.path().join("cut").exists());
        given_up.cancel();
        let half = Digest::of(b"half");
        let stopped = put(&*store, from, &half, &given_up).await.unwrap_err();
        assert!(matches!(stopped, Error::Stopped), "{stopped}");
        assert_eq!(store.piece(&half, 0).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_task_that_was_cancelled_is_an_error() {
        let task = tokio::spawn(std::future::pending::<()>());
        task.abort();
        let error = finished(task).await.unwrap_err();
        assert_eq!(error.to_string(), "the manager stops");
    }
}
