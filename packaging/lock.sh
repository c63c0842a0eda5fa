#!/bin/sh
# Writes requirements/*.txt from pyproject.toml: one lock for every platform and every Python from 3.11 on,
# each file of each release by its SHA-256, no index address. Versions stay unless `--upgrade` is given.
set -eu

cd "$(dirname -- "$0")/.."
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
"${PYTHON:-python3}" -m venv "$tools"
"$tools/bin/python" -m pip --disable-pip-version-check install --quiet 'uv>=0.13,<0.14'

# The oldest Python is the floor that the lock must hold for; markers cover the newer ones.
compile() {
    output=$1
    shift
    "$tools/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-header --no-annotate --no-emit-index-url pyproject.toml --output-file "$output" "$@"
}
compile requirements/run.txt --group build "$@"
compile requirements/dev.txt --group build --group test --group lint --constraint requirements/run.txt "$@"
# Beside dev.txt, and too large for whoever does not ask for it.
compile requirements/clickhouse.txt --group clickhouse --constraint requirements/dev.txt "$@"
