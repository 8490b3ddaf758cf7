"""Words what pip says when it fails, so that its reader knows what is wrong and what to do."""

import os
import re
import signal
import sys

INSTALLER = "/opt/installer"
MAX_LINES = 40
MAX_TEXT = 4000
# Of long lists, these many are told.
MAX_VERSIONS = 5
MAX_TAGS = 4
MAX_CONFLICTS = 12
# Of a failed build, the end of what it printed.
MAX_BUILD_LINES = 8
# Nobody else kills in a build.
KILLED = -signal.SIGKILL
FROM_SOURCE = "`from_source = true` under [build] in cloudfunc.toml"

if INSTALLER not in sys.path:
    sys.path.append(INSTALLER)


class NoAnswer(Exception):
    """The index has answered, but not the question."""


class Asked:
    """Everything that was asked of pip; `again` asks it something else."""

    def __init__(self, event, again, folder, machine):
        self.file, self.searched = event["file"], event["searched"]
        self.packages, self.indexes = event["packages"], event["indexes"]
        self.memory = event["memory"]
        self.again, self.folder, self.machine = again, folder, machine


def failure(lines, code, asked):
    """Returns why pip has failed, and whether the index is away."""
    if code == KILLED:
        return f"pip was killed: this took more memory than {asked.memory}", False
    for explain in (not_found, conflict, wrong_hash, without_hash, not_pinned, not_for_python, not_built):
        try:
            said = explain(lines, asked)
        except NoAnswer as error:
            return str(error), True
        except Exception as error:  # Then pip's own words have to do.
            print(f"the failure cannot be explained: {type(error).__name__}: {error}", flush=True)
            continue
        if said:
            return said[:MAX_TEXT], False
    return own_words(lines, code), False


def own_words(lines, code):
    """Returns what pip says last, from its first error on, without the advice that does not fit here."""
    start = next((place for place, line in enumerate(lines) if line.startswith("ERROR:")), None)
    if start is None:
        said = lines[-3:] or [f"pip ended with code {code}"]
    elif lines[start].startswith("ERROR: Exception:"):
        said = [f"pip has failed: {lines[-1]}"]
    else:
        said = [line.replace("ERROR:", "", 1).strip() for line in lines[start:] if is_reason(line)]
    return "\n".join(said[:MAX_LINES])[:MAX_TEXT]


def is_reason(line):
    advice = ("To fix this", "[notice]", "WARNING:", "INFO:", "ERROR: ResolutionImpossible", "DEPRECATION:")
    return not line.startswith(advice) and not re.match(r"\d+\. ", line)


def first_error(lines):
    return next((line for line in lines if line.startswith("ERROR:")), "")


def not_permitted(lines):
    """Returns why a file could not be read, if that is what is wrong."""
    denied = re.search(r"\[Errno \d+\] ([^:]*)", first_error(lines))
    return denied and denied.group(1)


def not_understood(packages):
    """Returns the first package that is not a requirement, with its place."""
    try:
        from pip._vendor.packaging.requirements import Requirement
    except ImportError:
        return None
    for package in packages:
        try:
            Requirement(package["text"])
        except Exception as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            return f"{package['place']}: it is not understood: {package['text']}\n  {reason[:MAX_TEXT]}"
    return None


def away(lines):
    """Returns why the index did not answer, if nothing else is wrong."""
    nothing = ("(from versions: none)", "No matching distribution found")
    if any(line.startswith("ERROR:") and not any(text in line for text in nothing) for line in lines):
        return None
    for line in lines:
        # An earlier try may have been followed by one that succeeded.
        broken = re.search(r"Retry\(total=0\b.*connection broken by '\w+\((.*)\)': ", line)
        if broken:
            why = re.sub(r"<[^>]*>[:,]? ?|\w+\(host=[^)]*\): ", "", broken.group(1)).strip("'\" ")
            of_proxy = re.fullmatch(r"(?:Cannot|Unable to) connect to proxy\.?', \w+\(['\"]?(.*?)['\"]?\)", why)
            return f"the proxy gives no connection: {of_proxy.group(1)}" if of_proxy else why
        if "Could not fetch URL" in line:
            return line.replace("WARNING:", "").strip()
    return None


def conflict(lines, asked):
    if "The conflict is caused by:" not in lines:
        return None
    start = lines.index("The conflict is caused by:") + 1
    told, rest = indented(lines[start:]), []
    user = re.compile(r"The user requested (\(constraint\) )?(.*)")
    for line in told:
        match = user.fullmatch(line)
        if match:
            limits = "limits packages to" if match.group(1) else "asks for"
            line = f"the function {limits} {match.group(2)}"
        if line not in rest:
            rest.append(line)
    more = len(rest) - MAX_CONFLICTS
    rest = [f"  {line}" for line in rest[:MAX_CONFLICTS]] + ([f"  and {more} more"] if more > 0 else [])
    return "\n".join(["these requirements contradict each other:", *rest])


def indented(lines):
    told = []
    for line in lines:
        if not line.startswith("    "):
            break
        told.append(line.strip())
    return told


