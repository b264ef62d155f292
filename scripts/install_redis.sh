#!/usr/bin/env bash
# Puts a redis-server where the tests find it, $1: the machine's own, or Debian's packages, unpacked and not installed.
set -euo pipefail
target=$1
dir=$(dirname "$target")
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

if own=$(command -v redis-server); then
  ln -sf "$own" "$dir/redis-server"
  exit 0
fi
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || {
  echo "no redis-server on PATH, and this machine has no Debian packages: install Redis" >&2
  exit 1
}
part=$(mktemp -d "$dir/.part.XXXXXX")
trap 'rm -rf "$part"' EXIT
cd "$part"
packages=(redis-server redis-tools libjemalloc2 liblzf1)
apt-get download "${packages[@]}" || { apt-get update && apt-get download "${packages[@]}"; }
for package in *.deb; do dpkg-deb -x "$package" root; done
rm -rf "$dir/root"
mv root "$dir/root"
libraries=$(cd "$dir" && dirname "$(find root -name 'libjemalloc.so*' -print -quit)")
new=$dir/.redis-server
cat >"$new" <<SCRIPT
#!/bin/sh
here=\$(cd "\$(dirname "\$0")" && pwd) # a checkout may be moved
LD_LIBRARY_PATH=\$here/$libraries\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH} exec "\$here/root/usr/bin/redis-server" "\$@"
SCRIPT
chmod +x "$new"
"$new" --version
mv "$new" "$dir/redis-server"
