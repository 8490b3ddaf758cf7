//! Images: found, pulled or built when they are first needed, then remembered.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    future::ready,
    path::{Path, PathBuf},
    pin::pin,
    sync::{Arc, Mutex},
};

use bollard::{
    Docker, body_try_stream,
    errors::Error as Answer,
    models::{ImageInspect, ImageSummary},
    query_parameters::{BuildImageOptions, CreateImageOptions, ListImagesOptions, RemoveImageOptions},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::OnceCell;

use super::{
    super::{BaseImages, Error, Image, Progress, TASK_PATH, limits::RUN_PATH},
    context, engine,
    engine::Engine,
    sandbox::USER,
};
use crate::{
    language::{self, Interpreter},
    model::{Digest, Language, ManagerId},
};

/// The label for the language image that a function's image was built on.
const BASE_LABEL: &str = "cloudfunc.base";
/// The label for the manager that made a function's image, and may remove it: platforms of one name may share an
/// engine, and a manager's id is kept with its data.
const MANAGER_LABEL: &str = "cloudfunc.image-manager";

const PULL_HELP: &str = "connect to a network so that it can be pulled, or load it with `docker load`";

/// The images known to exist.
pub(super) struct Images {
    bases: BaseImages,
    /// The manager for whose functions images are made.
    manager: ManagerId,
    known: Mutex<HashMap<Image, Arc<OnceCell<String>>>>,
    /// The commands of images of users' own, by the images' ids.
    commands: Mutex<HashMap<String, Arc<[String]>>>,
}

impl Images {
    pub(super) fn new(bases: BaseImages, manager: ManagerId) -> Self {
        Self { bases, manager, known: Mutex::default(), commands: Mutex::default() }
    }

    /// Returns entry point and command of the image with this id, as one list. It may be empty.
    pub(super) async fn own_command(&self, engine: &Engine, id: &str) -> Result<Arc<[String]>, Error> {
        let known = self.commands.lock().unwrap().get(id).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let work = Work { engine, client: engine.client().await?, progress: &|_| {} };
        let image = work.inspect(id).await?.ok_or_else(|| no_image(id, PULL_HELP, None))?;
        let config = image.config.unwrap_or_default();
        let command: Arc<[String]> = config.entrypoint.into_iter().chain(config.cmd).flatten().collect();
        self.commands.lock().unwrap().insert(id.to_owned(), command.clone());
        Ok(command)
    }

    /// Returns the engine's id of an image. Of many callers at once, one does the work.
    pub(super) async fn ensure(
        &self,
        engine: &Engine,
        image: &Image,
        progress: &Progress,
    ) -> Result<String, Error> {
        // A name may be given to another image at any time; an id always stands for the same image.
        if matches!(image, Image::Own { reference } if !reference.starts_with("sha256:")) {
            return self.have(engine, image, progress).await;
        }
        let cell = self.known.lock().unwrap().entry(image.clone()).or_default().clone();
        cell.get_or_try_init(|| self.have(engine, image, progress)).await.cloned()
    }

    /// Forgets an image that another program has removed. A function's image may have lost its base too.
    pub(super) fn forget(&self, image: &Image) {
        let mut known = self.known.lock().unwrap();
        known.remove(image);
        if let Image::Function { language, version, tag: _, bundle: _ } = image {
            known.remove(&Image::Language { language: *language, version: version.clone() });
        }
    }

    /// Whether there are images that this manager made.
    pub(super) async fn are_there(&self, engine: &Engine) -> Result<bool, Error> {
        self.made_here(engine).await.map(|images| !images.is_empty())
    }

    async fn made_here(&self, engine: &Engine) -> Result<Vec<ImageSummary>, Error> {
        let label = format!("{MANAGER_LABEL}={}", self.manager);
        let filters = HashMap::from([("label".to_owned(), vec![label])]);
        let options = ListImagesOptions { filters: Some(filters), ..Default::default() };
        let images = engine.client().await?.list_images(Some(options)).await;
        images.map_err(engine.failed("list images"))
    }

    /// Removes the images that this manager made for functions and that have none of these tags and ids. The engine
    /// refuses to remove one that a container still uses.
    pub(super) async fn remove_others(
        &self,
        engine: &Engine,
        keep: &HashSet<String>,
    ) -> Result<(Vec<String>, bool), Error> {
        let client = engine.client().await?;
        let images = self.made_here(engine).await?;
        let (mut removed, mut are_left) = (Vec::new(), false);
        let others = images.into_iter().filter(|image| !keep.contains(&image.id));
        for tag in others.flat_map(|image| image.repo_tags) {
            if keep.contains(&tag) || !tag.starts_with("cloudfunc/") {
                continue;
            }
            match client.remove_image(&tag, None::<RemoveImageOptions>, None).await {
                Ok(_) => {
                    let is_it =
                        |image: &Image| matches!(image, Image::Function { tag: one, .. } if *one == tag);
                    self.known.lock().unwrap().retain(|image, _| !is_it(image));
                    removed.push(tag);
                }
                Err(error) => {
                    tracing::debug!(%error, tag, "image not removed");
                    are_left = true;
                }
            }
        }
        Ok((removed, are_left))
    }

    async fn have(&self, engine: &Engine, image: &Image, progress: &Progress) -> Result<String, Error> {
        let work = Work { engine, client: engine.client().await?, progress };
        match image {
            Image::Own { reference } => work.found_or_pulled(reference, PULL_HELP).await,
            Image::Language { language, version } => {
                let base = self.base(&work, *language, version).await?;
                match &language.facts().interpreter {
                    Some(shim) => work.found_or_built(Recipe::of(*language, shim, version, &base)).await,
                    // Nothing of ours is in it.
                    None => Ok(base),
                }
            }
            Image::Function { language, version, tag, bundle } => {
                let of = Image::Language { language: *language, version: version.clone() };
                let base = Box::pin(self.ensure(engine, &of, progress)).await?;
                let link = link_to_packages(*language, bundle);
                work.function(tag, bundle, link, &base, self.manager).await
            }
        }
    }

    async fn base(&self, work: &Work<'_>, language: Language, version: &str) -> Result<String, Error> {
        let reference = self.bases.reference(language, version);
        let help = format!(
            "{PULL_HELP}, or set {} to an image you have, or choose `--runtime oci`, which needs no \
             image",
            language.image_variable()
        );
        work.found_or_pulled(&reference, &help).await
    }
}

/// The parts that a language's image is built from; its tag names the content.
struct Recipe {
    tag: String,
    dockerfile: String,
    files: Vec<(&'static str, &'static str)>,
}

impl Recipe {
    fn of(language: Language, interpreter: &Interpreter, version: &str, base: &str) -> Self {
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

/// Returns the name of the link beside the code of a function by which it finds the packages that an instance has, where its
/// language wants one and the code has no such folder: a build command may have removed the file that asks for them. Without
/// packages it leads nowhere.
fn link_to_packages(language: Language, bundle: &Path) -> Option<&'static str> {
    let name = language.facts().dependencies.as_ref()?.folder?;
    bundle.join(name).symlink_metadata().is_err().then_some(name)
}

/// Writes a command in the form for a Dockerfile, without a shell.
fn json<T: serde::Serialize>(words: &[T]) -> String {
    serde_json::to_string(words).expect("texts are JSON")
}

/// One image being made ready.
struct Work<'a> {
    engine: &'a Engine,
    client: &'a Docker,
    progress: &'a Progress,
}

impl Work<'_> {
    async fn inspect(&self, reference: &str) -> Result<Option<ImageInspect>, Error> {
        if !is_reference(reference) {
            return Err(no_image(reference, "this is not the name of an image", None));
        }
        match self.client.inspect_image(reference).await {
            Ok(image) => Ok(Some(image)),
            Err(error) if engine::is_missing(&error) => Ok(None),
            Err(error) => Err(self.engine.failed("look for an image")(error)),
        }
    }

    async fn id(&self, reference: &str) -> Result<Option<String>, Error> {
        Ok(self.inspect(reference).await?.and_then(|image| image.id))
    }

    async fn found_or_pulled(&self, reference: &str, help: &str) -> Result<String, Error> {
        if let Some(id) = self.id(reference).await? {
            return Ok(id);
        }
        (self.progress)(format!("pulling {reference}"));
        let options = CreateImageOptions { from_image: Some(with_tag(reference)), ..Default::default() };
        let mut lines = pin!(self.client.create_image(Some(options), None, None));
        while let Some(line) = lines.next().await {
            let line = line.map_err(|error| no_image(reference, help, Some(error)))?;
            // Per layer, report only the steps that happen once, not every percent.
            if let (Some(status), None) = (line.status, line.progress_detail.and_then(|d| d.current)) {
                (self.progress)(line.id.map_or(status.clone(), |id| format!("{id}: {status}")));
            }
        }
        self.id(reference).await?.ok_or_else(|| no_image(reference, help, None))
    }

    async fn found_or_built(&self, recipe: Recipe) -> Result<String, Error> {
        if let Some(id) = self.id(&recipe.tag).await? {
            return Ok(id);
        }
        (self.progress)(format!("building {}", recipe.tag));
        let files = recipe.files.iter().map(|(name, text)| (*name, text.as_bytes()));
        let context = context::of_files(files.chain([("Dockerfile", recipe.dockerfile.as_bytes())]));
        self.build(&recipe.tag, stream::once(ready(Ok(context)))).await
    }

    async fn function(
        &self,
        tag: &str,
        bundle: &Path,
        link: Option<&'static str>,
        base: &str,
        manager: ManagerId,
    ) -> Result<String, Error> {
        let made_from = link.map_or(base.to_owned(), |link| format!("{base}+{link}"));
        if let Some(image) = self.inspect(tag).await? {
            let labels = image.config.and_then(|config| config.labels).unwrap_or_default();
            // Another base is another shim, or a newer base image.
            if let (Some(label), Some(id)) = (labels.get(BASE_LABEL), image.id)
                && *label == made_from
            {
                return Ok(id);
            }
        }
        (self.progress)(format!("building {tag}"));
        let dockerfile = format!(
            "FROM {base}\nCOPY --chown=0:0 bundle/ {TASK_PATH}/\nLABEL {BASE_LABEL}={made_from} {MANAGER_LABEL}={manager}\n"
        );
        self.build(tag, bundle_context(bundle.to_owned(), link, dockerfile)).await
    }

    async fn build<C>(&self, tag: &str, context: C) -> Result<String, Error>
    where
        C: Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    {
        let options = BuildImageOptions {
            t: Some(tag.to_owned()),
            rm: true,
            forcerm: true,
            networkmode: Some("none".to_owned()),
            ..Default::default()
        };
        let mut lines = pin!(self.client.build_image(options, None, Some(body_try_stream(context))));
        while let Some(line) = lines.next().await {
            let line = line.map_err(self.engine.failed("build an image"))?;
            if let Some(text) = line.stream.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
                (self.progress)(text.to_owned());
            }
        }
        self.id(tag)
            .await?
            .ok_or_else(|| no_image(tag, "the engine built it and does not have it", None))
    }
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

