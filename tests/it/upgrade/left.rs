//! Invocations that were on their way when the old program ended.

use std::time::Duration;

use base64::Engine as _;
use cloudfunc::model::{InvocationId, Record, State};
use serde_json::{Value, json};

use crate::support::{eventually, platform::TestPlatform};

/// The function whose container cannot start: what is accepted for it is tried again.
const UNSTARTABLE: &str = "unstartable";

/// Ends with one effect: one more attempt than before, and no attempt but that one has an outcome.
pub async fn is_finished(platform: &TestPlatform, row: &Value) {
    let id: InvocationId = row["id"].as_str().unwrap().parse().unwrap();
    let before = usize::try_from(row["attempt"].as_u64().unwrap()).unwrap();
    let name = row["function_name"].as_str().unwrap();
    if name == UNSTARTABLE {
        return is_tried_again(platform, id, before).await;
    }
    let record = ended(platform, id).await;
    assert_eq!(record.state, State::Succeeded, "{row} {record:#?}");
    let numbers: Vec<_> = record.attempts.iter().map(|attempt| attempt.number as usize).collect();
    assert_eq!(numbers, (1..=before + 1).collect::<Vec<_>>(), "{row} {record:#?}");
    let with_outcome = record.attempts.iter().filter(|attempt| attempt.outcome.is_some()).count();
    assert_eq!(with_outcome, 1, "{record:#?}");

    let value = value(platform, &id.to_string()).await;
    let token = value["token"].as_str().unwrap().to_owned();
    let revision = record.attempts.last().unwrap().revision.unwrap();
    let attempt = json!(before + 1);
    let id = id.to_string();
    let ran: Vec<Value> = lines(platform, name, &id)
        .await
        .into_iter()
        .filter(|line| line["attempt"] == attempt && line["line"].as_str().unwrap().starts_with("ran "))
        .collect();
    assert_eq!(ran.len(), 1, "it ran once: {ran:?}");
    assert!(ran[0]["line"].as_str().unwrap().contains(&token), "{ran:?}");
    assert_eq!(ran[0]["revision"], json!(revision), "{ran:?}");
}

async fn is_tried_again(platform: &TestPlatform, id: InvocationId, before: usize) {
    eventually("it is tried again", async || {
        let record = platform.client.record(id, None).await.unwrap();
        assert!(!record.state.is_terminal(), "{record:#?}");
        record.attempts.iter().any(|attempt| attempt.number as usize > before).then_some(())
    })
    .await;
}

/// Its only attempt ended before the upgrade, and it was not run again.
pub async fn has_its_outcome(platform: &TestPlatform, id: &str, how: &str) {
    let record = ended(platform, id.parse().unwrap()).await;
    assert_eq!(record.attempts.len(), 1, "{record:#?}");
    match how {
        "json" => {
            assert_eq!(record.state, State::Succeeded, "{record:#?}");
            assert_eq!(value(platform, id).await["token"], "outcome-json");
        }
        "raise" => {
            assert_eq!(record.state, State::Failed, "{record:#?}");
            let error = record.attempts[0].error.as_ref().unwrap();
            assert_eq!(error.summary(), "ValueError: no to outcome-raise");
        }
        other => panic!("{other}"),
    }
    let lines = lines(platform, "steps", id).await;
    let ran = lines.iter().filter(|line| line["line"].as_str().unwrap().starts_with("ran ")).count();
    assert_eq!(ran, 1, "{lines:?}");
}

async fn ended(platform: &TestPlatform, id: InvocationId) -> Record {
    let record = platform.client.record(id, Some(Duration::from_secs(30))).await.unwrap();
    assert!(record.state.is_terminal(), "{record:#?}");
    record
}

async fn value(platform: &TestPlatform, id: &str) -> Value {
    let result = platform.client.result(id.parse::<InvocationId>().unwrap()).await.unwrap();
    serde_json::from_slice(&result.bytes).unwrap()
}

/// The result as the recorder writes it; null when there is none.
pub async fn result(platform: &TestPlatform, id: &str) -> Value {
    let response = platform.get(&format!("/v1/invocations/{id}/result")).send().await.unwrap();
    if response.status() != 200 {
        return Value::Null;
    }
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    let bytes = response.bytes().await.unwrap();
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    json!({ "content_type": kind, "base64": text })
}

/// The lines of an invocation, once those that its record speaks of are stored.
pub async fn lines(platform: &TestPlatform, name: &str, id: &str) -> Vec<Value> {
    let path = format!("/v1/functions/{name}/logs?invocation={id}");
    let response = platform.get(&path).send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    let text = response.text().await.unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
