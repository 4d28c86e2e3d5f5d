#!/usr/bin/env bash
# test_activations.sh BUILD - activations in real trainings.
#
# Proves: learned gSmeLU is "bit-identical across worker and server counts" (DESIGN 3, L3) in each of its three forms; `inspect` shows
# its numbers, moved from their start and within their bounds, for every layer; the log warns, once, of a layer that is clipped a
# lot; weights of projected weight norm train on any cluster alike.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
build=${1:?usage: tests/cluster/test_activations.sh BUILD}
smelter=$(realpath "$build/smelter")
work=$(mktemp -d "${TMPDIR:-/tmp}/smelter-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
failed=0
export SMELTER_PROGRESS=off OMP_NUM_THREADS=1

# report NAME CONDITION-CODE [LOG]
report() {
    if [ "$2" = 0 ]; then
        echo "ok - $1"
    else
        echo "not ok - $1"
        failed=1
        [ $# -lt 3 ] || tail -n 20 "$3"
    fi
}

# train OUT [--set ...]
train() {
    local out=$1
    shift
    timeout 120 "$smelter" train configs/quickstart.yaml --out "$work/$out" --set data.path="$work/data" --set synth.rows=12000 \
        --set 'model.hidden=[32,16]' --set train.epochs=1 --set determinism=invariant "$@" >"$work/$out.log" 2>&1
}

# digest OUT
digest() {
    sed -n 's/.*"digest": "\([0-9a-f]*\)".*/\1/p' "$work/$1/manifest.json" | head -n 1
}

for form in network layer unit; do
    set=(--set model.activation=gsmelu --set model.gsmelu=$form --set model.gsmelu_learning_rate=0.01 --set model.activate_inputs=true)
    train one_$form "${set[@]}" --set cluster.workers=1
    report "learned gsmelu trains, one set per $form" $? "$work/one_$form.log"
    train two_$form "${set[@]}" --set cluster.workers=4 --set cluster.servers=2
    report "and on four workers and two servers" $? "$work/two_$form.log"
    [ -n "$(digest one_$form)" ] && [ "$(digest one_$form)" = "$(digest two_$form)" ]
    report "with the same digest" $?

    "$smelter" inspect "$work/one_$form" >"$work/inspect_$form.log" 2>&1
    case $form in network) lines=1 ;; *) lines=3 ;; esac # the input and two hidden layers
    [ "$(grep -c '^  gsmelu ' "$work/inspect_$form.log")" = $lines ]
    report "inspect shows $lines set(s)" $? "$work/inspect_$form.log"
    # alpha and beta stay above 0, g- below g+, t at most 0; and something was learned
    grep '^  gsmelu ' "$work/inspect_$form.log" | sed 's/([^)]*)//g' | awk '
        { for (i = 1; i < NF; i++) value[$i] = $(i + 1)
          if (!(value["alpha"] > 0 && value["beta"] > 0 && value["g-"] < value["g+"] && value["t"] <= 0)) bad = 1
          if (value["alpha"] != 1 || value["g-"] != 0) moved = 1 }
        END { exit bad || !moved }'
    report "within their bounds and moved" $? "$work/inspect_$form.log"
done

train clipped --set model.clip=0.2 --set cluster.workers=2
[ "$(grep -c 'are clipped at model.clip 0.2' "$work/clipped.log")" = 1 ]
report "a clipped layer is warned of once" $? "$work/clipped.log"
train unclipped --set model.clip=6 && ! grep -q "are clipped" "$work/unclipped.log"
report "and none where few values are" $? "$work/unclipped.log"

projected=(--set model.weight_norm=1 --set model.weight_norm_mode=projected --set 'model.layer_activation=[smelu,swish]'
    --set 'model.layer_beta=[3,1]')
train projected_one "${projected[@]}" --set cluster.workers=1 && train projected_two "${projected[@]}" --set cluster.workers=2 &&
    [ "$(digest projected_one)" = "$(digest projected_two)" ]
report "projected weight norm and layers of their own train alike on any cluster" $? "$work/projected_two.log"

exit $failed