def wrong_hash(lines, asked):
    start = next((at for at, line in enumerate(lines) if line.startswith("ERROR: THESE PACKAGES DO NOT MATCH")), None)
    if start is None:
        return None
    told = []
    for line in indented(lines[start + 1:]):
        package = re.match(r"(\S+)(?: from \S+)?.*?(?:\(from -r (.*?) \(line (\d+)\)\))?:$", line)
        if package and not line.startswith(("Expected", "or", "Got")):
            place = f" ({package.group(2)}:{package.group(3)})" if package.group(2) else ""
            told.append(f"  {package.group(1)}{place}")
        else:
            told.append("    " + re.sub(r"\s+", " ", line).lower())
    return "\n".join([
        "a file has another hash than the one that is given for it:", *told,
        "If you have not changed the version, it is not the file that was there before",
    ])


def without_hash(lines, asked):
    start = next((at for at, line in enumerate(lines) if line.startswith("ERROR: Hashes are required")), None)
    if start is None:
        return None
    told = [f"  {line}" for line in indented(lines[start + 1:])]
    return "\n".join(["where one package has a hash, all need one. These have none, and their files have:", *told])


def not_pinned(lines, asked):
    start = next((at for at, line in enumerate(lines) if "requirements must have their versions pinned" in line), None)
    if start is None:
        return None
    names = [line.split(" from ")[0] for line in indented(lines[start + 1:])]
    return f"where packages have hashes, all need one version (==). These have none: {', '.join(names)}"


def not_built(lines, asked):
    """Returns the end of what the first program that failed printed."""
    title = next((at for at, line in enumerate(lines) if re.match(r"\s*× .* did not run successfully", line)), None)
    if title is None:
        return None
    named = re.compile(r"(?:Collecting|Processing|Building wheel for) (\S+)|.*Building wheel for (\S+) ")
    names = [match.group(1) or match.group(2) for match in map(named.match, map(str.strip, lines[:title])) if match]
    step = re.sub(r"^\s*× | did not run successfully.*", "", lines[title])
    begin = next((at for at in range(title, len(lines)) if "lines of output]" in lines[at]), title) + 1
    end = next((at for at in range(begin, len(lines)) if "[end of output]" in lines[at]), len(lines))
    said = [line.rstrip() for line in lines[begin:end]]
    margin = min((len(line) - len(line.lstrip()) for line in said), default=0)
    said = [f"  {line[margin:]}" for line in said[-MAX_BUILD_LINES:]]
    package = os.path.basename(names[-1]) if names else "a package"
    if any(line.strip() == f"│ exit code: {KILLED}" for line in lines[title:begin]):
        return f"{package} cannot be built from its source ({step}): this took more memory than {asked.memory}"
    told = [f"{package} cannot be built from its source ({step}):", *said]
    if any(re.search(r"(gcc|cc|g\+\+)'? failed: No such file|[Uu]nable to find.*compiler", line) for line in said):
        told.append(
            "There is no compiler: add one to the language's image (with the runtime oci, to this machine), or give the "
            "platform a wheel (--build-find-links)"
        )
    return "\n".join(told)


def not_found(lines, asked):
    """Returns which versions there are of a package that pip has not found, and why they do not fit."""
    found = re.compile(r"ERROR: Could not find a version that satisfies the requirement (.*?) \(from versions: (.*)\)$")
    match = next((match for match in map(found.match, lines) if match), None)
    if match is None:
        return None
    from pip._vendor.packaging.requirements import Requirement
    wanted, parent = re.fullmatch(r"(.*?)(?: \(from (.*?)\))?", match.group(1)).groups()
    # Other places name the file and line that ask for it.
    parent = None if parent is None or parent.startswith("-r ") else re.sub(r"->-r .*", "", parent)
    requirement = Requirement(re.sub(r" ?\(from .*", "", wanted))
    files = links(wanted, asked)
    seen = Seen(requirement, match.group(2), files)
    asks = f"{parent} needs {requirement}, and " if parent else ""
    fitting = [version for version in seen.versions if requirement.specifier.contains(version, prereleases=True)]
    searched = f"; pip has searched {asked.searched}"
    if not seen.versions:
        # A package that is not there is 404.
        answers = (re.search(r"Could not fetch URL \S+: ([45]\d\d) \w+ Error: (.*?) for url", line) for line in files)
        if answer := next((answer for answer in answers if answer and answer.group(1) != "404"), None):
            raise NoAnswer(f"it answers {answer.group(1)} {answer.group(2)}")
        return f"{asks}there is no package named {requirement.name}{searched}"
    if not fitting:
        versions = sorted(seen.usable, reverse=True) or seen.versions
        newest, more = ", ".join(map(str, versions[:MAX_VERSIONS])), len(versions) - MAX_VERSIONS
        newest += f" and {more} older ones" if more > 0 else ""
        return f"{asks}{requirement.name} has no version {requirement.specifier}, but {newest}{searched}"
    return asks + seen.why_not(fitting, asked)


