#!/usr/bin/env bash
# Make or refresh .venv in this checkout: Oneiric as an editable install, and the tools of the dev group.
# Nothing else is written but the package cache. PYTHON=/path/to/python chooses the interpreter.
# VENV=.venv-3.11 makes an environment of that name beside it, as make test-all does.
# An argument names another dependency group, which is added to a .venv that is ready: tools/setup.sh servers
set -euo pipefail
cd "$(dirname "$0")/.."

venv=${VENV:-.venv}
group=${1:-dev}
stamp=$venv/oneiric-setup
if [ "$group" != dev ]; then stamp=$stamp-$group; fi
log=$venv/oneiric-setup.log
wanted="$PWD $(cksum pyproject.toml tools/setup.sh | tr '\n' ' ')"

say() { printf 'setup: %s\n' "$*"; }
fail() {
    printf 'setup: %s\n' "$@" >&2
    exit 1
}

# The folder is emptied where it does not fit, so it must be one of ours.
if ! [[ $venv =~ ^\.venv(-[0-9.]+)?$ ]]; then
    fail "VENV=$venv is no name of an environment here; .venv and .venv-3.11 are"
fi

if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && [ -x $venv/bin/python ]; then
    exit 0
fi

is_new_enough() { "$@" -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

# Print the first Python >= 3.11 that can make an environment. A name on PATH may be a launcher that only complains
# (pyenv does, for a version that is not installed), so each one is run, not only looked up.
find_python() {
    local name
    for name in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if is_new_enough "$name" && { [ "$1" = uv ] || "$name" -c 'import ensurepip, venv' >/dev/null 2>&1; }; then
            "$name" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    [ "$1" = uv ] && uv python find '>=3.11' 2>/dev/null
}

installer=pip
if command -v uv >/dev/null 2>&1; then
    installer=uv
    export UV_PYTHON_DOWNLOADS=never
fi

# An environment of another folder (a copied checkout) would install into that folder.
home=$($venv/bin/python -c 'import os, sys; print(os.path.realpath(sys.prefix))' 2>/dev/null || true)
moved=no
if [ -f "$stamp" ] && [ "$(cut -d ' ' -f 1 "$stamp")" != "$PWD" ]; then moved=yes; fi
if [ "$home" != "$(pwd -P)/$venv" ] || [ $moved = yes ] || ! is_new_enough $venv/bin/python; then
    python=$(find_python $installer) || fail "no Python >= 3.11 with the venv module was found." \
        "Install one (Debian: apt-get install python3 python3-venv), install uv, or name one: PYTHON=/path/to/python make setup"
    say "making $venv with $("$python" --version) ($installer)"
    if [ $installer = uv ]; then
        rm -rf $venv
        uv venv --quiet --python "$python" $venv
    else
        "$python" -m venv --clear $venv
    fi
fi

requirements=$venv/oneiric-$group.txt
# pip reads dependency groups since 25.1 only, and older ones come with Python: hand it the names.
$venv/bin/python - "$group" >"$requirements" <<'PYTHON'
import sys
import tomllib

with open("pyproject.toml", "rb") as file:
    print("\n".join(tomllib.load(file)["dependency-groups"][sys.argv[1]]))
PYTHON

# Show what arrives: one line that counts on a terminal, every tenth package elsewhere.
show() {
    local tty=0
    if [ -t 1 ]; then tty=1; fi
    awk -v tty="$tty" '
        /^Collecting / { n++; if (tty) { printf "\r\033[Ksetup: %d  %s", n, $2 } else if (n % 10 == 0) { print "setup: " n " packages" } fflush() }
        /^Installing collected/ { if (tty) printf "\r\033[K"; print "setup: " n " packages collected, installing them"; fflush() }
        /^(Resolved|Prepared|Installed) / { print "setup: " tolower($0); fflush() }
        END { if (tty) printf "\r\033[K" }'
}

extras=aws,gcp-secrets,keyring  # adapters whose tests run here against a server or a peer of the SDK's own types
what=(-r "$requirements")
if [ "$group" = dev ]; then
    what+=(-e ".[$extras]")
    say "installing oneiric and its development tools (a minute or so where nothing is cached)"
else
    say "adding the group $group"
fi
if [ $installer = uv ]; then
    install=(uv pip install --python "$venv/bin/python" "${what[@]}")
elif $venv/bin/python -m pip --version >/dev/null 2>&1; then
    install=("$venv/bin/python" -m pip install --disable-pip-version-check --no-input --progress-bar off "${what[@]}")
else
    fail "$venv was made by uv and holds no pip: install uv, or remove $venv and run make setup again."
fi
if ! "${install[@]}" 2>&1 | tee "$log" | show; then
    tail -n 15 "$log" >&2
    if grep -qiE 'no matching distribution|could not find a version|failed to establish|name resolution|dns error|error sending request|timed out|failed to fetch|not found in the package registry' "$log"; then
        fail "the packages could not be had. Set-up needs a package index, or a cache that holds them, once." \
            "Behind a proxy or a mirror, set it in the configuration of $installer. The whole log: $log"
    fi
    fail "the installation failed; the whole log: $log"
fi
printf '%s' "$wanted" >"$stamp"
say "ready"
