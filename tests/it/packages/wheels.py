"""Makes packages in a folder: `python3 wheels.py FOLDER`, the packages as JSON on stdin."""

import base64
import hashlib
import io
import json
import os
import sys
import tarfile
import zipfile


def wheel(folder, package):
    name, version = package["name"], package["version"]
    info = f"{name}-{version}.dist-info"
    files = dict(package.get("files", {}))
    for number in range(package.get("empty_files", 0)):
        files[f"{name}/m{number}.py"] = ""
    for number in range(package.get("mebibytes", 0)):
        files[f"{name}/{number}"] = "x" * (1 << 20)
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {other}\n" for other in package.get("requires", []))
    if "python" in package:
        metadata += f"Requires-Python: {package['python']}\n"
    files[f"{info}/METADATA"] = metadata
    tag = package.get("tag", "py3-none-any")
    files[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n"
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text.encode())}\n"
    files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
    path = os.path.join(folder, f"{name}-{version}-{tag}.whl")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for inner, text in files.items():
            entry = zipfile.ZipInfo(inner)
            entry.compress_type = zipfile.ZIP_DEFLATED
            # With the type: what an archiver on Unix writes of links and devices.
            entry.external_attr = package.get("modes", {}).get(inner, 0o100644) << 16
            archive.writestr(entry, text)
    if "python" in package:
        # An index tells it of each file.
        with open(f"{path}.python", "w") as file:
            file.write(package["python"])


def source(folder, package):
    """An sdist whose build runs its own code, with nothing that has to be installed for it."""
    name, version = package["name"], package["version"]
    files = {
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": package["source"],
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
    }
    with tarfile.open(os.path.join(folder, f"{name}-{version}.tar.gz"), "w:gz") as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(f"{name}-{version}/{path}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))


for package in json.load(sys.stdin):
    (source if "source" in package else wheel)(sys.argv[1], package)
