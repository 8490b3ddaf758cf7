//! Advice about a function's error, where its type and its words tell. Looked at only when there is one.

use super::of_programs;
use crate::model::{Code, FunctionError, FunctionSpec, Network};

/// Names of packages whose modules have other names. Only what is known: everything else is guessed to have
/// the module's name, and the hint says so.
const PACKAGES: &[(&str, &str)] = &[
    ("Crypto", "pycryptodome"),
    ("Levenshtein", "python-Levenshtein"),
    ("MySQLdb", "mysqlclient"),
    ("OpenSSL", "pyOpenSSL"),
    ("PIL", "Pillow"),
    ("attr", "attrs"),
    ("bs4", "beautifulsoup4"),
    ("bson", "pymongo"),
    ("cv2", "opencv-python-headless"),
    ("dateutil", "python-dateutil"),
    ("discord", "discord.py"),
    ("distutils", "setuptools"),
    ("docx", "python-docx"),
    ("dotenv", "python-dotenv"),
    ("faiss", "faiss-cpu"),
    ("fitz", "PyMuPDF"),
    ("git", "GitPython"),
    ("google.auth", "google-auth"),
    ("google.cloud.bigquery", "google-cloud-bigquery"),
    ("google.cloud.storage", "google-cloud-storage"),
    ("google.protobuf", "protobuf"),
    ("googleapiclient", "google-api-python-client"),
    ("grpc", "grpcio"),
    ("jose", "python-jose"),
    ("jwt", "PyJWT"),
    ("kafka", "kafka-python"),
    ("magic", "python-magic"),
    ("mpl_toolkits", "matplotlib"),
    ("multipart", "python-multipart"),
    ("nacl", "PyNaCl"),
    ("pkg_resources", "setuptools"),
    ("pptx", "python-pptx"),
    ("psycopg2", "psycopg2-binary"),
    ("pymysql", "PyMySQL"),
    ("serial", "pyserial"),
    ("skimage", "scikit-image"),
    ("sklearn", "scikit-learn"),
    ("slugify", "python-slugify"),
    ("socks", "PySocks"),
    ("telegram", "python-telegram-bot"),
    ("yaml", "PyYAML"),
    ("zmq", "pyzmq"),
];

/// Types of exceptions that a name look-up raises.
const LOOKUP: &[&str] = &["gaierror", "herror"];

/// Texts of the C library, and of libraries that pass them on, when there is no network.
const NO_WAY_OUT: &[&str] = &[
    "Network is unreachable",
    "[Errno 101]",
    "No route to host",
    "[Errno 113]",
    "Temporary failure in name resolution",
    "Name or service not known",
    "No address associated with hostname",
    "Name does not resolve",
    "[Errno -2]",
    "[Errno -3]",
    "[Errno -5]",
    "Failed to resolve",
    "DNS resolution failed",
    "Could not resolve host",
    "unable to resolve host address",
    "getaddrinfo EAI_AGAIN",
    "getaddrinfo ENOTFOUND",
    "connect ENETUNREACH",
];

/// The same error with advice, if there is any; `has_packages` says that some are installed for the function. A guest's own
/// is not taken.
pub fn advised(error: FunctionError, spec: &FunctionSpec, has_packages: bool) -> FunctionError {
    let hint = match spec.interface.is_protocol() {
        true => missing_module(&error, spec)
            .or_else(|| no_network(&error, spec))
            .or_else(|| typescript(&error))
            .or_else(|| exit(&error)),
        false => of_programs::missing_module(&error)
            .and_then(|error| missing_module(&error, spec))
            .or_else(|| no_network(&error, spec))
            .or_else(|| of_programs::advice(&error, spec, has_packages)),
    };
    FunctionError { hint, ..error }
}

/// A handler that ends its process in good order has most likely meant to answer.
fn exit(error: &FunctionError) -> Option<String> {
    let is_good = error.kind == "exit" && error.message.ends_with("exited with code 0");
    is_good.then(|| {
        "return a value instead of exiting: an exit ends the instance without an answer".to_owned()
    })
}

/// Node's version is the image's; without images, it is the machine's, which no manifest changes.
fn typescript(error: &FunctionError) -> Option<String> {
    (error.kind == "TypeScriptNotRun").then(|| {
        "where functions run in images, `version = \"24\"` in cloudfunc.toml chooses a newer Node; with the runtime oci, \
         install one on the machine that runs them; or compile it before the deploy: `npx tsc` in the function's folder"
            .to_owned()
    })
}

