use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::FutureExt as _;
use http_body_util::BodyExt as _;
use tokio::sync::Notify;

use super::{super::request::refusal, *};
use crate::model::code;

/// Accepts every token until it is told otherwise, and counts how often it is asked again.
#[derive(Default)]
struct Tokens {
    is_revoked: AtomicBool,
    /// So many of the next checks are answered 503.
    unanswered: AtomicUsize,
    asked: AtomicUsize,
    changed: Arc<Notify>,
}

impl Authenticate for Tokens {
    fn authenticate(&self, _: &str) -> Authentication {
        panic!("that would count as another request");
    }

    fn authenticate_again(&self, token: &str) -> Authentication {
        assert_eq!(token, "secret");
        self.asked.fetch_add(1, Ordering::SeqCst);
        let is_revoked = self.is_revoked.load(Ordering::SeqCst);
        let one_less = |left: usize| left.checked_sub(1);
        let is_away = self.unanswered.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok();
        Authentication::Asking(Box::pin(async move {
            if is_away {
                return Err(Problem::new(code::UNAVAILABLE, "away").into());
            }
            if is_revoked {
                return Err(Problem::new(code::UNAUTHORIZED, "revoked").into());
            }
            Ok(Arc::new(Caller::internal()))
        }))
    }

    fn may_change(&self, _: &str) -> BoxFuture<'static, ()> {
        let changed = self.changed.clone();
        Box::pin(async move { changed.notified().await })
    }
}

/// A token that was checked so long ago.
fn checked(age: Duration) -> (CheckedToken, Arc<Tokens>) {
    let known = Arc::new(Tokens::default());
    let mut token = CheckedToken::new(known.clone(), HeaderValue::from_static("bearer secret"));
    token.checked_at = Instant::now().checked_sub(age).unwrap();
    (token, known)
}

/// Far from [`HOLDS`].
const FRESH: Duration = Duration::ZERO;
const OLD: Duration = Duration::from_secs(3);

/// A body of these pieces, whose end is seen with the last one or after it.
fn pieces(list: &'static [&'static str]) -> Body {
    let list =
        list.iter().map(|piece| Ok::<_, std::convert::Infallible>(Bytes::from_static(piece.as_bytes())));
    Body::from_stream(futures_util::stream::iter(list))
}

/// The pieces that came out, and the problem with which the body broke off.
async fn read(mut body: Body) -> (Vec<Bytes>, Option<String>) {
    let mut seen = Vec::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => seen.push(frame.into_data().unwrap()),
            Err(error) => return (seen, Some(refusal(&error).unwrap().detail)),
        }
    }
    (seen, None)
}

#[tokio::test]
async fn a_body_that_took_its_time_ends_only_if_its_token_still_holds() {
    for (age, is_revoked, why, asked) in [
        (FRESH, true, None, 0),
        (OLD, false, None, 1),
        // The end of such a stream follows its last piece.
        (OLD, true, Some("revoked"), 1),
    ] {
        let (token, known) = checked(age);
        known.is_revoked.store(is_revoked, Ordering::SeqCst);
        let (came, broken) = read(token.checked_body(pieces(&["a", "b"]))).await;
        assert_eq!((came.concat(), broken.as_deref()), (b"ab".to_vec(), why));
        assert_eq!(known.asked.load(Ordering::SeqCst), asked);
    }
}

#[tokio::test]
async fn the_last_piece_of_a_body_of_known_length_waits_for_the_check() {
    let (token, known) = checked(OLD);
    let body = token.checked_body(Body::from("whole"));
    assert_eq!(body.size_hint().exact(), Some(5), "its length stays known");
    assert_eq!(read(body).await, (vec![Bytes::from("whole")], None));
    known.is_revoked.store(true, Ordering::SeqCst);
    let broken = read(token.checked_body(Body::from("whole"))).await;
    assert_eq!(broken, (Vec::new(), Some("revoked".to_owned())), "nothing of it was passed on");
    assert!(token.checked_body(Body::empty()).is_end_stream());
}

#[tokio::test]
async fn a_check_is_repeated_after_two_seconds_only() {
    for (age, asked) in [(FRESH, 0), (OLD, 1)] {
        let (token, known) = checked(age);
        assert!(token.still_holds().await.is_ok());
        assert_eq!(known.asked.load(Ordering::SeqCst), asked);
        known.is_revoked.store(true, Ordering::SeqCst);
        assert_eq!(token.still_holds().await.is_err(), asked == 1);
    }
}

#[tokio::test]
async fn a_token_that_is_watched_is_looked_at_whenever_it_may_have_changed() {
    let (token, known) = checked(FRESH);
    let mut refused = Box::pin(token.refused());
    assert!(refused.as_mut().now_or_never().is_none());
    known.changed.notify_one();
    assert!(refused.as_mut().now_or_never().is_none(), "another token was changed");
    assert_eq!(known.asked.load(Ordering::SeqCst), 2);
    known.is_revoked.store(true, Ordering::SeqCst);
    known.changed.notify_one();
    let Failure(why) = refused.await;
    assert_eq!(why.detail, "revoked");
}

#[tokio::test]
async fn a_token_that_cannot_be_checked_for_a_moment_is_not_refused() {
    let (token, known) = checked(FRESH);
    known.unanswered.store(4, Ordering::SeqCst);
    let mut refused = Box::pin(token.refused_with(Duration::ZERO));
    while known.asked.load(Ordering::SeqCst) < 5 {
        assert!(refused.as_mut().now_or_never().is_none());
        // The pauses in it are timers, which run only while this task waits.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(refused.now_or_never().is_none(), "it holds");
    known.unanswered.store(5, Ordering::SeqCst);
    let Failure(why) = token.refused_with(Duration::ZERO).await;
    assert_eq!((why.status, why.detail.as_str()), (503, "away"));
    assert_eq!(known.asked.load(Ordering::SeqCst), 10);
}
