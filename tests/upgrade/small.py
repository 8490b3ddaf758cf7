"""What the pieces of the recorder share: waiting, asking over HTTP, writing JSON."""

import json
import sys
import time
import urllib.error
import urllib.request


def eventually(what, check, seconds=60):
    deadline = time.monotonic() + seconds
    while not (value := check()):
        if time.monotonic() > deadline:
            sys.exit(f"record: not within {seconds} s: {what}")
        time.sleep(0.05)
    return value


def ask(method, url, body=None, headers=None):
    """Status, headers and bytes of an answer, whatever its status."""
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.headers, answer.read()


def write(path, value):
    path.write_text(json.dumps(value, indent=1) + "\n")
