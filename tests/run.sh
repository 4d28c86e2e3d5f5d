#!/usr/bin/env bash
# tests/run.sh BUILD [KIND...] - run all test programs of the given kinds (default: unit kernels sim fuzz golden cluster).
#
# A test is a cmocka program BUILD/tests/KIND/test_* or an executable script tests/KIND/test_*.sh, which is called with BUILD and
# prints "ok - name", "not ok - name" or "skip - name: reason" per test. cmocka is asked for its TAP output, which is the same
# with numbers and a plan. One line per program shows its tests and its time; the output of a program that fails is shown. A crash, a
# test that was planned and not reported, a program without any test and a program over its time (TEST_TIMEOUT seconds,
# default 300) count as failures. TEST_JOBS of them run at a time (default: three for two cores); those that TEST_WITHOUT
# names, "unit/test_lint.sh ..", do not. Last line:
# "N passed, N failed[, N skipped]".
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
if [ $# -lt 1 ]; then
    echo "usage: tests/run.sh BUILD [unit|kernels|sim|fuzz|golden|cluster]..." >&2
    exit 2
fi
build=$1
shift
kinds=("$@")
[ ${#kinds[@]} -gt 0 ] || kinds=(unit kernels sim fuzz golden cluster)
limit=${TEST_TIMEOUT:-300}

passed=0 failed=0 skipped=0
scratch=$(mktemp -d "${TMPDIR:-/tmp}/smelter-run.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
failures=$scratch/failures
: >"$failures"

# run_one N COMMAND... - run test N; leaves its output, exit code and milliseconds in $scratch/N.*, the code last.
run_one() {
    local n=$1 start code
    shift
    start=$(date +%s%N)
    CMOCKA_MESSAGE_OUTPUT=TAP timeout --kill-after=10 "$limit" "$@" >"$scratch/$n.output" 2>&1 </dev/null
    code=$?
    echo $((($(date +%s%N) - start) / 1000000)) >"$scratch/$n.ms"
    echo $code >"$scratch/$n.code"
}

# show NAME N - count what test N reported, and print its line.
show() {
    local name=$1 output=$scratch/$2.output ok bad skip planned code seconds note=""
    code=$(cat "$scratch/$2.code")
    seconds=$(awk '{ printf "%.1f", $1 / 1000 }' "$scratch/$2.ms")
    count() { grep -cE "$1" "$output"; }
    ok=$(count '^ok( [0-9]+)? - ')
    bad=$(count '^not ok( [0-9]+)? - ')
    skip=$(count '^(skip - |(not )?ok [0-9]+ # SKIP)')
    planned=$(sed -nE 's/^1\.\.([0-9]+)$/\1/p' "$output" | awk '{ n += $1 } END { print n + 0 }')
    if [ $code = 124 ] || [ $code = 137 ]; then
        note="stopped after $limit s"
        bad=$((bad + 1))
    elif [ $code -gt 128 ]; then
        note="died of signal $((code - 128))"
        bad=$((bad + 1))
    elif [ $code != 0 ] && [ $bad = 0 ]; then
        note="exit code $code"
        bad=1
    elif [ $((ok + bad + skip)) -lt "$planned" ]; then
        note="$((planned - ok - bad - skip)) of $planned tests were not reported"
        bad=$((bad + planned - ok - bad - skip))
    elif [ $((ok + bad + skip)) = 0 ]; then
        note="reported no test"
        bad=1
    fi
    passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
    printf '%-6s %-34s %4d passed' "$([ $bad = 0 ] && echo ok || echo FAIL)" "$name" "$ok"
    [ $bad = 0 ] || printf ', %d failed' "$bad"
    [ $skip = 0 ] || printf ', %d skipped' "$skip"
    printf '  %6s s%s\n' "$seconds" "${note:+  ($note)}"
    # Reasons of skips are always shown: a skipped test must not pass for a passed one.
    sed -nE 's/^skip - (.*)/         skipped: \1/p; s/^(not )?ok [0-9]+ # SKIP (.*)/         skipped: \2/p' "$output"
    if [ $bad != 0 ]; then
        grep -vE '^ok ' "$output" | tail -n "${TEST_TAIL:-200}" | sed 's/^/    | /'
        echo "$name" >>"$failures"
    fi
}

# Programs mostly wait, for ranks that start and deadlines that pass (a script of whole jobs uses a quarter of a core): so more
# run at a time than there are cores, and lines are printed in the order of the names. TEST_JOBS=1 where a person wants a quiet
# machine.
jobs=${TEST_JOBS:-$(($(nproc) * 3 / 2))}
names=() running=0 shown=0

show_finished() {
    while [ $shown -lt ${#names[@]} ] && [ -s "$scratch/$shown.code" ]; do
        show "${names[$shown]}" $shown
        shown=$((shown + 1))
    done
}

# wait_below N - until fewer than N tests run.
wait_below() {
    while [ $running -ge "$1" ]; do
        wait -n
        running=$((running - 1))
        show_finished
    done
}

# start NAME COMMAND... - but for one that TEST_WITHOUT names.
start() {
    case " ${TEST_WITHOUT:-} " in *" $1 "*) return ;; esac
    wait_below "$jobs"
    names+=("$1")
    shift
    run_one $((${#names[@]} - 1)) "$@" &
    running=$((running + 1))
}

begin=$SECONDS
for kind in "${kinds[@]}"; do
    shopt -s nullglob
    sources=(tests/"$kind"/test_*.c) scripts=(tests/"$kind"/test_*.sh)
    [ $((${#sources[@]} + ${#scripts[@]})) -gt 0 ] || continue
    wait_below 1
    echo "== $kind: ${#sources[@]} programs, ${#scripts[@]} scripts"
    for source in "${sources[@]}"; do
        name=$(basename "$source" .c)
        start "$kind/$name" "$build/tests/$kind/$name"
    done
    for script in "${scripts[@]}"; do
        if [ -x "$script" ]; then
            start "$kind/$(basename "$script")" "$script" "$build"
        fi
    done
done
wait_below 1

echo "== $((SECONDS - begin)) s"
[ $failed = 0 ] || echo "failed: $(sort -u "$failures" | paste -sd' ')"
printf '%d passed, %d failed' $passed $failed
[ $skipped = 0 ] || printf ', %d skipped' $skipped
printf '\n'
[ $failed = 0 ] && [ $passed -gt 0 ]
