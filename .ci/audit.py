"""Whether versions pinned in constraints.txt have known vulnerabilities: asks over the network.

Run: ``python .ci/audit.py [--where-possible]``

Fails where one has, and also where one could not be looked up; with ``--where-possible`` that is
said and no failure, so that a machine without the database can still tell what it does not know.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

AUDIT = "pip_audit --requirement constraints.txt --no-deps --disable-pip --progress-spinner off"


def main() -> int:
    """Ask, and tell; 0 where nothing speaks against the versions."""
    asked = subprocess.run(
        [sys.executable, "-m", *AUDIT.split(), "--format", "json"],
        check=False,  # it fails where it finds something, which is told below
        capture_output=True,
        text=True,
    )
    try:
        pinned: list[dict[str, Any]] = json.loads(asked.stdout)["dependencies"]
    except ValueError:  # no answer at all
        print(asked.stderr.strip()[-500:] or "pip-audit said nothing", file=sys.stderr)
        pinned = []
    known = [package for package in pinned if "vulns" in package]
    for package in known:
        for found in package["vulns"]:
            mended = ", ".join(found["fix_versions"]) or "no version yet"
            print(f"{package['name']} {package['version']}: {found['id']}, mended in {mended}")
    print(f"audit: {len(known)} of {len(pinned)} pinned versions could be looked up")
    if any(package["vulns"] for package in known):
        return 1
    return 0 if "--where-possible" in sys.argv or (known and len(known) == len(pinned)) else 2


if __name__ == "__main__":
    sys.exit(main())