def links(wanted, asked):
    """Asks pip again for this package alone, and for what it thinks of each file."""
    path = os.path.join(asked.folder, "asked.txt")
    with open(path, "w") as file:
        file.write("\n".join([*asked.indexes, wanted]) + "\n")
    return asked.again("download", "-vv", "--no-deps", "--dest", asked.folder, "-r", path)


class Seen:
    """The files of a package that an index has."""

    def __init__(self, requirement, usable, lines):
        from pip._vendor.packaging.utils import canonicalize_name
        from pip._vendor.packaging.version import Version

        self.name = canonicalize_name(requirement.name)
        # Versions, and the tags of their wheels or what they need of Python.
        self.wheels, self.sources, self.pythons, self.usable = {}, set(), {}, set()
        if usable != "none":
            self.usable.update(map(Version, usable.split(", ")))
        for line in lines:
            self.take(line)
        self.versions = sorted({*self.wheels, *self.sources, *self.pythons, *self.usable}, reverse=True)

    def take(self, line):
        if match := re.search(r"Skipping link: none of the wheel's tags .*?: (\w+://\S+)", line):
            if file := self.parse(match.group(1)):
                self.wheels.setdefault(file[0], set()).update(file[1])
        elif match := re.search(r"Skipping link: No sources permitted for .*?: (\w+://\S+)", line):
            if file := self.parse(match.group(1)):
                self.sources.add(file[0])
        elif match := re.search(r"Link requires a different Python \(\S+ not in: ['\"](.*?)['\"]\): (\w+://\S+)", line):
            if file := self.parse(match.group(2)):
                self.pythons[file[0]] = match.group(1)

    def parse(self, url):
        """Returns version and tags of a file; none of other packages'."""
        from urllib.parse import unquote

        from pip._vendor.packaging.utils import parse_sdist_filename, parse_wheel_filename

        name = unquote(re.split(r"[?#]", url)[0].rsplit("/", 1)[-1])
        try:
            if name.endswith(".whl"):
                package, version, _, tags = parse_wheel_filename(name)
            else:
                (package, version), tags = parse_sdist_filename(name), ()
        except Exception:
            return None
        return (version, tags) if package == self.name else None

    def why_not(self, fitting, asked):
        needs = [(version, self.pythons[version]) for version in fitting if version in self.pythons]
        if needs and not any(version in self.wheels or version in self.sources for version in fitting):
            version, requires = needs[0]
            usable = ", ".join(map(str, sorted(self.usable, reverse=True)[:MAX_VERSIONS]))
            usable = f". Versions for the function's own: {usable}" if usable else ""
            return needs_python(f"{self.name} {version}", requires) + usable
        version = next(version for version in fitting if version in self.wheels or version in self.sources)
        tags = self.wheels.get(version, set())
        if not tags:
            return (
                f"{self.name} {version} has no wheel, only its source, and only wheels are installed; {FROM_SOURCE} "
                "builds it"
            )
        names = sorted({f"{tag.interpreter}-{tag.platform}" for tag in tags})
        more = len(names) - MAX_TAGS
        names = ", ".join(names[:MAX_TAGS]) + (f" and {more} more" if more > 0 else "")
        advice = []
        if other := other_python(tags):
            advice.append(has_version(other))
        if version in self.sources:
            advice.append(f"{FROM_SOURCE} builds it from its source")
        advice = advice or ["make one with `pip wheel`, and give the platform its folder (--build-find-links)"]
        return f"{self.name} {version} has no wheel for {asked.machine}, but for {names}; {', or '.join(advice)}"


def not_for_python(lines, asked):
    """Returns which Python a file needs, where its index does not tell: then pip learns it from the file."""
    match = re.match(r"ERROR: Package '(.*?)' requires a different Python: \S+ not in '(.*)'", first_error(lines))
    return match and needs_python(match.group(1), match.group(2))


def needs_python(package, requires):
    python, other = "%d.%d.%d" % sys.version_info[:3], suits(requires)
    advice = f"; {has_version(other)}" if other else ""
    return f"{package} needs Python {requires}, and the function has {python}{advice}"


def has_version(other):
    return f"`version = \"{other}\"` in cloudfunc.toml, where the platform has it, runs the function with it"


def suits(requires):
    """Returns the nearest version of Python that is allowed."""
    from pip._vendor.packaging.specifiers import SpecifierSet

    minor = sys.version_info[1]
    near = sorted(range(8, 31), key=lambda other: (abs(other - minor), -other))
    specifiers = SpecifierSet(requires)
    allowed = (other for other in near if any(specifiers.contains(f"3.{other}.{patch}") for patch in (0, 30)))
    return next((f"3.{other}" for other in allowed if other != minor), None)


def other_python(tags):
    """Returns the newest version of Python that this machine could run a wheel with."""
    from pip._vendor.packaging.tags import sys_tags

    platforms = {tag.platform for tag in sys_tags()}
    minors = [
        int(match.group(1)) for tag in tags
        if (match := re.fullmatch(r"cp3(\d+)", tag.interpreter)) and tag.platform in platforms
    ]
    minors = [minor for minor in minors if minor != sys.version_info[1]]
    return f"3.{max(minors)}" if minors else None
