use super::*;

fn progress(with_handshake: bool) -> Progress {
    Progress::new(Bounds::default(), with_handshake)
}

fn kind(progress: &Progress) -> &'static str {
    match progress.standing(Instant::now() + FRESH) {
        Standing::Leaving => "leaving",
        Standing::Idle(_) => "idle",
        Standing::Beginning(_) => "beginning",
        Standing::Coming(_) => "coming",
        Standing::Answering => "answering",
    }
}

#[test]
fn a_connection_is_idle_has_part_of_a_request_or_is_being_answered() {
    let progress = progress(true);
    assert_eq!(kind(&progress), "beginning");
    progress.shook_hands(false);
    assert_eq!(kind(&progress), "idle");
    progress.came();
    assert_eq!(kind(&progress), "beginning");
    let request = progress.begin(false);
    progress.came();
    assert!(!progress.has_whole_request() && kind(&progress) == "coming");
    progress.came_whole(request, true);
    assert!(progress.has_whole_request() && kind(&progress) == "answering");
    progress.end(request);
    assert_eq!(kind(&progress), "idle", "what came was the request's own");
}

#[test]
fn a_connection_with_streams_is_answered_as_long_as_one_of_them_is() {
    let progress = progress(false);
    progress.shook_hands(true);
    progress.came();
    assert_eq!(kind(&progress), "idle", "frames are not all of a head");
    let (first, second) = (progress.begin(true), progress.begin(false));
    assert_eq!(kind(&progress), "answering");
    progress.end(first);
    assert_eq!(kind(&progress), "coming");
    progress.end(second);
    assert_eq!(kind(&progress), "idle");
}

#[test]
fn an_answer_is_over_once_it_has_been_written() {
    let progress = progress(false);
    let first = progress.begin(true);
    progress.tell(first);
    progress.queue(first, None);
    progress.end(first);
    assert_eq!(kind(&progress), "answering");
    // The next request is there before.
    let second = progress.begin(true);
    progress.written();
    assert_eq!(kind(&progress), "answering");
    progress.queue(second, None);
    progress.written();
    assert_eq!(kind(&progress), "idle");
}

#[test]
fn half_a_head_that_came_behind_a_request_is_one_after_its_answer() {
    let progress = progress(false);
    let request = progress.begin(true);
    progress.came();
    assert!(!progress.is_in_head(), "the request is being answered");
    progress.queue(request, None);
    progress.written();
    assert!(progress.is_in_head() && kind(&progress) == "beginning");
    // What nobody reads of a body is none.
    let request = progress.begin(false);
    progress.came_whole(request, false);
    progress.came();
    progress.end(request);
    assert!(!progress.is_in_head());
}

const SHORT: Duration = Duration::from_millis(100);

fn short() -> Progress {
    let bounds = Bounds { head: SHORT, idle: SHORT, take: SHORT, ..Bounds::default() };
    Progress::new(bounds, false)
}

#[tokio::test]
async fn the_place_of_a_connection_is_not_taken_once_its_request_has_come() {
    let progress = short();
    progress.evict();
    assert_eq!(kind(&progress), "leaving");
    let request = progress.begin(true);
    let waited = tokio::time::timeout(4 * SHORT, progress.ends()).await;
    assert!(waited.is_err() && kind(&progress) == "answering");
    progress.end(request);
    progress.evict();
    assert_eq!(progress.ends().await, End::Evicted);
}

#[tokio::test]
async fn a_reader_that_takes_nothing_of_an_answer_is_not_waited_for() {
    let progress = short();
    let request = progress.begin(true);
    progress.handed_over(request, SHORT);
    progress.taken(request);
    let waited = tokio::time::timeout(4 * SHORT, progress.ends()).await;
    assert!(waited.is_err(), "it waits for what its answer says next");
    progress.handed_over(request, SHORT);
    let begun = Instant::now();
    assert_eq!(progress.ends().await, End::Silent);
    assert!(begun.elapsed() >= SHORT / 2, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn what_is_overdue_is_told_apart() {
    let progress = short();
    assert_eq!(progress.ends().await, End::Silent);
    progress.came();
    assert_eq!(progress.ends().await, End::HeadOverdue);
}

#[tokio::test]
async fn a_connection_that_is_cut_ends_in_the_middle_of_an_answer() {
    let progress = short();
    progress.begin(true);
    progress.cut();
    assert_eq!(progress.ends().await, End::Evicted);
}

#[tokio::test]
async fn an_answer_may_take_its_time_to_begin_and_then_a_bounded_one_to_be_taken() {
    let progress = Progress::new(Bounds { last: SHORT, ..Bounds::default() }, false);
    let request = progress.begin(true);
    let waited = tokio::time::timeout(4 * SHORT, progress.all_answered()).await;
    assert!(waited.is_err(), "it is being worked on");
    progress.tell(request);
    let begun = Instant::now();
    progress.all_answered().await;
    assert!(begun.elapsed() >= SHORT / 2);
    progress.end(request);
    let begun = Instant::now();
    progress.all_answered().await;
    assert!(begun.elapsed() < SHORT / 2);
}
