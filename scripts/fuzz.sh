#!/usr/bin/env bash
# Runs each fuzz test of the module for the given time (10s): go test takes only one at a time.
set -euo pipefail

time=${1:-10s}
grep -rlE --include='*_test.go' --exclude-dir=.cache '^func Fuzz' . | xargs -r -n1 dirname | sort -u | while read -r dir; do
  for name in $(grep -hoE '^func Fuzz[A-Za-z0-9_]*' "$dir"/*_test.go | sed 's/^func //' | sort -u); do
    echo "--- $dir $name"
    go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" "$dir" </dev/null
  done
done
