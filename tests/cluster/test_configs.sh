#!/usr/bin/env bash
# test_configs.sh BUILD - every experiment in configs/ trains and is reported, so that none of them rots.
#
# Each is cut to a few steps of few examples, on generated data; its variants, sources of difference, teachers, sweeps and
# cluster are its own. Where $SMELTER_DATA holds the real data, their text is imported by the shipped schemas, too.
# shellcheck source=tests/lib/cluster.sh
. "$(dirname "$0")/../lib/cluster.sh"

# numbers_of CSV KEY - the column KEY of a results.csv
numbers_of() { awk -F, -v key="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == key) at = i; next } { print at ? $at : "none" }' "$1"; }

# Of the configuration $name.
few_steps() {
    run "$T/$name.log" "$SMELTER" compare "configs/$name.yaml" --out "$T/$name" --set data.path="$T/$name.data" --set data.input= \
        --set synth.rows=1500 --set synth.fields=5 --set synth.values=100 --set synth.numeric=2 --set synth.multi=1 \
        --set train.batch=64 --set train.max_steps=2 --set experiment.replicas=2
    expect "compare ended with code $CODE" [ $CODE = 0 ]
    expect_errors 0 "$T/$name.log"
    [ -f "$T/$name/results.csv" ] || return
    local named rows
    named=$(grep -cE '^ +- \{?name: ' "configs/$name.yaml")
    rows=$(($(wc -l <"$T/$name/results.csv") - 1))
    expect "$rows variants are reported of $named" [ "$rows" -ge "$named" ]
    local key
    for key in logloss pd_relative examples_per_second; do
        expect "$key is not a number of every variant" [ "$(numbers_of "$T/$name/results.csv" $key | grep -cE '^[0-9.]+(e-?[0-9]+)?$')" = "$rows" ]
    done
    rm -rf "${T:?}/$name" "$T/$name.data"
}

# The first experiment that imports it stands for a schema: two steps of its baseline.
imported() {
    local baseline
    baseline=$(sed -n 's/^  baseline: //p' "configs/$name.yaml")
    run "$T/$name.log" "$SMELTER" compare "configs/$name.yaml" --out "$T/$name" --set data.path="$T/$name.data" --set train.max_steps=2 \
        --set experiment.replicas=1 --set 'experiment.vary=[]' --set experiment.only="$baseline"
    expect "compare ended with code $CODE" [ $CODE = 0 ]
    expect_errors 0 "$T/$name.log"
    expect "no evaluation" [ -s "$T/$name/$baseline/r0/predictions.f32" ]
    rm -rf "${T:?}/$name" "$T/$name.data"
}

seen=''
for file in configs/*.yaml; do
    name=$(basename "$file" .yaml)
    grep -q '^variants:' "$file" || continue
    case_of "$name trains every variant" few_steps
    schema=$(sed -n 's/^  schema: //p' "$file")
    [ -n "$schema" ] || continue
    case " $seen " in *" $schema "*) continue ;; esac
    seen="$seen $schema"
    text=$(sed -n 's/^  input: \${SMELTER_DATA}//p' "$file")
    if [ -f "${SMELTER_DATA:-}$text" ]; then
        case_of "$name imports $(basename "$text") by $schema" imported
    else
        skip "$name imports $(basename "$text") by $schema" "no such file below \$SMELTER_DATA"
    fi
done
finish_tests
