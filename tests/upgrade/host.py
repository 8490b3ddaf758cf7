"""A host of the recorded platform: its data folder, its processes of the old program, and the public API there."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile

from small import ask, eventually

HERE = pathlib.Path(__file__).resolve().parent
PLATFORM = "upgrade"
ROLES = ["registry", "scheduler", "manager", "gateway"]
# The function with a package.
PACKAGED = "packaged"
PACKAGE = "recorded_package"


def make_wheel(folder):
    folder.mkdir(exist_ok=True)
    info = f"{PACKAGE}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{PACKAGE}-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{PACKAGE}.py", "RECORDED = True\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: record\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", f"{PACKAGE}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")


def free_ports(count):
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


class Host:
    """A data folder with its ports, and the processes of the old program that run on it."""

    def __init__(self, program, folder, store, queue):
        self.program, self.folder = program, folder
        self.ports = dict(zip(ROLES, free_ports(len(ROLES))))
        wheels = folder.parent / "wheels"
        make_wheel(wheels)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder.parent),
            "XDG_STATE_HOME": str(folder.parent / "state"),
            "CLOUDFUNC_PLATFORM": PLATFORM,
            "CLOUDFUNC_DATA_DIR": str(folder),
            "CLOUDFUNC_STORE": store,
            "CLOUDFUNC_QUEUE": queue,
            "CLOUDFUNC_RUNTIME": "process",
            "CLOUDFUNC_QUEUE_WAIT": "2s",
            "CLOUDFUNC_MEMORY_BUDGET": "900MiB",
            "CLOUDFUNC_PREWARM_BUDGET": "0B",
            "CLOUDFUNC_BUILD_INDEX": "none",
            "CLOUDFUNC_BUILD_FIND_LINKS": str(wheels),
        } | {f"CLOUDFUNC_{role.upper()}_PORT": str(port) for role, port in self.ports.items()}
        self.processes = {}

    def start(self, *commands):
        for command in commands:
            log = open(self.folder.parent / f"{self.folder.name}-{command}.log", "ab")
            arguments = [self.program, *command.split()]
            process = subprocess.Popen(arguments, env=self.environment, stdout=log, stderr=log)
            self.processes[command] = process
        eventually("the platform is ready", self.is_ready)

    def is_ready(self):
        try:
            return all(ask("GET", f"http://127.0.0.1:{port}/readyz")[0] == 200 for port in self.ports.values())
        except OSError:
            return False

    def stop(self):
        for command in sorted(self.processes, key=["gateway", "manager", "scheduler", "registry"].index) \
                if len(self.processes) > 1 else list(self.processes):
            process = self.processes.pop(command)
            process.send_signal(signal.SIGTERM)
            if process.wait(60) != 0:
                sys.exit(f"record: {command} did not stop well")

    def kill(self, *commands):
        for command in commands or list(self.processes):
            process = self.processes.pop(command)
            process.kill()
            process.wait()

    # The public API.

    def call(self, method, path, body=None, role="gateway", **headers):
        token = (self.folder / ("token" if role == "gateway" else "internal-token")).read_text().strip()
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        headers["authorization"] = f"Bearer {token}"
        return ask(method, f"http://127.0.0.1:{self.ports[role]}{path}", body, headers)

    def json(self, path):
        status, _, body = self.call("GET", path)
        if status != 200:
            sys.exit(f"record: {path} answers {status}: {body}")
        return json.loads(body)

    def invoke(self, name, asynchronous=False, **event):
        headers = {"prefer": "respond-async"} if asynchronous else {}
        body = json.dumps(event).encode()
        path = f"/v1/functions/{name}/invoke"
        status, _, answer = self.call("POST", path, body, content_type="application/json", x_recorded="yes", **headers)
        if asynchronous:
            if status != 202:
                sys.exit(f"record: {name} answers {status}: {answer}")
            return json.loads(answer)["id"]
        return status

    def background(self, name, **event):
        """A call whose answer nobody waits for."""
        if os.fork() == 0:
            try:
                self.invoke(name, **event)
            finally:
                os._exit(0)

    def state(self, id):
        return self.json(f"/v1/invocations/{id}")["state"]

    def until(self, id, *states):
        eventually(f"{id} is {states}", lambda: self.state(id) in states)

    def begin(self, name, seconds, **event):
        """An async one that has begun: `running` says only that a manager has it."""
        id = self.invoke(name, True, until=time.time() + seconds, **event)
        eventually(f"{event} runs", lambda: any(line["line"].startswith("ran") for line in self.logs(name, id)))
        return id

    def logs(self, name, id):
        """One document a line."""
        status, _, body = self.call("GET", f"/v1/functions/{name}/logs?invocation={id}")
        return [json.loads(line) for line in body.splitlines()] if status == 200 else []

    def deploy(self, name, manifest, revision=1):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder) / name
            folder.mkdir()
            (folder / "cloudfunc.toml").write_text(manifest)
            if "image" not in manifest:
                code = (HERE / "steps.py").read_text().replace("REVISION = 0", f"REVISION = {revision}")
                if name == PACKAGED:
                    (folder / "requirements.txt").write_text(f"{PACKAGE}\n")
                    code = f"import {PACKAGE}\n{code}"
                (folder / "function.py").write_text(code)
            gateway = f"http://127.0.0.1:{self.ports['gateway']}"
            command = [self.program, "deploy", "--no-check", "-q", "--url", gateway,
                       "--token-file", self.folder / "token", folder]
            subprocess.run(command, check=True, env=self.environment)
