#!/usr/bin/env bash
# test_activations.sh BUILD - activations in real trainings.
#
# Proves: learned gSmeLU is "bit-identical across worker and server counts" (docs/CONFIG.md, L3) in each of its three forms; `inspect` shows
# its numbers, moved from their start and within their bounds, for every layer; the log warns, once, of a layer that is clipped a
# lot; what is observed of its layers does not depend on the number of workers either; weights of projected weight norm train on any cluster alike.
# shellcheck source=tests/lib/cluster.sh
. "$(dirname "$0")/../lib/cluster.sh"
export OMP_NUM_THREADS=1

# train OUT [--set ...] - the quickstart's network, in place of the small one
train() {
    local out=$1
    shift
    timeout 120 "$SMELTER" train configs/quickstart.yaml --out "$T/$out" --set data.path="$T/data" --set synth.rows=12000 \
        --set 'model.hidden=[32,16]' --set train.epochs=1 --set determinism=invariant "$@" >"$T/$out.log" 2>&1
}

for form in network layer unit; do
    set=(--set model.activation=gsmelu --set model.gsmelu=$form --set model.gsmelu_learning_rate=0.01 --set model.activate_inputs=true)
    train one_$form "${set[@]}" --set cluster.workers=1
    report "learned gsmelu trains, one set per $form" $? "$T/one_$form.log"
    train two_$form "${set[@]}" --set cluster.workers=4 --set cluster.servers=2
    report "and on four workers and two servers" $? "$T/two_$form.log"
    [ -n "$(digest_of "$T/one_$form")" ] && [ "$(digest_of "$T/one_$form")" = "$(digest_of "$T/two_$form")" ]
    report "with the same digest" $?
    layers_of() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["activated_layers"])' "$T/$1/manifest.json"; }
    [ "$(layers_of one_$form)" = "$(layers_of two_$form)" ] && cmp -s "$T/one_$form/clipped.json" "$T/two_$form/clipped.json"
    report "and the same spread and shares of every layer" $? "$T/two_$form.log"

    "$SMELTER" inspect "$T/one_$form" >"$T/inspect_$form.log" 2>&1
    case $form in network) lines=1 ;; *) lines=3 ;; esac # the input and two hidden layers
    [ "$(grep -c '^  gsmelu ' "$T/inspect_$form.log")" = $lines ]
    report "inspect shows $lines set(s)" $? "$T/inspect_$form.log"
    grep -Eq '^ +0 +hidden 2 +[-0-9.]+ +[0-9.]+ +[0-9.]+ % +[0-9.]+ %$' "$T/inspect_$form.log"
    report "and the spread of what comes in" $? "$T/inspect_$form.log"
    # alpha and beta stay above 0, g- below g+, t at most 0; and something was learned
    grep '^  gsmelu ' "$T/inspect_$form.log" | sed 's/([^)]*)//g' | awk '
        { for (i = 1; i < NF; i++) value[$i] = $(i + 1)
          if (!(value["alpha"] > 0 && value["beta"] > 0 && value["g-"] < value["g+"] && value["t"] <= 0)) bad = 1
          if (value["alpha"] != 1 || value["g-"] != 0) moved = 1 }
        END { exit bad || !moved }'
    report "within their bounds and moved" $? "$T/inspect_$form.log"
done

train clipped --set model.clip=0.2 --set cluster.workers=2
[ "$(grep -c 'are clipped at model.clip 0.2' "$T/clipped.log")" = 1 ]
report "a clipped layer is warned of once" $? "$T/clipped.log"
train unclipped --set model.clip=6 && ! grep -q "are clipped" "$T/unclipped.log"
report "and none where few values are" $? "$T/unclipped.log"

projected=(--set model.weight_norm=1 --set model.weight_norm_mode=projected --set 'model.layer_activation=[smelu,swish]'
    --set 'model.layer_beta=[3,1]')
train projected_one "${projected[@]}" --set cluster.workers=1 && train projected_two "${projected[@]}" --set cluster.workers=2 &&
    [ "$(digest_of "$T/projected_one")" = "$(digest_of "$T/projected_two")" ]
report "projected weight norm and layers of their own train alike on any cluster" $? "$T/projected_two.log"

finish_tests
