#!/usr/bin/env bash
# Installs the pinned conformance suite into the directory $1, and does nothing when it is there already.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
inputs=("$here/package.json" "$here/package-lock.json" "$here/.npmrc")
stamp=$(cat "${inputs[@]}" | cksum)
if [[ -f $1/.stamp && $(<"$1/.stamp") == "$stamp" ]]; then exit 0; fi
command -v npm >/dev/null || { echo "no npm on PATH" >&2; exit 1; }
rm -rf "$1"
mkdir -p "$1"
cp "${inputs[@]}" "$1"
(cd "$1" && npm ci --ignore-scripts --loglevel=error)
echo "$stamp" >"$1/.stamp"
