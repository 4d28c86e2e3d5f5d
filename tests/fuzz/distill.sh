#!/usr/bin/env bash
# tests/fuzz/distill.sh BUILD TARGET... - of what a target's runs found (BUILD/corpus/TARGET), keep the fewest inputs that reach all
# of it, the smaller ones first, and write them as tests/fuzz/corpus/TARGET.tar.gz: at most MOST_BYTES of them, packed alike each time.
set -euo pipefail
cd "$(dirname "$0")/../.."
MOST_BYTES=${MOST_BYTES:-98304}
build=$1
shift
mkdir -p tests/fuzz/corpus
for target in "$@"; do
    scratch=$(mktemp -d)
    mkdir "$scratch/all" "$scratch/small"
    "$build/tests/fuzz/fuzz_$target" -merge=1 -timeout=20 "$scratch/all" "$build/corpus/$target" >"$scratch/log" 2>&1
    bytes=0
    while read -r size name; do
        bytes=$((bytes + size))
        [ $bytes -le "$MOST_BYTES" ] || break
        cp "$scratch/all/$name" "$scratch/small/"
    done < <(find "$scratch/all" -type f -printf '%s %f\n' | sort -n)
    tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=644 -C "$scratch/small" -cf - . | gzip -9n >"tests/fuzz/corpus/$target.tar.gz"
    echo "$target: $(find "$scratch/small" -type f | wc -l) inputs, $(stat -c %s "tests/fuzz/corpus/$target.tar.gz") bytes"
    rm -rf "$scratch"
done
