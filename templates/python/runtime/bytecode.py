"""Compiles Python files to bytecode, in a sandbox of a build.

As a function it compiles those that the file SOURCES lists, each to a file in OUTPUT whose name is its number in the
list: {"seconds": 60} answers with the tag that the interpreter looks for in names of bytecode. As a program it compiles all
files of a folder to where the interpreter looks for their bytecode: `python3 bytecode.py SECONDS FOLDER`.

A file that cannot be compiled stays as it is. The source is not looked at again when bytecode is used: what is compiled
here does not change, and its times say nothing.
"""

import importlib.util
import json
import os
import py_compile
import subprocess
import sys
import time
import warnings

OUTPUT = os.environ.get("CLOUDFUNC_OUTPUT", "/var/output")
TASK = "/var/task"
SOURCES = "sources.json"
CODE = "code"
# A file that needs more stays as it is, and does not end the sandbox.
MEMORY = 768 << 20
MOST_BYTES = 384 << 20
# A file that takes long ends this program some time after its end.
GRACE = 5


def handler(event):
    compile_apart(event["seconds"])
    return {"tag": sys.implementation.cache_tag}


def compile_apart(seconds, *arguments):
    """In a process of its own: a file may take the interpreter down."""
    program = os.path.join(os.getcwd(), "bytecode.py")
    command = [sys.executable, "-I", "-B", program, str(seconds), *arguments]
    try:
        subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=seconds + GRACE
        )
    except subprocess.TimeoutExpired:
        pass


def listed():
    with open(SOURCES, encoding="utf-8") as sources:
        for number, path in enumerate(json.load(sources)):
            yield os.path.join(CODE, path), os.path.join(OUTPUT, str(number)), os.path.join(TASK, path)


def found(folder):
    for parent, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            path = os.path.join(parent, name)
            if name.endswith(".py") and not os.path.islink(path):
                yield path, importlib.util.cache_from_source(path), path


def compile_all(files, seconds, mode):
    end, left = time.monotonic() + seconds, MOST_BYTES
    for path, compiled, shown in files:
        if left < 0 or time.monotonic() > end:
            break
        try:
            py_compile.compile(path, compiled, shown, doraise=True, invalidation_mode=mode)
            left -= os.path.getsize(compiled)
        except Exception:
            pass


def main(seconds, folder=None):
    import resource

    os.nice(19)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    warnings.simplefilter("ignore")
    modes = py_compile.PycInvalidationMode
    if folder is None:
        compile_all(listed(), float(seconds), modes.UNCHECKED_HASH)
    else:
        # Another image may be made of this one, with other sources in their places.
        compile_all(found(folder), float(seconds), modes.CHECKED_HASH)


if __name__ == "__main__":
    main(*sys.argv[1:])
