#!/usr/bin/env bash
# test_interrupted.sh BUILD - a comparison that is killed in the middle and started again.
#
# README: "An interrupted experiment continues where it stopped": finished runs are kept as they are, and the results are those of a
# undisturbed comparison, cost aside. manifest.h: "where it is, the run is finished and its predictions are whole".
# shellcheck source=tests/lib/cluster.sh
. "$(dirname "$0")/../lib/cluster.sh"
small_config "$T/c.yaml" 'cluster: {workers: 2, servers: 2}' 'experiment: {replicas: 2, vary: [init, order], baseline: relu}' 'variants:' \
    '  - {name: relu}' '  - {name: smelu, model: {activation: smelu}}' '  - {name: three, model: {components: 3}, train: {epochs: 150}}'
COMPARE=("$SMELTER" compare "$T/c.yaml" --out)

# without_cost FILE - results.json without what differs from job to job.
without_cost() { sed '/"cost": {/,/}/d; /^  "provenance": {/,$d' "$1" | grep -vE '"verdict|"command|"manifest"|per_second|_seconds|cpu|rss|bytes'; }

undisturbed() {
    run "$T/log" "${COMPARE[@]}" "$T/whole"
    expect "exit code $CODE" [ "$CODE" = 0 ]
    local key
    for key in name logloss auc_loss pqauc_loss calibration pd_relative pd_pairs examples_per_second rows_pulled_per_example \
        bytes_per_example parameters flops_per_example cpu_seconds peak_rss_bytes wall_seconds determinism init_seed order_seed digest; do
        expect "results.json has no \"$key\"" grep -q "\"$key\": " "$T/whole/results.json"
    done
    expect "results.csv has $(wc -l <"$T/whole/results.csv") lines" [ "$(wc -l <"$T/whole/results.csv")" -ge 4 ]
    expect "replicas are alike" [ "$(digest_of "$T/whole/relu/r0")" != "$(digest_of "$T/whole/relu/r1")" ]
}

# A rank is killed in the third run, whose variant trains long enough for that; then the comparison is started again.
continued() {
    start "$T/log" "${COMPARE[@]}" "$T/again"
    wait_for_training "$T/again/three/r0"
    kill -KILL "$(rank_pid 3)"
    finish
    expect "exit code 0" [ "$CODE" != 0 ]
    expect_errors 1 "$T/log"
    expect_nothing_left
    expect "the run that was killed counts as finished" [ ! -e "$T/again/three/r0/manifest.json" ]
    expect "there are results of what is not finished" [ ! -e "$T/again/results.json" ]
    local kept
    kept=$(cd "$T/again" && stat -c '%n %y' ./*/r*/manifest.json)
    expect "finished before: $kept" [ "$(wc -l <<<"$kept")" = 2 ]

    run "$T/log" "${COMPARE[@]}" "$T/again"
    expect "exit code $CODE of the second part" [ "$CODE" = 0 ]
    expect_line "$T/log" "2 of 6 runs are finished in $T/again and kept"
    expect "finished runs were touched" [ "$kept" = "$(cd "$T/again" && stat -c '%n %y' ./relu/r0/manifest.json ./smelu/r0/manifest.json)" ]
    expect "its results differ: $(diff <(without_cost "$T/whole/results.json") <(without_cost "$T/again/results.json"))" \
        cmp -s <(without_cost "$T/whole/results.json") <(without_cost "$T/again/results.json")
}

# A changed file does not continue another experiment, and the refusal touches nothing.
changed() {
    local before
    before=$(cd "$T/whole" && stat -c '%n %y' ./*/r*/manifest.json results.json)
    run "$T/log" "${COMPARE[@]}" "$T/whole" --set dense.learning_rate=0.5
    expect "exit code $CODE" [ "$CODE" = 2 ]
    expect_line "$T/log" "$T/whole/relu/r0: holds a finished run: its dense.learning_rate is 0.02, wanted is 0.5; choose another --out or remove it"
    expect_errors 1 "$T/log"
    expect "the refusal has changed files" [ "$before" = "$(cd "$T/whole" && stat -c '%n %y' ./*/r*/manifest.json results.json)" ]
}

case_of "an undisturbed comparison has the documented results" undisturbed
case_of "a comparison whose rank is killed continues, with the same results" continued
case_of "a changed configuration is refused, and what differs is named" changed
finish_tests
