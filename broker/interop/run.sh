#!/bin/sh
# make interop: installs what the client suites need, then runs all of them.
# Arguments go to the runner (go run ./broker/interop -h). What is installed
# already is left alone, so that it runs without a network, too.
set -eu
cd "$(dirname "$0")/../.."

root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

missing=""
/usr/bin/python3 -c 'import proton' 2>/dev/null || missing="$missing python3-qpid-proton"
# The mechanism PLAIN comes with the modules; libqpid-proton only recommends them.
ls /usr/lib/*/sasl2/libplain.so* >/dev/null 2>&1 || missing="$missing libsasl2-modules"
command -v node >/dev/null || missing="$missing nodejs"
command -v npm >/dev/null || [ -d broker/interop/rhea/node_modules/rhea ] || missing="$missing npm"
if [ -n "$missing" ]; then
  root apt-get update -q
  # shellcheck disable=SC2086
  root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $missing
fi

rhea=broker/interop/rhea
wanted=$(sed -n 's/.*"rhea": "\(.*\)".*/\1/p' "$rhea/package.json")
if ! grep -qs "\"version\": \"$wanted\"" "$rhea/node_modules/rhea/package.json"; then
  (cd "$rhea" && npm ci --no-audit --no-fund)
fi

exec go run ./broker/interop "$@"
