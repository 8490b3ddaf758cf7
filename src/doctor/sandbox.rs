//! Examines the runtime without a daemon and the programs that it uses.

use std::time::Duration;

use super::{
    judge::sandbox::{Facts, Found, Interpreter},
    tools,
};
use crate::{
    model::{Language, ManagerId, PlatformName},
    runtime,
    settings::Languages,
};

/// The time limit for its test, which starts processes.
const PATIENCE: Duration = Duration::from_secs(6);

pub async fn gather(platform: PlatformName, languages: &Languages) -> Facts {
    let (oci, interpreters) = tokio::join!(oci(platform), interpreters(languages));
    let network_helper = Some("slirp4netns").filter(|tool| tools::find(tool).is_some());
    Facts {
        oci,
        is_chosen: false,
        has_engine: false,
        has_images: false,
        interpreters,
        network_helper: network_helper.map(str::to_owned),
        has_iptables: tools::find("iptables").is_some(),
        program_helper: runtime::helper_program().map(<[u8]>::len).map_err(str::to_owned),
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
        helper: runtime::no_helper(),
    };
    let ping = async { runtime::connect(&config)?.ping().await };
    match tokio::time::timeout(PATIENCE, ping).await {
        Ok(answer) => answer.map_err(text),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

async fn interpreters(languages: &Languages) -> Vec<Interpreter> {
    let interpreted = Language::ALL.iter().filter(|language| language.facts().host.is_some());
    let each = interpreted.map(async |&language| {
        let default_version = languages.version(language).to_owned();
        Interpreter { language, found: interpreter(language).await, default_version }
    });
    futures_util::future::join_all(each).await
}

async fn interpreter(language: Language) -> Option<Found> {
    let host = language.facts().host.as_ref()?;
    let found = (host.all_names)().iter().find_map(|name| tools::find(name))?;
    // The shim of a version manager runs another program, which is the one that counts.
    let said = tools::ask(&found, host.describe).await;
    let said = said.and_then(|said| serde_json::from_str::<serde_json::Value>(&said).ok());
    let text = |key: &str| said.as_ref()?.get(key)?.as_str().map(str::to_owned);
    let path = text("executable").unwrap_or_else(|| found.display().to_string());
    let installer = language.facts().dependencies.as_ref().and_then(|all| all.installer.as_ref());
    let installs = match installer {
        Some(installer) => tools::ask(&path, installer.find).await.is_some(),
        None => true,
    };
    Some(Found { path, version: text("version"), installs })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_interpreter_says_where_it_really_is() {
        // The tests run the real shim, so there is an interpreter.
        let python = interpreter(Language::Python).await.unwrap();
        assert!(python.version.is_some_and(|version| version.starts_with("3.")));
        assert!(!python.path.contains("/shims/"), "{}", python.path);
    }
}
