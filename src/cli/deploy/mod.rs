//! `cloudfunc deploy`

mod farewell;
pub(super) mod report;
mod several;

use std::path::{Path, PathBuf};

use self::{
    farewell::Around,
    report::{Item, report, tell_why},
};
use super::{
    Error, Output,
    pack::{Folders, Function, folders, known_name, known_name_at, pack_folder},
    target::Target,
    text::count,
};
use crate::{
    client::{Client, DeployOptions},
    model::{FunctionName, Interface, api::Deployed},
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
        let deploy = Deploy { client, options, target, out };
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

/// Returns a command that invokes a function: most web servers answer a `GET`.
fn invocation(name: &FunctionName, interface: Interface) -> String {
    match interface {
        Interface::Http { .. } => format!("cloudfunc invoke {name} --method GET"),
        _ => format!("cloudfunc invoke {name}"),
    }
}

/// The parts that every deploy of one command uses.
struct Deploy<'a> {
    client: Client,
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
            let interface = function.interface;
            Ok::<_, Error>((self.upload(function, &Around::default()).await?, interface))
        };
        match result.await {
            Ok((deployed, _)) if out.json() => out.json_line(&Item::deployed(path, &deployed)),
            Ok((deployed, interface)) => {
                out.line(&report(&deployed, out))?;
                out.next(&invocation(&deployed.name, interface));
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

    /// Uploads a function and follows its build. Ctrl-C says what becomes of it, and of those around it.
    async fn upload(&self, function: Function, around: &Around) -> Result<Deployed, Error> {
        let (out, Function { name, archive, files, .. }) = (self.out, function);
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
        deployed.map_err(|error| {
            tell_why(&error, &told, out);
            error.into()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_that_follows_a_deploy_is_one_that_the_function_answers() {
        let next = |interface| invocation(&"shop".parse().unwrap(), interface);
        assert_eq!(next(Interface::Http { port: 8080 }), "cloudfunc invoke shop --method GET");
        for interface in [Interface::Protocol, Interface::Command, Interface::Lambda] {
            assert_eq!(next(interface), "cloudfunc invoke shop");
        }
    }
}
