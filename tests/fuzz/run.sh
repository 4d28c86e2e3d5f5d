#!/usr/bin/env bash
# tests/fuzz/run.sh BUILD SECONDS [TARGET...] - let libFuzzer look for inputs that break a target, for so many seconds in all,
# divided over the targets (default: all that are built) and FUZZ_JOBS of them at a time (default: as many as there are cores).
#
# It begins with a target's seeds, its committed corpus (tests/fuzz/corpus) and what earlier runs found (BUILD/corpus), and goes
# on from there the next time. A line per target: executions, how many a second, edges of the program that were reached, inputs
# that each reach something of their own. Ends with 1 where a target has a finding: the input is put into
# tests/fuzz/failed/TARGET, where make check runs it from then on, and how to run it alone is said.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
if [ $# -lt 2 ] || ! [[ $2 =~ ^[1-9][0-9]*$ ]]; then
    echo "usage: tests/fuzz/run.sh BUILD SECONDS [TARGET...]" >&2
    exit 2
fi
build=$1 seconds=$2
shift 2
targets=("$@")
if [ ${#targets[@]} = 0 ]; then
    for source in tests/fuzz/fuzz_*.c; do
        name=$(basename "$source" .c)
        targets+=("${name#fuzz_}")
    done
fi
jobs=${FUZZ_JOBS:-$(nproc)}
share=$((seconds * jobs / ${#targets[@]}))
[ $share -gt 0 ] || share=1
mkdir -p "$build/corpus" "$build/log"

# A sanitizer's finding ends the process; memory that an input only claims is a finding, too.
export ASAN_OPTIONS=${ASAN_OPTIONS:-allocator_may_return_null=0:detect_stack_use_after_return=0} UBSAN_OPTIONS=print_stacktrace=1
limits=(-timeout=20 -rss_limit_mb=1024)

# The most megabytes of one allocation. A row of a Parquet file has up to 256 MiB; zstd reserves the window that a frame asks for, 2 GiB at most, and touches what it uses.
malloc_limit() {
    case $1 in
    text | import) echo 2304 ;;
    parquet) echo 768 ;;
    *) echo 128 ;;
    esac
}

# fuzz_one TARGET - its log is BUILD/log/TARGET; the exit code is libFuzzer's.
fuzz_one() {
    local target=$1 program=$build/tests/fuzz/fuzz_$1 corpus=$build/corpus/$1 found=tests/fuzz/failed/$1
    mkdir -p "$corpus"
    "$program" --seeds="$corpus" >"$build/log/$target" 2>&1 || return 1
    [ ! -f "tests/fuzz/corpus/$target.tar.gz" ] || tar -xzf "tests/fuzz/corpus/$target.tar.gz" -C "$corpus" || return 1
    # A finding goes into a folder of its own first: one without a finding is not to be left behind.
    rm -rf "$build/found/$target"
    mkdir -p "$build/found/$target"
    "$program" -max_total_time=$share "${limits[@]}" -malloc_limit_mb="$(malloc_limit "$target")" -print_final_stats=1 -artifact_prefix="$build/found/$target/" \
        "$corpus" $([ ! -d "$found" ] || echo "$found") >>"$build/log/$target" 2>&1
}

# show TARGET CODE
show() {
    local log=$build/log/$1 executions speed edges inputs input
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    speed=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")
    edges=$(grep -oE 'cov: [0-9]+' "$log" | tail -n 1 | cut -d' ' -f2)
    inputs=$(grep -oE 'corp: [0-9]+' "$log" | tail -n 1 | cut -d' ' -f2)
    printf '%-14s %12s executions %8s /s %7s edges %6s inputs  %s\n' "$1" "${executions:-?}" "${speed:-?}" "${edges:-?}" \
        "${inputs:-?}" "$([ "$2" = 0 ] && echo "no finding" || echo "FOUND")"
    total=$((total + ${executions:-0}))
    [ "$2" != 0 ] || return 0
    failed=1
    grep -E 'ERROR: |runtime error|internal error|SUMMARY' "$log" | head -n 4 | sed 's/^/    /'
    for input in "$build/found/$1"/*; do
        [ -f "$input" ] || continue
        mkdir -p "tests/fuzz/failed/$1"
        cp "$input" "tests/fuzz/failed/$1/"
        echo "    run it alone:  FUZZ_LOG=1 $build/tests/fuzz/fuzz_$1 tests/fuzz/failed/$1/$(basename "$input")"
    done
    echo "    all that it said:  $log"
}

echo "== ${#targets[@]} targets, $share s each, $jobs at a time"
total=0 failed=0 running=0
for target in "${targets[@]}"; do
    if [ $running -ge "$jobs" ]; then
        wait -n
        running=$((running - 1))
    fi
    (
        fuzz_one "$target"
        echo $? >"$build/log/$target.code"
    ) &
    running=$((running + 1))
done
wait
for target in "${targets[@]}"; do
    show "$target" "$(cat "$build/log/$target.code")"
done
echo "== $total executions"
exit $failed
