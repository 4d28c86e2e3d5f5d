#!/usr/bin/env bash
# test_compare.sh BUILD - `smelter compare` by whole jobs under mpirun: an interrupted experiment continues where it stopped, a finished
# one is reported again without training, and intervals, slices and the most different examples are the same ones every time. One
# replica has no prediction difference: asked for, that is refused; "single runs are compared where that is said".
# shellcheck source=tests/lib/cluster.sh
. "$(dirname "$0")/../lib/cluster.sh"
small_config "$T/c.yaml" 'cluster: {workers: 2, servers: 1}' 'experiment: {replicas: 2, vary: [order], baseline: relu}' \
    'evaluate: {probe_every: 7, probe_examples: 100000}' 'variants:' \
    '  - name: relu' '  - {name: smelu, model: {activation: smelu, beta: 2}}'

# results.json without when, where and by what it was written, and its checksum, which are at its end.
unsigned() { sed '/^  "provenance": {/,$d' "$1"; }
# Members of results.json that are numbers: without the machine's cost and the runs' manifests, which differ from job to job.
numbers() { unsigned "$1/results.json" | grep -vE '_per_second|_seconds|peak_rss|bytes_per|"verdict|"command|"manifest"'; }

compare() {
    run "$T/compare.log" "$SMELTER" compare "$T/c.yaml" --out "$T/$1"
    expect "compare ended with code $CODE" [ $CODE = 0 ]
}

# ends_alike NAME - the probe set is the whole evaluation split here, so the last point of its curve is the number of the report, twice.
ends_alike() {
    [ "$(awk -v name="\"$1\":" '
        $1 == name && /^        "/ && !/\[/ { of_report = $2 + 0 }
        $1 == name && /^        ".*\[$/ { inside = 1; next }
        inside && /\]/ { inside = 0; good += of_report > 0.001 && (last - of_report) ^ 2 < 1e-24 }
        inside { last = $1 + 0 }
        END { print good }' "$T/one/results.json")" = 2 ]
}

fresh() {
    compare one
    expect_line "$T/compare.log" ' relative PD'
    expect_line "$T/compare.log" ' differ most where '
    local member
    for member in pd_relative_low pd_symkl_high swap_top1 swap_topk_low pd_difference_high worst_slices most_different; do
        expect "results.json has no number of $member" grep -qE "\"$member\": (-?[0-9.e-]+|\[)" "$T/one/results.json"
    done
    expect "examples do not say what they hold" grep -qE '"c1": "[0-9]+"' "$T/one/results.json"
    expect "examples do not say their queries" grep -qE '"group": "[0-9]+"' "$T/one/results.json"
    for member in pd_relative pd_levelled swap_top1; do
        expect "the curve of probes does not end with $member" ends_alike "$member"
    done
}

again() {
    cp "$T/one/results.json" "$T/first.json"
    compare one
    expect_line "$T/compare.log" '4 of 4 runs are finished'
    expect "the second report is another one" cmp -s <(unsigned "$T/first.json") <(unsigned "$T/one/results.json")
    expect "the second report does not say when it was written" grep -q '^    "written": "20' "$T/one/results.json"
    expect_errors 0 "$T/compare.log"
    expect_nothing_left
}

# Tables, sentences and lines of the log in a terminal of 80 columns; what else moves the cursor is taken out first.
narrow() {
    script -qec "stty cols 80; unset COLUMNS; '$SMELTER' compare '$T/c.yaml' --out '$T/one'" /dev/null </dev/null \
        | sed 's/\r$//; s/.*\r//; s/\x1b\[[0-9;?]*[A-Za-z]//g' >"$T/narrow.log"
    expect_line "$T/narrow.log" ' differ most where'
    expect "lines are wider than 80 columns: $(grep -nE -m 1 '^.{81}' "$T/narrow.log")" [ "$(grep -cE '^.{81}' "$T/narrow.log")" = 0 ]
    expect "the tables are not those of a pipe" cmp -s \
        <(awk '/^variant/ { for (i = 2; i <= NF; i++) print $i }' "$T/compare.log" | sort -u) \
        <(awk '/^variant/ { for (i = 2; i <= NF; i++) print $i }' "$T/narrow.log" | sort -u)
    expect "there are as many tables as in a pipe" [ "$(grep -c '^variant' "$T/narrow.log")" -gt "$(grep -c '^variant' "$T/compare.log")" ]
}

continued() {
    cp -r "$T/one" "$T/two"
    rm "$T/two/smelu/r1/manifest.json"
    compare two
    expect_line "$T/compare.log" '3 of 4 runs are finished'
    expect "the continued experiment has other results" cmp -s <(numbers "$T/one") <(numbers "$T/two")
}

one_replica() {
    local text="c.yaml: experiment.replicas is 1, but the prediction difference that experiment.vary of relu asks for needs 2 or more; raise it, or compare single runs by --set experiment.vary=[]"
    local one=("$SMELTER" compare "$T/c.yaml" --out "$T/single" --set experiment.replicas=1) start
    for start in '' "${MPIRUN[*]} -np 4"; do
        run "$T/log" $start "${one[@]}"
        expect "exit code $CODE instead of 2" [ $CODE = 2 ]
        expect_line "$T/log" "$text"
        expect_errors 1 "$T/log"
        expect "something was trained" [ ! -e "$T/single/relu" ]
    done
    run "$T/log" "${one[@]}" --set 'experiment.vary=[]'
    expect "exit code $CODE for single runs" [ $CODE = 0 ]
    expect_line "$T/log" 'means over 1 replica'
    expect "no row of smelu" grep -q '^smelu,' "$T/single/results.csv"
    run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/train" --set experiment.replicas=1
    expect "exit code $CODE of train" [ $CODE = 0 ]
}

case_of "an experiment reports intervals, slices and examples" fresh
case_of "a finished experiment is reported again, without training" again
case_of "in a terminal of 80 columns nothing of it wraps" narrow
case_of "an experiment with a run missing trains that run, and ends with the same results" continued
case_of "one replica is refused where prediction difference is asked, and only there" one_replica
finish_tests
