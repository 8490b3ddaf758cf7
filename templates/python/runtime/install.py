"""Installs the packages of a function. It runs as a function itself, in a sandbox of a build that may write to OUTPUT.

{"do": "describe"} answers what installed packages depend on; {"do": "install", …} has pip install what the files in
'requirements' ask for, and compiles that to bytecode. What pip prints is passed on line by line.
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
MAX_LINES = 40
MAX_TEXT = 2000
MAX_NAME = 200
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
    try:
        libc = os.confstr("CS_GNU_LIBC_VERSION")
    except (OSError, ValueError):
        libc = "musl"
    return {
        "tool": " ".join(words[:2]) if version.returncode == 0 and len(words) > 1 else None,
        "target": {
            "interpreter": "%s %d.%d" % (sys.implementation.name, *sys.version_info[:2]),
            "abi": sysconfig.get_config_var("SOABI") or sys.implementation.cache_tag,
            "architecture": platform.machine(),
            "c_library": libc,
        },
    }


def pip(*arguments):
    return [sys.executable, "-I", "-B", "-c", PIP, *arguments]


def install(event):
    target, temporary = os.path.join(OUTPUT, "packages"), os.path.join(OUTPUT, "tmp")
    os.makedirs(target)
    os.makedirs(temporary)
    command = pip(
        "install", "--target", target, "--only-binary", ":all:", "--no-compile", "--no-cache-dir", "--no-input",
        "--disable-pip-version-check", "--no-color", "--progress-bar", "off", "--retries", "2", "--timeout", "15",
        *options(event), "-r", event["file"],
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CLOUDFUNC_")}
    # What is downloaded is large, and has to be on the same disk.
    environment.update(TMPDIR=temporary, PIP_ROOT_USER_ACTION="ignore")
    if event.get("index"):
        # It may have a password, and every user of the machine sees arguments.
        environment["PIP_INDEX_URL"] = event["index"]
    process = subprocess.Popen(
        command, cwd=os.path.join(os.getcwd(), "requirements"), env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace",
    )
    lines = []
    for line in process.stdout:
        line = line.rstrip()
        if line.strip():
            print(line, flush=True)
            lines.append(line)
    code = process.wait()
    shutil.rmtree(temporary, ignore_errors=True)
    if code == 0:
        compile_packages(target)
        return {"installed": list(installed(target))}
    return {"failed": reason(lines, code), "away": away(lines)}


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
    """Yields what says where packages come from, but the address of the index. One without TLS is one that the platform's
    owner has chosen."""
    index = event.get("index")
    if event.get("no_index"):
        yield "--no-index"
    elif index:
        plain = re.match(r"http://(?:[^/@]*@)?([^/?#]+)", index)
        if plain:
            yield from ("--trusted-host", plain.group(1))
    if event.get("wheels"):
        yield from ("--find-links", WHEELS)
    if event.get("certificates"):
        yield from ("--cert", os.path.join(os.getcwd(), event["certificates"]))


def reason(lines, code):
    """Returns what pip says last, from its first error on, without the advice that does not fit here."""
    start = next((place for place, line in enumerate(lines) if line.startswith("ERROR:")), None)
    if start is None:
        said = lines[-3:] or [f"pip ended with code {code}"]
    else:
        said = [line.replace("ERROR:", "", 1).strip() for line in lines[start:] if is_reason(line)]
    return "; ".join(said[:MAX_LINES])[:MAX_TEXT]


def is_reason(line):
    advice = ("To fix this", "[notice]", "WARNING:", "INFO:", "ERROR: ResolutionImpossible", "DEPRECATION:")
    return not line.startswith(advice) and not re.match(r"\d+\. ", line)


def away(lines):
    """Returns why the index did not answer, if nothing else is wrong."""
    nothing = ("(from versions: none)", "No matching distribution found")
    if any(line.startswith("ERROR:") and not any(text in line for text in nothing) for line in lines):
        return None
    for line in lines:
        # An earlier try may have been followed by one that succeeded.
        broken = re.search(r"Retry\(total=0\b.*connection broken by '\w+\((.*)\)': ", line)
        if broken:
            return re.sub(r"<[^>]*>[:,]? ?", "", broken.group(1)).strip("'\" ")
        if "Could not fetch URL" in line:
            return line.replace("WARNING:", "").strip()
    return None
