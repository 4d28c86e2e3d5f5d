#!/usr/bin/env bash
# test_compare.sh BUILD - `smelter compare` by whole jobs under mpirun: an interrupted experiment continues where it stopped, a finished
# one is reported again without training, and intervals, slices and the most different examples are the same ones every time.
# shellcheck source=tests/lib/cluster.sh
. "$(dirname "$0")/../lib/cluster.sh"
small_config "$T/c.yaml" 'cluster: {workers: 2, servers: 1}' 'experiment: {replicas: 2, vary: [order], baseline: relu}' 'variants:' \
    '  - name: relu' '  - {name: smelu, model: {activation: smelu, beta: 2}}'

# Members of results.json that are numbers: without the machine's cost, which differs from job to job.
numbers() { grep -vE '_per_second|_seconds|peak_rss|bytes_per|"verdict|"command' "$1/results.json"; }

compare() {
    run "$T/compare.log" "$SMELTER" compare "$T/c.yaml" --out "$T/$1"
    expect "compare ended with code $CODE" [ $CODE = 0 ]
}

fresh() {
    compare one
    expect_line "$T/compare.log" ' relative PD'
    expect_line "$T/compare.log" ' differ most where '
    local member
    for member in pd_relative_low pd_symkl_high swap_top1 swap_topk_low pd_difference_high worst_slices most_different; do
        expect "results.json has no number of $member" grep -qE "\"$member\": (-?[0-9.e-]+|\[)" "$T/one/results.json"
    done
}

again() {
    cp "$T/one/results.json" "$T/first.json"
    compare one
    expect_line "$T/compare.log" '4 of 4 runs are finished'
    expect "the second report is another one" cmp -s "$T/first.json" "$T/one/results.json"
    expect_errors 0 "$T/compare.log"
    expect_nothing_left
}

continued() {
    cp -r "$T/one" "$T/two"
    rm "$T/two/smelu/r1/manifest.json"
    compare two
    expect_line "$T/compare.log" '3 of 4 runs are finished'
    expect "the continued experiment has other results" cmp -s <(numbers "$T/one") <(numbers "$T/two")
}

case_of "an experiment reports intervals, slices and examples" fresh
case_of "a finished experiment is reported again, without training" again
case_of "an experiment with a run missing trains that run, and ends with the same results" continued
finish_tests
