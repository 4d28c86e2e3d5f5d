#!/usr/bin/env bash
# tests/demo.sh BUILD - the quick start, step by step: synthetic data, four models, three replicas of each, one table.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build}
out=out/demo
mark=out/.demo

step() { printf '\n== %s\n' "$*"; }

if [ -e "$out" ]; then
    if [ ! -e "$mark" ]; then
        echo "demo: $out exists and was not made by the demo; move it away first" >&2
        exit 1
    fi
    step "removing the results of the last demo ($out)"
    rm -rf "$out"
fi
mkdir -p out
touch "$mark" # whatever is in out/demo from here on is the demo's own

step "$build/smelter compare configs/quickstart.yaml --out $out"
echo "   makes a synthetic click log, trains every variant on a small cluster of this machine, and compares them"
begin=$SECONDS
"$build/smelter" compare configs/quickstart.yaml --out "$out"

step "done in $((SECONDS - begin)) s; the results are in"
for file in results.json results.csv verdict.txt report.html; do
    echo "   $out/$file"
done
echo "   $out/VARIANT/rREPLICA/   (resolved config, metrics, predictions, tables of every run)"
step "next: build/smelter --help, or your own data: build/smelter import --help"
