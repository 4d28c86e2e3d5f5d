#!/usr/bin/env bash
# make_portable.sh SMELTER - write portable.txt with the binary given. Run by hand, and only where a change of results is meant.
set -euo pipefail
SMELTER=$(realpath "${1:?usage: make_portable.sh SMELTER}")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. tests/lib/portable.sh
work=$(mktemp -d "${TMPDIR:-/tmp}/smelter-portable.XXXXXX")
trap 'rm -rf "$work"' EXIT
SMELTER_PROGRESS=off "$SMELTER" compare tests/golden/portable.yaml --out "$work/out" --set data.path="$work/data" >/dev/null 2>&1
{
    echo "# Variant of portable.yaml, digests of its two runs, checksum of its numbers in results.csv: make_portable.sh."
    portable_import "$work" "$SMELTER"
    portable_table "$work/out" "$work/data"
} >tests/golden/portable.txt
