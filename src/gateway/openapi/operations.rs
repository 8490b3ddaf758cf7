//! The routes of the table, by the types that their handlers take and answer. A route without an entry here fails the test of
//! `document.rs`.

use serde_json::json;

use super::{
    operation::{Content, Operation},
    schemas::Schemas,
};
use crate::model::{
    AuditEntry, BuildLog, LogLine, ProblemCode, Record,
    api::{
        Accepted, ActiveRevision, ClassicDeploy, ClassicDeployed, ClassicInvoke, ClassicInvoked,
        DeployLine, Deployed, FunctionInfo, InstanceInfo, KeyRotated, MadeToken, NewToken, Page, Pruned,
        RevisionInfo, RotateToken, SecretInfo, SecretSet, TokenInfo,
    },
    code,
    route::{self, Endpoint},
};

/// The problems of bodies.
const OF_BODY: [ProblemCode; 3] =
    [code::PAYLOAD_TOO_LARGE, code::UNSUPPORTED_ENCODING, code::INVALID_ENCODING];
/// The problems of documents.
const OF_DOCUMENT: [ProblemCode; 4] =
    [code::INVALID_JSON, code::PAYLOAD_TOO_LARGE, code::UNSUPPORTED_ENCODING, code::INVALID_ENCODING];
/// The problems of routes that name a function which is there.
const OF_FUNCTION: [ProblemCode; 2] = [code::INVALID_NAME, code::FUNCTION_NOT_FOUND];
/// The problems of an invocation that was run, or was to be.
const OF_RUN: [ProblemCode; 5] = [
    code::FUNCTION_FAILED,
    code::FUNCTION_CRASHED,
    code::FUNCTION_TIMED_OUT,
    code::START_FAILED,
    code::THROTTLED,
];
/// The problems of a revision that is to become active.
const OF_REVISION: [ProblemCode; 3] = [code::CONFLICT, code::ADDRESS_TAKEN, code::INVALID_MANIFEST];

const LOCATION: (&str, &str) = ("Location", "The path of what was made.");
const INVOCATION_ID: (&str, &str) = ("Cloudfunc-Invocation-Id", "The id of the invocation.");
const LOG_HEADERS: &[(&str, &str)] = &[
    ("Cloudfunc-Next-Cursor", "The `cursor` of the page before, if there are older lines."),
    (
        "Cloudfunc-Older-Lines",
        "The number of older lines, with a + where there are more than were counted.",
    ),
    ("Cloudfunc-Position", "With `follow`: the number after which new lines come."),
    ("Cloudfunc-Missing-Lines", "The number of lines that have not arrived yet, or were lost."),
];

/// Returns the operations, each with its entry in the table.
pub fn all(schemas: &mut Schemas) -> Vec<(&'static Endpoint, Operation)> {
    let mut all = of_functions(schemas);
    all.extend(of_invocations(schemas));
    all.extend(of_access(schemas));
    all.extend(of_secrets(schemas));
    all.extend(classic(schemas));
    all
}

fn of_functions(s: &mut Schemas) -> Vec<(&'static Endpoint, Operation)> {
    vec![
        (
            &route::LIST_FUNCTIONS.endpoint,
            Operation::new("Lists functions by name; without a limit all of them.")
                .gives_json::<Page<FunctionInfo>>(s, 200, "A page of functions."),
        ),
        (
            &route::SHOW_FUNCTION.endpoint,
            Operation::new("Returns one function.")
                .gives_json::<FunctionInfo>(s, 200, "The function.")
                .fails(&OF_FUNCTION),
        ),
        (
            &route::DELETE_FUNCTION.endpoint,
            Operation::new("Deletes a function, and cancels its waiting invocations.")
                .gives(204, "It is deleted.", Content::Nothing)
                .with(&[
                    ("Cloudfunc-Cancelled", "The number of invocations that were cancelled."),
                    ("Cloudfunc-Deleted-Secrets", "The number of its secrets that went with it."),
                ])
                .fails(&OF_FUNCTION),
        ),
        (
            &route::LIST_REVISIONS.endpoint,
            Operation::new("Lists the revisions of a function.")
                .gives_json::<Page<RevisionInfo>>(s, 200, "All revisions.")
                .fails(&OF_FUNCTION),
        ),
        (&route::DEPLOY.endpoint, deploy(s)),
        (
            &route::BUILD_LOG.endpoint,
            Operation::new("Returns what a build of a function said.")
                .gives_json::<BuildLog>(s, 200, "The log.")
                .fails(&OF_FUNCTION)
                .fails(&[code::BUILD_NOT_FOUND, code::REVISION_NOT_FOUND]),
        ),
        (
            &route::LIST_INSTANCES.endpoint,
            Operation::new("Lists the live instances of a function.")
                .gives_json::<Page<InstanceInfo>>(s, 200, "All instances.")
                .fails(&OF_FUNCTION),
        ),
        (
            &route::ACTIVATE.endpoint,
            Operation::new("Makes a revision active.")
                .takes_json::<ActiveRevision>(s, true)
                .looks_at(
                    "If-Match",
                    "The revision that has to be active before, in quotes.",
                    json!({ "type": "string" }),
                )
                .gives_json::<FunctionInfo>(s, 200, "The function.")
                .fails(&OF_FUNCTION)
                .fails(&OF_DOCUMENT)
                .fails(&OF_REVISION)
                .fails(&[code::REVISION_NOT_FOUND]),
        ),
        (
            &route::PRUNE.endpoint,
            Operation::new("Deletes old data, or only counts it.").gives_json::<Pruned>(
                s,
                200,
                "What was deleted, or would be.",
            ),
        ),
    ]
}

