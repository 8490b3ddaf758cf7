"""The RabbitMQ of a recorded platform: started, traced, saved."""

import base64
import json
import os
import pathlib
import subprocess
import sys

from host import PLATFORM
from small import ask, eventually, write

HERE = pathlib.Path(__file__).resolve().parent


class RabbitMq:
    """By the pieces of tests/run, with the management plugin, whose API reads messages and everything published."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        folder.chmod(0o755)
        self.run('new_folder "$RABBITMQ" rabbitmq; free_ports 4 >"$RABBITMQ/all"; cut -d " " -f 1-3 "$RABBITMQ/all" '
                 '>"$RABBITMQ/ports"; echo "[rabbitmq_management]." >"$RABBITMQ/enabled_plugins"; '
                 'printf "listeners.tcp.1 = 127.0.0.1:%s\\nmanagement.tcp.port = %s\\nmanagement.tcp.ip = 127.0.0.1\\n" '
                 '$(cut -d " " -f 1,4 "$RABBITMQ/all") >"$RABBITMQ/rabbitmq.conf"; launch_rabbitmq')
        port, _, _, management = (folder / "rabbitmq/all").read_text().split()
        self.url = f"amqp://guest:guest@127.0.0.1:{port}/%2f"
        self.management = f"http://127.0.0.1:{management}/api"
        eventually("the management API answers", self.is_managed)
        self.api("PUT", "/vhosts/%2f", {"tracing": True})
        self.api("PUT", "/queues/%2f/trace", {"durable": True})
        self.api("POST", "/bindings/%2f/e/amq.rabbitmq.trace/q/trace", {"routing_key": "publish.#"})

    def run(self, step):
        setup = HERE.parent / "setup"
        script = f"set -euo pipefail; source {setup}/lib.sh; source {setup}/services.sh; {step}"
        environment = os.environ | {"CLOUDFUNC_TEST_STATE": str(self.folder)}
        subprocess.run(["bash", "-c", script], check=True, env=environment)

    def is_managed(self):
        try:
            return self.api("GET", "/overview")
        except OSError:
            return False

    def api(self, method, path, body=None):
        secret = base64.b64encode(b"guest:guest").decode()
        headers = {"authorization": f"Basic {secret}", "content-type": "application/json"}
        status, _, text = ask(method, self.management + path, json.dumps(body).encode() if body else None, headers)
        if status >= 300:
            sys.exit(f"record: RabbitMQ answers {status}: {text}")
        return json.loads(text) if text else None

    def get(self, queue, keep=True):
        body = {"count": 10_000, "encoding": "base64", "ackmode": "ack_requeue_true" if keep else "ack_requeue_false"}
        return self.api("POST", f"/queues/%2f/{queue}/get", body)

    def ready(self, queue):
        return len(self.get(queue))

    def save(self, folder):
        mine = f"cloudfunc.{PLATFORM}."
        queues, exchanges = self.api("GET", "/queues/%2f"), self.api("GET", "/exchanges/%2f")
        broker = {
            "queues": [
                {
                    "name": queue["name"],
                    "durable": queue["durable"],
                    "auto_delete": queue["auto_delete"],
                    "arguments": queue["arguments"],
                    "messages": [
                        {"properties": one["properties"], "redelivered": one["redelivered"], "base64": one["payload"]}
                        for one in self.get(queue["name"])
                    ],
                }
                for queue in sorted(queues, key=lambda queue: queue["name"])
                if queue["name"].startswith(mine)
            ],
            "exchanges": [
                {key: exchange[key] for key in ["name", "type", "durable", "auto_delete", "internal", "arguments"]}
                for exchange in exchanges
                if exchange["name"].startswith(mine)
            ],
        }
        write(folder / "broker.json", broker)

    def messages(self, folder):
        """A message of each kind of header, out of everything that was published."""
        found = {}
        for one in self.get("trace", keep=False):
            payload = base64.b64decode(one["payload"])
            if not payload:
                continue  # a scheduler's message to itself, which tells it the way for answers
            header = json.loads(payload[4:4 + int.from_bytes(payload[:4], "big")])
            for mark, kind in [("mode", "invoke"), ("verdict", "outcome"), ("change", "event"),
                               ("step", "build_event"), ("source", "build")]:
                if mark in header:
                    what = header[mark]
                    variant = what["kind"] if isinstance(what, dict) else what if mark == "mode" else ""
                    break
            else:
                sys.exit(f"record: an unknown message: {header}")
            properties = one["properties"]["headers"]["properties"]
            found.setdefault(f"{kind} {variant}".strip(), {"properties": properties, "base64": one["payload"]})
        write(folder / "messages.json", dict(sorted(found.items())))

    def stop(self):
        self.run("stop_rabbitmq")
