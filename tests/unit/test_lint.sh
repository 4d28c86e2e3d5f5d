#!/usr/bin/env bash
# Proves that `make lint` finds nothing in the sources, and that it finds a mistake where there is one. Skipped without cppcheck.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
T=$(mktemp -d "${TMPDIR:-/tmp}/smelter-lint.XXXXXX")
trap 'rm -rf "$T"' EXIT
failed=0

if ! command -v cppcheck >/dev/null; then
    echo "skip - lint: cppcheck is not installed"
    exit 0
fi
if make --no-print-directory lint >"$T/found" 2>&1; then
    echo "ok - make lint finds nothing"
else
    head -n 40 "$T/found" | sed 's/^/# /'
    echo "not ok - make lint finds nothing"
    failed=1
fi
mkdir "$T/common" "$T/ps" "$T/worker" "$T/launcher"
printf 'int last(void)\n{\n    int a[4] = {0};\n    return a[4];\n}\n' >"$T/common/past.c"
if ! make --no-print-directory -C "$T" -f "$PWD/Makefile" lint >"$T/found" 2>&1 && grep -q arrayIndexOutOfBounds "$T/found"; then
    echo "ok - make lint finds an index out of bounds"
else
    sed 's/^/# /' "$T/found"
    echo "not ok - make lint finds an index out of bounds"
    failed=1
fi
exit $failed
