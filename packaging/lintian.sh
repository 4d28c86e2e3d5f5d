#!/usr/bin/env bash
# packaging/lintian.sh BUILD - what lintian says of the package in BUILD; fails where it has an error or a warning.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v lintian >/dev/null; then
    echo "lintian is not installed: nothing has looked at the package"
    exit 0
fi
as_root=()
[ "$(id -u)" != 0 ] || as_root=(--allow-root)
lintian --no-cfg "${as_root[@]}" --fail-on error,warning "$1"/smelter_*.deb
echo "lintian has nothing against it"
