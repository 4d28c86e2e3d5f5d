#!/usr/bin/env bash
# test_modes.sh BUILD - who may read what jobs write.
#
# docs/SECURITY.md: "nobody but the user who started a job reads what it writes, unless --mode says otherwise", whatever the umask
# of the shell is: runs, datasets, checkpoints, stores, what is half written, predictions and reports.
# shellcheck source=tests/lib/cluster.sh
. "$(dirname "$0")/../lib/cluster.sh"
umask 000
small_config "$T/c.yaml" 'checkpoint: {every_steps: 7}' 'evaluate: {probe_every: 5, probe_examples: 64}' 'cluster: {memory_mb: 1}' \
    'experiment: {replicas: 1, vary: []}' 'variants: [{name: relu}, {name: smelu, model: {activation: smelu}}]'
printf 'label,price\n1,3\n0,4\n' >"$T/data.csv"
printf 'columns: [{name: price, kind: numeric}]\n' >"$T/schema.yaml"

# strays MODE PATH... - entries below the paths whose mode is not that: folders have it, files have it without x.
strays() {
    local mode=$1
    shift
    find "$@" -type d ! -perm "$mode" -printf '%m %p\n'
    find "$@" ! -type d ! -perm "$(printf '%o' $((0$mode & 0666)))" -printf '%m %p\n'
}

expect_mode() {
    local found
    expect "there is nothing in ${*:2}" [ "$(find "${@:2}" -type f | wc -l)" -gt 20 ]
    found=$(strays "$@")
    expect "$found" [ -z "$found" ]
}

# jobs MODE [OPTION...] - one command after the other, each of which writes something.
jobs_write() {
    local mode=$1
    shift
    rm -rf "$T/data" "$T/out"
    mkdir "$T/out" && chmod "$mode" "$T/out"
    run "$T/log" "$SMELTER" import "$T/data.csv" --schema "$T/schema.yaml" --out "$T/out/imported" "$@"
    expect "import: exit code $CODE" [ $CODE = 0 ]
    SMELTER_CRASH=server:compaction.begun:2 run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/out/run" "$@"
    expect "the run that dies: exit code $CODE" [ $CODE = 1 ]
    expect "nothing was saved" [ "$(newest "$T/out/run")" != 0 ]
    expect_mode "$mode" "$T/data" "$T/out"
    run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/out/run" --resume "$@"
    expect "the resumed run: exit code $CODE" [ $CODE = 0 ]
    run "$T/log" "$SMELTER" predict "$T/out/run" "$T/data" --out "$T/out/scores" "$@"
    expect "predict: exit code $CODE" [ $CODE = 0 ]
    run "$T/log" "$SMELTER" compare "$T/c.yaml" --out "$T/out/compared" "$@"
    expect "compare: exit code $CODE" [ $CODE = 0 ]
    expect "there is no report" [ -f "$T/out/compared/report.html" ]
    expect_mode "$mode" "$T/data" "$T/out"
}

own() { jobs_write 700; }
shared() { jobs_write 750 --mode 0750; }

wrong() {
    run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/x" --mode 0999
    expect "exit code $CODE" [ $CODE = 2 ]
    expect_line "$T/log" "error: --mode 0999: must be the mode of folders in octal digits"
    expect_errors 1 "$T/log"
    run "$T/log" "${MPIRUN[@]}" -np 3 "$SMELTER" train "$T/c.yaml" --out "$T/x" --mode 0640
    expect "exit code $CODE with mpirun" [ $CODE = 2 ]
    expect_errors 1 "$T/log"
    expect "something was written" [ ! -e "$T/x" ]
}

case_of "only the user reads what is written" own
case_of "--mode lets others read it" shared
case_of "what is no mode is said once, and nothing is written" wrong
finish_tests
