#!/usr/bin/env bash
# Runs the official Python and JavaScript clients against a gateway of its own: the gateway's binary with its embedded
# demo provider, and upstream.py as a provider that fails; then against one that has the tools of toolserver.py as well.
# Everything that it starts listens on 127.0.0.1 and is ended by its process id.
#
#   GATEWAY_BIN   the gateway; bin/inference-gateway of the checkout when unset
#   ENVOY_PATH    handed to the gateway
#   SDK_BASE_URL  tests a server that already runs (http://HOST:PORT/v1) instead of a gateway; SDK_PREFIX is then what
#                 stands before its model names. Tests of the gateway's own behaviour are skipped.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=$root/.cache/sdk
pids=()

finish() {
  local status=$?
  trap - EXIT
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  local deadline=$((SECONDS + 15)) # longer than the gateway may drain
  for pid in "${pids[@]}"; do
    while kill -0 "$pid" 2>/dev/null && ((SECONDS < deadline)); do sleep 0.1; done
    kill -KILL "$pid" 2>/dev/null && echo "process $pid had to be killed" >&2
    wait "$pid" 2>/dev/null || true
  done
  if [[ -n ${run:-} ]]; then
    if [[ $status != 0 && -s $run/gateway.log ]]; then
      echo "--- the gateway's last lines" >&2
      tail -n 40 "$run/gateway.log" >&2
    fi
    rm -rf "$run"
  fi
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

"$here/install.sh" "$cache"
python=$cache/venv/bin/python
run=$(mktemp -d)

# wait_for DESCRIPTION PID COMMAND… tries the command for a minute, and gives up at once when the process has died.
wait_for() {
  local what=$1 pid=$2 deadline=$((SECONDS + 60))
  shift 2
  until "$@" >/dev/null 2>&1; do
    if ! kill -0 "$pid" 2>/dev/null; then echo "$what ended before it was ready" >&2; return 1; fi
    if ((SECONDS >= deadline)); then echo "$what was not ready within 60 s" >&2; return 1; fi
    sleep 0.2
  done
}

# serve NAME SCRIPT starts a server that prints its port, and gives its address.
serve() {
  "$python" "$here/$2" >"$run/$1.port" 2>"$run/$1.log" &
  pids+=($!)
  wait_for "$2" $! test -s "$run/$1.port"
  address=http://127.0.0.1:$(<"$run/$1.port")
}

# start_gateway VARIABLE=VALUE… starts a gateway with these variables besides those that all tests need.
start_gateway() {
  local gateway=${GATEWAY_BIN:-$root/bin/inference-gateway} port
  [[ $gateway == /* ]] || gateway=$root/$gateway
  if [[ ! -x $gateway ]]; then echo "no gateway at $gateway: build it first, or set GATEWAY_BIN" >&2; return 1; fi

  port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  # A clean environment: the keys and settings of whoever runs this must not reach the gateway under test.
  # No retries, so that a client sees each failure and not the second try.
  (
    cd "$run"
    exec env -i PATH="$PATH" HOME="$run" TMPDIR="${TMPDIR:-/tmp}" ${ENVOY_PATH:+ENVOY_PATH="$ENVOY_PATH"} \
      SERVER_HOST=127.0.0.1 SERVER_PORT="$port" SERVER_MAX_REQUEST_BODY_SIZE=1048576 SERVER_DRAIN_TIMEOUT=2s \
      DEMO_ENABLED=true CLIENT_MAX_RETRIES=0 DISALLOWED_MODELS=faulty/forbidden \
      PROVIDERS=faulty FAULTY_API_URL="$upstream/v1" FAULTY_AUTH=none \
      ANTHROPIC_API_URL="$upstream/anthropic/v1" ANTHROPIC_API_KEY=sk-stub \
      "$@" "$gateway" run
  ) >>"$run/gateway.log" 2>&1 &
  pids+=($!)
  SDK_BASE_URL=http://127.0.0.1:$port/v1
  wait_for "the gateway" $! "$python" -c "import urllib.request as u; u.urlopen('http://127.0.0.1:$port/ready', timeout=2)"
}

# A client that takes a proxy or a key from the environment would not test what this says it tests.
unset OPENAI_API_KEY OPENAI_BASE_URL OPENAI_ORG_ID OPENAI_PROJECT_ID ANTHROPIC_API_KEY ANTHROPIC_AUTH_TOKEN ANTHROPIC_BASE_URL
export PYTHONDONTWRITEBYTECODE=1 # the checkout stays clean
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1

status=0
run_tests() {
  "$python" -m pytest -q -rs -p no:cacheprovider "$here/python" || status=1
  (cd "$cache/node" && timeout 300 node --test --test-reporter=spec js/*.test.js) || status=1
}

export SDK_BASE_URL=${SDK_BASE_URL-} SDK_PREFIX=${SDK_PREFIX-} SDK_GATEWAY=${SDK_GATEWAY-} SDK_TOOLS=
if [[ -n $SDK_BASE_URL ]]; then
  run_tests
  exit "$status"
fi
SDK_PREFIX=demo/ SDK_GATEWAY=1
serve upstream upstream.py
upstream=$address
echo "--- without tools"
start_gateway
run_tests
# The same again, where chat takes the loop lane: what clients see may differ in nothing but what tools add.
echo "--- with tools of an MCP server"
serve tools toolserver.py
start_gateway MCP_ENABLED=true MCP_EXPOSE=true MCP_SERVERS="t=$address/mcp"
wait_for "the tool server's connection" "${pids[-1]}" "$python" -c \
  "import urllib.request as u, sys; sys.exit(b'mcp_t_echo' not in u.urlopen('$SDK_BASE_URL/mcp/tools', timeout=2).read())"
SDK_TOOLS=1
run_tests
exit "$status"
