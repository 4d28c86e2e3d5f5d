#!/usr/bin/env bash
# test_groups.sh BUILD - co-distillation in groups: "each peer has its own workers and its own share of the data, and learns from copies of
# the others" (objective.form), proved against the joint form, which shares none of its paths:
#
# * where both shares hold the same examples and copies are exchanged after every step, each peer sees what it would see as one of two on
#   one worker: the whole model, tables and optimizer state included, is that of the joint form bit for bit;
# * without a weight between them, each peer is what an independent training on its share makes;
# * L3 holds over the number of workers of a group.
# shellcheck source=tests/lib/cluster.sh
. "$(dirname "$0")/../lib/cluster.sh"

cat >"$T/schema.yaml" <<END
format: csv
label: y
split: {column: late, train_max: 0}
columns: [a, b, c]
END

cat >"$T/c.yaml" <<END
name: groups
defaults: 1
determinism: invariant
data: {path: $T/data, input: $T/all.csv, schema: $T/schema.yaml}
train: {batch: 128, lanes: 4, epochs: 2, report_steps: 5}
model: {hidden: [16, 8], components: 2, activate_inputs: false, layer_norm: plain}
embedding: {dim: 4, learning_rate: 0.1}
objective: {kind: codistill, form: groups, weight: 0.7, burn_in: 0.1, exchange_steps: 5}
END

# text ROWS - ROWS training examples of power-law values and 500 for evaluation
text() {
    awk -v rows="$1" 'BEGIN {
        srand(7); print "late,y,a,b,c"
        for (i = 0; i < rows + 500; i++) {
            a = int(200 * rand() ^ 3); b = int(50 * rand() ^ 2); c = int(9 * rand())
            late = (i >= rows); y = (rand() < (a % 3 + b % 5 + c % 2) / 8)
            printf "%d,%d,%d,%d,%d\n", late, y, a, b, c
        }
    }'
}

# of_share G - the training examples G, G + 2, .. of 2500, and all for evaluation
of_share() { awk -F, -v g="$1" 'NR == 1 || $1 == 1 || (NR - 2 < 2500 && NR % 2 == g) { print }' "$T/all.csv"; }

text 2501 >"$T/all.csv" # an odd number: the last one is in no share
of_share 0 >"$T/share0.csv"
of_share 1 >"$T/share1.csv"
awk -F, 'NR > 1 && $1 == 0 { print } { print }' "$T/share0.csv" >"$T/twice.csv" # each training example twice, in a row

# on TEXT - the settings that make it the dataset
on() { echo "data.path=$T/$1.data data.input=$T/$1.csv"; }

same_digest() { [ -n "$(digest_of "$T/$1")" ] && [ "$(digest_of "$T/$1")" = "$(digest_of "$T/$2")" ]; }
number_of() { sed -nE "s/^ +\"$2\": ([-+0-9.e]+),?\$/\1/p" "$T/$1/manifest.json"; }

workers_of_a_group() {
    train "$T/two" cluster.workers=2
    train "$T/again" cluster.workers=2
    train "$T/four" cluster.workers=4 cluster.servers=2
    train "$T/eight" cluster.workers=8 cluster.servers=3
    expect "two runs on the same ranks differ" same_digest two again
    expect "2 and 4 workers differ" same_digest two four
    expect "2 and 8 workers differ" same_digest two eight
    expect "predictions differ" cmp -s "$T/two/predictions.f32" "$T/eight/predictions.f32"
    expect "progressive validation differs" [ "$(number_of two progressive_logloss)" = "$(number_of eight progressive_logloss)" ]
    expect "it learned nothing" awk "BEGIN { exit !($(number_of two auc_loss) < 0.47) }"
}

equal_shares() {
    local sets
    read -ra sets <<<"$(on twice)"
    train "$T/fresh" "${sets[@]}" cluster.workers=4 objective.exchange_steps=1
    train "$T/stale" "${sets[@]}" cluster.workers=2
    read -ra sets <<<"$(on share0)"
    train "$T/joint" "${sets[@]}" cluster.workers=1 objective.form=joint
    expect "an exchange after every step does not give the joint form's model" same_digest fresh joint
    expect "stale copies change nothing" [ "$(digest_of "$T/stale")" != "$(digest_of "$T/joint")" ]
    expect "other shares of clipped values" cmp -s "$T/fresh/clipped.json" "$T/joint/clipped.json"
    expect "progressive validation differs" [ "$(number_of fresh progressive_logloss)" = "$(number_of joint progressive_logloss)" ]
    expect "the joint form does not push all the rows it pulls" [ "$(number_of joint rows_pushed_per_example)" = "$(number_of joint rows_pulled_per_example)" ]
    expect "a group does not push half of the rows it pulls" awk \
        "BEGIN { exit !(2 * $(number_of stale rows_pushed_per_example) == $(number_of stale rows_pulled_per_example)) }"
    expect "the other peer's forward pass is not a third of the work" awk \
        "BEGIN { exit !(3 * $(number_of stale flops_per_example) == 2 * $(number_of joint flops_per_example)) }"
}