fn missing_module(error: &FunctionError, spec: &FunctionSpec) -> Option<String> {
    if error.kind == "ModuleNotFound" {
        return missing_node_package(error, spec);
    }
    if error.kind != "ModuleNotFoundError" {
        return None;
    }
    // With more behind the name, something of that name is there and is no package.
    let module = error.message.strip_prefix("No module named '")?.strip_suffix('\'')?;
    let top = module.split('.').next().unwrap_or(module);
    let is_of = |name: &str| {
        module.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    if module.is_empty() || !module.chars().all(|c| c.is_alphanumeric() || "._".contains(c)) {
        return None;
    }
    let known = PACKAGES.iter().find(|(name, _)| is_of(name));
    let package = known.map_or(top, |(_, package)| package);
    Some(match &spec.code {
        Code::Image { .. } | Code::Dockerfile { .. } => {
            let guess = if known.is_some() { "" } else { "usually " };
            format!("install the package of '{top}' ({guess}{package}) in the function's image")
        }
        Code::Language { .. } => {
            let line = match known {
                Some(_) => format!("a line `{package}`"),
                None => format!("a line with its name, usually `{package}`"),
            };
            format!(
                "a module of your own has to be in the function's folder, or in one that `build.include` names; a \
                 package is installed if requirements.txt in that folder has {line}, or, where there is no such file, if \
                 `project.dependencies` of pyproject.toml has it; add what is missing, then deploy again"
            )
        }
    })
}

/// The words of Node's two loaders about a package; what begins with a dot or a slash is a file.
fn missing_node_package(error: &FunctionError, spec: &FunctionSpec) -> Option<String> {
    let rest = ["Cannot find package '", "Cannot find module '"]
        .into_iter()
        .find_map(|start| error.message.strip_prefix(start))?;
    let name = rest.split_once('\'')?.0;
    let is_scoped = name.starts_with('@');
    let package: Vec<&str> = name.split('/').take(if is_scoped { 2 } else { 1 }).collect();
    let package = package.join("/");
    let is_name = |c: char| c.is_ascii_alphanumeric() || "@/._-".contains(c);
    if package.is_empty() || package.starts_with(['.', '/']) || !package.chars().all(is_name) {
        return None;
    }
    Some(match &spec.code {
        Code::Image { .. } | Code::Dockerfile { .. } => {
            format!("install the package '{package}' in the function's image")
        }
        Code::Language { .. } => format!(
            "a package is installed if package.json in the function's folder names it: `npm install --package-lock-only \
             --prefix DIR {package}` adds it, where DIR is that folder; do that, then deploy again"
        ),
    })
}

/// Returns whether a text has the words of a program that finds no network.
pub fn tells_of_no_network(text: &str) -> bool {
    NO_WAY_OUT.iter().any(|words| text.contains(words))
}

fn no_network(error: &FunctionError, spec: &FunctionSpec) -> Option<String> {
    if spec.network != Network::None {
        return None;
    }
    // The trace has the errors that this one was made from.
    let texts = [Some(error.message.as_str()), error.trace.as_deref()];
    let is_failed =
        LOOKUP.contains(&error.kind.as_str()) || texts.into_iter().flatten().any(tells_of_no_network);
    is_failed.then(|| {
        "the function has no network: write `network = \"egress\"` into cloudfunc.toml, then deploy again"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{self, Defaults};

    fn hint(manifest: &str, kind: &str, message: &str, trace: Option<&str>) -> Option<String> {
        let defaults = Defaults::default();
        let spec = manifest::parse(manifest, manifest::FILE, &defaults).unwrap().spec;
        let (kind, message) = (kind.to_owned(), message.to_owned());
        let (trace, hint) = (trace.map(str::to_owned), Some("the guest's own".to_owned()));
        advised(FunctionError { kind, message, trace, hint }, &spec, false).hint
    }

    #[test]
    fn an_exit_in_good_order_is_told_to_return() {
        let of = |message: &str| hint("", "exit", message, None);
        assert!(of("the function's process exited with code 0").unwrap().starts_with("return a value"));
        assert_eq!(of("the function's process exited with code 3"), None);
        assert_eq!(of("the function's process exited with code 0 while its code was loaded"), None);
    }

    #[test]
    fn typescript_that_is_not_run_names_each_way_out() {
        let message = "function.ts is TypeScript, which Node 20.20.2 does not run";
        assert_eq!(
            hint("language = \"node\"", "TypeScriptNotRun", message, None).unwrap(),
            "where functions run in images, `version = \"24\"` in cloudfunc.toml chooses a newer Node; with the runtime \
             oci, install one on the machine that runs them; or compile it before the deploy: `npx tsc` in the function's \
             folder"
        );
    }

    #[test]
    fn a_missing_module_names_the_way_to_install_it() {
        let of = |message: &str| hint("", "ModuleNotFoundError", message, None);
        for (module, line) in [
            ("requests", "a line with its name, usually `requests`"),
            ("requests_toolbelt.x", "a line with its name, usually `requests_toolbelt`"),
            ("google.unknown", "a line with its name, usually `google`"),
            ("yaml", "a line `PyYAML`"),
            ("yamlx", "a line with its name, usually `yamlx`"),
            ("PIL.Image", "a line `Pillow`"),
            ("google.protobuf.message", "a line `protobuf`"),
            ("google.protobuf", "a line `protobuf`"),
        ] {
            assert_eq!(
                of(&format!("No module named '{module}'")).unwrap(),
                format!(
                    "a module of your own has to be in the function's folder, or in one that `build.include` names; a \
                     package is installed if requirements.txt in that folder has {line}, or, where there is no such file, \
                     if `project.dependencies` of pyproject.toml has it; add what is missing, then deploy again"
                )
            );
        }
        for other in [
            "No module named 'json.x'; 'json' is not a package",
            "the function's folder has no module 'function'",
            "No module named '`rm`'",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
        let own = hint("image = \"i\"", "ModuleNotFoundError", "No module named 'cv2'", None);
        assert_eq!(
            own.unwrap(),
            "install the package of 'cv2' (opencv-python-headless) in the function's image"
        );
        let own = hint("image = \"i\"", "ModuleNotFoundError", "No module named 'httpx'", None);
        assert_eq!(
            own.unwrap(),
            "install the package of 'httpx' (usually httpx) in the function's image"
        );
    }

    #[test]
    fn a_missing_package_of_node_names_the_way_to_install_it() {
        let of = |message: &str| hint("language = \"node\"", "ModuleNotFound", message, None);
        for (message, package) in [
            ("Cannot find package 'express' imported from /var/task/function.mjs", "express"),
            ("Cannot find module 'lodash/fp'\nRequire stack:\n- /var/task/a.cjs", "lodash"),
            (
                "Cannot find package '@aws-sdk/client-s3/x' imported from /var/task/a.mjs",
                "@aws-sdk/client-s3",
            ),
        ] {
            let expected = format!(
                "a package is installed if package.json in the function's folder names it: `npm install \
                 --package-lock-only --prefix DIR {package}` adds it, where DIR is that folder; do that, then deploy again"
            );
            assert_eq!(of(message), Some(expected), "{message}");
        }
        for file in
            ["Cannot find module '/var/task/lib.mjs' imported from x", "Cannot find module './lib'", "x"]
        {
            assert_eq!(of(file), None, "{file}");
        }
        let own = hint("image = \"i\"", "ModuleNotFound", "Cannot find module 'pg'", None);
        assert_eq!(own.unwrap(), "install the package 'pg' in the function's image");
    }

    #[test]
    fn a_failed_connection_without_a_network_names_the_key_that_gives_one() {
        for (kind, message, trace) in [
            ("gaierror", "[Errno -3] Temporary failure in name resolution", None),
            ("OSError", "[Errno 101] Network is unreachable", None),
            ("URLError", "<urlopen error [Errno -3] Temporary failure in name resolution>", None),
            (
                "ConnectionError",
                "Max retries exceeded (Caused by NameResolutionError(\"Failed to resolve 'a'\"))",
                None,
            ),
            ("Error", "getaddrinfo EAI_AGAIN example.com", None),
            (
                "TypeError",
                "fetch failed",
                Some("TypeError: fetch failed\n[cause]: Error: getaddrinfo ENOTFOUND a"),
            ),
            (
                "RuntimeError",
                "no prices",
                Some("OSError: [Errno 101] Network is unreachable\n\nDuring …"),
            ),
        ] {
            assert_eq!(
                hint("", kind, message, trace).unwrap(),
                "the function has no network: write `network = \"egress\"` into cloudfunc.toml, then deploy again"
            );
            assert_eq!(hint("network = \"egress\"", kind, message, trace), None, "{message}");
        }
        for (kind, message) in
            [("ValueError", "no"), ("ConnectionRefusedError", "[Errno 111] Connection refused")]
        {
            assert_eq!(hint("", kind, message, None), None, "{message}");
        }
    }
}
