//! Images that the platform makes: of a language, and of a function in it.

use std::{
    collections::BTreeMap,
    future::ready,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use futures_util::{Stream, stream};

use super::{
    super::{TASK_PATH, limits::RUN_PATH},
    context,
    pruning::MANAGER_LABEL,
    sandbox::USER,
    work::Work,
};
use crate::{
    language::{self, Interpreter},
    model::{Digest, Language, ManagerId},
    runtime::Error,
};

/// How functions' images are made: images of another number are made anew before they are used. With the first one, the
/// manifest was in them, and with it the values of `[env]`.
pub(super) const FUNCTION_RECIPE: u32 = 2;

/// The label for what a function's image was made from: the recipe, the language's image and the link.
const BASE_LABEL: &str = "cloudfunc.base";

/// The parts that a language's image is built from; its tag names the content.
pub(super) struct Recipe {
    tag: String,
    dockerfile: String,
    files: Vec<(&'static str, &'static str)>,
}

impl Recipe {
    /// Returns the parts on this base, an image's id.
    pub fn of(language: Language, interpreter: &Interpreter, version: &str, base: &str) -> Self {
        let files = language.facts().image.files;
        let dockerfile = dockerfile(language, interpreter, base);
        // The texts come last: another shim is another image.
        let texts = files.iter().map(|(_, text)| format!("\0{text}")).collect::<String>();
        let digest = Digest::of(format!("{dockerfile}{texts}").as_bytes());
        let tag = format!("cloudfunc/{language}:{version}-{}", digest.short());
        Self { tag, dockerfile, files: files.to_vec() }
    }
}

/// Returns the Dockerfile of a language's image. `base` is an image's id; no text of a user gets in here.
fn dockerfile(language: Language, interpreter: &Interpreter, base: &str) -> String {
    let (facts, folder) = (language.facts(), language::Image::FOLDER);
    let files: String = facts.image.files.iter().map(|(name, _)| format!("{name} ")).collect();
    let steps: String = facts.image.steps.iter().map(|words| format!("RUN {}\n", json(words))).collect();
    let env: String =
        facts.image.env.iter().map(|(name, value)| format!("ENV {name}={value}\n")).collect();
    let command = interpreter.command(interpreter.program, &BTreeMap::new());
    format!(
        "FROM {base}\nUSER 0:0\nCOPY {files}{folder}/\n{steps}LABEL cloudfunc.image=language\n{env}WORKDIR \
         {TASK_PATH}\nUSER {USER}\nENTRYPOINT {}\nCMD []\n",
        json(&command)
    )
}

/// Returns the Dockerfile of a function's image. Its code is compiled by a user who may write there; the compiler runs none of
/// it, and has no network.
fn function_dockerfile(language: Language, base: &str, labels: &str) -> String {
    let compile = language.facts().bytecode.as_ref().map(|bytecode| {
        let command = json(bytecode.in_image);
        format!("USER 0:0\nRUN {command}\nUSER {USER}\n")
    });
    let compile = compile.unwrap_or_default();
    format!("FROM {base}\nCOPY --chown=0:0 bundle/ {TASK_PATH}/\n{compile}LABEL {labels}\n")
}

/// Returns the name of the link in a function's folder by which its code finds the packages of an instance, where its
/// language wants one and the code has no such folder: a build command may have removed the file that asks for them. Without
/// packages it leads nowhere.
pub(super) fn link_to_packages(language: Language, bundle: &Path) -> Option<&'static str> {
    let name = language.facts().dependencies.as_ref()?.folder?;
    bundle.join(name).symlink_metadata().is_err().then_some(name)
}

/// Writes a command in the form for a Dockerfile, without a shell.
fn json<T: serde::Serialize>(words: &[T]) -> String {
    serde_json::to_string(words).expect("texts are JSON")
}

