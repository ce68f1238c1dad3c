#!/bin/sh
# Makes .venv with everything that running and testing need. Run by make; safe to run again.
set -eu
cd "$(dirname "$0")"

for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11; do
    if [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 &&
        "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        python=$candidate
        break
    fi
done
if [ -z "${python:-}" ]; then
    echo "setup: Python 3.11 or newer is needed; install it, or name it: make PYTHON=/path/to/python3" >&2
    exit 2
fi

[ -x .venv/bin/python ] || "$python" -m venv .venv || {
    echo "setup: $python cannot make virtual environments; on Debian: apt-get install python3-venv" >&2
    exit 2
}
pip() { .venv/bin/python -m pip --disable-pip-version-check --quiet "$@"; }

# Without a GPU, the registry's own build of torch would bring gigabytes of CUDA libraries.
torch=2.13.0
if ! .venv/bin/python -c 'import torch' 2>/dev/null; then
    echo "setup: installing torch $torch"
    if [ "$(uname -s)" = Linux ] && ! command -v nvidia-smi >/dev/null 2>&1; then
        pip install "torch==$torch+cpu" -c constraints.txt || {
            echo "setup: no CPU build of torch $torch is offered by the package indexes that pip is set up with." >&2
            echo "setup: add PyTorch's CPU index (PIP_EXTRA_INDEX_URL, see PyTorch's installation page) or a folder" >&2
            echo "setup: with its wheel (PIP_FIND_LINKS), then run the same command again." >&2
            exit 2
        }
    else
        pip install "torch==$torch" -c constraints.txt
    fi
fi

echo "setup: installing polyglance and its dependencies"
pip install -c constraints.txt -e ".[dev]"
touch .venv/.ready
