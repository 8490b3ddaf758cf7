"""What schemathesis has to know of this platform: loaded by check.py.

Names that exist take the place of every second one that was made up, or hardly a request would get beyond 404. No route is left
out. Requests are changed where they would not end (`follow`) or only take time (`wait`).
"""

import atexit
import io
import json
import os
import random
import tarfile

import schemathesis

TOKEN = os.environ["OPENAPI_TOKEN"]
chosen = random.Random(os.environ["OPENAPI_SEED"])

# `spare` is what routes that delete find: a deploy or a PUT makes it again.
EXISTING = {"function": ["hello", "spare"], "token": ["spare"], "secret": ["SPARE"]}
invocations = []
calls = 0


def archive():
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        code = b"def handler(event):\n    return {'got': event}\n"
        entry = tarfile.TarInfo("function.py")
        entry.size = len(code)
        tar.addfile(entry, io.BytesIO(code))
    return packed.getvalue()


ARCHIVE = archive()


@schemathesis.serializer("application/gzip")
def upload(context, value):
    """A folder that can be deployed, or whatever was made up."""
    if chosen.random() < 0.5:
        return ARCHIVE
    return value if isinstance(value, bytes) else json.dumps(value, default=str).encode()


@schemathesis.deserializer("application/x-ndjson")
def lines(context, response):
    return [json.loads(line) for line in response.content.split(b"\n") if line]


@schemathesis.hook
def before_call(context, case, kwargs):
    # Some requests come without a token: they are answered as the document says, too.
    if chosen.random() < 0.95:
        case.headers["Authorization"] = f"Bearer {TOKEN}"
    else:
        case.headers.pop("Authorization", None)
    for place in case.path_parameters:
        known = invocations[-20:] if place == "invocation" else EXISTING.get(place, [])
        if case.method.upper() == "DELETE":
            known = [name for name in known if name != "hello"]
        if known and chosen.random() < 0.5:
            case.path_parameters[place] = chosen.choice(known)
    if str(case.query.get("follow")).lower() in ("true", "1"):
        case.query["follow"] = "false"  # its answer has no end; logs::* of tests/it follow
    if "wait" in case.query and chosen.random() < 0.5:
        case.query["wait"] = "50ms"  # a longer one takes up to a minute, and is answered no other way


@schemathesis.hook
def after_call(context, case, response):
    global calls
    calls += 1
    invocations.extend(response.headers.get("cloudfunc-invocation-id") or [])


@schemathesis.check
def no_failure_of_the_platform(context, response, case):
    """A function may fail, with a status of 500 and above; the platform may not."""
    if response.status_code < 500 or response.headers.get("cloudfunc-outcome"):
        return
    try:
        problem = json.loads(response.content)
    except ValueError:
        problem = {}
    code = problem.get("code")
    of_functions = ("function_failed", "function_crashed", "function_timed_out")
    assert code in of_functions, f"{response.status_code} {code}: {problem.get('detail')}"


@atexit.register
def count():
    with open(os.environ["OPENAPI_COUNT"], "w") as file:
        file.write(str(calls))
