#!/usr/bin/env bash
# Installs the pinned clients into the cache directory $1, and does nothing when they are there already.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=$1
mkdir -p "$cache"

# fresh STAMP FILE… says whether STAMP was made from these files as they are.
fresh() { [[ -f $1 ]] && [[ $(cat "${@:2}" | cksum) == $(<"$1") ]]; }

python_inputs=("$here/requirements.txt")
if ! fresh "$cache/venv/.stamp" "${python_inputs[@]}"; then
  rm -rf "$cache/venv"
  python3 -m venv "$cache/venv"
  "$cache/venv/bin/python" -m pip install --quiet --require-hashes --requirement "$here/requirements.txt"
  cat "${python_inputs[@]}" | cksum >"$cache/venv/.stamp"
fi

node_inputs=("$here/package.json" "$here/package-lock.json" "$here/.npmrc")
if ! fresh "$cache/node/.stamp" "${node_inputs[@]}"; then
  rm -rf "$cache/node"
  mkdir "$cache/node"
  cp "${node_inputs[@]}" "$cache/node"
  (cd "$cache/node" && npm ci --loglevel=error)
  cat "${node_inputs[@]}" | cksum >"$cache/node/.stamp"
fi
# Node looks for packages beside the tests: the tests go to the packages, so that the checkout stays clean.
rm -rf "$cache/node/js"
cp -r "$here/js" "$cache/node/js"
