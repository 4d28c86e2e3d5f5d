#!/usr/bin/env bash
# test_tune.sh BUILD - proves: `smelter tune` finds the widest acceptable value by bisection, logs the curve, finds its finished
# trainings again when it is started anew, and refuses what it cannot tune.
# shellcheck source=tests/lib/cluster.sh
. "$(dirname "$0")/../lib/cluster.sh"

check() { # check NAME COMMAND...
    "${@:2}"
    report "$1" $? "$T/log"
}

cat >"$T/t.yaml" <<EOF
name: tiny
defaults: 1
cluster: {workers: 1, servers: 1}
data: {path: $T/data}
synth: {rows: 6000, fields: 4, values: 500}
train: {batch: 128, lanes: 1, epochs: 3}
model: {hidden: [16], layer_norm: plain, activate_inputs: false}
experiment: {replicas: 2}
variants:
  - {name: relu}
  - {name: smelu, model: {activation: smelu}}
tune: {low: 0.1, high: 100, tolerance: 0.005, values: 4}
EOF

timeout 100 "$SMELTER" tune "$T/t.yaml" --out "$T/out" >"$T/table" 2>"$T/log"
check "tune ends well" test $? = 0
check "the curve has a line per value" test "$(grep -c . "$T/out/curve.tsv")" -le 5
check "the curve is in order of values" sort -g -c <(tail -n +2 "$T/out/curve.tsv" | cut -f1)
check "one value is chosen, or none is said to be acceptable" grep -qE "^model.beta [0-9.]+: PD|no value of model.beta" "$T/table"
# The chosen value is the one with the smallest difference among the acceptable ones.
best=$(tail -n +2 "$T/out/curve.tsv" | awk -F'\t' '$5 == "yes" && (b == "" || $4 < p) { b = $1; p = $4 } END { print b }')
check "it is the acceptable one with the smallest difference" test "$(sed -nE 's/^model.beta ([0-9.]+): PD.*/\1/p' "$T/table")" = "$best"
check "two replicas do not tell whether the pick is chance" grep -q "cannot be told from 2 of them, it takes 3" "$T/table"

cp "$T/out/curve.tsv" "$T/before"
timeout 100 "$SMELTER" tune "$T/t.yaml" --out "$T/out" >"$T/table" 2>"$T/log"
check "started anew it gives the same curve" cmp -s "$T/before" "$T/out/curve.tsv"
check "and trains nothing" test "$(grep -c 'runs are finished' "$T/log")" = "$(grep -c '\.txt' <(ls "$T/out"))"

timeout 100 "$SMELTER" tune "$T/t.yaml" --set tune.goal=loss --set tune.pd=0 --set tune.values=2 --out "$T/out" >"$T/table" 2>"$T/log"
check "a goal that cannot be met ends with code 1" test $? = 1
check "and says what comes nearest" grep -qE "^no value of model.beta .* is acceptable: the PD is [0-9.]+ % at best, at (0.1|100), and may be 0.00 %" "$T/table"

timeout 100 "$SMELTER" tune "$T/t.yaml" --set dense.learning_rate=0 --set embedding.learning_rate=0 --out "$T/o3" >"$T/table" 2>"$T/log"
check "models that are no better than a constant end it with code 1" test $? = 1
check "and it says so" grep -qE "^no value can be chosen: relu is no better than a constant; its logloss is 0\.[0-9]+, and predicting" "$T/table"
check "before any value is tried" test "$(ls "$T/o3" | grep -c '\.txt')" = 1

timeout 20 "$SMELTER" tune "$T/t.yaml" --set tune.key=model.bata --out "$T/o2" 2>"$T/log"
check "a key that does not exist is refused" grep -q "model.bata: unknown key; did you mean model.beta" "$T/log"
timeout 20 "$SMELTER" tune "$T/t.yaml" --set tune.key=train.epochs --set tune.low=1 --set tune.high=3 --out "$T/o2" 2>"$T/log"
check "and one that has no middle" grep -q "train.epochs=1.73205: train.epochs: '1.73205' is not a whole number" "$T/log"
check "before anything is trained" test ! -e "$T/o2"
timeout 20 "$SMELTER" tune "$T/t.yaml" --set tune.variant=relu --out "$T/o2" 2>"$T/log"
check "the baseline cannot be tuned" grep -q "tune.variant is 'relu'; it must be a variant" "$T/log"
timeout 20 "$SMELTER" tune "$T/t.yaml" --baseline relu --tolerance 0.001 --set tune.low=9 --set tune.high=3 --out "$T/o2" 2>"$T/log"
check "an empty range is refused" grep -q "tune.low is 9 and tune.high 3" "$T/log"
timeout 60 "$SMELTER" tune "$T/t.yaml" --set experiment.replicas=3 --set tune.values=2 --set train.epochs=1 --out "$T/o4" >"$T/table" 2>"$T/log"
check "the pick is judged by all values that were tried" grep -q "significant over replicas: p = .* by Holm's correction for the 2 values tried" "$T/table"
timeout 20 "$SMELTER" tune "$T/t.yaml" --set experiment.replicas=1 --out "$T/o2" 2>"$T/log"
check "one replica is refused" grep -q "t.yaml: experiment.replicas is 1, but prediction difference needs at least 2; raise it" "$T/log"
finish_tests
