# Asked of an interpreter once: where its parts are. With two arguments it also compiles the first, the
# shim, to the second.
import json, os, py_compile, site, sys, sysconfig

if len(sys.argv) > 2:
    py_compile.compile(sys.argv[1], sys.argv[2], dfile="/opt/cloudfunc/shim.py", doraise=True)

def real(paths):
    return sorted({os.path.realpath(path) for path in paths if path and os.path.exists(path)})

with open("/proc/self/maps") as maps:
    mapped = {line.split(maxsplit=5)[-1].strip() for line in maps if "/libpython" in line}
prefixes = [sys.base_prefix, sys.base_exec_prefix]
stdlib = real([sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")])
json.dump({
    "version": "%d.%d.%d" % sys.version_info[:3],
    "executable": os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable),
    "prefix": os.path.realpath(sys.base_prefix),
    "standard_library": stdlib,
    "shared_library": real(mapped),
    "headers": real([sysconfig.get_path("include"), sysconfig.get_path("platinclude"), "/usr/include"]),
    "packages": real(site.getsitepackages(prefixes) + [os.path.join(path, "site-packages") for path in stdlib]),
}, sys.stdout)
