//! `cloudfunc deploy`

mod farewell;
pub(super) mod report;
mod several;

use std::path::{Path, PathBuf};

use tokio::sync::OnceCell;
use url::Url;

use self::{
    farewell::Around,
    report::{Item, report, tell_why},
};
use super::{
    Error, Output,
    addresses::{self, Addresses, next},
    pack::{Folders, Function, folders, known_name, known_name_at, pack_folder},
    target::Target,
    text::count,
};
use crate::{
    client::{Client, DeployOptions},
    model::{HttpAuth, HttpSpec, Interface, api::Deployed},
    units::show_bytes,
};

/// Deploy functions: pack each folder, upload it, follow its build
///
/// Before the new revision becomes active, the platform loads its code once in an instance of its own, so
/// top-level code runs one extra time. If that fails, nothing is deployed and the active revision stays active.
///
/// A folder that is not a function, but has functions directly in it, stands for all of these. Of several
/// functions, all are checked before the first one is uploaded: if a manifest or a folder is wrong, nothing is
/// deployed. After that, a failure of one does not keep the others from being deployed. A table at the end says
/// what became of each.
///
/// Left out, with a note: files that .gitignore, .git/info/exclude or .cloudfuncignore name (git's global
/// excludes have no effect), files that no function needs (.git, virtual environments, caches; node_modules,
/// except of functions in Node), and .env files, which may hold secrets. A line `!name` in .cloudfuncignore
/// includes a file again, except for .env files. Folders from outside are packed, too, if `[build] include` in
/// cloudfunc.toml names them.
///
/// With --json, one line for each function: {"path","name","revision","unchanged","image","error"}, plus
/// "notice" and "output" of loading the code, if there are any.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folders of functions, each a function or a folder with functions in it; a folder that does not exist here
    /// is looked up in ./functions
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,
    /// Deploy without loading the code first: errors in it show at the first invocation
    #[arg(long)]
    no_check: bool,
    /// Resolve the packages anew, though they are installed, and run the build command again: a requirement
    /// without an exact version may get another one
    #[arg(long)]
    refresh: bool,
}

impl Args {
    pub async fn run(self, target: &Target, out: &Output) -> Result<(), Error> {
        let client = match target.client(out) {
            Ok(client) => client,
            Err(error) => {
                for path in self.paths.iter().filter(|_| out.json()) {
                    out.json_line(&Item::failed(path, known_name_at(path), &error))?;
                }
                return Err(error);
            }
        };
        let options = DeployOptions { check: !self.no_check, refresh: self.refresh };
        let deploy = Deploy { client, base: OnceCell::new(), options, target, out };
        match self.paths.as_slice() {
            [path] => match folders(path, out) {
                Ok(Folders::One(folder)) => deploy.one(path, Ok(folder)).await,
                Ok(Folders::Several(functions)) => {
                    deploy.several(functions.into_iter().map(|path| (path.clone(), Ok(path)))).await
                }
                Err(error) => deploy.one(path, Err(error)).await,
            },
            paths => {
                let mut all = Vec::new();
                for path in paths {
                    match folders(path, out) {
                        Ok(Folders::One(folder)) => all.push((path.clone(), Ok(folder))),
                        Ok(Folders::Several(functions)) => {
                            all.extend(functions.into_iter().map(|path| (path.clone(), Ok(path))));
                        }
                        Err(error) => all.push((path.clone(), Err(error))),
                    }
                }
                deploy.several(all.into_iter()).await
            }
        }
    }
}

/// A function that was deployed, and what its manifest says of calls.
struct Done {
    deployed: Deployed,
    interface: Interface,
    http: Option<HttpSpec>,
}

impl Done {
    /// Says that callers need no token, once for each new revision.
    fn warn(&self, out: &Output) {
        let is_open = self.http.as_ref().is_some_and(|http| http.auth == HttpAuth::None);
        if is_open && !self.deployed.unchanged {
            out.notice(&open_to_everybody(&self.deployed));
        }
    }
}

