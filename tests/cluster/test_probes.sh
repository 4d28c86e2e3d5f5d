#!/usr/bin/env bash
# test_probes.sh BUILD - what the model predicts for the probe set while it trains.
#
# docs/PROTOCOL.md, "Probes": at sync and invariant a probe before step s sees exactly what the steps before have left, so that probes are
# the same on any cluster and after a resume, and those of a run that ends with step s - 1 are its predictions; and a training
# is the same with probes and without.
# shellcheck source=tests/lib/cluster.sh
. "$(dirname "$0")/../lib/cluster.sh"
small_config "$T/c.yaml" 'cluster: {workers: 2, servers: 2}' 'evaluate: {probe_every: 10, probe_examples: 640}'
sed -i 's/epochs: 2/epochs: 4/' "$T/c.yaml" # 50 steps; lanes of 64 examples

# The same probes, byte for byte.
expect_same() {
    expect "predictions of $1" cmp "$1/probes.f32" "$2/probes.f32"
    expect "steps of $1" cmp "$1/probes.jsonl" "$2/probes.jsonl"
    expect "digest of $1" [ "$(digest_of "$1")" = "$(digest_of "$2")" ]
}

# steps DIR - the steps of its probes, on one line.
steps() { sed -E 's/^\{"step": ([0-9]+), .*/\1/' "$1/probes.jsonl" | xargs; }

costs_nothing() {
    train "$T/whole"
    train "$T/without" evaluate.probe_every=0
    expect "steps $(steps "$T/whole")" [ "$(steps "$T/whole")" = "10 20 30 40" ]
    expect "digest" [ "$(digest_of "$T/whole")" = "$(digest_of "$T/without")" ]
    expect "a run without probes has a file" [ ! -e "$T/without/probes.f32" ]
    expect "clipped" cmp "$T/whole/clipped.json" "$T/without/clipped.json"
    expect "steps.jsonl" cmp <(sort "$T/whole/steps.jsonl") <(sort "$T/without/steps.jsonl")
    for number in rows_pulled_per_example rows_pushed_per_example config_hash; do
        expect "$number" [ "$(grep -F "\"$number\"" "$T/whole/manifest.json")" = "$(grep -F "\"$number\"" "$T/without/manifest.json")" ]
    done
}

on_any_cluster() {
    train "$T/one" cluster.workers=1 cluster.servers=1
    expect_same "$T/one" "$T/whole"
    train "$T/deep" train.pipeline_depth=3 cluster.workers=4
    train "$T/deep1" train.pipeline_depth=3 cluster.workers=1 cluster.shards_per_server=2
    expect_same "$T/deep1" "$T/deep"
}

# A run that stops there, at both depths that see all pushes.
sees_what_steps_left() {
    train "$T/stops" train.max_steps=20
    expect "depth 1" cmp <(tail -c +$((640 * 4 + 1)) "$T/whole/probes.f32" | head -c $((640 * 4))) \
        <(head -c $((640 * 4)) "$T/stops/predictions.f32")
    train "$T/flat" train.pipeline_depth=0 train.max_steps=40
    train "$T/stops0" train.pipeline_depth=0 train.max_steps=30 cluster.workers=1 cluster.servers=1
    expect "depth 0" cmp <(tail -c +$((2 * 640 * 4 + 1)) "$T/flat/probes.f32" | head -c $((640 * 4))) \
        <(head -c $((640 * 4)) "$T/stops0/predictions.f32")
}

after_a_kill() {
    SMELTER_CRASH=coordinator:commit.renamed:2 run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/killed" \
        --set checkpoint.every_steps=15
    expect "it was not killed" [ "$CODE" != 0 ]
    expect "it has no probes of before the kill" grep -q '"step": 20,' "$T/killed/probes.jsonl"
    cp -r "$T/killed" "$T/spoiled"
    run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/killed" --resume --set cluster.workers=1 --set cluster.servers=1
    expect "exit code $CODE" [ "$CODE" = 0 ]
    expect_line "$T/log" "goes on before step 30"
    expect_same "$T/killed" "$T/whole"
    run "$T/log" "$SMELTER" inspect "$T/killed"
    expect "the run is not whole" [ "$CODE" = 0 ]
    printf '\377' | dd of="$T/spoiled/probes.f32" bs=1 seek=100 conv=notrunc status=none
    run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/spoiled" --resume
    expect "a changed file: code $CODE" [ "$CODE" != 0 ]
    expect_line "$T/log" "the predictions before step 10 are not those that"
}

other_levels() {
    train "$T/async" determinism=async
    expect "async: steps $(steps "$T/async")" [ "$(steps "$T/async")" = "10 20 30 40" ]
    expect "async: $(stat -c %s "$T/async/probes.f32") bytes" [ "$(stat -c %s "$T/async/probes.f32")" = $((4 * 640 * 4)) ]
    train "$T/groups" model.components=2 objective.kind=codistill objective.form=groups objective.exchange_steps=8 train.max_steps=20
    expect "groups: steps $(steps "$T/groups")" [ "$(steps "$T/groups")" = "16" ]
}

case_of "a training is the same with probes and without" costs_nothing
case_of "probes are the same on any cluster, at any depth" on_any_cluster
case_of "a probe sees what the steps before have left" sees_what_steps_left
case_of "a run that goes on repeats the probes after the checkpoint" after_a_kill
case_of "probes at async, and of co-distilled groups" other_levels
finish_tests
