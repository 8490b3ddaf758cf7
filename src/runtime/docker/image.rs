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
    super::{BaseImages, Error, Image, ImageFacts, Progress, TASK_PATH, limits::RUN_PATH},
    Shared,
    build::{self, Order},
    context, dockerfile, engine,
    engine::Engine,
    network::{self, Purpose},
    sandbox::USER,
};
use crate::{
    language::{self, Interpreter},
    model::{Digest, Language, ManagerId, Network},
};

/// The label for the language image that a function's image was built on.
const BASE_LABEL: &str = "cloudfunc.base";
/// The label for the manager that made a function's image, and may remove it: platforms of one name may share an
/// engine, and a manager's id is kept with its data.
const MANAGER_LABEL: &str = "cloudfunc.image-manager";
/// The label for what an image was built with, beside its source.
const BUILD_LABEL: &str = "cloudfunc.build";

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
        shared: &Shared,
        image: &Image,
        progress: &Progress,
    ) -> Result<String, Error> {
        // A name may be given to another image at any time; an id always stands for the same image.
        if matches!(image, Image::Own { reference } if !reference.starts_with("sha256:")) {
            return self.have(shared, image, progress).await;
        }
        if let Image::Dockerfile { tag, refresh: true, .. } = image {
            let id = self.have(shared, image, progress).await?;
            // It stands for another image now.
            self.forget_tag(tag);
            return Ok(id);
        }
        let cell = self.known.lock().unwrap().entry(image.clone()).or_default().clone();
        cell.get_or_try_init(|| self.have(shared, image, progress)).await.cloned()
    }

    fn forget_tag(&self, tag: &str) {
        let has_tag = |image: &Image| match image {
            Image::Function { tag: one, .. } | Image::Dockerfile { tag: one, .. } => one == tag,
            Image::Language { .. } | Image::Own { .. } => false,
        };
        self.known.lock().unwrap().retain(|image, _| !has_tag(image));
    }

    /// Returns what decides whether an image can be run here; none if it is gone.
    pub(super) async fn facts(&self, engine: &Engine, id: &str) -> Result<Option<ImageFacts>, Error> {
        let work = Work { engine, client: engine.client().await?, progress: &|_| {} };
        let Some(image) = work.inspect(id).await? else { return Ok(None) };
        let version = work.client.version().await.map_err(engine.failed("answer with its version"))?;
        let config = image.config.unwrap_or_default();
        let mut words = [config.entrypoint, config.cmd].into_iter().flatten().flatten();
        Ok(Some(ImageFacts {
            platform: platform(image.os, image.architecture),
            engine: platform(version.os, version.arch),
            has_command: words.any(|word| !word.is_empty()),
        }))
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
        for tag in others.flat_map(names) {
            if keep.contains(&tag) {
                continue;
            }
            match client.remove_image(&tag, None::<RemoveImageOptions>, None).await {
                Ok(_) => {
                    self.forget_tag(&tag);
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

    async fn have(&self, shared: &Shared, image: &Image, progress: &Progress) -> Result<String, Error> {
        let engine = &shared.engine;
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
                let base = Box::pin(self.ensure(shared, &of, progress)).await?;
                let link = link_to_packages(*language, bundle);
                work.function(tag, bundle, link, (&base, *language), self.manager).await
            }
            Image::Dockerfile { tag, id, source, dockerfile, args, network, refresh } => {
                let network = match network {
                    Network::None => "none".to_owned(),
                    Network::Egress => network::name(&shared.owner.platform, Purpose::Functions),
                };
                let key = key(dockerfile, args, &network);
                let labels = [(MANAGER_LABEL, self.manager.to_string()), (BUILD_LABEL, key.clone())];
                let labels = labels.map(|(name, value)| (name.to_owned(), value)).into();
                let order = Order { tag, dockerfile, args, labels, network, refresh: *refresh };
                if !refresh && let Some(id) = work.built(tag, id.as_deref(), &key).await? {
                    return Ok(id);
                }
                work.build_source(shared, source, order).await
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

/// Returns the tags by which an image of a function's is removed: its id where another image has got its tag.
fn names(image: ImageSummary) -> Vec<String> {
    // Engines of before version 25 have a text in place of none.
    let tags = image.repo_tags.into_iter().filter(|tag| tag != "<none>:<none>");
    let tags: Vec<String> = tags.collect();
    match tags.is_empty() {
        true => vec![image.id],
        false => tags.into_iter().filter(|tag| tag.starts_with("cloudfunc/")).collect(),
    }
}

/// Returns a digest of everything but the source that a build depends on.
fn key(dockerfile: &str, args: &BTreeMap<String, String>, network: &str) -> String {
    let has_network = network != "none";
    let all = (dockerfile, args, has_network);
    Digest::of(&serde_json::to_vec(&all).expect("texts are JSON")).to_string()
}

/// Returns `linux/amd64`; empty where the engine does not know it.
fn platform(os: Option<String>, architecture: Option<String>) -> String {
    let known = |text: Option<String>| text.filter(|text| !text.is_empty());
    match (known(os), known(architecture)) {
        (Some(os), Some(architecture)) => format!("{os}/{architecture}"),
        _ => String::new(),
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
            Err(error) if engine::is_refused(&error) => {
                Err(no_image(reference, "this is not the name of an image", Some(error)))
            }
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
        (base, language): (&str, Language),
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
        let labels = format!("{BASE_LABEL}={made_from} {MANAGER_LABEL}={manager}");
        let dockerfile = function_dockerfile(language, base, &labels);
        self.build(tag, bundle_context(bundle.to_owned(), link, dockerfile)).await
    }

    /// Returns an image that was built from a function's source before: the one with this id, or else with this tag.
    async fn built(&self, tag: &str, id: Option<&str>, key: &str) -> Result<Option<String>, Error> {
        if let Some(id) = id
            && let Some(found) = self.id(id).await?
        {
            return Ok(Some(found));
        }
        let Some(image) = self.inspect(tag).await? else { return Ok(None) };
        let labels = image.config.and_then(|config| config.labels).unwrap_or_default();
        Ok(image.id.filter(|_| labels.get(BUILD_LABEL).is_some_and(|label| label == key)))
    }

    /// Builds an image from a function's source.
    async fn build_source(
        &self,
        shared: &Shared,
        source: &Path,
        order: Order<'_>,
    ) -> Result<String, Error> {
        let Order { tag, dockerfile, .. } = order;
        (self.progress)(format!("building the image of {dockerfile}: {tag}"));
        let prepared = build::prepare(source, dockerfile, order.args).await?;
        let help = format!("{dockerfile} needs it; {PULL_HELP}");
        for image in &prepared.images {
            let id = self.found_or_pulled(image, &help).await?;
            let config = self.inspect(&id).await?.and_then(|image| image.config);
            let triggers = config.and_then(|config| config.on_build).unwrap_or_default();
            if let Some(trigger) = triggers.iter().find(|trigger| dockerfile::downloads(trigger)) {
                let problem = format!(
                    "image '{image}' has `ONBUILD {trigger}`, which the engine would download with the network of its host"
                );
                return Err(build::refused(dockerfile, &problem));
            }
        }
        if order.network != "none" {
            shared.egress.ensure(&shared.engine, &[]).await?;
        }
        build::build(&shared.engine, &order, prepared, self.progress).await?;
        self.id(tag)
            .await?
            .ok_or_else(|| no_image(tag, "the engine built it and does not have it", None))
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
    fn an_image_is_built_anew_with_other_arguments() {
        let args = |value: &str| BTreeMap::from([("A".to_owned(), value.to_owned())]);
        let first = key("Dockerfile", &args("1"), "none");
        assert_eq!(key("Dockerfile", &args("1"), "none"), first);
        assert_ne!(key("Dockerfile", &args("2"), "none"), first);
        assert_ne!(key("web.dockerfile", &args("1"), "none"), first);
        let open = key("Dockerfile", &args("1"), "cloudfunc-a-egress");
        assert_ne!(open, first);
        // Platforms that share an engine share its images.
        assert_eq!(key("Dockerfile", &args("1"), "cloudfunc-b-egress"), open);
    }

    #[test]
    fn an_image_whose_tag_another_one_has_is_removed_by_its_id() {
        let names = |tags: &[&str]| {
            let repo_tags = tags.iter().map(|&tag| tag.to_owned()).collect();
            names(ImageSummary { id: "sha256:1".to_owned(), repo_tags, ..Default::default() })
        };
        assert_eq!(names(&["cloudfunc/f:1", "mine:1"]), ["cloudfunc/f:1"]);
        assert_eq!(names(&["mine:1"]), Vec::<String>::new());
        assert_eq!(names(&[]), ["sha256:1"]);
        assert_eq!(names(&["<none>:<none>"]), ["sha256:1"]);
    }

    #[test]
    fn a_platform_that_is_not_known_is_none() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(platform(text("linux"), text("arm64")), "linux/arm64");
        assert_eq!(platform(text("linux"), text("")), "");
        assert_eq!(platform(None, text("arm64")), "");
    }

    #[test]
    fn another_base_is_another_tag() {
        let interpreter = Language::Python.facts().interpreter.as_ref().unwrap();
        let tag = |base| Recipe::of(Language::Python, interpreter, "3.12", base).tag;
        assert_ne!(tag("sha256:1"), tag("sha256:2"));
        assert!(tag("sha256:1").starts_with("cloudfunc/python:3.12-"));
    }
}
