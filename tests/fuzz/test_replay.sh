#!/usr/bin/env bash
# tests/fuzz/test_replay.sh BUILD - "make check replays the corpora and every input that ever failed" (docs/howto/fuzz.md): each
# target reads its seeds, its committed corpus (tests/fuzz/corpus/TARGET.tar.gz) and tests/fuzz/failed/TARGET, and comes back.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
build=$1
scratch=$(mktemp -d "${TMPDIR:-/tmp}/smelter-replay.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

for source in tests/fuzz/fuzz_*.c; do
    target=$(basename "$source" .c)
    target=${target#fuzz_}
    inputs=("$scratch/$target")
    mkdir "$scratch/$target"
    [ ! -f "tests/fuzz/corpus/$target.tar.gz" ] || tar -xzf "tests/fuzz/corpus/$target.tar.gz" -C "$scratch/$target"
    [ ! -d "tests/fuzz/failed/$target" ] || inputs+=("tests/fuzz/failed/$target")
    if TMPDIR=$scratch timeout 120 "$build/tests/fuzz/fuzz_$target" "${inputs[@]}" >"$scratch/out" 2>"$scratch/err" </dev/null; then
        echo "ok - $target reads $(cat "$scratch/out")"
    else
        echo "not ok - $target ends with $? on an input (\"running\" names it)"
        tail -n 20 "$scratch/err"
    fi
done

# Nothing is left of a corpus or of failed inputs whose target has another name now.
for there in tests/fuzz/corpus/*.tar.gz tests/fuzz/failed/*; do
    [ -e "$there" ] || continue
    target=$(basename "$there" .tar.gz)
    [ -f "tests/fuzz/fuzz_$target.c" ] || echo "not ok - $there is of no target"
done
