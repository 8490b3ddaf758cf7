"""Sends requests that schemathesis makes of /openapi.json, until there were enough of them:

    check.py URL TOKEN_FILE CASES SEED

It fails at the first answer that the document does not allow. The same seed makes the same requests.
"""

import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

CHECKS = "status_code_conformance,content_type_conformance,response_schema_conformance,no_failure_of_the_platform"
HERE = pathlib.Path(__file__).resolve().parent
# Of one operation in one run: more of them would come from the same corner.
MOST = 100


def main(url, token_file, cases, seed):
    token = pathlib.Path(token_file).read_text().strip()
    request = urllib.request.Request(f"{url}/openapi.json", headers={"Authorization": f"Bearer {token}"})
    document = json.load(urllib.request.urlopen(request, timeout=30))
    operations = sum(len(item) for item in document["paths"].values())
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "openapi.json").write_text(json.dumps(document))
        sent = 0
        while sent < cases:
            examples = min(MOST, math.ceil((cases - sent) / operations))
            now = run(url, token, folder, examples, seed)
            if now == 0:
                sys.exit("schemathesis has sent no request")
            sent, seed = sent + now, seed + 1
    print(f"{sent} cases of {operations} operations")


def run(url, token, folder, examples, seed):
    count = folder / "count"
    environment = dict(
        os.environ,
        SCHEMATHESIS_HOOKS=str(HERE / "hooks.py"),
        OPENAPI_TOKEN=token,
        OPENAPI_SEED=str(seed),
        OPENAPI_COUNT=str(count),
    )
    command = [sys.executable, "-m", "schemathesis.cli", "run", "openapi.json", "--url", url]
    command += ["--phases", "fuzzing", "--mode", "all", "--max-examples", str(examples), "--seed", str(seed)]
    command += ["--checks", CHECKS, "--generation-database", "none", "--no-shrink", "--suppress-health-check", "all"]
    command += ["--generation-with-security-parameters", "false", "--request-timeout", "60", "--warnings", "off"]
    command += ["--no-color"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"with the seed {seed}:\n{done.stdout}\n{done.stderr}")
    return int(count.read_text())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
