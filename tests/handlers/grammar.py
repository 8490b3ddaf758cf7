"""Makes handlers at random.

    grammar.py COUNT SEED

prints a JSON list of {name, code, events, arguments, fresh}: a module `function`, what its handler is called with, how
many arguments it takes, and whether each call gets a process of its own. The same seed makes the same ones.
"""

import json
import random
import sys

HEAD = """import asyncio, base64, collections, functools, logging, os, signal, subprocess, sys, threading, time
count = 0
def echo(*words):
    print(*words)
    return len(words)
"""

# What any handler may do; `event` is 0, 1 or 2.
STATEMENTS = """
print("out", event)
print("err", event, file=sys.stderr)
print("no end", end=""); print(" ... and an end")
print("grün \\u2603", "\\t", "tab")
print("bad \\udc80 surrogate")
print("carriage\\rreturn")
print()
sys.stdout.write("written\\n"); sys.stderr.write("to both\\n")
sys.stdout.buffer.write(b"bytes \\xff\\n"); sys.stdout.flush()
os.write(1, b"raw out\\n")
os.write(2, b"raw err\\n")
logging.warning("logged %s", event)
logging.getLogger("own").info("not shown")
subprocess.run(["echo", "child", str(event)])
subprocess.run("echo child out; echo child err >&2; exit 3", shell=True)
subprocess.run([sys.executable, "-c", "print('grandchild')"])
print(subprocess.run(["cat"], input="piped", stdout=subprocess.PIPE, universal_newlines=True).stdout)
subprocess.run("echo by path > /dev/stdout; echo by path > /dev/stderr", shell=True)
with open("/dev/stdout", "a") as f: f.write("by path\\n")
thread = threading.Thread(target=print, args=("in a thread",)); thread.start(); thread.join()
thread = threading.Thread(target=sys.exit, args=(3,)); thread.start(); thread.join()
threads = [threading.Thread(target=time.sleep, args=(0.001,)) for _ in range(3)]; [t.start() for t in threads]; [t.join() for t in threads]; print("joined")
pid = os.fork() or (os.write(1, b"forked\\n"), os._exit(7)); print("waited", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
print("count", count)
globals()["count"] += 1
print(sorted(os.environ.get(name, "none") for name in ("NOT_THERE",)), os.getcwd() == os.path.dirname(os.path.abspath(__file__)))
time.sleep(0.001)
signal.signal(signal.SIGUSR1, lambda *_: print("a signal")); os.kill(os.getpid(), signal.SIGUSR1)
""".strip().splitlines()

ASYNC_STATEMENTS = """
await asyncio.sleep(0)
await asyncio.sleep(0.001)
await asyncio.gather(*[asyncio.sleep(0.001, print("gathered", n)) for n in range(3)])
async with lock: print("locked")
await asyncio.gather(hold("a"), hold("b"), hold("c"))
await queue.put(event); print("from the queue", await queue.get())
print("in a thread", await asyncio.get_running_loop().run_in_executor(None, str, event))
print("timed out", await asyncio.wait({asyncio.ensure_future(asyncio.sleep(0.001, 4))}, timeout=5) is not None)
print("the same loop", seen.setdefault("loop", asyncio.get_running_loop()) is asyncio.get_running_loop())
print("of last time", await seen.pop("task", none())); seen["task"] = asyncio.ensure_future(asyncio.sleep(0.001, event))
process = await asyncio.create_subprocess_shell("echo from a child"); await process.wait()
""".strip().splitlines()

ASYNC_HEAD = """lock, queue, seen = asyncio.Lock(), asyncio.Queue(), {}
async def none():
    return None
async def hold(name):
    async with lock:
        await asyncio.sleep(0.001)
        print("held", name)
"""

VALUES = """
event
None
{"event": event, "nested": [1, 2.5, None, True, {"key": "välue"}]}
"text " + str(event)
b"\\x00bytes\\xff"
[count, event]
(1, 2, 3)
collections.OrderedDict(b=1, a=2)
{1: "integer key", None: "none", 1.5: "float"}
10 ** 30
"\\ud83d\\ude00".encode("utf-16", "surrogatepass").decode("utf-16")
{1, 2}
object()
float("nan")
(n for n in range(3))
map(str, [1])
{"bytes": b"inside"}
len
""".strip().splitlines()

RAISES = """
raise ValueError("no luck")
raise KeyError("k")
raise Mine("mine")
raise Worse("worse")
raise asyncio.CancelledError("cancelled")
raise KeyboardInterrupt("interrupt")
raise GeneratorExit
raise StopAsyncIteration("over")
raise ValueError("outer") from KeyError("inner")
raise MemoryError
return {}["missing"]
return deep(0)
assert event == "never", "asserted"
os.kill(os.getpid(), signal.SIGINT); time.sleep(5)
""".strip().splitlines()

ERRORS = """class Mine(Exception): pass
class Worse(BaseException): pass
def deep(n): return deep(n + 1)
"""

EXITS = """
sys.exit(3)
sys.exit()
sys.exit("words of the end")
raise SystemExit(300)
print("unfinished", end=""); sys.exit(4)
os._exit(5)
os.kill(os.getpid(), signal.SIGKILL)
os.kill(os.getpid(), signal.SIGTERM)
os.abort()
exit(6)
""".strip().splitlines()

