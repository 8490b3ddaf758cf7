//! Examines the runtime without a daemon and the programs that it uses.

use std::time::Duration;

use super::{
    judge::sandbox::{Facts, Python},
    tools,
};
use crate::{
    model::{ManagerId, PlatformName},
    runtime,
};

/// The time limit for its test, which starts processes.
const PATIENCE: Duration = Duration::from_secs(6);

pub async fn gather(platform: PlatformName, default_version: String) -> Facts {
    let (oci, python) = tokio::join!(oci(platform), python());
    let network_helper = Some("slirp4netns").filter(|tool| tools::find(tool).is_some());
    Facts {
        oci,
        is_chosen: false,
        has_engine: false,
        python,
        default_version,
        network_helper: network_helper.map(str::to_owned),
        has_iptables: tools::find("iptables").is_some(),
    }
}

async fn oci(platform: PlatformName) -> Result<String, String> {
    let text = |error: runtime::Error| match error {
        runtime::Error::Unavailable { source, .. } => source.to_string(),
        other => other.to_string(),
    };
    // A folder of its own, so that nothing remains where a platform keeps its files.
    let folder = tempfile::tempdir().map_err(|error| format!("no folder for a trial: {error}"))?;
    let config = runtime::Config::Oci {
        program: runtime::THIS_PROGRAM.into(),
        folder: folder.path().to_owned(),
        owner: runtime::Owner { platform, manager: ManagerId::new() },
    };
    let ping = async { runtime::connect(&config)?.ping().await };
    match tokio::time::timeout(PATIENCE, ping).await {
        Ok(answer) => answer.map_err(text),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

async fn python() -> Option<Python> {
    let found = tools::find("python3")?;
    // The shim of a version manager runs another program, which is the one that counts.
    let script = "import sys; print(sys.executable); print('%d.%d.%d' % sys.version_info[:3])";
    let said = tools::ask(&found, &["-I", "-c", script]).await;
    let mut lines = said.iter().flat_map(|said| said.lines()).map(str::to_owned);
    let path = lines.next().filter(|path| !path.is_empty());
    Some(Python { path: path.unwrap_or_else(|| found.display().to_string()), version: lines.next() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_interpreter_says_where_it_really_is() {
        // The tests run the real shim, so there is an interpreter.
        let python = python().await.unwrap();
        assert!(python.version.is_some_and(|version| version.starts_with("3.")));
        assert!(!python.path.contains("/shims/"), "{}", python.path);
    }
}