impl Work<'_> {
    /// Returns the id of a language's image.
    pub async fn found_or_built(&self, recipe: Recipe) -> Result<String, Error> {
        if let Some(id) = self.id(&recipe.tag).await? {
            return Ok(id);
        }
        (self.progress)(format!("building {}", recipe.tag));
        let files = recipe.files.iter().map(|(name, text)| (*name, text.as_bytes()));
        let context = context::of_files(files.chain([("Dockerfile", recipe.dockerfile.as_bytes())]));
        self.build(&recipe.tag, stream::once(ready(Ok(context)))).await
    }

    /// Returns the id of a function's image on a base of its language.
    pub async fn function(
        &self,
        tag: &str,
        bundle: &Path,
        link: Option<&'static str>,
        (base, language): (&str, Language),
        manager: ManagerId,
    ) -> Result<String, Error> {
        let made_from = made_from(base, link);
        if let Some(image) = self.inspect(tag).await? {
            let labels = image.config.and_then(|config| config.labels).unwrap_or_default();
            // Another base is another shim, or a newer base image; without a number, it is of an earlier version.
            if let (Some(label), Some(id)) = (labels.get(BASE_LABEL), image.id)
                && *label == made_from
            {
                return Ok(id);
            }
        }
        (self.progress)(format!("building {tag}"));
        let labels = format!("{BASE_LABEL}={made_from} {MANAGER_LABEL}={manager}");
        let dockerfile = function_dockerfile(language, base, &labels);
        self.build(tag, bundle_context(bundle.to_owned(), link, dockerfile)).await
    }
}

/// Returns everything but the bundle that a function's image depends on, as a label's value.
fn made_from(base: &str, link: Option<&str>) -> String {
    let link = link.map(|link| format!("+{link}")).unwrap_or_default();
    format!("{FUNCTION_RECIPE}+{base}{link}")
}

/// Returns a folder and a Dockerfile as a tar, written by a blocking task while it is sent.
fn bundle_context(
    bundle: PathBuf,
    link: Option<&'static str>,
    dockerfile: String,
) -> impl Stream<Item = std::io::Result<Bytes>> + Send + 'static {
    let (sender, mut receiver) = tokio::sync::mpsc::channel(4);
    tokio::task::spawn_blocking(move || {
        let link = link.map(|name| (name, format!("{RUN_PATH}/{name}")));
        let link = link.as_ref().map(|(name, target)| (*name, target.as_str()));
        context::write_bundle(&bundle, link, &dockerfile, sender);
    });
    futures_util::stream::poll_fn(move |context| receiver.poll_recv(context))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_s_image_runs_its_shim() {
        let interpreter = Language::Python.facts().interpreter.as_ref().unwrap();
        assert_eq!(
            dockerfile(Language::Python, interpreter, "sha256:1"),
            r#"FROM sha256:1
USER 0:0
COPY shim.py compile.py bytecode.py /opt/cloudfunc/
RUN ["python3","/opt/cloudfunc/compile.py"]
LABEL cloudfunc.image=language
ENV LANG=C.UTF-8
WORKDIR /var/task
USER 65532:65532
ENTRYPOINT ["python3","-I","-B","/opt/cloudfunc/shim.pyc"]
CMD []
"#
        );
    }

    #[test]
    fn a_function_s_image_has_its_code_compiled() {
        assert_eq!(
            function_dockerfile(Language::Python, "sha256:1", "a=b"),
            r#"FROM sha256:1
COPY --chown=0:0 bundle/ /var/task/
USER 0:0
RUN ["python3","-I","-B","-c","import os, sys; os.chdir('/opt/cloudfunc'); sys.path.insert(0, '.'); import bytecode; bytecode.compile_apart(60, '/var/task')"]
USER 65532:65532
LABEL a=b
"#
        );
        let of_node = "FROM sha256:1\nCOPY --chown=0:0 bundle/ /var/task/\nLABEL a=b\n";
        assert_eq!(function_dockerfile(Language::Node, "sha256:1", "a=b"), of_node);
    }

    #[test]
    fn a_function_s_image_of_an_earlier_version_is_made_anew() {
        // The values of their labels.
        for earlier in ["sha256:1", "sha256:1+node_modules"] {
            assert_ne!(made_from("sha256:1", None), earlier);
            assert_ne!(made_from("sha256:1", Some("node_modules")), earlier);
        }
        assert_eq!(made_from("sha256:1", None), "2+sha256:1");
        assert_eq!(made_from("sha256:1", Some("node_modules")), "2+sha256:1+node_modules");
    }

    #[test]
    fn another_base_is_another_tag() {
        let interpreter = Language::Python.facts().interpreter.as_ref().unwrap();
        let tag = |base| Recipe::of(Language::Python, interpreter, "3.12", base).tag;
        assert_ne!(tag("sha256:1"), tag("sha256:2"));
        assert!(tag("sha256:1").starts_with("cloudfunc/python:3.12-"));
    }
}
