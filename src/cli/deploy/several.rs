//! Several functions in one command: all are checked before the first one is uploaded, one failure does not
//! keep the others from being deployed, and a table says what became of each.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use super::{
    Deploy, Done,
    farewell::Around,
    report::{Item, report},
};
use crate::{
    cli::{
        Error, Exit, Output,
        pack::{Function, known_name_at, pack_folder},
        text::count,
    },
    model::FunctionName,
};

/// The limit of functions in one command.
const MAX_FUNCTIONS: usize = 1000;
/// The limit of archives that are kept from the check to the upload, in bytes; the rest are packed again.
const MAX_KEPT: usize = 256 * 1024 * 1024;
/// The maximum number of functions that a hint names.
const MAX_NAMED: usize = 10;

/// A path of the command line, or a folder in a folder of functions, and the folder that it means.
type Named = (PathBuf, Result<PathBuf, Error>);

/// A function that was checked.
struct Ready {
    path: PathBuf,
    folder: PathBuf,
    name: FunctionName,
    /// `None` if it has to be packed again.
    function: Option<Function>,
}

/// The functions of a command in their order, as far as they could be checked.
type Checked = Vec<(PathBuf, Result<Ready, Error>)>;

/// Returns whether a shell takes a path as it is.
fn needs_no_quotes(path: &str) -> bool {
    path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+@".contains(&byte))
}

impl Deploy<'_> {
    /// Deploys these functions one after the other.
    pub async fn several(&self, named: impl Iterator<Item = Named>) -> Result<(), Error> {
        let nothing = ("nothing was deployed".to_owned(), None);
        Around::default().on_interrupt(self.out, nothing);
        let checked = check(distinct(named)?, self.out).await;
        self.out.on_interrupt().clear();
        if checked.iter().any(|(_, result)| result.is_err()) {
            return self.refuse(&checked);
        }
        self.deploy(checked.into_iter().filter_map(|(_, ready)| ready.ok()).collect()).await
    }

    /// Reports every folder that cannot be deployed, and says that nothing was.
    fn refuse(&self, checked: &Checked) -> Result<(), Error> {
        let out = self.out;
        let bad: Vec<&Error> = checked.iter().filter_map(|(_, result)| result.as_ref().err()).collect();
        let good = checked.iter().filter_map(|(_, result)| result.as_ref().ok());
        let good: Vec<String> = good.map(|ready| ready.path.display().to_string()).collect();
        let (all, failed) = (count(checked.len(), "function"), bad.len());
        let worst = bad.iter().map(|error| error.exit).max().unwrap_or(Exit::Caller);
        let nothing = format!("nothing was deployed: {failed} of {all} cannot be deployed");
        let nothing = Error::new(worst, anyhow::Error::msg(nothing)).code("not_deployed");
        let nothing = match good.as_slice() {
            [] => nothing,
            few if few.len() <= MAX_NAMED && few.iter().all(|path| needs_no_quotes(path)) => {
                nothing.hint(format!("the rest alone: `cloudfunc deploy {}`", few.join(" ")))
            }
            _ => nothing.hint("correct them, or name the folders of the others to deploy these alone"),
        };
        for (path, result) in checked.iter().filter(|_| out.json()) {
            let name = match result {
                Ok(ready) => Some(ready.name.clone()),
                Err(_) => known_name_at(path),
            };
            let error = result.as_ref().err().unwrap_or(&nothing);
            out.json_line(&Item::failed(path, name, error))?;
        }
        bad.iter().for_each(|error| out.error(error));
        Err(nothing)
    }

    async fn deploy(&self, functions: Vec<Ready>) -> Result<(), Error> {
        let out = self.out;
        let after = functions.iter().map(|ready| ready.name.clone()).collect();
        let mut around = Around { before: Vec::new(), after };
        let (mut rows, mut worst) = (Vec::new(), Exit::Ok);
        for Ready { path, folder, name, function } in functions {
            around.after.remove(0);
            let result = self.one_of_several(&folder, function, &around).await;
            match &result {
                Ok(done) if out.json() => {
                    out.json_line(&Item::deployed(&path, &done.deployed))?;
                    done.warn(out);
                }
                Ok(done) => {
                    out.note(&report(&done.deployed, out));
                    self.addresses(done).await.iter().for_each(|line| out.note(line));
                    done.warn(out);
                }
                Err(error) => {
                    if out.json() {
                        out.json_line(&Item::failed(&path, Some(name.clone()), error))?;
                    }
                    out.error(error);
                    worst = worst.max(error.exit);
                }
            }
            around.before.push(so_far(&name, &result));
            rows.push(row(&name, &result));
        }
        if !out.json() {
            out.table(["NAME", "REVISION", "RESULT"], &rows)?;
        }
        if worst != Exit::Ok {
            return Err(Error::silent(worst));
        }
        out.next("cloudfunc list");
        Ok(())
    }

    async fn one_of_several(
        &self,
        folder: &Path,
        packed: Option<Function>,
        around: &Around,
    ) -> Result<Done, Error> {
        let function = match packed {
            Some(function) => Ok(function),
            None => pack_folder(folder, None, self.out).await,
        };
        match function {
            Ok(function) => self.upload(function, around).await,
            Err(error) => Err(error),
        }
        .map_err(|error| self.target.explain(error))
    }
}

