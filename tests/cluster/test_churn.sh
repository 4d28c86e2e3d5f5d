#!/usr/bin/env bash
# test_churn.sh BUILD - `smelter churn` says how two versions differ: by the predictions that runs have of the very dataset, starting
# nothing, else by scoring them first; of two replicas it says what `smelter compare` says of them; before and after a new column; and
# what does not fit is one clear line.
. "$(dirname "$0")/../lib/cluster.sh"

churn() { run "$T/log" "$SMELTER" churn "$@"; }
expect_churn() {
    churn "$@"
    expect "churn $* ended with code $CODE" [ "$CODE" = 0 ]
}
# number FILE NAME: the first member of that name, or line of a CSV.
number() { sed -nE "s/^ *\"$2\": ([-0-9.e]+),?\$/\1/p; s/^$2,([-0-9.e]+),.*/\1/p" "$1" | head -1; }
expect_near() { expect "$1: $2 and $3" awk -v a="$2" -v b="$3" 'BEGIN { exit !(a != "" && b != "" && (a - b) ^ 2 < 1e-16) }'; }

small_config "$T/c.yaml" "experiment: {replicas: 2}" "variants:" "  - {name: old, train: {max_steps: 8}}" "  - {name: new}"
run "$T/log" "$SMELTER" compare "$T/c.yaml" --out "$T/e"
[ "$CODE" = 0 ] || { cat "$LOG"; exit 1; }

of_replicas() {
    expect_churn "$T/e/old/r0" "$T/e/old/r1" "$T/data" --out "$T/same"
    expect "a job was started" sh -c '! grep -q "job of" "$1"' - "$T/log"
    expect_line "$T/log" "A  $T/e/old/r0 (1 run, by its own predictions)"
    expect_line "$T/log" "How much of this two trainings of one version would show as well is not known"
    local name
    for name in pd_relative pd_levelled swap_top1 swap_topk pd_relative_low swap_topk_high; do
        expect_near "$name is not what compare says" "$(number "$T/same/churn.json" $name)" "$(number "$T/e/results.json" $name)"
    done
    expect_near "churn.csv" "$(number "$T/same/churn.csv" pd_relative)" "$(number "$T/same/churn.json" pd_relative)"
}

of_variants() {
    expect_churn "$T/e/old" "$T/e/new" "$T/data" --out "$T/both"
    expect_line "$T/log" "B  $T/e/new (2 runs, by their own predictions)"
    expect_line "$T/log" "replicas alone would make"
    expect_line "$T/log" "Predictions differ most where"
    expect_line "$T/log" "examples that changed most"
    expect "no values of examples" grep -q '"values": {' "$T/both/churn.json"
    expect "no query of examples" grep -qE '"group": "[0-9]+"' "$T/both/churn.json"
    expect_line "$T/log" ": query "
    churn "$T/e/old" "$T/e/new/r0" "$T/data"
    expect_line "$T/log" "$T/e/old has 2 runs and $T/e/new/r0 1; the first is compared"
}

# What is scored now is what predict says of the same dataset.
of_another_dataset() {
    run "$T/log" "$SMELTER" synth "$T/c.yaml" --out "$T/later" --set synth.rows=600 --set synth.seed=2
    expect "synth" [ "$CODE" = 0 ]
    expect_churn "$T/e/old/r0" "$T/e/new/r0" "$T/later" --out "$T/o" --set cluster.workers=2
    expect_line "$T/log" "A  $T/e/old/r0 (1 run, scored now)"
    expect "there is more than the result: $(ls "$T/o")" [ "$(ls "$T/o" | paste -sd' ')" = "churn.csv churn.json" ]
    run "$T/log" "$SMELTER" predict "$T/e/old/r0" "$T/later" --out "$T/p"
    local index
    index=$(number "$T/o/churn.json" index)
    expect_near "what A predicts for example $index" "$(number "$T/o/churn.json" before)" "$(awk -v i="$index" '$1 == i { print $4 }' "$T/p.tsv")"
}

# The model before knows one column less, and is scored on the same examples without it.
of_a_new_column() {
    awk 'BEGIN { srand(3); print "label,q,c,d"
        for (i = 0; i < 1200; i++) printf "%d,%d,v%d,w%d\n", rand() < 0.3, i / 5, 40 * rand(), 9 * rand() }' >"$T/rows.csv"
    local name
    for name in c c_d; do
        cat >"$T/$name.yaml" <<END
format: csv
label: label
group: q
split: {train_fraction: 0.7}
columns:
  - {name: c, kind: categorical}
END
        [ $name = c ] || echo '  - {name: d, kind: categorical}' >>"$T/$name.yaml"
        run "$T/log" "$SMELTER" import "$T/rows.csv" --schema "$T/$name.yaml" --out "$T/data_$name"
        expect "import of $name" [ "$CODE" = 0 ]
    done
    small_config "$T/one.yaml"
    for name in c c_d; do
        run "$T/log" "$SMELTER" train "$T/one.yaml" --out "$T/run_$name" --set data.path="$T/data_$name" --set synth.rows=0
        expect "training on $name" [ "$CODE" = 0 ]
    done
    expect_churn "$T/run_c" "$T/run_c_d" "$T/data_c_d" --dataset-a "$T/data_c"
    expect "values of the new column" grep -qE '^ +c=v[0-9]+ d=w[0-9]+$' "$T/log"
    churn "$T/run_c" "$T/run_c_d" "$T/data_c_d"
    expect "code $CODE" [ "$CODE" = 2 ]
    expect_line "$T/log" "does not have the fields that $T/run_c was trained on: field 2 is d (categorical), wanted is no more"
}

wrong_inputs() {
    local arguments message
    while IFS='|' read -r arguments message; do
        # shellcheck disable=SC2086
        churn $arguments
        expect "churn $arguments ended with code $CODE" [ "$CODE" = 2 ]
        expect_errors 1 "$T/log"
        expect_line "$T/log" "$message"
    done <<END
$T/e/old/r0 $T/e/new/r0|smelter churn needs RUN_A RUN_B DATASET
$T/e/old/r0 $T/none $T/data|$T/none does not exist; name the folder of a run, of a checkpoint, or of a variant of an experiment
$T/e/old/r0 $T/e/new/r0 $T/none|dataset $T/none does not exist
$T/e/old/r0 $T/e/new/r0 $T/data_c|does not have the fields that
$T/e $T/e/new/r0 $T/data|$T/e holds no finished run
$T/e/old/r0 $T/e/new/r0 $T/data --dataset-a $T/data_c|evaluation examples and
$T/e/old/r0 $T/e/new/r0 $T/later --set model.beta=2|scoring takes only cluster.*, data.cache_mb and model.deploy
END
    printf 'x' | dd of="$T/e/old/r1/predictions.f32" bs=1 conv=notrunc 2>/dev/null
    churn "$T/e/old" "$T/e/new" "$T/data"
    expect "changed predictions were taken" [ "$CODE" != 0 ]
    expect_line "$T/log" "$T/e/old/r1/predictions.f32"
}

case_of "two replicas differ as compare says, and nothing is started" of_replicas
case_of "of two variants, what replicas alone would make" of_variants
case_of "runs are scored on another dataset as predict scores them" of_another_dataset
case_of "before and after a new column" of_a_new_column
case_of "what does not fit is one clear line" wrong_inputs
finish_tests
