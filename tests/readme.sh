#!/usr/bin/env bash
# tests/readme.sh BUILD - run the demo, put what it prints between the <!-- table --> marks of README.md, and draw its picture,
# docs/tradeoff.svg.
set -euo pipefail
cd "$(dirname "$0")/.."
table=$(mktemp)
trap 'rm -f "$table"' EXIT
tests/demo.sh "${1:-build}" | awk '/^quickstart: /{on = 1} /^out\/demo\/results/{on = 0} on' | fold -s -w 112 | sed 's/ *$//; s/^\(.\)/    \1/' >"$table"
grep -q '^    relu ' "$table" || { echo "readme: the demo printed no table" >&2; exit 1; }
awk -v table="$table" '
    /^<!-- \/table -->/ { inside = 0 }
    !inside { print }
    /^<!-- table -->/ {
        inside = 1
        print "`make demo`, on two cores:\n"
        while ((getline line <table) > 0) text = text line "\n"
        sub(/\n+$/, "\n", text)
        printf "%s", text
    }' README.md >"$table.new"
cat "$table.new" >README.md
rm -f "$table.new"
figures=$(mktemp -d)
"${1:-build}/smelter" figures out/demo/results.json --out "$figures"
cp "$figures/fig4.svg" docs/tradeoff.svg
rm -rf "$figures"
