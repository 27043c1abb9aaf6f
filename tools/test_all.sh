#!/usr/bin/env bash
# Run the tests on each of the Pythons that are supported and installed here, each in an environment of its own.
# One that is missing is skipped with a line. The exit status is 0 if at least one ran and none failed.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'test-all: %s\n' "$*"; }

# Tell whether a command is this version of Python, and can make an environment.
fits() { "$2" -c "import sys, venv, ensurepip; raise SystemExit('%d.%d' % sys.version_info[:2] != '$1')" >/dev/null 2>&1; }

# Print the path of a Python of this version: of pyenv, on PATH (where pyenv's launcher may only complain), or of uv.
find_python() {
    local name
    for name in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1"*/bin/"python$1" "python$1"; do
        if fits "$1" "$name"; then
            "$name" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    command -v uv >/dev/null 2>&1 && UV_PYTHON_DOWNLOADS=never uv python find "$1" 2>/dev/null
}

ran=0
failed=0
summary=()
for version in 3.11 3.12 3.13; do
    if ! python=$(find_python $version); then
        say "Python $version is not installed here, or lacks the venv module: skipped"
        summary+=("$version skipped")
        continue
    fi
    say "Python $version: $python"
    ran=$((ran + 1))
    if make --no-print-directory test VENV=.venv-$version PYTHON="$python"; then
        summary+=("$version passed")
    else
        failed=$((failed + 1))
        summary+=("$version failed")
    fi
done

say "$(printf '%s, ' "${summary[@]}" | sed 's/, $//')"
[ $ran -gt 0 ] && [ $failed -eq 0 ]
