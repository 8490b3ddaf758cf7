"""The guest's side of CloudFunc's runtime protocol 1, for Python 3.8 and later.

Two processes. The first one is a small init: it reaps what the function leaves behind, ends with the
second one's exit code, and ends everything when the host hangs up. The second one runs the function,
in one thread, without anything else in it; where it runs several invocations at a time, as tasks of one event
loop. Messages: see src/runtime/guest/protocol.rs of CloudFunc.
"""

# Only what is built in, or a library: the modules 'json', 'signal' and 'socket' in front of these cost 10 ms
# at every start, half of the interpreter's time.
import _signal
import io
import os
import select
import sys
import time

# Where the interpreter reads its own variables it has put this folder first; otherwise it is isolated.
if not sys.flags.isolated and sys.path[:1] == [os.path.dirname(os.path.abspath(__file__))]:
    del sys.path[0]

from _socket import AF_UNIX, SOCK_STREAM, socket

PROTOCOL = 1
MAX_HEADER = 64 * 1024
MAX_BODY = 6 * 1024 * 1024
# Of an error's text, in characters. `fit` cuts what escapes make longer than a header.
MAX_TYPE = 256
MAX_MESSAGE = 4 * 1024
MAX_TRACE = 24 * 1024

TASK = os.environ.get("CLOUDFUNC_TASK", "/var/task")
RUN = os.environ.get("CLOUDFUNC_RUN", "/run/cloudfunc")
PACKAGES = os.environ.get("CLOUDFUNC_PACKAGES", "/opt/packages")

POSITIONAL_VARIADIC = 0x04  # inspect.CO_VARARGS, without the import of inspect
COROUTINE = 0x80  # inspect.CO_COROUTINE
ITERABLE_COROUTINE = 0x100  # inspect.CO_ITERABLE_COROUTINE
# Decorators on top of each other that are looked through, so that a circle of them ends.
MAX_WRAPPERS = 100

# Modules that most functions want, or an error: imported while a sandbox waits for its function.
COMMON = ("json", "signal", "traceback")
# How long the host must have been silent for that: after a 'hello' that is waited for, it says 'load' at once.
SILENCE = 0.05
ahead = set()


class LoadError(Exception):
    """The handler cannot be had, with a type of our own."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


class ResponseInvalid(Exception):
    """The handler's answer to an HTTP request is malformed."""


class Context:
    """What a handler may know about its invocation."""

    __slots__ = (
        "invocation_id", "function", "revision", "attempt", "headers", "content_type", "body", "_deadline",
    )

    def remaining_ms(self):
        """Milliseconds until the invocation is killed."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))

    def __repr__(self):
        return f"<Context of invocation {self.invocation_id}, attempt {self.attempt}>"


# ---- JSON: what the module 'json' does with these settings, without the module


class Reading:
    """The settings of a scanner; those of json.loads."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float, parse_int = float, int
    parse_constant = {"-Infinity": float("-inf"), "Infinity": float("inf"), "NaN": float("nan")}.__getitem__


def not_serializable(value):
    raise TypeError(f"Object of type {name_of(value)} is not JSON serializable")


def encode_json(value):
    encoder = make_encoder({}, not_serializable, encode_string, None, ":", ",", False, False, False)
    return "".join(encoder(value, 0))


def decode_json(text):
    """What the bytes say; what is not plain JSON in UTF-8 is left to the module."""
    try:
        plain = text.decode().strip(" \t\n\r")
        value, end = scan(plain, 0)
        if end == len(plain):
            return value
    except (StopIteration, ValueError):
        pass
    import json

    return json.loads(text)


try:
    from _json import encode_basestring as encode_string, make_encoder, make_scanner

    scan = make_scanner(Reading)
    encode_json([1.5, None, {"key": "value"}])
except (ImportError, AttributeError, TypeError):  # an interpreter that is made in another way
    import json

    encode_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
    decode_json = json.loads


# ---- frames


def connect(channel):
    """A connection's descriptor, its opening frame sent."""
    connection = socket(AF_UNIX, SOCK_STREAM)
    connection.connect(RUN + "/runtime.sock")
    descriptor = connection.detach()
    send(descriptor, {"channel": channel})
    return descriptor


def send(descriptor, message, body=b""):
    header = encode_json(message).encode("utf-8", "replace")
    head = len(header).to_bytes(4, "big") + len(body).to_bytes(4, "big") + header
    written = os.writev(descriptor, (head, body))
    if written < len(head) + len(body):  # a body larger than the socket's buffer
        rest = memoryview(head + body)[written:]
        while rest:
            rest = rest[os.write(descriptor, rest):]


def receive(reader):
    """The next message's name, its fields and the body; None when the host has hung up."""
    lengths = reader.read(8)
    if len(lengths) < 8:
        return None
    header = reader.read(int.from_bytes(lengths[:4], "big"))
    body = reader.read(int.from_bytes(lengths[4:], "big"))
    (name, fields), = decode_json(header).items()
    return name, fields, body


# ---- errors


def describe(error, kind=None):
    """An exception as the fields of an error message, its trace cut to the function's own frames."""
    if isinstance(error, MemoryError):
        release(traceback_of(error))
    fields = {"type": kind or name_of(error), "message": words_of(error)}
    text = trace_of(error)
    if text:
        # The end names the error.
        fields["trace"] = printable(text[-MAX_TRACE:])
    return fit(fields)


