"""Installs the packages of a function. It runs as a function itself, in a sandbox of a build that may write to OUTPUT.

{"do": "describe"} answers what installed packages depend on; {"do": "install", …} has pip install what the files in
'requirements' ask for, and compiles that to bytecode. What pip prints is passed on line by line. Its errors are worded in
explain.py.
"""

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig

OUTPUT = os.environ.get("CLOUDFUNC_OUTPUT", "/var/output")
WHEELS = os.environ.get("CLOUDFUNC_WHEELS", "/opt/wheels")
# Where the machine's own pip is seen; elsewhere the interpreter has one.
INSTALLER = "/opt/installer"
MAX_NAME = 200
# The part of a script that its first lines are in.
MAX_START = 4096
# What is not compiled by then stays as it is.
COMPILE_SECONDS = 120

PIP = f"""
import sys
sys.path.append({INSTALLER!r})
import runpy
sys.argv[0] = "pip"
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""


def handler(event):
    return {"describe": describe, "install": install}[event["do"]](event)


def describe(event):
    version = subprocess.run(pip("--version"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    words = version.stdout.decode(errors="replace").split()
    return {
        "tool": " ".join(words[:2]) if version.returncode == 0 and len(words) > 1 else None,
        "target": {
            "interpreter": "%s %d.%d" % (sys.implementation.name, *sys.version_info[:2]),
            "abi": sysconfig.get_config_var("SOABI") or sys.implementation.cache_tag,
            "architecture": platform.machine(),
            "c_library": c_library(),
        },
    }


def c_library():
    try:
        return os.confstr("CS_GNU_LIBC_VERSION")
    except (OSError, ValueError):
        return "musl"


def pip(*arguments):
    return [sys.executable, "-I", "-B", "-c", PIP, *arguments]


def install(event):
    import explain

    if event.get("wheels") and (why := unreadable()):
        return {"failed": why, "wheels": True}
    if wrong := explain.not_understood(event["packages"]):
        return {"failed": wrong}
    target, temporary = os.path.join(OUTPUT, "packages"), os.path.join(OUTPUT, "tmp")
    os.makedirs(target)
    os.makedirs(temporary)
    command = pip("install", "--target", target, "--no-compile", *options(event), "-r", event["file"])
    process = subprocess.Popen(
        command, cwd=requirements(), env=environment(event, temporary), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace",
    )
    lines = []
    for line in process.stdout:
        line = line.rstrip()
        if line.strip():
            print(line, flush=True)
            lines.append(line)
    code = process.wait()
    if code == 0:
        shutil.rmtree(temporary, ignore_errors=True)
        share_scripts(os.path.join(target, "bin"))
        compile_packages(target)
        return {"installed": list(installed(target))}
    if why := explain.away(lines):
        return {"failed": why, "away": why}
    if WHEELS in explain.first_error(lines) and (why := explain.not_permitted(lines)):
        return {"failed": why, "wheels": True}
    again = lambda *arguments: subprocess.run(
        pip(*arguments, *options(event)), cwd=requirements(), env=environment(event, temporary),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
    ).stdout.decode(errors="replace").splitlines()
    machine = f"Python {platform.python_version()} on {platform.machine()} with {c_library()}"
    why, is_away = explain.failure(lines, code, explain.Asked(event, again, temporary, machine))
    return {"failed": why, "away": why if is_away else None}


def requirements():
    return os.path.join(os.getcwd(), "requirements")


def unreadable():
    """Returns why the folder of wheels cannot be read, if it cannot."""
    try:
        os.listdir(WHEELS)
    except OSError as error:
        return error.strerror
    return None


def environment(event, temporary):
    """Returns the variables of pip, which it passes on to the builds of packages."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("CLOUDFUNC_")}
    # What is downloaded is large, and has to be on the same disk.
    variables.update(TMPDIR=temporary, PIP_ROOT_USER_ACTION="ignore")
    # The platform's, the proxy's among them.
    variables.update(event.get("environment") or {})
    if event.get("index"):
        # It may have a password, and every user of the machine sees arguments.
        variables["PIP_INDEX_URL"] = event["index"]
    if event.get("certificates"):
        variables["PIP_CERT"] = os.path.join(os.getcwd(), event["certificates"])
    return variables


def share_scripts(folder):
    """Has scripts run by whatever python3 there is on the PATH: another sandbox, with the same packages, may have its
    interpreter elsewhere."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        try:
            if entry.is_file(follow_symlinks=False):
                share_script(entry)
        except OSError as error:
            print(f"{entry.name} stays as it is: {error.strerror}", flush=True)


def share_script(entry):
    with open(entry.path, "rb") as file:
        start = with_any_interpreter(file.read(MAX_START))
        if start is None:
            return
        text = start + file.read()
    mode = entry.stat(follow_symlinks=False).st_mode & 0o7777
    # Beside it: a disk may be full, and half of a script is worse than the old one.
    new = entry.path + ".new"
    try:
        with open(new, "wb") as file:
            file.write(text)
        os.chmod(new, mode)
        os.replace(new, entry.path)
    except OSError:
        if os.path.exists(new):
            os.unlink(new)
        raise


def with_any_interpreter(start):
    """Returns the start of a script whose first line names this interpreter with any python3 in its place; None for other
    files. pip writes a long path, or one with a space, as three lines that a shell runs."""
    for path in (sys.executable, os.path.realpath(sys.executable)):
        path = re.escape(os.fsencode(path))
        line = rb"#![ \t]*" + path + rb"((?:[ \t][^\r\n]*)?)\r?\n"
        by_shell = rb"#!/bin/sh\n'''exec' \"?" + path + rb"\"?((?:[ \t][^\r\n]*)?) \"\$0\" \"\$@\"\n' '''\n"
        found = re.match(line, start) or re.match(by_shell, start)
        if found:
            options = found.group(1).strip()
            # Without -S, env takes all that follows for one name.
            program = b"-S python3 " + options if options else b"python3"
            return b"#!/usr/bin/env " + program + b"\n" + start[found.end():]
    return None


def compile_packages(target):
    print("compiling the packages", flush=True)
    import bytecode

    bytecode.compile_apart(COMPILE_SECONDS, target)


def installed(target):
    """Yields the names and versions of packages; one whose metadata is broken has none."""
    for one in importlib.metadata.distributions(path=[target]):
        try:
            name, version = one.metadata["Name"] or "unknown", one.version or "unknown"
        except Exception:
            continue
        yield {"name": str(name)[:MAX_NAME], "version": str(version)[:MAX_NAME]}


def options(event):
    """Yields the options of every call of pip but the address of the index. One without TLS is one that the platform's
    owner has chosen."""
    yield from ("--no-cache-dir", "--no-input", "--disable-pip-version-check", "--no-color")
    yield from ("--progress-bar", "off", "--retries", "2", "--timeout", "15")
    if not event.get("from_source"):
        yield from ("--only-binary", ":all:")
    index = event.get("index")
    if event.get("no_index"):
        yield "--no-index"
    elif index:
        plain = re.match(r"http://(?:[^/@]*@)?([^/?#]+)", index)
        if plain:
            yield from ("--trusted-host", plain.group(1))
    if event.get("wheels"):
        yield from ("--find-links", WHEELS)
