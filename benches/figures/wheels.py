"""Makes a package: `python3 wheels.py FOLDER NAME VERSION FILES BYTES`, so many modules of so many random bytes."""

import base64
import hashlib
import os
import sys
import zipfile

folder, name, version, files, size = *sys.argv[1:4], *map(int, sys.argv[4:6])
info = f"{name}-{version}.dist-info"
contents = {
    f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
    f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: bench\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    f"{name}/__init__.py": b"",
}
for number in range(files):
    # A comment and a text: what is compiled and stored cannot be squeezed much.
    filling = base64.b64encode(os.urandom(size * 3 // 4))
    contents[f"{name}/m{number}.py"] = b"TEXT = '" + filling + b"'\n"
record = ""
for path, content in contents.items():
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    record += f"{path},sha256={digest},{len(content)}\n"
contents[f"{info}/RECORD"] = (record + f"{info}/RECORD,,\n").encode()
with zipfile.ZipFile(os.path.join(folder, f"{name}-{version}-py3-none-any.whl"), "w") as archive:
    for path, content in contents.items():
        archive.writestr(path, content)
