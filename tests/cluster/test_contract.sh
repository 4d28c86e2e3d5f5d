#!/usr/bin/env bash
# test_contract.sh BUILD - the input contract belongs to the model (launcher/run/input_fields.h): what import made of a value is checked wherever a
# dataset meets a run - predict by a finished run and by checkpoints, warm start, resume, teacher, compare - and named by field with both
# sides; the scaling that a model was trained with goes with it, from the first run of a chain to the last.
. "$(dirname "$0")/../lib/cluster.sh"

# Three columns of text and a price; the second file has other prices, so that its own mean and deviation are others.
awk -v OFS=, 'BEGIN { srand(7); print "click,user,tags,price"; for (i = 0; i < 3000; i++) {
    u = int(rand() * 90); n = int(rand() * 9000) / 1000; print (rand() < 0.2 + 0.05 * n) ? 1 : 0, u, u % 7 "|" int(n), n } }' >"$T/a.csv"
awk -F, 'NR == 1 || $4 > 5' "$T/a.csv" >"$T/b.csv"
awk -F, 'NR > 1 { print $1, $2 ":1", $2 + 100 ":2" }' "$T/a.csv" >"$T/a.svm"

schema() { # FILE CHANGE: the schema of the model's data, changed by sed
    sed "$2" >"$1" <<'END'
format: csv
label: click
split: {train_fraction: 0.8}
columns:
  - user
  - {name: tags, kind: multi, separator: "|"}
  - {name: price, kind: numeric, transform: standardise}
END
}
import() { # TEXT SCHEMA DATASET
    run "$T/log" "$SMELTER" import "$T/$1" --schema "$2" --out "$T/$3"
    expect "import of $3 ended with code $CODE" [ "$CODE" = 0 ]
}
settings() {
    cat >"$T/c.yaml" <<END
name: contract
defaults: 1
determinism: invariant
data: {path: $T/a}
train: {batch: 128, lanes: 2, epochs: 2}
model: {hidden: [8]}
embedding: {dim: 4}
END
}
# expect_refused COMMAND...: one error, the code of bad input, and the words in $WORDS.
expect_refused() {
    run "$T/log" "$SMELTER" "$@"
    expect "$1 ended with code $CODE" [ "$CODE" = 2 ]
    expect_errors 1 "$T/log"
    expect_line "$T/log" "$WORDS"
}
expect_done() {
    run "$T/log" "$SMELTER" "$@"
    expect "$1 ended with code $CODE" [ "$CODE" = 0 ]
}
still=(--set dense.learning_rate=0 --set embedding.learning_rate=0 --set train.epochs=1)

settings
schema "$T/s.yaml" ''
import a.csv "$T/s.yaml" a
import b.csv "$T/s.yaml" b
SMELTER_CRASH=coordinator:commit.renamed:1 run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/cut" --set checkpoint.every_steps=10
train "$T/r1"
STEP=$(dirname "$(find "$T/cut/checkpoint" -name manifest.json)")

# What a schema can say of a field, one by one; a number that is standardised is stored as it is, and the run's scaling is used.
predict_checks_every_rule() {
    local change words n=0
    while IFS='~' read -r change words; do
        schema "$T/x.yaml" "$change"
        import a.csv "$T/x.yaml" x$n
        WORDS=$words
        expect_refused predict "$T/r1" "$T/x$n" --out "$T/p"
        expect_line "$T/log" "dataset $T/x$n"
        expect_line "$T/log" "$T/r1 was trained on"
        n=$((n + 1))
    done <<'END'
s/: standardise/: log1p/~transform of field price is 'log1p', wanted is 'standardise'
s/- user/- {name: user, transform: log2_bucket}/~transform of field user is 'log2_bucket', wanted is 'none'
s/separator: "|"/separator: ","/~separator of field tags is ',', wanted is '|'
END
    schema "$T/plain.yaml" 's/, transform: standardise//'
    import a.csv "$T/plain.yaml" plain
    expect_done predict "$T/r1" "$T/plain" --out "$T/p"
    expect "the run's scaling is not used" cmp "$T/p.f32" "$T/r1/predictions.f32"
}

libsvm_and_text() {
    import a.svm libsvm svm
    printf '%s\n' 'format: csv' 'header: false' 'label: c1' 'split: {train_fraction: 0.9}' 'columns:' \
        '  - {name: features, column: c2, kind: multi, separator: " "}' >"$T/x.yaml"
    tr -d , <"$T/a.svm" | sed 's/ /,/; s/:[12]//g' >"$T/ids.csv"
    import ids.csv "$T/x.yaml" ids
    train "$T/svm_run" data.path="$T/svm" train.epochs=1
    WORDS="key of field features is 'XXH3-64 of the text, seed 0', wanted is 'XXH3-64 of the decimal id, seed 0'"
    expect_refused predict "$T/svm_run" "$T/ids" --out "$T/p"
}

checkpoints_have_the_contract() {
    WORDS="transform of field price is 'log1p', wanted is 'standardise'"
    expect_refused predict "$T/cut" "$T/x0" --out "$T/p"
    expect_refused predict "$STEP" "$T/x0" --out "$T/p"
    expect_done predict "$STEP" "$T/b" --split all --out "$T/p"
    mv "$T/cut/inputs.json" "$T/inputs.json" # the checkpoint has it too
    expect_done predict "$T/cut" "$T/b" --split all --out "$T/q"
    mv "$T/inputs.json" "$T/cut/inputs.json"
    expect "two predictions by one checkpoint differ" cmp "$T/p.f32" "$T/q.f32"
}

