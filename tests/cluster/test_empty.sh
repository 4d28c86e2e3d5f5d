#!/usr/bin/env bash
# test_empty.sh BUILD - proves: a dataset without evaluation examples, or with labels of one kind there, is told in these words
# before anything is trained, by every command, and no number that is none is ever shown.
# shellcheck source=tests/lib/cluster.sh
. "$(dirname "$0")/../lib/cluster.sh"

awk -v OFS=, 'BEGIN { print "click,user,q"; for (i = 0; i < 600; i++) print (i * 7919 % 13 < 4), i * 31 % 17, int(i / 6) }' >"$T/rows.csv"
# dataset NAME [SCHEMA LINE] - the rows, imported with one more line of schema
dataset() {
    printf '%s\n' 'format: csv' 'label: click' 'group: q' 'columns: [user]' "${2-}" >"$T/$1.schema.yaml"
    "$SMELTER" import "${3-$T/rows.csv}" --schema "$T/$1.schema.yaml" --out "$T/$1" >"$T/import.log" 2>&1 || NOTES+=("$1 was not imported")
}
dataset whole 'split: {train_fraction: 0.8}'
dataset none
awk -F, -v OFS=, 'NR > 481 { $1 = 0 } { print }' "$T/rows.csv" >"$T/one_class.csv"
dataset one 'split: {train_fraction: 0.8}' "$T/one_class.csv"
cat >"$T/c.yaml" <<END
name: empty
defaults: 1
determinism: sync
data: {path: $T/none}
train: {batch: 64, lanes: 1}
model: {hidden: [8]}
embedding: {dim: 4}
experiment: {replicas: 2, vary: [order], baseline: relu}
variants: [{name: relu}, {name: smelu, model: {activation: smelu}}]
tune: {low: 1, high: 2}
END

# refused TEXT CMD... - code 2, the line, and nothing made
refused() {
    local text=$1
    shift
    run "$T/log" "$@"
    expect "exit code $CODE instead of 2" [ "$CODE" = 2 ]
    expect_line "$T/log" "$text"
    expect "something was made" [ ! -e "$T/x" ]
}

compare_and_tune() {
    refused "the evaluation split is empty, and compare needs evaluation examples" "$SMELTER" compare "$T/c.yaml" --out "$T/x"
    refused "the evaluation split is empty, and tune needs evaluation examples" "$SMELTER" tune "$T/c.yaml" --out "$T/x"
    refused "all 120 evaluation examples have label 0; no model is better" "$SMELTER" tune "$T/c.yaml" --set data.path="$T/one" --out "$T/x"
}

train_and_predict() {
    run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/run"
    expect "exit code $CODE of train" [ "$CODE" = 0 ]
    expect_line "$T/log" "none: the evaluation split is empty: there will be no evaluation metrics; set split.train_fraction"
    expect_line "$T/log" "evaluation     no evaluation examples (the evaluation split is empty)"
    expect "train shows a number that is none" [ -z "$(grep -wi nan "$T/log" "$T/run/manifest.json" "$T/run/metrics.jsonl")" ]
    refused "the evaluation split is empty, so there is nothing to score; --split train or --split all" \
        "$SMELTER" predict "$T/run" "$T/none" --out "$T/x"
    run "$T/log" "$SMELTER" predict "$T/run" "$T/none" --split all --out "$T/p"
    expect_line "$T/log" "600 examples of $T/none scored"
}

one_class() {
    run "$T/log" "$SMELTER" compare "$T/c.yaml" --set data.path="$T/one" --out "$T/one_class"
    expect "exit code $CODE of compare" [ "$CODE" = 0 ]
    expect_line "$T/log" "one: all 120 evaluation examples have label 0: there will be no AUC loss and no PQAUC loss"
    expect "compare shows a number that is none" [ -z "$(grep -wi nan "$T/log" "$T"/one_class/results.* "$T/one_class/verdict.txt")" ]
}

case_of "compare and tune are refused before they train" compare_and_tune
case_of "train goes on and says so, predict has nothing to score" train_and_predict
case_of "labels of one kind are told" one_class
finish_tests
