#!/usr/bin/env bash
# test_last_batch.sh BUILD - a training whose examples are one more than whole batches (train.last_batch; docs/MATH.md eq. 10a).
#
# Proves: "scaled leaves both where they were", at every level and for peers in groups, where `own` moves quality and prediction
# difference; `drop` is the training of whole batches, bit for bit; runs of versions without the key, which are those of `own`
# with no such line in config.yaml, are kept where the key decides nothing and refused where it does.
# shellcheck source=tests/lib/cluster.sh
. "$(dirname "$0")/../lib/cluster.sh"

# 12,801 training examples: 100 batches of 128, and one example.
cat >"$T/c.yaml" <<END
name: short
defaults: 1
determinism: sync
data: {path: $T/data}
synth: {rows: 16002, group_size: 1}
train: {batch: 128, lanes: 1, pipeline_depth: 0}
model: {hidden: [64, 32], layer_norm: plain, activate_inputs: false}
embedding: {init_std: 0.01, learning_rate: 0.05}
END
{
    cat "$T/c.yaml"
    cat <<END
experiment: {replicas: 3, baseline: drop}
variants:
  - {name: drop, train: {last_batch: drop}}
  - {name: scaled, train: {last_batch: scaled}}
  - {name: own, train: {last_batch: own}}
END
} >"$T/three.yaml"

number_of() { sed -nE "s/^ +\"$2\": ([-+0-9.e]+),?\$/\1/p" "$T/$1/manifest.json" | head -1; }
field() { awk -F, -v name="$2" -v key="$3" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == key) at = i } $1 == name { print $at }' "$T/$1/results.csv"; }
holds() { awk "BEGIN { exit !($1) }"; }

one_example_does_no_harm() {
    run "$T/three.log" "$SMELTER" compare "$T/three.yaml" --out "$T/three"
    expect "exit code $CODE" [ "$CODE" = 0 ]
    local drop scaled own
    drop=$(field three drop pd_relative) scaled=$(field three scaled pd_relative) own=$(field three own pd_relative)
    expect "PD of scaled, $scaled, is not that of drop, $drop" holds "$scaled > 0.98 * $drop && $scaled < 1.02 * $drop"
    expect "PD of own, $own, is no higher than that of drop, $drop: the test sees nothing" holds "$own > 1.5 * $drop"
    drop=$(field three drop logloss) scaled=$(field three scaled logloss) own=$(field three own logloss)
    expect "logloss of scaled, $scaled, is not that of drop, $drop" holds "$scaled - $drop < 0.002 && $drop - $scaled < 0.002"
    expect "logloss of own, $own, is not above that of drop, $drop" holds "$own > $drop + 0.02"
}

whole_batches_are_what_they_were() {
    train "$T/whole" train.max_steps=100
    train "$T/whole-own" train.max_steps=100 train.last_batch=own
    expect "drop is not 100 steps" [ "$(digest_of "$T/whole")" = "$(digest_of "$T/three/drop/r0")" ]
    expect "the key changes a training of whole batches" [ "$(digest_of "$T/whole")" = "$(digest_of "$T/whole-own")" ]
    expect "the key changes the hash of such a training" \
        [ "$(grep '"config_hash"' "$T/whole/manifest.json")" = "$(grep '"config_hash"' "$T/whole-own/manifest.json")" ]
    expect "the last line of metrics.jsonl does not tell its examples" grep -q '"interval_examples": 1,' "$T/three/scaled/r0/metrics.jsonl"
}

# Rows that arrive in any order, and peers with batches of their own: 6,400 examples each, 79 batches of 81 and one example.
other_levels_and_groups() {
    {
        sed 's/lanes: 1/lanes: 2/' "$T/c.yaml"
        cat <<END
cluster: {workers: 2}
experiment: {replicas: 1, vary: []}
variants:
  - {name: async-drop, determinism: async, train: {last_batch: drop}}
  - {name: async-scaled, determinism: async}
  - name: groups-scaled
    train: {batch: 81, lanes: 1}
    model: {components: 2}
    objective: {kind: codistill, form: groups, burn_in: 0.1}
  - name: groups-drop
    train: {batch: 81, lanes: 1, last_batch: drop}
    model: {components: 2}
    objective: {kind: codistill, form: groups, burn_in: 0.1}
END
    } >"$T/others.yaml"
    run "$T/others.log" "$SMELTER" compare "$T/others.yaml" --out "$T/others"
    expect "exit code $CODE" [ "$CODE" = 0 ]
    local form drop scaled
    for form in async groups; do
        drop=$(field others $form-drop logloss) scaled=$(field others $form-scaled logloss)
        expect "$form: logloss of scaled, $scaled, is above that of drop, $drop" holds "$scaled < $drop + 0.005"
        drop=$(number_of others/$form-drop/r0 steps) scaled=$(number_of others/$form-scaled/r0 steps)
        expect "$form: scaled has $scaled steps, drop $drop" [ "$scaled" = $((drop + 1)) ]
    done
}

# The folders of a version that did not know the key.
older_runs() {
    local run
    for run in "$T"/three/own/r* "$T/whole-own"; do make_older "$run"; done
    sed -i '/^  last_batch: own$/d' "$T"/three/own/r*/config.yaml "$T/whole-own/config.yaml"
    run "$T/kept.log" "$SMELTER" compare "$T/three.yaml" --out "$T/three"
    expect "exit code $CODE" [ "$CODE" = 0 ]
    expect_line "$T/kept.log" "9 of 9 runs are finished"
    run "$T/mixed.log" "$SMELTER" compare "$T/three.yaml" --out "$T/three" --set experiment.only=own --set train.last_batch=scaled \
        --set experiment.baseline=own
    expect "exit code $CODE where rules would be mixed" [ "$CODE" = 2 ]
    expect_line "$T/mixed.log" "holds a finished run: its train.last_batch is own, wanted is scaled"
    run "$T/scores.log" "$SMELTER" predict "$T/three/own/r0" "$T/data" --out "$T/scores"
    expect "an older run cannot be scored" [ "$CODE" = 0 ]
    expect "it is scored otherwise" cmp -s "$T/scores.f32" "$T/three/own/r0/predictions.f32"
    run "$T/kept.log" "$SMELTER" train "$T/c.yaml" --out "$T/whole-own" --set train.max_steps=100
    expect "exit code $CODE" [ "$CODE" = 2 ]
    expect_line "$T/kept.log" "holds a finished run of this configuration; give --again"
}

nothing_left_to_train() {
    run "$T/none.log" "$SMELTER" train "$T/c.yaml" --out "$T/none" --set train.last_batch=drop --set train.batch=16384
    expect "exit code $CODE" [ "$CODE" = 2 ]
    expect_line "$T/none.log" "train.last_batch drop leaves nothing to train: all epochs have 12801 examples, fewer than train.batch 16384"
    expect "a run began" [ ! -e "$T/none/config.yaml" ]
    train "$T/one" train.batch=16384
    expect "a training of one short batch has no step" [ "$(number_of one steps)" = 1 ]
}

case_of "one example that is left over does no harm" one_example_does_no_harm
case_of "trainings of whole batches are what they were" whole_batches_are_what_they_were
case_of "the same holds at level async and for peers in groups" other_levels_and_groups
case_of "runs of versions without train.last_batch are kept, or refused where it matters" older_runs
case_of "drop with fewer examples than a batch is refused before training" nothing_left_to_train
finish_tests