def name_of(value):
    """The name of a value's class, as Python keeps it: a metaclass may answer with anything."""
    name = str.__str__(type.__dict__["__name__"].__get__(type(value)))
    short = name if len(name) <= MAX_TYPE else name[:MAX_TYPE - 1] + "…"
    return printable("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in short))


def words_of(error):
    """An exception's own text, cut."""
    try:
        words = str.__str__(str(error))
    except BaseException:  # whatever it raises, it is this error that has to be told
        words = "(the exception's own text raised another one)"
    return printable(words[:MAX_MESSAGE])


traceback_of = BaseException.__traceback__.__get__


def trace_of(error):
    import traceback

    try:
        trace = traceback_of(error)
        while trace is not None and is_ours(trace.tb_frame.f_code.co_filename):
            trace = trace.tb_next
        if trace is not None or isinstance(error, SyntaxError):
            return "".join(traceback.format_exception(type(error), error, trace)).rstrip("\n")
    except BaseException:  # the exception's own methods
        pass
    return None


def release(trace):
    """Lets go of what the function had in memory: without any left, nobody could be told."""
    while trace is not None:
        try:
            trace.tb_frame.clear()
        except RuntimeError:  # one of those that still run: ours
            pass
        trace = trace.tb_next


def is_ours(filename):
    return (
        filename == THIS_FILE
        or filename.startswith("<frozen importlib")
        or filename.endswith(("/asyncio/base_events.py", "/asyncio/events.py"))
    )


def printable(text):
    return text.encode("utf-8", "replace").decode("utf-8")


def fit(fields):
    """Cuts the trace, then the message, until the header has room for them, however much escaping makes of
    them. The type is short already."""
    while len(encode_json(fields).encode()) > MAX_HEADER - 1024:
        trace, message = fields.get("trace", ""), fields["message"]
        if len(trace) > 1024:
            fields["trace"] = trace[len(trace) // 2:]
        elif message:
            fields["message"] = message[:len(message) // 2]
        else:
            break
    return fields


def wrong_result(message):
    return {"type": "ResultNotSerializable", "message": message}


# ---- the function


def load(fields):
    """The handler, and whether it takes a context."""
    os.environ.update(fields["env"])
    os.environ.update(fields["secrets"])
    os.chdir(TASK)
    make_way({entry.partition(".")[0] for entry in os.listdir()})
    sys.path.insert(0, TASK)
    if fields.get("packages"):
        sys.path.insert(1, os.path.join(PACKAGES, fields["packages"]))
    if sys.version_info >= (3, 14):
        sys.meta_path.insert(0, LoopAtImport)
    module_name, dot, attribute = fields["handler"].rpartition(".")
    if not dot or not module_name:
        raise LoadError(
            "HandlerInvalid",
            f"handler '{fields['handler']}' is not of the form module.function, for example function.handler",
        )
    try:
        __import__(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name:
            raise
        raise LoadError("ModuleNotFoundError", f"the function's folder has no module '{module_name}'") from None
    handler = getattr(sys.modules[module_name], attribute, None)
    if handler is None:
        raise LoadError("HandlerNotFound", f"module '{module_name}' has no '{attribute}'")
    if not callable(handler):
        raise LoadError("HandlerInvalid", f"'{fields['handler']}' cannot be called")
    if fields.get("concurrency", 1) > 1 and not is_async_def(handler):
        raise LoadError(
            "HandlerInvalid",
            f"concurrency above 1 needs an `async def` handler, and '{fields['handler']}' is not one: it would keep "
            "the other invocations of its instance waiting. Make it one, or leave out `concurrency` in [scaling]",
        )
    return handler, takes_context(handler, fields["handler"])


def is_async_def(handler):
    """Returns whether a callable, or what it wraps, is written as `async def`."""
    import inspect

    for _ in range(MAX_WRAPPERS):
        if inspect.iscoroutinefunction(handler):
            return True
        partial = getattr(sys.modules.get("functools"), "partial", ())
        if isinstance(handler, partial):
            handler = handler.func
            continue
        call = None if isinstance(handler, type) else getattr(handler, "__call__", None)
        if inspect.iscoroutinefunction(call):
            return True
        wrapped = getattr(handler, "__wrapped__", None) or getattr(call, "__wrapped__", None)
        if wrapped is None:
            return False
        handler = wrapped
    return False


def make_way(own):
    """For modules of the function's own, by their names, so that the same ones are found whether others were
    imported ahead or not: only those of COMMON are always Python's."""
    import_ahead(name for name in COMMON if name in own)
    for name in ahead:
        top = name.partition(".")[0]
        if top in own and top not in COMMON:
            sys.modules.pop(name, None)


def takes_context(handler, name):
    """Whether a handler is called with (event, context) rather than with (event): what the callable itself takes
    decides. Where that is any number, as with most decorators, what it wraps does."""
    least, count, any_number, keywords = parameters_of(handler)
    problem = None
    if keywords:
        problem = f"it requires the keyword argument '{keywords[0]}'"
    elif least > 2:
        problem = f"it requires {least} arguments"
    elif count == 0 and not any_number:
        problem = "it takes no argument"
    if problem:
        raise LoadError("HandlerInvalid", f"'{name}' must take (event) or (event, context): {problem}")
    if count >= 2 or not any_number:
        return count >= 2
    return wrapped_count(handler) != 1


def parameters_of(handler):
    """How many positional arguments a callable requires and knows, whether it takes any number more, and the
    names of required keyword-only ones."""
    code = getattr(handler, "__code__", None)
    if type(code) is not CodeType and not isinstance(handler, type):
        call = getattr(handler, "__call__", None)
        if type(getattr(call, "__code__", None)) is CodeType:
            handler, code = call, call.__code__
    if type(code) is not CodeType:  # a class, a builtin, a partial
        return parameters_by_inspect(handler)
    if code.co_flags & COROUTINE:
        import asyncio  # noqa: F401, so that the first invocation need not wait for it
    bound = 1 if getattr(handler, "__self__", None) is not None else 0
    count = code.co_argcount
    least = count - len(handler.__defaults__ or ())
    keywords = code.co_varnames[count:count + code.co_kwonlyargcount]
    known = handler.__kwdefaults__ or ()
    return (
        max(0, least - bound),
        max(0, count - bound),
        bool(code.co_flags & POSITIONAL_VARIADIC),
        [keyword for keyword in keywords if keyword not in known],
    )


def parameters_by_inspect(handler):
    import inspect

    try:
        parameters = inspect.signature(handler, follow_wrapped=False).parameters.values()
    except (TypeError, ValueError):  # a builtin that does not tell
        return 1, 1, hasattr(handler, "__wrapped__"), []
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return (
        sum(p.default is p.empty for p in positional),
        len(positional),
        any(p.kind is p.VAR_POSITIONAL for p in parameters),
        [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty],
    )


def wrapped_count(handler):
    """How many positional arguments the function takes that is called in the end by a callable of any number; None
    where that is not known."""
    given = 0  # by a bound method or a partial, in front of ours
    for _ in range(MAX_WRAPPERS):
        partial = getattr(sys.modules.get("functools"), "partial", ())
        if isinstance(handler, partial):
            given += len(handler.args)
            inner = handler.func
        else:
            inner = getattr(handler, "__wrapped__", None)
            if inner is None and not isinstance(handler, type):
                handler = getattr(handler, "__call__", None)
                inner = getattr(handler, "__wrapped__", None)
            if inner is None:
                return None
            if getattr(handler, "__self__", None) is not None and hasattr(handler, "__func__"):
                given += 1
        handler = inner
        _, count, any_number, _ = parameters_of(handler)
        if count - given >= 2 or not any_number:
            return count - given
    return None


def event_of(content_type, body):
    """What a handler gets: JSON parsed, text as a string, the rest as bytes."""
    kind, _, parameters = content_type.partition(";")
    kind = kind.strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        return decode_json(body) if body else None
    if kind.startswith("text/"):
        return text_of(parameters, body)
    return body


def text_of(parameters, body):
    try:
        return body.decode(charset_of(parameters) or "utf-8", "replace")
    except (LookupError, UnicodeError):
        return body.decode("utf-8", "replace")


def charset_of(parameters):
    """The first 'charset' of '; name=value; name="quoted"', as the door has read it; None where there is none."""
    while parameters:
        name, _, rest = parameters.lstrip("; \t").partition("=")
        if rest[:1] == '"':
            value, at = "", 1
            while at < len(rest) and rest[at] != '"':
                at += rest[at] == "\\"
                value += rest[at:at + 1]
                at += 1
            parameters = rest[at + 1:]
        else:
            value, _, parameters = rest.partition(";")
        if name.lower() == "charset":
            return value.strip()
    return None


def result_of(value):
    """A returned value's content type and bytes; raises what `wrong_result` explains."""
    if isinstance(value, str):
        return "text/plain; charset=utf-8", value.encode("utf-8")
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "application/octet-stream", bytes(value)
    return "application/json", encode_json(value).encode("utf-8")


def not_json(value, error):
    try:
        kind = type(value)
        is_async, is_lazy = hasattr(kind, "__anext__"), hasattr(kind, "__next__")
    except BaseException:  # what its metaclass raises
        is_async = is_lazy = False
    if is_async:
        return "the handler returned an async generator, which is not run: return one value, such as a list of its items"
    if is_lazy:
        return f"the handler returned a {name_of(value)}, which is not run: return one value, such as list(...) of it"
    return f"the handler returned a {name_of(value)} that is not JSON: {words_of(error)}"


# ---- HTTP: events and answers of payload format 2.0; nothing of this runs for other invocations

# Headers of one connection; those of an answer are left out, as the platform writes its own.
OF_A_CONNECTION = frozenset((
    "connection", "content-length", "expect", "keep-alive", "proxy-authenticate", "proxy-authorization",
    "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
))
TOKEN = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
TEXTS = frozenset((
    "application/json", "application/xml", "application/javascript", "application/x-www-form-urlencoded",
))
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
JSON = "application/json"
INFINITE = float("inf")


def request_event(function, identifier, http, body):
    """The event of a request."""
    headers = joined_headers(http, ",")
    cookies = [part.strip(" \t") for part in headers.pop("cookie", "").split(";")]
    cookies = [part for part in cookies if part]
    arrival = http.get("arrival") or arrival_of(identifier)
    route = arrival.get("route", "$default")
    host = headers.get("host", "")
    # The name in front of a port; an address of IPv6 has colons of its own, in brackets.
    domain = host[:host.find("]") + 1] or host if host.startswith("[") else host.partition(":")[0]
    query = http.get("query") or ""
    event = {
        "version": "2.0",
        "routeKey": route,
        "rawPath": http["path"],
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": function,
            "authentication": None,
            "domainName": domain,
            "domainPrefix": domain.partition(".")[0],
            "http": {
                "method": http["method"],
                "path": http["path"],
                "protocol": arrival["protocol"],
                "sourceIp": arrival["from"],
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": identifier,
            "routeKey": route,
            "stage": "$default",
            "time": time_of(arrival["at_ms"]),
            "timeEpoch": arrival["at_ms"],
        },
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = cookies
    parameters = parameters_in(query)
    if parameters:
        event["queryStringParameters"] = parameters
    if arrival.get("parameters"):
        event["pathParameters"] = arrival["parameters"]
    if body:
        types = (value for name, value in http["headers"] if name == "content-type")
        text = text_in(next(types, ""), body)
        event["isBase64Encoded"] = text is None
        event["body"] = base64_of(body) if text is None else text
    return event


def joined_headers(http, separator):
    """The headers by their names, repeated ones joined; cookies as they are joined in one header."""
    headers = {}
    for name, value in http["headers"]:
        value = header_text(value)
        if name in headers:
            value = headers[name] + ("; " if name == "cookie" else separator) + value
        headers[name] = value
    return headers


def context_headers(http, body):
    """The headers as other invocations have them."""
    return dict(joined_headers(http, ", "), **{"content-length": str(len(body))})


def header_text(value):
    """A header's value, of which each character is a byte: UTF-8 where it can be, otherwise Latin-1."""
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value


def arrival_of(identifier):
    """What is known of a request without it, such as one that an earlier version has stored: the time in its id,
    which is a UUID of version 7."""
    at_ms = int(identifier.replace("-", "")[:12], 16)
    return {"protocol": "HTTP/1.1", "from": "0.0.0.0", "at_ms": at_ms}


def time_of(at_ms):
    """As in '12/Mar/2020:19:03:58 +0000', in every locale."""
    year, month, day, hour, minute, second = time.gmtime(at_ms // 1000)[:6]
    return f"{day:02}/{MONTHS[month - 1]}/{year:04}:{hour:02}:{minute:02}:{second:02} +0000"


def parameters_in(query):
    parameters = {}
    for pair in query.split("&"):
        if pair:
            name, _, value = pair.partition("=")
            name, value = unquoted(name), unquoted(value)
            parameters[name] = f"{parameters[name]},{value}" if name in parameters else value
    return parameters


def unquoted(text):
    """A part of a query, decoded as API Gateway does: '+' is a space, as in forms. An incomplete escape stays as it
    is."""
    text = text.replace("+", " ")
    if "%" not in text:
        return text
    from binascii import Error, unhexlify

    first, *parts = text.encode().split(b"%")
    decoded = bytearray(first)
    for part in parts:
        try:
            decoded += unhexlify(part[:2]) or b"%"  # at the end
        except Error:
            decoded += b"%" + part[:2]
        decoded += part[2:]
    return decoded.decode("utf-8", "replace")


def text_in(content_type, body):
    """A body as text; None for one that goes in base64: that of another type, or of bytes that are not UTF-8."""
    kind = content_type.partition(";")[0].strip().lower()
    if not (kind in TEXTS or kind.startswith("text/") or kind.endswith(("+json", "+xml"))):
        return None
    try:
        return body.decode()
    except UnicodeError:
        return None


def base64_of(body):
    from binascii import b2a_base64

    return b2a_base64(body, newline=False).decode()


def response_of(value, method):
    """A handler's answer to a request: content type, response and body. Raises `ResponseInvalid`, and what
    `wrong_result` explains."""
    if not (isinstance(value, dict) and "statusCode" in value):
        content_type, body = result_of(value)
        return content_type, {"status": 200, "headers": [("content-type", content_type)]}, body
    status = status_of(value["statusCode"])
    headers = response_headers(value.get("headers"), method)
    cookies = response_cookies(value.get("cookies"))
    body = response_body(value.get("body"), value.get("isBase64Encoded"))
    if status in (204, 304):  # which have no body in HTTP
        body = b""
    elif "content-type" not in headers:
        headers["content-type"] = JSON
    response = {"status": status, "headers": list(headers.items()) + cookies}
    length = len(encode_json(response).encode())
    if length > MAX_HEADER - 1024:  # of which the frame has room for no more; the host has a limit of its own below
        raise ResponseInvalid(
            f"the headers of the answer have {length} bytes as JSON, over the limit of {MAX_HEADER - 1024}"
        )
    return JSON, response, body


def status_of(value):
    if isinstance(value, str) and len(value) == 3 and value.isascii() and value.isdigit():
        value = int(value)
    elif isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 200 <= value <= 599:
        return int(value)
    raise ResponseInvalid("`statusCode` of the answer is not an integer from 200 to 599")


def response_headers(given, method):
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise ResponseInvalid("`headers` of the answer is not an object")
    headers = {}
    seen = set()
    for name, value in given.items():
        if not isinstance(name, str):
            raise ResponseInvalid(f"a name in `headers` of the answer is not a text but of the type {name_of(name)}")
        name = str.__str__(name)
        is_token = bool(name) and not name.strip(TOKEN)
        name = name.lower()
        if not is_token:
            raise ResponseInvalid(f"the answer has a header named '{name}', which is not a name that HTTP allows")
        if isinstance(value, (bool, int, float)) and abs(value) < INFINITE:
            # As in JavaScript, which cannot tell 5.0 from 5.
            is_whole = isinstance(value, float) and value.is_integer() and abs(value) <= 2 ** 53
            value = encode_json(int(value) if is_whole else value)
        elif not isinstance(value, str):
            raise ResponseInvalid(f"the header '{name}' of the answer is not a text, a number or a boolean")
        value = header_bytes(value, f"the header '{name}'")
        if name in seen:
            raise ResponseInvalid(f"the header '{name}' is in the answer twice, in different letters")
        seen.add(name)
        # An answer to HEAD says the length that one to GET has.
        is_length = name == "content-length" and method == "HEAD" and is_count(value)
        if is_length or name not in OF_A_CONNECTION:
            headers[name] = value
    return headers


def is_count(text):
    """Whether a text is a number of bytes, in digits only and of 64 bits."""
    return text.isascii() and text.isdigit() and len(text) <= 20 and int(text) < 2 ** 64


def response_cookies(given):
    if given is None:
        return []
    if not isinstance(given, (list, tuple)) or not all(isinstance(cookie, str) for cookie in given):
        raise ResponseInvalid("`cookies` of the answer is not a list of texts")
    return [("set-cookie", header_bytes(cookie, "a cookie")) for cookie in given]


def header_bytes(value, what):
    """A header's value in UTF-8, each byte of which is a character."""
    try:
        text = value.encode().decode("latin-1")
    except UnicodeError:  # half of a surrogate pair
        text = "\0"
    # What is printable in ASCII is what HTTP allows, but for the tabulator.
    if not (text.isascii() and text.isprintable()):
        if not all(" " <= c <= "~" or c >= "\x80" or c == "\t" for c in text):
            raise ResponseInvalid(f"{what} of the answer has a character that HTTP does not allow")
    return text


def response_body(body, is_base64):
    """The bytes of an answer's body: a text's, those of bytes as they are, and the JSON of anything else."""
    if not (is_base64 is None or isinstance(is_base64, bool)):
        raise ResponseInvalid("`isBase64Encoded` of the answer is neither true nor false")
    if body is None:
        return b""
    is_bytes = isinstance(body, (bytes, bytearray, memoryview))
    if is_base64:
        decoded = from_base64(body) if is_bytes or isinstance(body, str) else None
        if decoded is None:
            raise ResponseInvalid("`body` of the answer is not base64, although `isBase64Encoded` is true")
        return decoded
    return result_of(body)[1]


def from_base64(text):
    """The bytes of what is base64 with its padding, and nothing else; otherwise None."""
    from binascii import a2b_base64, b2a_base64

    try:
        text = text.encode() if isinstance(text, str) else bytes(text)
        decoded = a2b_base64(text)
    except ValueError:
        return None
    # It skips what is not of the alphabet.
    return decoded if b2a_base64(decoded, newline=False) == text else None


# ---- the event loop: one for each instance, made when something first asks for it

loop = None
# Whether a coroutine has run on it: from then on it runs between invocations too.
is_async = False
# Tasks that invocations left behind, and those of them that have ended since the last look.
left = set()
ended = []
is_idle = False


class LoopAtImport:
    """From Python 3.14 on nobody makes a loop for code that asks for the current one while its module is loaded:
    there is one as soon as 'asyncio' is imported."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name != "asyncio":
            return None
        sys.meta_path.remove(cls)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                break
        else:
            return None
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            module.set_event_loop(module.new_event_loop())

        spec.loader.exec_module = exec_module
        return spec


def current_loop():
    """The loop that is current because the function's code asked for it. Makes none."""
    events = sys.modules.get("asyncio.events")
    try:
        current = events._event_loop_policy._local._loop
    except AttributeError:  # nobody has asked, or a policy of another kind
        return None
    return None if current is None or current.is_closed() else current


def event_loop():
    global loop
    if loop is None or loop.is_closed():
        import asyncio

        loop = current_loop() or asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
    return loop


# What most handlers return; to ask other types for a method that they do not have costs an exception.
PLAIN = frozenset((str, dict, list, int, float, bool, bytes, tuple, type(None)))


def is_awaitable(value):
    kind = type(value)
    if kind in PLAIN:
        return False
    if kind is CoroutineType or hasattr(kind, "__await__"):
        return True
    return kind is GeneratorType and bool(value.gi_code.co_flags & ITERABLE_COROUTINE)


def complete(awaitable):
    """What comes of it. Tasks that it leaves behind go on between invocations."""
    global is_async
    import asyncio

    is_async = True
    running = event_loop()
    future = asyncio.ensure_future(awaitable, loop=running)
    try:
        return running.run_until_complete(future)
    except BaseException:
        if not future.done():  # interrupted from outside
            future.cancel()
        elif not future.cancelled():
            future.exception()  # told to the caller, not to the log as well
        raise
    finally:
        watch(asyncio.all_tasks(running))


def watch(tasks):
    for task in tasks - left:
        left.add(task)
        task.add_done_callback(end_task)


def end_task(task):
    left.discard(task)
    ended.append(task)
    if is_idle:
        report_tasks()


def report_tasks():
    """What tasks raised that nobody has asked for, to the loop's exception handler: it prints to stderr."""
    while ended:
        task = ended.pop(0)
        if not task.cancelled() and getattr(task, "_log_traceback", True) and task.exception():
            loop.call_exception_handler({
                "message": "A task that an invocation left behind failed",
                "exception": task.exception(),
                "task": task,
            })


def between(control):
    """Between invocations: where there is a loop with something to do, it runs until the host says something."""
    global loop, is_idle
    if loop is None:
        loop = current_loop()
    if loop is None or loop.is_closed():
        return
    if not is_async:
        watch(sys.modules["asyncio"].all_tasks(loop))
    report_tasks()
    if not (is_async or left):
        return
    is_idle = True
    try:
        run_until_readable(control)
    finally:
        is_idle = False


def run_until_readable(control):
    heard = []

    def hear():
        heard.append(True)
        loop.stop()

    loop.add_reader(control, hear)
    try:
        while not (heard or loop.is_closed()):
            try:
                loop.run_forever()
            except KeyboardInterrupt:  # of a task, which is reported as any other that failed
                pass
    except Exception as error:  # the loop itself is broken: the host is heard without it
        print_error(error)
    finally:
        if not loop.is_closed():
            loop.remove_reader(control)


def print_error(error):
    import traceback

    traceback.print_exception(type(error), error, error.__traceback__)


class Function:
    """A loaded handler."""

    def __init__(self, fields):
        self.name = fields["function"]
        self.revision = fields["revision"]
        self.handler, self.with_context = load(fields)

    def answer(self, fields, body):
        """Runs the handler: the answer's header and body."""
        identifier = fields["id"]
        http = fields.get("http")
        try:
            value = self.begin(fields, http, body)
            if is_awaitable(value):
                value = complete(value)
        except SystemExit:
            raise
        except BaseException as error:  # whatever it is, the instance lives on
            return {"error": dict(describe(error), id=identifier)}, b""
        return self.answer_of(identifier, http, value)

    async def answer_beside_others(self, fields, body):
        """The same as a task, with others beside it."""
        identifier = fields["id"]
        http = fields.get("http")
        try:
            value = self.begin(fields, http, body)
            if is_awaitable(value):
                value = await value
        except SystemExit:
            raise
        except BaseException as error:
            return {"error": dict(describe(error), id=identifier)}, b""
        return self.answer_of(identifier, http, value)

    def answer_of(self, identifier, http, value):
        response = None
        try:
            if http is None:
                content_type, result = result_of(value)
            else:
                content_type, response, result = response_of(value, http["method"])
        except ResponseInvalid as error:
            problem = {"type": "ResponseInvalid", "message": str(error)}
        except (TypeError, ValueError, RecursionError, OverflowError) as error:
            problem = wrong_result(not_json(value, error))
        except SystemExit:
            raise
        except BaseException as error:  # a class of the function's own, whose methods json calls
            problem = describe(error, "ResultNotSerializable")
        else:
            if len(result) <= MAX_BODY:
                answer = {"id": identifier, "content_type": content_type}
                if response is not None:
                    answer["http"] = response
                return {"result": answer}, result
            problem = {
                "type": "ResultTooLarge",
                "message": f"the result has {len(result)} bytes, over the limit of {MAX_BODY} (6 MiB)",
            }
        return {"error": dict(fit(clean(problem)), id=identifier)}, b""

    def begin(self, fields, http, body):
        if http is None:
            event = event_of(fields["content_type"], body)
        else:
            event = request_event(self.name, fields["id"], http, body)
        if self.with_context:
            return self.handler(event, self.context(fields, http, body))
        return self.handler(event)

    def context(self, fields, http, body):
        context = Context()
        context.invocation_id = fields["id"]
        context.function = self.name
        context.revision = self.revision
        context.attempt = fields["attempt"]
        context.headers = fields["headers"] if http is None else context_headers(http, body)
        context.content_type = fields["content_type"]
        context.body = body
        context._deadline = time.monotonic() + fields["remaining_ms"] / 1000
        return context


async def _coroutine():
    pass


_example = _coroutine()
CoroutineType = type(_example)
_example.close()
GeneratorType = type(_ for _ in ())
CodeType = type(_coroutine.__code__)
THIS_FILE = _coroutine.__code__.co_filename


def clean(fields):
    fields["message"] = printable(fields["message"][:MAX_MESSAGE])
    return fields


# ---- several invocations at a time


class UnderWay:
    """An invocation, and what it has written of lines that have no end yet."""

    __slots__ = ("identifier", "pending", "is_answered")

    def __init__(self, identifier):
        self.identifier = identifier
        self.pending = {1: bytearray(), 2: bytearray()}
        self.is_answered = False


class Beside:
    """The invocations of this process, as tasks of the one event loop. A task, and what it calls or starts, knows by a
    context variable whose it is."""

    NAMES = {1: "stdout", 2: "stderr"}
    LONGEST = 32 * 1024

    def __init__(self, control):
        from _contextvars import ContextVar
        from _thread import RLock

        self.control = control
        self.current = ContextVar("cloudfunc_invocation", default=None)
        self.lock = RLock()
        self.own = {1: bytearray(), 2: bytearray()}
        self.is_forked = self.is_sending = False
        os.register_at_fork(after_in_child=self.forked)
        sys.stdout = sys.__stdout__ = self.output(1, sys.stdout)
        sys.stderr = sys.__stderr__ = self.output(2, sys.stderr)

    def output(self, descriptor, before):
        before.flush()
        return io.TextIOWrapper(
            Written(self, descriptor), encoding="utf-8", errors="backslashreplace", write_through=True
        )

    def forked(self):
        # A child has a copy of the connection, which is its parent's alone, and may have one of a lock that is taken.
        self.is_forked = True

    def write(self, descriptor, data):
        if self.is_forked:
            return os.write(descriptor, data)
        under_way = self.current.get()
        with self.lock:
            pending = self.own if under_way is None or under_way.is_answered else under_way.pending
            pending[descriptor] += data
            if b"\n" in data or len(pending[descriptor]) > self.LONGEST:
                self.pass_on(under_way, descriptor)
        return len(data)

    def flush(self, descriptor):
        if not self.is_forked:
            with self.lock:
                self.pass_on(self.current.get(), descriptor)

    def pass_on(self, under_way, descriptor):
        """To the host, as the invocation's while that is not answered, and otherwise as the instance's."""
        if self.is_sending:  # a signal's handler prints in the middle of a frame: its lines follow with the next ones
            return
        self.is_sending = True
        try:
            if under_way is None or under_way.is_answered:
                rest, self.own[descriptor] = self.own[descriptor], bytearray()
                while rest:
                    del rest[:os.write(descriptor, rest)]
                return
            data, under_way.pending[descriptor] = under_way.pending[descriptor], bytearray()
            log = {"log": {"id": under_way.identifier, "stream": self.NAMES[descriptor]}}
            for start in range(0, len(data), MAX_BODY):
                send(self.control, log, data[start:start + MAX_BODY])
        finally:
            self.is_sending = False

    async def run(self, function, under_way, fields, body):
        self.current.set(under_way)
        answer, body = await function.answer_beside_others(fields, body)
        self.answer(under_way, answer, body)

    def answer(self, under_way, answer, body=b""):
        with self.lock:
            for descriptor in self.NAMES:
                self.pass_on(under_way, descriptor)
            under_way.is_answered = True
            send(self.control, answer, body)


class Written(io.RawIOBase):
    """A standard stream whose bytes are those of the invocation that writes them."""

    def __init__(self, beside, descriptor):
        self.beside = beside
        self.descriptor = descriptor

    def writable(self):
        return True

    def fileno(self):
        return self.descriptor

    @property
    def raw(self):
        """What is below the buffer of a standard stream: here there is none."""
        return self

    def write(self, data):
        return self.beside.write(self.descriptor, bytes(data))

    def flush(self):
        self.beside.flush(self.descriptor)


def serve_several(function, beside, control):
    """Until the host hangs up."""
    from _socket import MSG_DONTWAIT

    running = event_loop()
    from asyncio import CancelledError

    connection = socket(fileno=control)
    # It took over the function's default timeout, and made the descriptor one that does not wait.
    connection.setblocking(True)
    received = bytearray()
    tasks = {}
    over = []

    def take():
        try:
            data = connection.recv(1 << 18, MSG_DONTWAIT)
        except BlockingIOError:
            return
        if not data:
            raise ConnectionError("the host has hung up")
        received.extend(data)
        for fields, body in frames_of(received):
            under_way = UnderWay(fields["id"])
            task = running.create_task(beside.run(function, under_way, fields, body))
            # The loop itself may forget a task that waits.
            tasks[task] = under_way
            task.add_done_callback(end)

    def end(task):
        under_way = tasks.pop(task)
        if task.cancelled():
            if not under_way.is_answered:
                error = describe(CancelledError("another invocation cancelled this one before it began"))
                beside.answer(under_way, {"error": dict(error, id=under_way.identifier)})
        elif task.exception():  # not the function's: nobody can be answered any more
            over.append(task.exception())
            running.stop()

    def hear():
        try:
            take()
        except Exception as error:  # the loop would log it and go on
            over.append(error)
            running.remove_reader(control)
            running.stop()

    running.add_reader(control, hear)
    while not over:
        try:
            running.run_forever()
        except KeyboardInterrupt:  # of a task of the function's, which is reported as any other that failed
            pass
        if running.is_closed():
            raise RuntimeError("the function has closed the event loop of its instance")
    raise over[0]


def frames_of(received):
    """Takes whole frames off what was received: the fields and the body of each 'invoke'."""
    while len(received) >= 8:
        head = 8 + int.from_bytes(received[:4], "big")
        end = head + int.from_bytes(received[4:8], "big")
        if len(received) < end:
            return
        (name, fields), = decode_json(bytes(received[8:head])).items()
        if name != "invoke":
            raise RuntimeError(f"the host sent '{name}' instead of 'invoke'")
        body = bytes(received[head:end])
        del received[:end]
        yield fields, body


# ---- the guest


def outputs():
    """A descriptor for each of both outputs, and whether they are the host's named pipes: these can be opened again,
    by '/dev/stdout'. Where there are none, or nobody reads them, they are connections."""
    descriptors = []
    try:
        for channel in ("stdout", "stderr"):
            # Without waiting for a reader: where this opens another pipe than the host's, there is none.
            descriptors.append(os.open(f"{RUN}/{channel}", os.O_WRONLY | os.O_NONBLOCK))
        for descriptor in descriptors:
            os.set_blocking(descriptor, True)
        return descriptors, True
    except OSError:
        for descriptor in descriptors:
            os.close(descriptor)
        return [connect("stdout"), connect("stderr")], False


def redirect(descriptor, target):
    """Makes an output a standard stream, also of the processes that the function starts."""
    os.dup2(descriptor, target)
    os.close(descriptor)
    direct = not sys.flags.ignore_environment and bool(os.environ.get("PYTHONUNBUFFERED"))
    raw = io.open(target, "wb", buffering=0 if direct else -1, closefd=False)
    return io.TextIOWrapper(
        raw, encoding="utf-8", errors="backslashreplace", line_buffering=True, write_through=direct
    )


def flush():
    try:
        sys.stdout.flush()
    except Exception:  # replaced, closed or removed by the function
        pass
    try:
        sys.stderr.flush()
    except Exception:
        pass


def guest(control):
    (out, err), are_pipes = outputs()
    sys.stdout = sys.__stdout__ = redirect(out, 1)
    sys.stderr = sys.__stderr__ = redirect(err, 2)
    reader = io.open(control, "rb", buffering=64 * 1024, closefd=False)
    hello = {"protocol": PROTOCOL, "language": "python", "pid": os.getpid(), "features": ["concurrent", "log", "http"]}
    if are_pipes:
        hello["outputs"] = "fifo"
    send(control, {"hello": hello})
    import_common(control)
    received = receive(reader)
    if received is None:
        return
    name, fields, _ = received
    if name != "load":
        raise RuntimeError(f"the host sent '{name}' instead of 'load'")
    beside = Beside(control) if fields.get("concurrency", 1) > 1 else None
    try:
        function = Function(fields)
    except LoadError as error:
        answer = {"load_error": fit(clean({"type": error.kind, "message": str(error)}))}
    except SystemExit:
        raise
    except BaseException as error:
        answer = {"load_error": describe(error)}
    else:
        answer = {"ready": {"context": function.with_context}}
    flush()
    send(control, answer)
    if beside is not None and "ready" in answer:
        return serve_several(function, beside, control)
    while True:
        if "asyncio" in sys.modules:
            between(control)
        received = receive(reader)
        if received is None:
            return
        name, fields, body = received
        if name != "invoke":
            raise RuntimeError(f"the host sent '{name}' instead of 'invoke'")
        answer, body = function.answer(fields, body)
        flush()
        send(control, answer, body)


def import_common(control):
    """For as long as the host says nothing: nobody waits for this sandbox yet."""
    silence = SILENCE
    for name in COMMON:
        if select.select([control], (), (), silence)[0]:
            return
        import_ahead((name,))
        silence = 0


def import_ahead(names):
    """What comes with them is noted in `ahead`."""
    before = set(sys.modules)
    for name in names:
        __import__(name)
    ahead.update(set(sys.modules) - before)


def exit_code(error):
    """What Python itself would exit with."""
    if isinstance(error, SystemExit):
        if error.code is None or isinstance(error.code, int):
            return (error.code or 0) & 0xFF
        print(error.code, file=sys.stderr)
        return 1
    if isinstance(error, ConnectionError):
        return 0  # the host is gone, and so is everybody who could read about it
    print_error(error)
    return 130 if isinstance(error, KeyboardInterrupt) else 1


def run_guest(control):
    code = 0
    try:
        guest(control)
    except BaseException as error:
        code = exit_code(error)
    flush()
    # At once: a thread that the function left running must not keep a dead instance alive.
    os._exit(code)


# ---- init


def init(child, control):
    """Reaps, passes the guest's exit code on, and ends with the host. Never returns."""
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    _signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    _signal.signal(_signal.SIGCHLD, lambda *_: None)
    _signal.signal(_signal.SIGTERM, lambda *_: end(child, 143))
    poll = select.poll()
    # Without POLLIN: what the host sends does not wake this process.
    poll.register(control, select.POLLRDHUP)
    poll.register(wake, select.POLLIN)
    while True:
        reap(child)
        for descriptor, _ in poll.poll():
            if descriptor == control:
                end(child, 0)
            os.read(wake, 512)


def reap(child):
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        if pid == child:
            signalled = os.WIFSIGNALED(status)
            os._exit(128 + os.WTERMSIG(status) if signalled else os.WEXITSTATUS(status))


def end(child, code):
    try:
        os.kill(child, _signal.SIGKILL)
    except OSError:
        pass
    os._exit(code)


def main():
    control = connect("control")
    child = os.fork()
    if child == 0:
        run_guest(control)
    else:
        init(child, control)


if __name__ == "__main__":
    main()
