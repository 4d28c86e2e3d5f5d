#!/usr/bin/env bash
# test_tune.sh BUILD - proves: `smelter tune` finds the widest acceptable value by bisection, logs the curve, finds its finished
# trainings again when it is started anew, and refuses what it cannot tune.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
smelter=$PWD/${1:-build}/smelter
work=$(mktemp -d "${TMPDIR:-/tmp}/smelter-tune.XXXXXX")
trap 'rm -rf "$work"' EXIT

check() { # check NAME COMMAND...
    local name=$1
    shift
    if "$@"; then echo "ok - $name"; else
        echo "not ok - $name"
        tail -5 "$work/log"
    fi
}

cat >"$work/t.yaml" <<EOF
name: tiny
cluster: {workers: 1, servers: 1}
data: {path: $work/data}
synth: {rows: 6000, fields: 4, values: 500}
train: {batch: 128, lanes: 1, epochs: 3}
model: {hidden: [16], layer_norm: plain, activate_inputs: false}
experiment: {replicas: 2}
variants:
  - {name: relu}
  - {name: smelu, model: {activation: smelu}}
tune: {low: 0.1, high: 100, tolerance: 0.005, values: 4}
EOF

timeout 100 "$smelter" tune "$work/t.yaml" --out "$work/out" >"$work/table" 2>"$work/log"
check "tune ends well" test $? = 0
check "the curve has a line per value" test "$(grep -c . "$work/out/curve.tsv")" -le 5
check "the curve is in order of values" sort -g -c <(tail -n +2 "$work/out/curve.tsv" | cut -f1)
check "one value is chosen, or none is said to be acceptable" grep -qE "^model.beta [0-9.]+: PD|no value of model.beta" "$work/table"
# The chosen value is the one with the smallest difference among the acceptable ones.
best=$(tail -n +2 "$work/out/curve.tsv" | awk -F'\t' '$5 == "yes" && (b == "" || $4 < p) { b = $1; p = $4 } END { print b }')
check "it is the acceptable one with the smallest difference" test "$(sed -nE 's/^model.beta ([0-9.]+): PD.*/\1/p' "$work/table")" = "$best"

cp "$work/out/curve.tsv" "$work/before"
timeout 100 "$smelter" tune "$work/t.yaml" --out "$work/out" >"$work/table" 2>"$work/log"
check "started anew it gives the same curve" cmp -s "$work/before" "$work/out/curve.tsv"
check "and trains nothing" test "$(grep -c 'runs are finished' "$work/log")" = "$(grep -c '\.txt' <(ls "$work/out"))"

timeout 20 "$smelter" tune "$work/t.yaml" --set tune.variant=relu --out "$work/o2" 2>"$work/log"
check "the baseline cannot be tuned" grep -q "tune.variant is 'relu'; it must be a variant" "$work/log"
timeout 20 "$smelter" tune "$work/t.yaml" --baseline relu --tolerance 0.001 --set tune.low=9 --set tune.high=3 --out "$work/o2" 2>"$work/log"
check "an empty range is refused" grep -q "tune.low is 9 and tune.high 3" "$work/log"
timeout 20 "$smelter" tune "$work/t.yaml" --set experiment.replicas=1 --out "$work/o2" 2>"$work/log"
check "one replica is refused" grep -q "t.yaml: experiment.replicas is 1, but prediction difference needs at least 2; raise it" "$work/log"