/// Drops folders that are named twice.
fn distinct(named: impl Iterator<Item = Named>) -> Result<Vec<Named>, Error> {
    let mut seen = BTreeSet::new();
    let is_new = |(_, folder): &Named| match folder {
        Ok(folder) => seen.insert(folder.canonicalize().unwrap_or_else(|_| folder.clone())),
        Err(_) => true,
    };
    let named: Vec<Named> = named.filter(is_new).collect();
    if named.len() > MAX_FUNCTIONS {
        let what = format!(
            "{} functions are too many for one command: at most {MAX_FUNCTIONS} are accepted",
            named.len()
        );
        return Err(Error::usage(what).hint("deploy them in several parts"));
    }
    Ok(named)
}

/// Packs and checks every folder. Two of the same name are an error of the second one.
async fn check(named: Vec<Named>, out: &Output) -> Checked {
    let (mut checked, mut names, mut kept) = (Vec::new(), BTreeMap::new(), 0);
    for (path, folder) in named {
        let ready = match folder {
            Ok(folder) => ready(&path, folder, out).await,
            Err(error) => Err(error),
        };
        let ready = ready.and_then(|mut ready| {
            if let Some(other) = names.insert(ready.name.clone(), path.clone()) {
                return Err(same_name(&ready.name, &other, &path));
            }
            kept += ready.function.as_ref().map_or(0, |function| function.archive.len());
            if kept > MAX_KEPT {
                ready.function = None;
            }
            Ok(ready)
        });
        checked.push((path, ready));
    }
    checked
}

async fn ready(path: &Path, folder: PathBuf, out: &Output) -> Result<Ready, Error> {
    let before = format!("{}: ", path.display());
    let function = pack_folder(&folder, Some(&before), out).await?;
    let (path, name) = (path.to_owned(), function.name.clone());
    Ok(Ready { path, folder, name, function: Some(function) })
}

fn same_name(name: &FunctionName, one: &Path, other: &Path) -> Error {
    let (one, other) = (one.display(), other.display());
    Error::usage(format!("{one} and {other} are both named '{name}'"))
        .hint("give one of them another `name` in its cloudfunc.toml")
}

/// Words a result for the message of Ctrl-C.
fn so_far(name: &FunctionName, result: &Result<Done, Error>) -> String {
    match result {
        Ok(Done { deployed, .. }) if deployed.unchanged => format!("{name} is unchanged"),
        Ok(Done { deployed, .. }) => format!("deployed {name}, revision {}", deployed.revision),
        Err(_) => format!("{name} failed"),
    }
}

fn row(name: &FunctionName, result: &Result<Done, Error>) -> [String; 3] {
    let (revision, result) = match result {
        Ok(Done { deployed, .. }) => {
            let result = if deployed.unchanged { "unchanged" } else { "deployed" };
            (deployed.revision.to_string(), result.to_owned())
        }
        Err(error) => {
            // The whole was printed before.
            let whole = error.chain().join(": ");
            (String::new(), format!("failed: {}", whole.lines().next().unwrap_or_default()))
        }
    };
    [name.to_string(), revision, result]
}
