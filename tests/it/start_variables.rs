//! Variables of `[env]` that are read when a process starts have the effect that they have in plain Python.

use cloudfunc::client::Error;
use serde_json::{Value, json};

use crate::{
    on_stack,
    support::{eventually, platform::TestPlatform},
};

on_stack! {
    light:
    variables_of_the_start_have_their_effect
    variables_of_the_shell_have_theirs
    one_that_keeps_the_interpreter_from_starting_is_told_at_the_deploy
    what_is_written_unbuffered_is_there_when_the_process_ends
}

on_stack! {
    @ sqlite_embedded_oci:
    variables_of_the_start_have_their_effect
    variables_of_the_shell_have_theirs
    one_that_keeps_the_interpreter_from_starting_is_told_at_the_deploy
    what_is_written_unbuffered_is_there_when_the_process_ends
}

on_stack! {
    real:
    variables_of_the_start_have_their_effect
    one_that_keeps_the_interpreter_from_starting_is_told_at_the_deploy
}

const LOOK: &str = r#"
import os, sys, time
import mine

def handler(event):
    with open("/proc/self/environ", "rb") as file:
        given = sorted(pair.partition(b"=")[0].decode() for pair in file.read().split(b"\0") if pair)
    return {
        "mine": mine.WHOSE,
        "zone": time.tzname[0],
        "hash": hash("a"),
        "optimize": sys.flags.optimize,
        "folder_of_the_shim": any(os.path.exists(os.path.join(entry, "shim.pyc")) for entry in sys.path),
        "given": [name for name in given if name in ("TZ", "LD_LIBRARY_PATH", "MALLOC_ARENA_MAX", "GREETING")],
        "greeting": os.environ["GREETING"],
    }
"#;

async fn seen(platform: &TestPlatform, name: &str, env: &str) -> Value {
    let manifest = format!("[env]\nGREETING = \"Hello\"\nPYTHONPATH = \"lib\"\n{env}");
    let files = [
        ("function.py", LOOK),
        ("lib/mine.py", "WHOSE = 'mine'\n"),
        ("cloudfunc.toml", manifest.as_str()),
    ];
    platform.deploy(name, &files).await;
    serde_json::from_str(&platform.value(name, "{}").await).unwrap()
}

async fn variables_of_the_start_have_their_effect(platform: &TestPlatform) {
    let env = "TZ = \"XYZ-3\"\nPYTHONHASHSEED = \"7\"\nPYTHONOPTIMIZE = \"1\"\nLC_ALL = \"C.UTF-8\"\n\
               LD_LIBRARY_PATH = \"/var/task/so\"\nMALLOC_ARENA_MAX = \"2\"\n";
    let first = seen(platform, "first", env).await;
    let expected = json!({
        "mine": "mine",
        "zone": "XYZ",
        "hash": first["hash"],
        "optimize": 1,
        "folder_of_the_shim": false,
        "given": ["LD_LIBRARY_PATH", "MALLOC_ARENA_MAX", "TZ"],
        "greeting": "Hello",
    });
    assert_eq!(first, expected);
    let second = seen(platform, "second", "PYTHONHASHSEED = \"7\"\n").await;
    assert_eq!(second["hash"], first["hash"], "the same seed");
    assert_eq!(second["optimize"], 0);
}

async fn what_is_written_unbuffered_is_there_when_the_process_ends(platform: &TestPlatform) {
    let code = "import os, sys\n\ndef handler(event):\n    print('half a line', end='')\n    \
                sys.stdout.buffer.write(b' and bytes')\n    os._exit(3)\n";
    let manifest = "[env]\nPYTHONUNBUFFERED = \"1\"\n";
    platform.deploy("direct", &[("function.py", code), ("cloudfunc.toml", manifest)]).await;
    platform.problem("direct", "{}").await;
    let logs = async || platform.cli(&["logs", "direct"]).await.1;
    let is_there = async || logs().await.contains("half a line and bytes").then_some(());
    eventually("it is in the log", is_there).await;
}

/// They are set with the code: whoever looks them up finds them, and the interpreter is found without them.
async fn variables_of_the_shell_have_theirs(platform: &TestPlatform) {
    let code = "import getpass, os, shutil\n\ndef handler(event):\n    \
                return [os.path.expanduser('~'), shutil.which('tool'), getpass.getuser()]\n";
    let manifest =
        "[env]\nPATH = \"/var/task/bin\"\nHOME = \"/tmp/home\"\nUSER = \"me\"\nLOGNAME = \"me\"\n";
    platform.deploy("shell", &[("function.py", code), ("cloudfunc.toml", manifest)]).await;
    assert_eq!(platform.value("shell", "{}").await, "[\"/tmp/home\",null,\"me\"]");
}

async fn one_that_keeps_the_interpreter_from_starting_is_told_at_the_deploy(platform: &TestPlatform) {
    let manifest = "[env]\nPYTHONHASHSEED = \"none\"\n";
    let files = [("function.py", LOOK), ("cloudfunc.toml", manifest)];
    let Err(Error::Problem(problem)) = platform.try_deploy("broken", &files).await else {
        panic!("it was deployed");
    };
    assert_eq!(problem.code, "build_failed", "{problem:?}");
    assert!(problem.detail.contains("PYTHONHASHSEED must be"), "{problem:?}");
    platform.deploy_unchecked("broken", &files).await;
    let problem = platform.problem("broken", "{}").await;
    assert_eq!(problem.code, "function_crashed", "{problem:?}");
}
