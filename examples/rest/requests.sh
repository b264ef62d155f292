#!/usr/bin/env bash
# One request to each endpoint of a gateway: GATEWAY=http://localhost:8080 ./requests.sh
# Those that need a provider with a key are left out when the gateway has none. The first failure ends it.
set -euo pipefail

gateway=${GATEWAY:-http://localhost:8080}

call() { # METHOD PATH [BODY]
  printf '\n### %s %s\n' "$1" "$2"
  curl --fail-with-body --silent --show-error --no-buffer --request "$1" "$gateway$2" \
    ${3:+--header 'content-type: application/json' --data "$3"}
  echo
}

has() { curl --fail --silent --output /dev/null "$gateway/v1/models?provider=$1"; }

call GET /health
call GET /ready
call GET /v1/models
call GET /v1/models/demo/assistant
call POST /v1/chat/completions '{"model": "demo/assistant", "messages": [{"role": "user", "content": "Hello!"}]}'
call POST /v1/chat/completions '{"model": "demo/echo", "stream": true, "messages": [{"role": "user", "content": "Hello!"}]}'
call POST '/v1/chat/completions?provider=demo' '{"model": "echo", "messages": [{"role": "user", "content": "Hello!"}]}'
call POST /v1/embeddings '{"model": "demo/embedding", "input": "the quick brown fox", "dimensions": 8}'
call GET /proxy/demo/models

if has openai; then
  call POST /v1/completions '{"model": "openai/gpt-3.5-turbo-instruct", "prompt": "Once upon a time", "max_tokens": 16}'
  call POST /v1/responses '{"model": "openai/gpt-4o-mini", "input": "Hello!"}'
fi
if has anthropic; then
  call POST /v1/messages '{"model": "anthropic/claude-sonnet-4-5", "max_tokens": 64, "messages": [{"role": "user", "content": "Hello!"}]}'
fi
