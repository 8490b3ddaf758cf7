use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::{Value, json};

/// Called once per invocation; the event's payload is the JSON that was sent. What it prints goes to the log:
/// `cloudfunc logs function_name`.
async fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let name = event.payload["name"].as_str().unwrap_or("World");
    println!("greeting {name}");
    Ok(json!({ "greeting": format!("Hello {name}!") }))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(handler)).await
}