fn deploy(s: &mut Schemas) -> Operation {
    let whole = s.answered::<Deployed>();
    let lines = Content::JsonOrLines(whole.clone(), s.answered::<DeployLine>());
    Operation::new(
        "Deploys an upload; with `Accept: application/x-ndjson`, the answer tells of each step.",
    )
    .takes_bytes("The folder of the function as a gzipped tar.", &["application/gzip"])
    .gives(200, "Nothing has changed, or the steps, the last of which tells the end.", lines)
    .gives(201, "The revision is active.", Content::Json(whole))
    .with(&[LOCATION])
    .fails(&[code::INVALID_NAME, code::UPLOAD_TOO_LARGE, code::INVALID_UPLOAD, code::BUILD_FAILED])
    .fails(&[code::UNSUPPORTED_ENCODING, code::INVALID_ENCODING])
    .fails(&OF_REVISION)
}

fn of_invocations(s: &mut Schemas) -> Vec<(&'static Endpoint, Operation)> {
    let logs = |s: &mut Schemas, summary| {
        Operation::new(summary)
            .gives(200, "The lines, the oldest first.", Content::Lines(s.answered::<LogLine>()))
            .with(LOG_HEADERS)
            .fails(&OF_FUNCTION)
            .fails(&[code::INVOCATION_NOT_FOUND])
    };
    vec![
        (&route::INVOKE.endpoint, invoke(s)),
        (&route::FUNCTION_LOGS.endpoint, logs(s, "Returns the log of a function.")),
        (&route::LOGS.endpoint, logs(s, "Returns the logs of all functions.")),
        (
            &route::LIST_INVOCATIONS.endpoint,
            Operation::new("Lists invocations, the newest first.")
                .gives_json::<Page<Record>>(s, 200, "A page of records.")
                .fails(&[code::FUNCTION_NOT_FOUND, code::INVOCATION_NOT_FOUND]),
        ),
        (
            &route::SHOW_INVOCATION.endpoint,
            Operation::new("Returns one invocation; with `wait`, once it has ended.")
                .gives_json::<Record>(s, 200, "Its record.")
                .fails(&[code::INVOCATION_NOT_FOUND]),
        ),
        (
            &route::RESULT.endpoint,
            Operation::new("Returns what an invocation returned.")
                .gives(200, "The value, byte for byte, with its type.", Content::Any)
                .with(&[
                    INVOCATION_ID,
                    ("Cloudfunc-Http-Status", "The status of the response whose body it is."),
                ])
                .fails(&OF_RUN)
                .fails(&[code::INVOCATION_NOT_FOUND, code::NOT_FINISHED, code::CONFLICT]),
        ),
    ]
}

fn invoke(s: &mut Schemas) -> Operation {
    const TYPES: [&str; 3] = ["application/json", "text/plain", "application/octet-stream"];
    let text = || json!({ "type": "string" });
    let mut operation = Operation::new("Calls a function.")
        .takes_bytes("The payload, of any type.", &TYPES)
        .looks_at("Prefer", "`respond-async`: the answer is that it is on disk.", text())
        .looks_at(
            "Cloudfunc-Http-Method",
            "The method of the HTTP request that the function gets.",
            text(),
        )
        .looks_at("Cloudfunc-Http-Path", "Path and query of that request.", text())
        .gives(200, "The value, with its type.", Content::Any)
        .with(&[
            INVOCATION_ID,
            ("Cloudfunc-Start", "`cold` or `warm`."),
            ("Cloudfunc-Instance", "The id of the instance that ran it."),
            ("Server-Timing", "The phases of the invocation, in milliseconds."),
        ])
        .gives_json::<Accepted>(s, 202, "With `Prefer: respond-async`: it is on disk.")
        .with(&[INVOCATION_ID, LOCATION])
        .fails(&OF_FUNCTION)
        .fails(&OF_DOCUMENT)
        .fails(&OF_RUN)
        .fails(&[code::UNSUPPORTED_MEDIA_TYPE]);
    operation.is_of_function = true;
    operation
}

