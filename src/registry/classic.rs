//! The classic routes (`/functions`, `/deploy`): kept for clients of the first version, with the JSON that they had.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Request, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Registry,
    change::{MAX_REQUEST, to_the_end},
    checks::Source,
};
use crate::{
    http::{Answer, CalledBy, function_name, read_document},
    manifest,
    model::{
        Code, Digest, FunctionName, FunctionSpec,
        api::{ClassicDeploy, ClassicDeployed},
        audit::action,
    },
};

/// `POST /functions {name, image, runtime}`, also the gateway's `POST /deploy`: registers an image
/// that is there already.
pub async fn register(
    State(registry): State<Arc<Registry>>,
    CalledBy(caller): CalledBy,
    request: Request,
) -> Answer<Response> {
    const SHAPE: &str = r#"{"name": "…", "image": "…"}, with "runtime" if you like"#;
    let (mut parts, body) = request.into_parts();
    let ClassicDeploy { name, image, .. } =
        read_document(&mut parts.headers, body, MAX_REQUEST, SHAPE).await?;
    let name = function_name(&name)?;
    let digest = Digest::of(image.as_bytes());
    let spec = spec_of_image(image, &registry.languages.defaults);
    let source = Source { name: name.clone(), spec, digest, archive: None, check: true, refresh: false };
    let deployed = registry.deploy(source, caller, Arc::new(|_| {})).await?;
    let message = format!("Function {name} deployed");
    let answer = ClassicDeployed { message, name, revision: deployed.revision };
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
    CalledBy(caller): CalledBy,
    Path(name): Path<String>,
) -> Answer<Json<Value>> {
    let info = registry.info(&function_name(&name)?, &caller).await?;
    let runtime = match &info.spec.code {
        Code::Language { language, .. } => language.to_string(),
        Code::Image { .. } | Code::Dockerfile { .. } => "image".to_owned(),
    };
    Ok(Json(json!({
        "name": info.name,
        "image": info.image,
        "runtime": runtime,
        "is_warm": info.is_warm,
    })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Warm {
    is_warm: bool,
}

/// `PATCH /functions/{name}/warm {is_warm}`: what an external tool knows of instances of its own.
pub async fn report_warm(
    State(registry): State<Arc<Registry>>,
    CalledBy(caller): CalledBy,
    Path(function): Path<String>,
    request: Request,
) -> Answer<Json<Value>> {
    let name: FunctionName = function_name(&function)?;
    let (mut parts, body) = request.into_parts();
    let shape = r#"{"is_warm": true} or {"is_warm": false}"#;
    let Warm { is_warm } = read_document(&mut parts.headers, body, MAX_REQUEST, shape).await?;
    to_the_end(registry.changes.clone(), async move {
        let reported = registry.store.report_warm(&name, is_warm).await;
        registry.audit_unknown(&reported, &caller, action::REPORT_WARM, Some(name.to_string())).await;
        if reported?.is_none() {
            return Err(registry.not_found(&name, &caller).await.into());
        }
        let detail = Some(format!("is_warm: {is_warm}"));
        registry.audit(&caller, action::REPORT_WARM, Some(name.to_string()), detail).await;
        Ok(Json(json!({ "message": format!("Function {name} updated"), "is_warm": is_warm })))
    })
    .await
}