DECORATORS = {
    "passing": "def {name}(f):\n    @functools.wraps(f)\n    def wrapper(*args, **keywords):\n"
    "        print('{name} before')\n        try:\n            return f(*args, **keywords)\n"
    "        finally:\n            print('{name} after')\n    return wrapper\n",
    "plain": "def {name}(f):\n    def wrapper(event, context=None):\n        return f(event, context) if {arguments} == 2 else f(event)\n    return wrapper\n",
    "callable": "class {name}:\n    def __init__(self, f):\n        functools.update_wrapper(self, f)\n        self.f = f\n"
    "    def __call__(self, *args, **keywords):\n        return self.f(*args, **keywords)\n",
}

# A decorator of another signature than what it wraps: outermost only.
OUTER = {
    "injecting": "def injecting(f):\n    @functools.wraps(f)\n    def wrapper(event, context):\n        return f(event, context, 'db')\n    return wrapper\n",
    "counting": "def counting(f):\n    calls = []\n    @functools.wraps(f)\n    def wrapper(event):\n        calls.append(event)\n        print('call', len(calls))\n        return f(event, *[None] * ({arguments} - 1))\n    return wrapper\n",
}


def body(pick, is_async):
    lines = [pick.choice(STATEMENTS) for _ in range(pick.randint(0, 4))]
    if is_async:
        lines += [pick.choice(ASYNC_STATEMENTS) for _ in range(pick.randint(1, 3))]
    pick.shuffle(lines)
    for endings, chance in ((RAISES, 0.35), (EXITS, 0.25)):
        if pick.random() < chance:
            ending = pick.choice(endings)
            if is_async and "StopAsync" in ending:
                continue
            lines.insert(pick.randint(0, len(lines)), f"if event == {pick.randint(0, 2)}: {ending}")
    lines.append("return " + pick.choice(VALUES))
    return lines


def shaped(pick, lines, is_async, arguments):
    """The definition of `handler`, and how many arguments it takes in the end."""
    word = "async def" if is_async else "def"
    shape = pick.choice(["function", "function", "function", "method", "callable", "partial", "static", "returned"])
    # Where `self` comes first, a decorator has to pass on whatever there is.
    passes = shape in ("method", "callable")
    names = ["event", "context", "db"]
    kinds = ["passing"] if passes else sorted(DECORATORS)
    decorators = [pick.choice(kinds) for _ in range(pick.choice([0, 0, 0, 1, 1, 2, 3]))]
    if "plain" in decorators:  # it says of itself what it takes
        decorators = decorators[:decorators.index("plain") + 1]
    outer = pick.choice([None, None, None, *sorted(OUTER)]) if "plain" not in decorators and not passes else None
    inner = 3 if outer == "injecting" else arguments
    text = ""
    used = []
    for number, kind in enumerate(decorators):
        used.append(f"{kind}_{number}")
        text += DECORATORS[kind].format(name=used[-1], arguments=inner)
    if outer:
        text = OUTER[outer].format(arguments=inner) + text
        used.insert(0, outer)
        arguments = {"injecting": 2, "counting": 1}[outer]
    above = "".join(f"@{name}\n" for name in used)

    def function(name, parameters, indent=""):
        rows = [f"{word} {name}({', '.join(parameters)}):", *("    " + line for line in ["global count", *lines])]
        return "".join(f"{indent}{row}\n" for row in rows)

    if shape == "function":
        return text + above + function("handler", names[:inner]), arguments
    indented = "".join(f"    {row}\n" for row in above.splitlines())
    if shape == "method":
        inside = indented + function("handle", ["self", *names[:inner]], "    ")
        return f"{text}class Service:\n{inside}handler = Service().handle\n", arguments
    if shape == "callable":
        inside = indented + function("__call__", ["self", *names[:inner]], "    ")
        return f"{text}class Service:\n{inside}handler = Service()\n", arguments
    if shape == "static":
        inside = "    @staticmethod\n" + indented + function("handle", names[:inner], "    ")
        return f"{text}class Service:\n{inside}handler = Service.handle\n", arguments
    wrapped = function("inner", ["first", *names[:inner]])
    chain = "functools.partial(inner, 'first')"
    if shape == "partial" and not used:
        return f"{text}{wrapped}handler = {chain}\n", arguments
    # A synchronous function that returns what another one does, an awaitable of it perhaps.
    passed = ", ".join(names[:inner])
    result = f"inner('first', {passed})"
    if is_async and pick.random() < 0.5:
        result = f"asyncio.ensure_future({result}, loop=asyncio.get_event_loop())"
    return f"{text}{wrapped}{above}def handler({passed}):\n    return {result}\n", arguments


def variant(pick, number):
    is_async = pick.random() < 0.4
    arguments = pick.choice([1, 2])
    code = HEAD + ERRORS
    if is_async:
        code += ASYNC_HEAD
    chance = pick.random()
    if chance < 0.3:
        code += "event = 'load'\n" + pick.choice(STATEMENTS) + "\n"
    if chance < 0.04:
        code += pick.choice([line for line in RAISES if "return" not in line]).replace('event == "never"', "False") + "\n"
    elif chance < 0.08:
        code += pick.choice(EXITS) + "\n"
    if is_async and pick.random() < 0.3:
        code += "seen['loop'] = asyncio.get_event_loop()\n"
    definition, arguments = shaped(pick, body(pick, is_async), is_async, arguments)
    return {
        "name": f"variant {number}",
        "code": code + definition,
        "events": [0, 1, 2],
        "arguments": arguments,
        "fresh": pick.random() < 0.2,
    }


def main():
    count, seed = map(int, sys.argv[1:])
    pick = random.Random(seed)
    json.dump([variant(pick, number) for number in range(count)], sys.stdout)


main()
