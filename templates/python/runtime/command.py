"""Runs the build command of a function, in a sandbox of a build. It runs as a function itself.

{"command": ["make"], "env": {}, "packages": null, "variables": {}} copies the function's folder to 'function' in OUTPUT and
runs the command there. The variables are the platform's, which those of the function override. The command's output is that
of this process.
"""

import os
import shutil
import subprocess
import sys

OUTPUT = os.environ.get("CLOUDFUNC_OUTPUT", "/var/output")
PACKAGES = os.environ.get("CLOUDFUNC_PACKAGES", "/opt/packages")


def handler(event):
    folder = os.path.join(OUTPUT, "function")
    shutil.copytree("code", folder, symlinks=True)
    environment = variables(event)
    program = event["command"][0]
    if "/" not in program and shutil.which(program, path=environment["PATH"]) is None:
        return {"missing": {"path": environment["PATH"]}}
    try:
        done = subprocess.run(event["command"], cwd=folder, env=environment, stdin=subprocess.DEVNULL)
    except OSError as error:
        return {"refused": error.strerror or str(error)}
    return {"code": done.returncode} if done.returncode >= 0 else {"signal": -done.returncode}


def variables(event):
    found = {name: value for name, value in os.environ.items() if not name.startswith("CLOUDFUNC_")}
    found.update(event.get("variables") or {})
    # What is made may be large, and has to be on the same disk; what is printed is told at once.
    found.update(TMPDIR=os.path.join(OUTPUT, "tmp"), PYTHONDONTWRITEBYTECODE="1", PYTHONUNBUFFERED="1")
    os.makedirs(found["TMPDIR"])
    path = [programs(), found.get("PATH", os.defpath)]
    own = event["env"]
    given = own.get("PYTHONPATH") or found.get("PYTHONPATH")
    modules = [given] if given else []
    if event.get("packages"):
        packages = os.path.join(PACKAGES, event["packages"])
        path.insert(0, os.path.join(packages, "bin"))
        modules.append(packages)
    found["PATH"] = os.pathsep.join(path)
    found.update(own)
    if modules:
        found["PYTHONPATH"] = os.pathsep.join(modules)
    return found


def programs():
    """Makes a folder in which the function's interpreter has its usual names."""
    folder = os.path.join(OUTPUT, "bin")
    os.makedirs(folder)
    for name in ("python3", "python"):
        os.symlink(sys.executable, os.path.join(folder, name))
    return folder
