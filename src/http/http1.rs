//! A connection that speaks HTTP/1.1.

use std::sync::Arc;

use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    noted::Noted,
    port::{Link, Port},
    progress::{End, LAST_BYTES, Progress},
    raw_answer::{self, MAX_HEAD},
};

/// Serves a connection until it ends, or the port stops.
pub(super) async fn serve<S>(stream: S, link: Link, progress: Arc<Progress>, port: Arc<Port>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = {
        let (progress, port) = (progress.clone(), port.clone());
        service_fn(move |request: Request<Incoming>| port.answer(request, &progress, link))
    };
    let stream = TokioIo::new(Noted::new(stream, progress.clone()));
    let mut connection = http1::Builder::new().max_buf_size(MAX_HEAD).serve_connection(stream, service);
    let end = tokio::select! {
        served = &mut connection => {
            told(served);
            None
        }
        () = port.stop.cancelled() => {
            if progress.has_whole_request() {
                // It is answered, as long as the answer is taken.
                Pin::new(&mut connection).graceful_shutdown();
                let answered = async {
                    progress.all_answered().await;
                    tokio::time::sleep(LAST_BYTES).await;
                };
                tokio::select! {
                    served = &mut connection => told(served),
                    () = answered => {}
                    _ = progress.ends() => {}
                }
            }
            return;
        }
        end = progress.ends() => Some(end),
    };
    let noted = connection.into_parts().io.into_inner();
    let problem = match (end, noted.kept_back()) {
        (None, Some(status)) => raw_answer::of_status(status),
        (Some(End::HeadOverdue), _) if noted.is_flushed() => raw_answer::head_overdue(&port.bounds),
        (Some(end), _) => return tracing::trace!(?end, "connection closed"),
        (None, None) => return,
    };
    raw_answer::write(noted.stream, &problem).await;
}

fn told(served: hyper::Result<()>) {
    if let Err(error) = served {
        tracing::trace!(%error, "connection ended");
    }
}