fn open_to_everybody(deployed: &Deployed) -> String {
    format!(
        "{}: with `auth = \"none\"` everybody who reaches its addresses may call it, and it has to check its callers itself",
        deployed.name
    )
}

/// The parts that every deploy of one command uses.
struct Deploy<'a> {
    client: Client,
    /// Where functions answer, once it was asked for.
    base: OnceCell<Url>,
    options: DeployOptions,
    target: &'a Target,
    out: &'a Output,
}

impl Deploy<'_> {
    /// Deploys the function that the command names.
    async fn one(&self, path: &Path, folder: Result<PathBuf, Error>) -> Result<(), Error> {
        let out = self.out;
        let name = folder.as_ref().ok().and_then(|folder| known_name(folder));
        let result = async {
            let function = pack_folder(&folder?, Some(""), out).await?;
            self.upload(function, &Around::default()).await
        };
        match result.await {
            Ok(done) if out.json() => {
                out.json_line(&Item::deployed(path, &done.deployed))?;
                done.warn(out);
                Ok(())
            }
            Ok(done) => {
                let Done { deployed, interface, http } = &done;
                out.line(&report(deployed, out))?;
                self.addresses(&done).await.iter().try_for_each(|line| out.line(line))?;
                done.warn(out);
                let base = if http.is_some() { self.base().await } else { self.client.base() };
                out.next(&next(&deployed.name, *interface, http.as_ref(), base));
                Ok(())
            }
            Err(error) => {
                let error = self.target.explain(error);
                if out.json() {
                    out.json_line(&Item::failed(path, name, &error))?;
                }
                out.error(&error);
                Err(Error::silent(error.exit))
            }
        }
    }

    /// Returns a line for each address of a function.
    async fn addresses(&self, done: &Done) -> Vec<String> {
        let Some(http) = &done.http else { return Vec::new() };
        Addresses { http, base: self.base().await }.lines()
    }

    async fn base(&self) -> &Url {
        self.base.get_or_init(|| addresses::base(&self.client)).await
    }

    /// Uploads a function and follows its build. Ctrl-C says what becomes of it, and of those around it.
    async fn upload(&self, function: Function, around: &Around) -> Result<Done, Error> {
        let (out, Function { name, archive, files, interface, http, .. }) = (self.out, function);
        let (files, size) = (count(files, "file"), show_bytes(archive.len() as u64));
        let what = format!("deploying {name}: {files}, {size} packed");
        let progress = out.progress(&what);
        around.on_interrupt(out, farewell::cut_off(&name, around));
        let (ticker, total) = (progress.ticker(), archive.len());
        let (on_interrupt, sent_all) = (out.clone(), (name.clone(), around.clone()));
        let sent = move |bytes: usize| {
            ticker.say(format!("{what}, {} sent", show_bytes(bytes as u64)));
            if bytes == total {
                let (name, around) = &sent_all;
                around.on_interrupt(&on_interrupt, farewell::not_known(name));
            }
        };
        let mut told = Vec::new();
        let step = |step: &str| {
            around.on_interrupt(out, farewell::cancelled(&name));
            progress.say(step);
            if progress.stays() {
                told.push(step.to_owned());
            }
        };
        let deployed = self.client.deploy_with(&name, archive, self.options, sent, step).await;
        out.on_interrupt().clear();
        drop(progress);
        let deployed = deployed.inspect_err(|error| tell_why(error, &told, out))?;
        Ok(Done { deployed, interface, http })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RevisionNumber;

    #[test]
    fn a_function_without_a_token_is_told_of() {
        let deployed = Deployed {
            name: "webhook".parse().unwrap(),
            revision: RevisionNumber(1),
            unchanged: false,
            image: "python".to_owned(),
            notice: None,
            output: None,
        };
        assert_eq!(
            open_to_everybody(&deployed),
            "webhook: with `auth = \"none\"` everybody who reaches its addresses may call it, and it has to check its callers \
             itself"
        );
    }
}
