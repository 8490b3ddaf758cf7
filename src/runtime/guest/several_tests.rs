//! A guest that is played by the test, for what no shim would do.

use std::{collections::BTreeMap, os::fd::AsRawFd as _, path::Path};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{
    super::{Listener, Load, LoadFailure, run_folder},
    *,
};
use crate::model::{Interface, RevisionNumber};

const LIMIT: Duration = Duration::from_secs(30);

fn frame(header: &str, body: &[u8]) -> Vec<u8> {
    let lengths = [header.len(), body.len()].map(|length| u32::try_from(length).unwrap().to_be_bytes());
    [&lengths.concat()[..], header.as_bytes(), body].concat()
}

async fn connect(folder: &Path, frames: &[&str]) -> UnixStream {
    let folder = std::fs::File::open(run_folder(folder)).unwrap();
    let path = format!("/proc/self/fd/{}/{}", folder.as_raw_fd(), super::super::SOCKET_NAME);
    let mut socket = UnixStream::connect(path).await.unwrap();
    for header in frames {
        socket.write_all(&frame(header, b"")).await.unwrap();
    }
    socket
}

/// The guest, and its own side of the control connection.
async fn guest(features: &str) -> (Guest, UnixStream) {
    let folder = tempfile::tempdir().unwrap();
    let listener = Listener::bind(folder.path()).unwrap();
    let hello = format!(r#"{{"hello":{{"protocol":1,"language":"x","pid":1{features}}}}}"#);
    let _stdout = connect(folder.path(), &[r#"{"channel":"stdout"}"#]).await;
    let _stderr = connect(folder.path(), &[r#"{"channel":"stderr"}"#]).await;
    let control = connect(folder.path(), &[r#"{"channel":"control"}"#, &hello]).await;
    (listener.accept().await.unwrap(), control)
}

fn invoke() -> Invoke {
    let (headers, content_type) = (BTreeMap::new(), "application/json".to_owned());
    Invoke { id: InvocationId::new(), attempt: 1, remaining_ms: 1, headers, content_type, http: None }
}

fn load(concurrency: u32) -> Load {
    Load {
        revision: RevisionNumber(1),
        function: "f".to_owned(),
        handler: "function.handler".to_owned(),
        packages: None,
        concurrency,
        interface: Interface::Protocol,
        command: Vec::new(),
        env: BTreeMap::new(),
        secrets: BTreeMap::new(),
    }
}

const BOTH: &str = r#","features":["concurrent","log"]"#;

/// Two invocations under way in a guest that has listed `features`, and sends `frames` with the first one's id for `ID`.
/// Returns the error, their answers and lines, and the instance's lines.
async fn told(features: &str, frames: &[&str]) -> (String, [String; 2], Vec<String>) {
    let (mut guest, mut control) = guest(features).await;
    let (calls, mut several) = guest.several();
    let invokes = [invoke(), invoke()];
    let mut lines = [Vec::new(), Vec::new()];
    let (mut own, payload) = (Vec::new(), Bytes::new());
    let id = invokes[0].id.to_string();
    let frames = frames.iter().map(|header| frame(&header.replace("ID", &id), b"text"));
    let frames = frames.collect::<Vec<_>>().concat();
    let error = {
        let mut of_instance = |line: Line| own.push(line.text);
        let carrying = several.run(&mut of_instance);
        let [of_first, of_second] = &mut lines;
        let mut of_first = |line: Line| of_first.push(line.text);
        let mut of_second = |line: Line| of_second.push(line.text);
        let playing = async {
            // It answers what it has got.
            let mut seen = 0;
            while seen < 2 * 8 {
                seen += control.read(&mut [0; 4096]).await.unwrap();
            }
            control.write_all(&frames).await.unwrap();
            control
        };
        let (error, first, second, _control) = tokio::join!(
            carrying,
            calls.invoke(&invokes[0], &payload, LIMIT, &mut of_first),
            calls.invoke(&invokes[1], &payload, LIMIT, &mut of_second),
            playing,
        );
        assert!(calls.is_closed());
        lines[0].push(format!("{first:?}"));
        lines[1].push(format!("{second:?}"));
        error
    };
    (error.to_string(), lines.map(|lines| lines.join(" ")), own)
}

#[tokio::test]
async fn what_a_guest_may_not_send_ends_all_that_is_under_way() {
    const RESULT: &str = r#"{"result":{"id":"ID","content_type":"text/plain"}}"#;
    const LOG: &str = r#"{"log":{"id":"ID","stream":"stdout"}}"#;
    let nobody = format!(r#"{{"error":{{"id":"{}","type":"E","message":""}}}}"#, InvocationId::new());
    for (features, frames, reason) in [
        (BOTH, &[RESULT, RESULT][..], "which is not under way"),
        (BOTH, &[RESULT, nobody.as_str()], "which is not under way"),
        (BOTH, &[RESULT, r#"{"ready":{}}"#], "'ready' instead of 'result'"),
        (BOTH, &[RESULT, r#"{"later":{}}"#], "unknown variant"),
        (r#","features":["concurrent"]"#, &[RESULT, LOG], "'log' instead of 'result'"),
        (BOTH, &[RESULT, &RESULT.replace("/plain", "/plain\\n")], "plain ASCII"),
    ] {
        let (error, [first, second], _) = told(features, frames).await;
        assert!(error.contains(reason), "{error}");
        assert!(first.starts_with("Ok(Result("), "{first}");
        assert_eq!(second, "Err(Closed(None))");
    }
}

#[tokio::test]
async fn lines_of_an_invocation_come_before_its_answer_and_later_ones_are_the_instances() {
    let log = r#"{"log":{"id":"ID","stream":"stderr"}}"#;
    let result = r#"{"result":{"id":"ID","content_type":"text/plain"}}"#;
    let (_, [first, second], own) = told(BOTH, &[log, log, result, log, r#"{"ready":{}}"#]).await;
    assert!(first.starts_with("texttext Ok(Result("), "{first}");
    assert_eq!((second.as_str(), own), ("Err(Closed(None))", vec!["text".to_owned()]));
}

#[tokio::test]
async fn a_guest_that_cannot_run_several_at_a_time_is_not_asked_to() {
    for features in ["", r#","features":[]"#, r#","features":["log","concurrency"]"#] {
        let (mut guest, _control) = guest(features).await;
        match guest.load(&load(4), LIMIT, &mut |_| ()).await {
            Err(LoadFailure::Unable(reason)) => assert_eq!(
                reason,
                "`scaling.concurrency` is 4, but the image's guest does not list the feature `concurrent` of the \
                 runtime protocol: set it to 1, or use a guest that runs several invocations at the same time"
            ),
            other => panic!("{other:?}"),
        }
    }
}
