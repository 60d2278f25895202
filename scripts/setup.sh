#!/bin/sh
# Makes .venv hold exactly what a locked requirements file names. Installs nothing when it already does.
# Usage: setup.sh requirements.txt|requirements-dev.txt
set -eu
cd "$(dirname "$0")/.."
wanted=$1
stamp=.venv/.installed-$wanted
locked=$(cksum <"$wanted")

[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$locked" ] && [ -x .venv/bin/python ] && exit 0

say() { printf '%s\n' "$*" >&2; }

new_enough='import sys; sys.exit(sys.version_info < (3, 11))'
if ! { [ -x .venv/bin/python ] && .venv/bin/python -c "$new_enough; import pip"; } 2>/dev/null; then
  found=
  for candidate in ${PYTHON_BIN:-} python3.13 python3.12 python3.11 python3 python; do
    if command -v "$candidate" >/dev/null 2>&1 && "$candidate" -c "$new_enough" >/dev/null 2>&1; then
      found=$candidate
      break
    fi
  done
  if [ -z "$found" ]; then
    say "Python 3.11 or newer is needed and none was found (looked for python3.13, python3.12, python3.11, python3)."
    say "Install one, or name it: PYTHON_BIN=/path/to/python make run"
    exit 1
  fi
  say "Making an environment in .venv with $("$found" --version 2>&1)"
  rm -rf .venv
  if ! "$found" -m venv .venv; then
    rm -rf .venv
    say "That Python cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv"
    exit 1
  fi
fi

count=$(grep -c '^[a-z0-9].*==' "$wanted")
say "Installing $count pinned packages from $wanted (a minute or two, once)"
started=$(date +%s)
rm -f .venv/.installed-*
# What is never imported need not be compiled; the rest is when it is first used.
if ! .venv/bin/python -m pip install -qq --disable-pip-version-check --no-input --no-warn-script-location --no-compile \
  --require-hashes -r "$wanted"; then
  say "The packages could not be installed; see above. Nothing else was changed: run the same command again."
  exit 1
fi
printf '%s\n' "$locked" >"$stamp"
# The development set contains the runtime set, at the same versions.
[ "$wanted" = requirements-dev.txt ] && cksum <requirements.txt >.venv/.installed-requirements.txt
say "Installed in $(($(date +%s) - started)) s"