silent_peers() {
    local g sets
    for g in 0 1; do
        train "$T/silent$g" cluster.workers=4 objective.weight=0 model.deploy=$g
        read -ra sets <<<"$(on share$g)"
        train "$T/alone$g" "${sets[@]}" cluster.workers=1 objective.weight=0 objective.form=joint model.deploy=$g
        expect "dense parameters of peer $g differ" cmp -s "$T/silent$g/dense-$g.f32" "$T/alone$g/dense-$g.f32"
        expect "predictions of peer $g differ" cmp -s "$T/silent$g/predictions.f32" "$T/alone$g/predictions.f32"
        expect "progressive validation of peer $g differs" \
            [ "$(number_of "silent$g" progressive_logloss)" = "$(number_of "alone$g" progressive_logloss)" ]
    done
    expect "both peers are the same" [ "$(number_of silent0 logloss)" != "$(number_of silent1 logloss)" ]
    train "$T/rarely" cluster.workers=2 objective.weight=0 model.deploy=1 objective.exchange_steps=1000
    expect "exchanges change peers that do not learn from one another" same_digest silent1 rarely
}

other_levels() {
    local level
    train "$T/sync" cluster.workers=2 determinism=sync
    expect "sync and invariant differ" same_digest sync two
    for level in sync bounded async; do
        train "$T/six_$level" cluster.workers=6 determinism=$level
        expect "$level learned nothing" awk "BEGIN { exit !($(number_of six_$level auc_loss) < 0.47) }"
    done
    train "$T/mean" cluster.workers=4 model.components=4 objective.peers=2 model.deploy=mean
    train "$T/mean2" cluster.workers=2 model.components=4 objective.peers=2 model.deploy=mean
    expect "peers of two members each differ on 2 and 4 workers" same_digest mean mean2
}

scored_by_any() {
    expect "there is no run" [ -s "$T/two/manifest.json" ]
    run "$T/predict.log" "$SMELTER" predict "$T/two" "$T/data" --out "$T/p" --set cluster.workers=1
    expect "predict ended with code $CODE" [ $CODE = 0 ]
    expect "one worker predicts otherwise" cmp -s "$T/p.f32" "$T/two/predictions.f32"
}

# refused TEXT SET... - one error line, which has TEXT
refused() {
    local text=$1 set sets=()
    shift
    for set in "$@"; do sets+=(--set "$set"); done
    run "$T/refused.log" "$SMELTER" train "$T/c.yaml" --out "$T/refused" "${sets[@]}"
    expect "$* ended with code $CODE" [ $CODE = 2 ]
    expect_line "$T/refused.log" "$text"
    expect_errors 1 "$T/refused.log"
}

mistakes() {
    local sets
    refused "objective.form groups needs as many workers for each of its 2 peers, but cluster.workers is 3; use 2, 4, ... workers" cluster.workers=3
    refused "objective.form groups needs as many workers for each of its 2 peers, but cluster.workers is 1; use 2, 4, ... workers"
    refused "objective.form groups is a form of co-distillation" cluster.workers=2 objective.kind=independent
    text 1 >"$T/one.csv"
    read -ra sets <<<"$(on one)"
    refused "has 1 training examples, too few for the shares of 2 peers (objective.form groups)" cluster.workers=2 "${sets[@]}"
}

case_of "bit-identical over the workers of a group, servers and repetition" workers_of_a_group
case_of "equal shares and an exchange after every step make the model of the joint form; its cost is another" equal_shares
case_of "peers without a bond are those of independent trainings on their shares" silent_peers
case_of "groups train at every level, and with peers of several members" other_levels
case_of "any number of workers scores a run" scored_by_any
case_of "what cannot be is refused by one line" mistakes
finish_tests
