"""A plain Python program that imports function.py and calls its handler, one event after the other.

    plain.py FOLDER EVENTS REPORT ARGUMENTS

EVENTS is a JSON list, ARGUMENTS how many arguments the handler's author wants: 1 (event) or 2 (event, context). To REPORT
goes a line of JSON for the import and one for each call: how it ended. To both outputs goes MARK then. Lines are written to stdout as to a terminal. What ends the process ends this one too.
"""

import base64
import json
import os
import sys

folder, events, report, arguments = sys.argv[1:]
MARK = b"\0told\0"
report = os.open(report, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
loop = None


class Context:
    def __init__(self, event):
        self.content_type = "application/json"
        self.body = json.dumps(event).encode()
        self.attempt = 1


def tell(**ending):
    sys.stdout.flush()
    sys.stderr.flush()
    os.write(1, MARK)
    os.write(2, MARK)
    os.write(report, json.dumps(ending).encode() + b"\n")


def encoded(value):
    if isinstance(value, str):
        return "text/plain; charset=utf-8", value.encode()
    if isinstance(value, (bytes, bytearray)):
        return "application/octet-stream", bytes(value)
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return "application/json", text.encode()


def complete(value):
    """A program with asynchronous functions has one loop, which it runs."""
    import asyncio
    import inspect

    global loop
    if not inspect.isawaitable(value):
        return value
    if loop is None:
        loop = asyncio.get_event_loop_policy().get_event_loop()
    return loop.run_until_complete(value)


def call(handler, event):
    try:
        value = handler(event) if arguments == "1" else handler(event, Context(event))
        if "asyncio" in sys.modules:
            value = complete(value)
    except SystemExit:
        raise
    except BaseException as error:
        return tell(error=type(error).__name__, message=str(error))
    try:
        kind, body = encoded(value)
    except (TypeError, ValueError):
        return tell(error="ResultNotSerializable", message="")
    tell(value=[kind, base64.b64encode(body).decode()])


def main():
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    os.chdir(folder)
    sys.path.insert(0, folder)
    try:
        from function import handler
    except SystemExit:
        raise
    except BaseException as error:
        return tell(error=type(error).__name__, message=str(error))
    tell(value=["ready", ""])
    for event in json.loads(events):
        call(handler, event)


main()
