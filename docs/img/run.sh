#!/bin/sh
# Makes docs/img/run.svg from a real run: a simulated archive, `tidegate serve` and the real apt, in a network and
# with an /etc/apt of their own, so that ports and names are those of the picture and nothing of this machine shows.
#
#   docs/img/run.sh [FILE]
set -eu
picture=$(realpath "${1:-$(dirname "$0")/run.svg}")
cd "$(dirname "$0")/../.."
map=
[ "$(id -u)" = 0 ] || map=--map-root-user
# shellcheck disable=SC2086 # no word at all when root
exec unshare $map --net --mount "${PYTHON:-.venv/bin/python}" -m tests.docs.picture "$picture"
