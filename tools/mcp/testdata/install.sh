#!/usr/bin/env bash
# Installs the pinned real servers into the cache directory $1, and does nothing when they are there already: both, or the
# one that $2 names (everything, stateless).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=$1
only=${2:-}
mkdir -p "$cache"

# fresh STAMP FILE… says whether STAMP was made from these files as they are.
fresh() { [[ -f $1 ]] && [[ $(cat "${@:2}" | cksum) == $(<"$1") ]]; }

node_inputs=("$here/everything/package.json" "$here/everything/package-lock.json" "$here/everything/.npmrc")
if [[ $only != stateless ]] && ! fresh "$cache/everything/.stamp" "${node_inputs[@]}"; then
  rm -rf "$cache/everything"
  mkdir "$cache/everything"
  cp "${node_inputs[@]}" "$cache/everything"
  (cd "$cache/everything" && npm ci --ignore-scripts --loglevel=error)
  cat "${node_inputs[@]}" | cksum >"$cache/everything/.stamp"
fi

python_inputs=("$here/stateless/requirements.txt")
if [[ $only != everything ]] && ! fresh "$cache/stateless/.stamp" "${python_inputs[@]}"; then
  rm -rf "$cache/stateless"
  python3 -m venv "$cache/stateless"
  "$cache/stateless/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --requirement "${python_inputs[0]}"
  cat "${python_inputs[@]}" | cksum >"$cache/stateless/.stamp"
fi