fn of_access(s: &mut Schemas) -> Vec<(&'static Endpoint, Operation)> {
    const OF_TOKEN: [ProblemCode; 2] = [code::INVALID_NAME, code::TOKEN_NOT_FOUND];
    vec![
        (
            &route::LIST_TOKENS.endpoint,
            Operation::new("Lists tokens by name, without their values.").gives_json::<Page<TokenInfo>>(
                s,
                200,
                "A page of tokens.",
            ),
        ),
        (
            &route::CREATE_TOKEN.endpoint,
            Operation::new("Makes a token.")
                .takes_json::<NewToken>(s, true)
                .gives_json::<MadeToken>(s, 201, "The token, with its value.")
                .fails(&OF_DOCUMENT)
                .fails(&[code::CONFLICT]),
        ),
        (
            &route::SHOW_TOKEN.endpoint,
            Operation::new("Returns one token, without its value.")
                .gives_json::<TokenInfo>(s, 200, "The token.")
                .fails(&OF_TOKEN),
        ),
        (
            &route::REVOKE_TOKEN.endpoint,
            Operation::new("Revokes a token.")
                .gives(204, "It is refused from now on.", Content::Nothing)
                .fails(&OF_TOKEN),
        ),
        (
            &route::ROTATE_TOKEN.endpoint,
            Operation::new("Gives a token another value.")
                .takes_json::<RotateToken>(s, false)
                .gives_json::<MadeToken>(s, 200, "The token, with its new value.")
                .fails(&OF_TOKEN)
                .fails(&OF_DOCUMENT),
        ),
        (
            &route::AUDIT_LOG.endpoint,
            Operation::new("Lists what was changed or refused, the newest first.")
                .gives_json::<Page<AuditEntry>>(s, 200, "A page of entries."),
        ),
    ]
}

fn of_secrets(s: &mut Schemas) -> Vec<(&'static Endpoint, Operation)> {
    const OF_SECRET: [ProblemCode; 2] = [code::INVALID_NAME, code::SECRET_NOT_FOUND];
    vec![
        (
            &route::LIST_SECRETS.endpoint,
            Operation::new("Lists secrets, without their values.").gives_json::<Page<SecretInfo>>(
                s,
                200,
                "All of them.",
            ),
        ),
        (
            &route::SET_SECRET.endpoint,
            Operation::new("Sets a secret to the bytes of the body.")
                .takes_bytes(
                    "The value: UTF-8 without NUL, at most 64 KiB.",
                    &["application/octet-stream"],
                )
                .gives_json::<SecretSet>(s, 200, "It had another value.")
                .gives_json::<SecretSet>(s, 201, "It is new.")
                .fails(&OF_SECRET)
                .fails(&OF_BODY)
                .fails(&[code::INVALID_SECRET]),
        ),
        (
            &route::DELETE_SECRET.endpoint,
            Operation::new("Deletes a secret.")
                .gives(204, "It is deleted.", Content::Nothing)
                .fails(&OF_SECRET)
                .fails(&[code::SECRET_IN_USE]),
        ),
        (
            &route::ROTATE_SECRET_KEY.endpoint,
            Operation::new("Encrypts all secrets with the newest key.")
                .gives_json::<KeyRotated>(s, 200, "What was encrypted, and what was left.")
                .fails(&[code::CONFLICT]),
        ),
    ]
}

fn classic(s: &mut Schemas) -> Vec<(&'static Endpoint, Operation)> {
    vec![
        (
            &route::CLASSIC_DEPLOY.endpoint,
            Operation::new("Classic: deploys an image that is there already.")
                .takes_json::<ClassicDeploy>(s, true)
                .gives_json::<ClassicDeployed>(s, 201, "The revision is active.")
                .fails(&OF_DOCUMENT)
                .fails(&OF_REVISION)
                .fails(&[code::INVALID_NAME, code::BUILD_FAILED]),
        ),
        (
            &route::CLASSIC_INVOKE.endpoint,
            Operation::new("Classic: starts an asynchronous invocation.")
                .takes_json::<ClassicInvoke>(s, true)
                .gives_json::<ClassicInvoked>(s, 202, "It is on disk.")
                .fails(&OF_FUNCTION)
                .fails(&OF_DOCUMENT),
        ),
    ]
}
