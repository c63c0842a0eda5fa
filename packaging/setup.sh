#!/bin/sh
# Makes .venv in the clone, with .venv/bin/tidegate in it. Called by make; safe to call again.
#
#   packaging/setup.sh run      what the product needs
#   packaging/setup.sh dev      that, the tools of `make test` and `make lint`, and the Debian packages
#                               that the tests drive (packaging/test-packages)
#
# Everything installed is pinned and hashed in requirements/. A second call with nothing changed does
# nothing and needs no network. What only root can do is done when root, and said otherwise.
set -eu

kind=${1:?usage: packaging/setup.sh run|dev}
here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$here"
venv=$here/.venv
stamp=$venv/.tidegate-setup
# An environment that is activated is not the Python to make it anew with.
PATH=$(printf '%s' "$PATH" | sed "s#$venv/bin:##g")

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# True for root on a machine that has apt-get: the only case in which this script installs packages.
may_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

# Installs Debian packages; a bare machine has no lists yet, so the first failure asks for them.
apt_install() {
    say "installing $*"
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -qq -y --no-install-recommends "$@" </dev/null >/dev/null 2>&1 && return
    apt-get update -qq </dev/null >&2 || say "apt-get update failed; trying with the lists that are there"
    apt-get install -qq -y --no-install-recommends "$@" </dev/null >&2
}

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

# Prints the first Python that is new enough: $PYTHON alone if it is given.
find_python() {
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if is_new_enough "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

python_or_advice() {
    python=$(find_python) && return
    first=${PYTHON:-python3}
    if ! command -v "$first" >/dev/null; then
        if [ "$first" = python3 ] && may_install && apt_install python3 python3-venv; then
            python=$(find_python) && return
        fi
        say "Tidegate needs Python 3.11 or later, and there is no $first."
    else
        say "Tidegate needs Python 3.11 or later, and $first is $("$first" -V 2>&1)."
    fi
    die "Install one, e.g. apt-get install python3.11 python3.11-venv, and say: make setup PYTHON=python3.11"
}

# Debian and Ubuntu ship Python without ensurepip, which venv needs: a package of its own has it.
venv_or_advice() {
    "$python" -c 'import venv, ensurepip' 2>/dev/null && return
    package=python3-venv
    [ "$("$python" -c 'import sys; print(sys.version_info[:2])')" = \
      "$(/usr/bin/python3 -c 'import sys; print(sys.version_info[:2])' 2>/dev/null)" ] ||
        package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    if may_install && apt_install "$package" && "$python" -c 'import venv, ensurepip' 2>/dev/null; then
        return
    fi
    die "$python cannot make a virtual environment. Install its package: sudo apt-get install $package"
}

# The Debian packages that the tests drive: each line of the list names a command (or a file) and its package.
test_packages_or_advice() {
    missing=
    while read -r command package _; do
        case $command in ''|'#'*) continue ;; esac
        # sbin: a plain user's PATH may lack it, and debootstrap lives there
        [ -e "$command" ] || PATH=$PATH:/usr/sbin:/sbin command -v "$command" >/dev/null ||
            missing="$missing $package"
    done <packaging/test-packages
    [ -z "$missing" ] && return
    # shellcheck disable=SC2086 # a list of words on purpose
    if may_install && apt_install $missing; then return; fi
    die "the tests drive programs that are not here. Install them: sudo apt-get install --no-install-recommends$missing"
}

# What the environment depends on; the same answer means that there is nothing to do.
fingerprint() {
    {
        echo "$1 $venv"
        "$python" -VV
        cat "requirements/$1.txt" pyproject.toml packaging/setup.sh
    } | sha256sum | cut -d' ' -f1
}

up_to_date() { [ -x "$venv/bin/tidegate" ] && grep -qsx "$1 $(fingerprint "$1")" "$stamp"; }

# An environment of another Python, of another place, or half made is made anew.
usable() {
    [ "$("$venv/bin/python" -VV 2>/dev/null)" = "$("$python" -VV)" ] &&
        "$venv/bin/python" -m pip --version >/dev/null 2>&1 &&
        grep -qsxF "VIRTUAL_ENV=$venv" "$venv/.tidegate-place"
}

install_all() {
    usable || {
        "$python" -m venv --clear "$venv"
        echo "VIRTUAL_ENV=$venv" >"$venv/.tidegate-place"
    }
    rm -f "$stamp"
    pip="$venv/bin/python -m pip --disable-pip-version-check install --quiet --no-input"
    { $pip --require-hashes -r "requirements/$kind.txt" && $pip --no-deps --no-build-isolation --editable .; } ||
        die "pip could not install what requirements/$kind.txt pins (see above). Is a package index reachable?"
    { [ "$kind" = run ] || echo "run $(fingerprint run)"; echo "$kind $(fingerprint "$kind")"; } >"$stamp.new"
    mv "$stamp.new" "$stamp"
    say "ready: $venv/bin/tidegate"
}

case $kind in run|dev) ;; *) die "run or dev, not $kind" ;; esac
python_or_advice
[ "$kind" = run ] || test_packages_or_advice
if ! up_to_date "$kind"; then
    venv_or_advice
    # two makes at once take turns; the second then finds the work done
    exec 9<packaging/setup.sh
    flock 9
    up_to_date "$kind" || install_all
fi
