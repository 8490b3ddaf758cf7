//! Warm calls with a stored token and limits of token and function, beside the token of the host's file and a function
//! without a limit; and the same when many tokens are stored.

use cloudfunc::{
    model::{TokenRole, api::NewToken},
    store,
};
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

use super::Run;
use crate::{
    docker::HELLO,
    load::Endpoint,
    names::{ACCESS, FILE_TOKEN, FILE_TOKEN_OF_MANY, LIMITS, LIMITS_OF_MANY},
    platform::{OCI, Up},
};

const CALLS: usize = 1000;
/// Both of a pair take turns, so that what disturbs the machine for a moment disturbs both.
const TURNS: usize = 4;
/// More than anybody calls.
const LIMIT: &str = "9999999/s";
const MANY: u32 = 100_000;

pub async fn round(run: &mut Run) {
    let pairs = [(FILE_TOKEN, LIMITS), (FILE_TOKEN_OF_MANY, LIMITS_OF_MANY)];
    let [few, many] = pairs.map(|(one, other)| run.wants(ACCESS, one) || run.wants(ACCESS, other));
    if !few && !many {
        return;
    }
    let up = run.stage.platform(OCI).await;
    let store = up.store().clone();
    let Some(endpoints) = endpoints(up).await else { return };
    if few {
        measure(run, pairs[0], &endpoints).await;
    }
    if many {
        fill(&store).await;
        measure(run, pairs[1], &endpoints).await;
    }
}

/// The file's token with a plain function, and a stored token with a function that has a limit; none of a program that has
/// neither.
async fn endpoints(up: &mut Up) -> Option<[Endpoint; 2]> {
    let new = NewToken {
        name: "figures".parse().unwrap(),
        role: TokenRole::Invoke,
        functions: vec!["limit*".parse().unwrap()],
        expires_in_s: Some(24 * 3600),
        rate_limit: Some(LIMIT.parse().unwrap()),
    };
    let made = up.client.create_token(&new).await.ok()?;
    let plain = up.once("warm").await;
    let manifest = format!("rate_limit = \"{LIMIT}\"\n[scaling]\nidle_timeout = \"30m\"\n");
    let files = [("function.py", HELLO), ("cloudfunc.toml", &*manifest)];
    let limited = up.deploy_files("limited", &files, |_| {}).await;
    let endpoints = [up.endpoint(&plain), up.endpoint_with(&limited, &made.token)];
    for endpoint in &endpoints {
        endpoint.alone(1).await;
    }
    up.settle().await;
    Some(endpoints)
}

async fn measure(run: &mut Run, (file, limits): (&str, &str), [plain, limited]: &[Endpoint; 2]) {
    let calls = run.options.samples(CALLS) / TURNS;
    let (mut times_of_file, mut times_of_limits) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        times_of_file.extend(plain.alone(calls).await);
        times_of_limits.extend(limited.alone(calls).await);
    }
    run.figures.times(ACCESS, file, times_of_file);
    run.figures.times(ACCESS, limits, times_of_limits);
}

/// So many tokens more, by SQL: their texts are nobody's.
async fn fill(store: &store::Config) {
    let store::Config::Sqlite { path } = store else { unreachable!("it is an embedded platform") };
    let options = SqliteConnectOptions::new().filename(path);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let statement = format!(
        "INSERT INTO tokens (name, digest, role, functions, created_by, created_at)
         WITH RECURSIVE series (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM series WHERE i < {MANY})
         SELECT printf('many_%06d', i), lower(hex(randomblob(32))), 'invoke', '[]', 'token file',
             CAST(unixepoch('subsec') * 1000 AS INTEGER)
         FROM series"
    );
    sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}
