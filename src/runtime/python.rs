//! The language Python: its shim, and the image with the shim in it.

use std::collections::BTreeMap;

/// Compiled in, so that the binary needs no file of ours beside it.
pub(super) const SHIM: &str = include_str!("../../templates/python/runtime/shim.py");

/// Options of the interpreter: isolated from the environment and from the shim's own folder, and no
/// bytecode written to a read-only file system.
pub(super) const OPTIONS: [&str; 2] = ["-I", "-B"];

/// Where the variables of the interpreter are to count it cannot be isolated from the environment; its own folder the
/// shim takes off the path itself.
const OPTIONS_WITH_VARIABLES: [&str; 1] = ["-B"];

/// The options of an interpreter that is started with these variables.
pub(super) fn options(env: &BTreeMap<String, String>) -> &'static [&'static str] {
    if reads(env) { &OPTIONS_WITH_VARIABLES } else { &OPTIONS }
}

/// Whether one of them is the interpreter's.
pub(super) fn reads(env: &BTreeMap<String, String>) -> bool {
    env.keys().any(|name| name.starts_with("PYTHON"))
}

/// Where an image has the shim.
pub(super) const SHIM_PATH: &str = "/opt/cloudfunc/shim.pyc";

/// Compiles the shim, and the standard library where the image has no bytecode of it (the public Python
/// images have none): a start costs 22 ms less.
pub(super) const COMPILE: &str = r#"
import compileall, py_compile, re, sysconfig
py_compile.compile("/opt/cloudfunc/shim.py", "/opt/cloudfunc/shim.pyc", doraise=True)
skip = re.compile(r"/(test|tests|idlelib|lib2to3|turtledemo|ensurepip|pip|site-packages)/")
compileall.compile_dir(sysconfig.get_path("stdlib"), quiet=2, rx=skip, workers=0)
"#;

/// `base` is an image's id, `user` a number, `task` a path of ours: no user's text gets in here.
pub(super) fn dockerfile(base: &str, user: &str, task: &str) -> String {
    let options = OPTIONS.map(|option| format!("\"{option}\", ")).concat();
    format!(
        r#"FROM {base}
USER 0:0
COPY shim.py compile.py /opt/cloudfunc/
RUN ["python3", "/opt/cloudfunc/compile.py"]
LABEL cloudfunc.image=language
ENV LANG=C.UTF-8
WORKDIR {task}
USER {user}
ENTRYPOINT ["python3", {options}"/opt/cloudfunc/shim.pyc"]
CMD []
"#
    )
}
