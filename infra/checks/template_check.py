"""Check template.yaml with the tools that know AWS's own rules.

    template_check.py TEMPLATE

Runs cfn-lint on the template, cfn-lint on what SAM makes of it, and `sam validate
--lint`. Each of them finds mistakes that the others do not. The last line is JSON:
{"ok": true, "checks": {"cfn-lint": 0, ...}} with the number of findings each.
What they cannot find, the policy tests in test/template do; they run here as well.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

BIN = pathlib.Path(sys.executable).parent
HERE = pathlib.Path(__file__).parent
REGION = "eu-central-1"
# The venv is used without being activated; SAM must neither call home nor look
# for anybody's credentials.
ENV = dict(
    os.environ,
    PATH=f"{BIN}{os.pathsep}{os.environ['PATH']}",
    SAM_CLI_TELEMETRY="0",
    AWS_DEFAULT_REGION=REGION,
    AWS_ACCESS_KEY_ID="none",
    AWS_SECRET_ACCESS_KEY="none",
    AWS_EC2_METADATA_DISABLED="true",
)


def lint(path, name):
    """Run cfn-lint, print its findings under name, and count them."""
    done = subprocess.run(
        [BIN / "cfn-lint", "--regions", REGION, "--format", "json", str(path)],
        env=ENV, capture_output=True, text=True, check=False,
    )
    try:
        findings = json.loads(done.stdout or "[]")
    except json.JSONDecodeError:
        findings = [{"Rule": {"Id": "E0000"}, "Message": done.stdout + done.stderr}]
    for f in findings:
        at = f.get("Location", {})
        line = at.get("Start", {}).get("LineNumber", "?")
        print(f"{name}:{line}: {f['Rule']['Id']} {f['Message']} ({'/'.join(map(str, at.get('Path') or []))})")
    # No finding and still an error: the tool itself failed.
    if done.returncode and not findings:
        print(f"{name}: cfn-lint failed: {done.stderr}")
        return 1
    return len(findings)


def expanded(template, name):
    """Lint the template as AWS would see it after the SAM transform."""
    done = subprocess.run(
        [sys.executable, HERE / "expand.py", str(template)],
        env=ENV, capture_output=True, text=True, check=False,
    )
    if done.returncode:
        print(f"{name}: {done.stderr.strip()}")
        return 1
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(done.stdout)
        file.flush()
        return lint(file.name, name)


def sam(template, name):
    """Run sam validate --lint, which fails as a whole."""
    done = subprocess.run(
        [BIN / "sam", "validate", "--lint", "--region", REGION, "--template-file", str(template)],
        env=ENV, capture_output=True, text=True, check=False,
    )
    if done.returncode:
        print(f"{name}: {done.stdout}{done.stderr}")
    return int(done.returncode != 0)


def policies():
    """Run the policy tests, without the one that needs a local AWS."""
    done = subprocess.run(
        ["go", "test", "-short", "-count=1", "./test/template"],
        cwd=HERE.parent.parent, capture_output=True, text=True, check=False,
    )
    if done.returncode:
        print(done.stdout + done.stderr)
    return done.stdout.count("--- FAIL") or int(done.returncode != 0)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    template = pathlib.Path(sys.argv[1]).resolve()
    counts = {
        "cfn-lint": lint(template, template.name),
        "cfn-lint-expanded": expanded(template, "expanded"),
        "sam-validate": sam(template, "sam validate"),
        "policies": policies(),
    }
    ok = not any(counts.values())
    print(json.dumps({"ok": ok, "checks": counts}))
    sys.exit(not ok)


if __name__ == "__main__":
    main()
