//! The routes of the document that the project started from, kept.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Request, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{Registry, deploy::Source, routes};
use crate::{
    config::manifest,
    http::{Answer, Failure, function_name, read_body},
    model::{Code, Digest, FunctionName, FunctionSpec, Problem, code},
};

const MAX_REQUEST: usize = 64 * 1024;

#[derive(Deserialize)]
pub struct Register {
    name: String,
    image: String,
    /// The seed's clients send the language here; the image holds it already.
    #[serde(default)]
    #[expect(dead_code, reason = "accepted, since the seed's clients send it")]
    runtime: Option<String>,
}

async fn json_body<T: DeserializeOwned>(request: Request) -> Answer<T> {
    let bytes = read_body(request.into_body(), MAX_REQUEST, || {
        Problem::new(code::PAYLOAD_TOO_LARGE, "the request is larger than the limit of 64 KiB")
    })
    .await?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Failure::from(Problem::new(code::INVALID_JSON, error.to_string())))
}

/// `POST /functions {name, image, runtime}`, also the gateway's `POST /deploy`: registers an image
/// that is there already.
pub async fn register(State(registry): State<Arc<Registry>>, request: Request) -> Answer<Response> {
    let Register { name, image, .. } = json_body(request).await?;
    let name = function_name(&name)?;
    let digest = Digest::of(image.as_bytes());
    let spec = spec_of_image(image, &registry.languages.defaults);
    let source = Source { name: name.clone(), spec, digest, archive: None };
    let deployed =
        routes::to_the_end(async move { registry.deploy(source, Arc::new(|_| {})).await }).await?;
    let answer = json!({
        "message": format!("Function {name} deployed"),
        "name": name,
        "revision": deployed.revision,
    });
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// The defaults of a manifest that names the image and nothing else.
fn spec_of_image(image: String, defaults: &manifest::Defaults) -> FunctionSpec {
    let manifest = manifest::parse("", manifest::FILE, defaults).expect("an empty manifest is valid");
    FunctionSpec { code: Code::Image { image }, ..manifest.spec }
}

/// `GET /functions/{name}` → `{name, image, runtime, is_warm}`.
pub async fn show(
    State(registry): State<Arc<Registry>>,
    Path(name): Path<String>,
) -> Answer<Json<Value>> {
    let info = registry.info(&function_name(&name)?).await?;
    let runtime = match &info.spec.code {
        Code::Language { language, .. } => language.to_string(),
        Code::Image { .. } => "image".to_owned(),
    };
    Ok(Json(json!({
        "name": info.name,
        "image": info.image,
        "runtime": runtime,
        "is_warm": info.is_warm,
    })))
}

#[derive(Deserialize)]
struct Warm {
    is_warm: bool,
}

/// `PATCH /functions/{name}/warm {is_warm}`: what an external tool knows of instances of its own.
pub async fn report_warm(
    State(registry): State<Arc<Registry>>,
    Path(function): Path<String>,
    request: Request,
) -> Answer<Json<Value>> {
    let name: FunctionName = function_name(&function)?;
    let Warm { is_warm } = json_body(request).await?;
    match registry.store.report_warm(&name, is_warm).await? {
        Some(_) => {
            Ok(Json(json!({ "message": format!("Function {name} updated"), "is_warm": is_warm })))
        }
        None => Err(registry.not_found(&name).await.into()),
    }
}