fn no_image(image: &str, help: &str, source: Option<Answer>) -> Error {
    Error::NoImage {
        image: image.to_owned(),
        help: help.to_owned(),
        source: source.map(|source| Box::new(source) as _),
    }
}

/// Returns whether the text may stand in the path of a request to the engine.
pub(super) fn is_reference(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:@".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed) && !text.contains("..")
}

/// Adds the tag `latest` where there is no tag: without one the engine would pull all of them.
fn with_tag(reference: &str) -> String {
    let last = reference.rsplit('/').next().unwrap_or(reference);
    if last.contains([':', '@']) { reference.to_owned() } else { format!("{reference}:latest") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_without_a_tag_means_the_latest() {
        assert_eq!(with_tag("python"), "python:latest");
        assert_eq!(with_tag("localhost:5000/python"), "localhost:5000/python:latest");
        assert_eq!(with_tag("python:3.12"), "python:3.12");
        assert_eq!(with_tag("a/python@sha256:00"), "a/python@sha256:00");
    }

    #[test]
    fn a_reference_cannot_change_the_request() {
        for text in ["", "a?b", "a b", "../containers", "a%2f"] {
            assert!(!is_reference(text), "{text}");
        }
    }

    #[test]
    fn a_language_s_image_runs_its_shim() {
        let interpreter = Language::Python.facts().interpreter.as_ref().unwrap();
        assert_eq!(
            dockerfile(Language::Python, interpreter, "sha256:1"),
            r#"FROM sha256:1
USER 0:0
COPY shim.py compile.py /opt/cloudfunc/
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
    fn another_base_is_another_tag() {
        let interpreter = Language::Python.facts().interpreter.as_ref().unwrap();
        let tag = |base| Recipe::of(Language::Python, interpreter, "3.12", base).tag;
        assert_ne!(tag("sha256:1"), tag("sha256:2"));
        assert!(tag("sha256:1").starts_with("cloudfunc/python:3.12-"));
    }
}