# The data are imported again, in another way, where they were.
resume_after_another_import() {
    mv "$T/a" "$T/kept"
    cp -r "$T/x0" "$T/a"
    WORDS="$STEP: dataset $T/a was imported in another way than the data that the run began with: transform of field price is 'log1p', wanted is 'standardise'"
    expect_refused train "$T/c.yaml" --out "$T/cut" --resume --set checkpoint.every_steps=10
    WORDS="$T/r1: holds a finished run of data that were imported in another way than dataset $T/a: transform of field price is 'standardise', wanted is 'log1p'"
    expect_refused train "$T/c.yaml" --out "$T/r1"
    rm -r "$T/a"
    mv "$T/kept" "$T/a"
}

# r2 learns nothing and so is r1 on other data; r3 starts from r2.
a_chain_keeps_the_scaling() {
    local warm=(--set data.path="$T/b" --set warm_start="$T/r1")
    expect_done train "$T/c.yaml" --out "$T/r2" "${warm[@]}" "${still[@]}"
    expect_line "$T/log" "numeric fields keep the scaling of $T/r1"
    expect_done predict "$T/r1" "$T/b" --out "$T/p"
    expect "a warm start that learns nothing predicts something else" cmp "$T/p.f32" "$T/r2/predictions.f32"
    expect_done predict "$T/r2" "$T/a" --out "$T/q"
    expect "its own inputs.json has another scaling" cmp "$T/q.f32" "$T/r1/predictions.f32"
    expect_done train "$T/c.yaml" --out "$T/r3" --set warm_start="$T/r2" "${still[@]}"
    expect "the scaling is lost on the way" cmp "$T/r3/predictions.f32" "$T/r1/predictions.f32"

    expect_done train "$T/c.yaml" --out "$T/w1" "${warm[@]}"
    SMELTER_CRASH=coordinator:commit.renamed:1 run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/w2" "${warm[@]}" --set checkpoint.every_steps=7
    expect_done train "$T/c.yaml" --out "$T/w2" "${warm[@]}" --set checkpoint.every_steps=7 --resume
    expect_line "$T/log" "goes on before step 7"
    expect "a resumed warm start ends elsewhere" [ "$(digest_of "$T/w1")" = "$(digest_of "$T/w2")" ]
    expect_done predict "$T/w2" "$T/b" --out "$T/p"
    expect "it predicts something else than it did" cmp "$T/p.f32" "$T/w2/predictions.f32"
}

warm_start_checks() {
    WORDS="warm_start: dataset $T/x2 was imported in another way than the data that $T/r1 was trained on: separator of field tags is ',', wanted is '|'"
    expect_refused train "$T/c.yaml" --out "$T/w3" --set data.path="$T/x2" --set warm_start="$T/r1"
    cp -r "$T/r1" "$T/bare"
    rm "$T/bare/inputs.json"
    run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/w3" --set warm_start="$T/bare"
    expect "a donor without inputs.json: code $CODE" [ "$CODE" != 0 ]
    expect_errors 1 "$T/log"
    expect_line "$T/log" "$T/bare/inputs.json"
}

variants_have_one_dataset() {
    cat - "$T/c.yaml" >"$T/pair.yaml" <<END
experiment: {replicas: 1, vary: []}
variants:
  - {name: base}
  - {name: other, data: {path: $T/x1}}
END
    WORDS="variants base and other have different datasets ($T/a and $T/x1: transform of field user is 'log2_bucket', wanted is 'none')"
    expect_refused compare "$T/pair.yaml" --out "$T/pair"
    sed -i 's/{name: base}/{name: base, teacher: {variant: other}}/' "$T/pair.yaml"
    WORDS="its teacher other was trained on another dataset ($T/x1, not $T/a: transform of field user is 'log2_bucket', wanted is 'none')"
    expect_refused compare "$T/pair.yaml" --out "$T/pair"
}

shown() {
    expect_done inspect "$T/b"
    expect_line "$T/log" "separator |; key XXH3-64 of the text, seed 0; weight 1; missing value no value: tags"
    expect_done inspect "$T/r2"
    expect_line "$T/log" "transform standardise; missing value 0 after scaling: price"
    run "$T/log" "$SMELTER" diff "$T/r1" "$T/svm_run"
    expect_line "$T/log" "field 1 is price (numeric), wanted is features (multi-valued, summed)"
}

case_of "predict checks what import made of every field" predict_checks_every_rule
case_of "ids of libsvm and texts that look like them" libsvm_and_text
case_of "a checkpoint has the contract of its run" checkpoints_have_the_contract
case_of "resume after the data were imported in another way" resume_after_another_import
case_of "a chain of warm starts keeps the first scaling" a_chain_keeps_the_scaling
case_of "a warm start from data imported in another way" warm_start_checks
case_of "variants and teachers have one dataset" variants_have_one_dataset
case_of "inspect and diff show the contract" shown
finish_tests
