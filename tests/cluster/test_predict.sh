#!/usr/bin/env bash
# test_predict.sh BUILD - `smelter predict` scores from any finished run on any number of servers and workers, equal bit for bit to the
# coordinator's own evaluation; numeric fields are standardised as in the run, whatever dataset they come from; what does not fit is
# one clear line.
. "$(dirname "$0")/../lib/cluster.sh"

predict() { run "$T/log" "$SMELTER" predict "$@"; }
expect_predicted() {
    predict "$@"
    expect "predict $* ended with code $CODE" [ "$CODE" = 0 ]
}

small_config "$T/c.yaml"
train "$T/run" model.components=2 cluster.servers=2 cluster.workers=2 cluster.shards_per_server=2
[ "$CODE" = 0 ] || { cat "$LOG"; exit 1; }

same_bits() {
    local servers workers shards
    while read -r servers workers shards; do
        expect_predicted "$T/run" "$T/data" --out "$T/p" --set cluster.servers="$servers" --set cluster.workers="$workers" \
            --set cluster.shards_per_server="$shards"
        expect "predictions differ on $servers servers, $workers workers" cmp "$T/p.f32" "$T/run/predictions.f32"
    done <<<'1 1 1
3 2 1
1 4 3'
}

# A prediction printed with 9 digits reads back to the same float.
text_and_raw_agree() {
    expect_predicted "$T/run" "$T/data" --out "$T/q.tsv"
    expect "head of the text" [ "$(head -1 "$T/q.tsv")" = $'index\tlabel\tgroup\tprediction\trow' ]
    expect "indices" [ "$(tail -n +2 "$T/q.tsv" | cut -f 1 | paste -sd,)" = "$(seq -s, 0 799)" ]
    tail -n +2 "$T/q.tsv" | cut -f 4 | perl -ne 'print pack("f<", $_)' >"$T/from_text"
    expect "text and raw predictions differ" cmp "$T/from_text" "$T/q.f32"
}

# The manifest's own numbers, without a job where the run has its predictions; another split is scored first.
evaluated() {
    run "$T/log" "$SMELTER" evaluate "$T/run" "$T/data" --json
    expect "evaluate ended with code $CODE" [ "$CODE" = 0 ]
    expect "a job was started for predictions that are there" [ "$(grep -c "start: mpirun" "$T/log")" = 0 ]
    expect "its numbers are not the manifest's" python3 - "$T/log" "$T/run/manifest.json" <<'END'
import json, sys
text, run = open(sys.argv[1]).read(), json.load(open(sys.argv[2]))
of = json.JSONDecoder().raw_decode(text[text.index('{'):])[0]
same = [of["metrics"][m]["value"] == run["metrics"][m] for m in ("logloss", "auc", "calibration", "pqauc_loss", "normalised_entropy")]
sys.exit(not (all(same) and of["split"] == "eval" and of["examples"] == 800 and of["metrics"]["auc"]["error"] > 0))
END
    run "$T/log" "$SMELTER" evaluate "$T/run" "$T/data" --split train
    expect "evaluate --split train ended with code $CODE" [ "$CODE" = 0 ]
    expect "examples of the training split" grep -q 'data, --split train: 3,200 examples, 400 queries' "$T/log"
    run "$T/log" "$SMELTER" evaluate "$T/run" "$T/data" --split test
    expect "an empty split ended with code $CODE" [ "$CODE" = 2 ]
    expect "it does not say so" grep -q "the test split is empty, so there is nothing to evaluate on" "$T/log"
}

# The split's examples fall into other batches than the whole's, so that the last bits of a prediction may differ.
splits() {
    local split rows
    while read -r split rows; do
        expect_predicted "$T/run" "$T/data" --split "$split" --out "$T/s.$split.f32"
        expect "predictions of $split" [ "$(stat -c %s "$T/s.$split.f32")" = $((rows * 4)) ]
    done <<<'train 3200
eval 800
all 4000'
    cat "$T"/s.train.tsv "$T"/s.eval.tsv | grep -v index | cut -f 2- >"$T/parts"
    tail -n +2 "$T/s.all.tsv" | cut -f 2- | paste "$T/parts" - >"$T/both"
    expect "train and eval together are not all" awk '$1 != $5 || $2 != $6 || ($3 - $7) ^ 2 > 1e-10 || $4 != $8 || $4 != NR { exit 1 }' "$T/both"
}

# The second dataset holds the evaluation rows of the first alone: its own mean and deviation are others.
other_dataset() {
    {
        echo label,x,c
        awk 'BEGIN { srand(3); for (i = 0; i < 1000; i++) printf "%d,%.4f,v%d\n", rand() < 0.3, i / 7 + 9 * rand(), 40 * rand() }'
    } >"$T/all.csv"
    { head -1 "$T/all.csv"; tail -n 200 "$T/all.csv"; } >"$T/late.csv"
    cat >"$T/schema.yaml" <<END
format: csv
label: label
split: {train_fraction: 0.8}
columns:
  - {name: x, kind: numeric, transform: standardise}
  - {name: c, kind: categorical}
  - {name: b, column: x, bins: 5}
END
    run "$T/log" "$SMELTER" import "$T/all.csv" --schema "$T/schema.yaml" --out "$T/all"
    expect "import" [ "$CODE" = 0 ]
    train "$T/numeric" data.path="$T/all" synth.rows=0
    run "$T/log" "$SMELTER" import "$T/late.csv" --schema "$T/numeric/import.yaml" --out "$T/late"
    expect "import by the schema of the run" [ "$CODE" = 0 ]
    expect_predicted "$T/numeric" "$T/late" --split all --out "$T/late_scored"
    expect "another mean changed predictions" cmp "$T/late_scored.f32" "$T/numeric/predictions.f32"
    predict "$T/run" "$T/late" --out "$T/x"
    expect "code $CODE" [ "$CODE" = 2 ]
    expect_line "$T/log" "does not have the fields that $T/run was trained on: field 1 is x (numeric), wanted is n1 (numeric)"
}

# A file is imported by the schema of the run's own dataset; what is carried through stands beside the scores of its row.
files() {
    expect_predicted "$T/numeric" "$T/all" --split all --out "$T/of_dataset"
    mv "$T/all" "$T/elsewhere" # and of the schema's file there is nothing left either
    mv "$T/schema.yaml" "$T/counts.yaml"
    "$SMELTER" predict "$T/numeric" - --columns c,x --out "$T/of_file.csv" <"$T/all.csv" >"$T/log" 2>&1
    expect "predict of standard input ended with code $?" [ $? = 0 ]
    expect "predictions of the file" cmp "$T/of_dataset.f32" "$T/of_file.f32"
    expect "head" [ "$(head -1 "$T/of_file.csv")" = index,label,group,prediction,row,c,x ]
    expect "carried columns" cmp <(tail -n +2 "$T/of_file.csv" | awk -F, '{ print $2 "," $7 "," $6 }') <(tail -n +2 "$T/all.csv")
    expect_line "$T/log" "logloss"
    expect "something is left" [ -z "$(ls -d "$T"/*.scoring-* 2>/dev/null)" ]
    mv "$T/elsewhere" "$T/all"
    expect_predicted "$T/numeric" "$T/all" --split all --columns c --out "$T/named.csv"
    expect "fields of a dataset" cmp <(cut -d, -f6 "$T/named.csv") <(cut -d, -f3 "$T/all.csv")
    sed 's/train_fraction: 0.8/train_fraction: 0.5, test_fraction: 0.5/' "$T/numeric/import.yaml" >"$T/tested.yaml"
    expect_predicted "$T/numeric" "$T/late.csv" --schema "$T/tested.yaml" --out "$T/tested" # all rows, whatever its split
    expect "a schema with a test split" cmp "$T/late_scored.f32" "$T/tested.f32"
    predict "$T/numeric" "$T/late.csv" --schema "$T/counts.yaml" --out "$T/x"
    expect "quantiles of what is scored: code $CODE" [ "$CODE" = 2 ]
    expect_line "$T/log" "column 'b' of the schema asks for 5 bins, whose edges are in the dataset that $T/numeric was trained on"
}

# Components of a run, and the runs of a variant.
spread() {
    mkdir -p "$T/variant"
    ln -s "$T/numeric" "$T/variant/r0"
    ln -s "$T/numeric" "$T/variant/r1"
    expect_predicted "$T/variant" "$T/all" --out "$T/spread"
    expect_line "$T/log" "2 replicas, mean relative prediction difference 0.00000"
    expect "equal replicas are apart" [ "$(tail -n +2 "$T/spread.tsv" | cut -f 6,7 | sort -u)" = $'0\t0' ]
    expect "mean of equal replicas" cmp "$T/spread.f32" "$T/numeric/predictions.f32"
    local k
    for k in 0 1; do
        expect_predicted "$T/run" "$T/data" --set model.deploy=$k --out "$T/component$k"
    done
    paste <(tail -n +2 "$T/component0.tsv" | cut -f 4) <(tail -n +2 "$T/component1.tsv" | cut -f 4) <(tail -n +2 "$T/q.tsv" | cut -f 4) >"$T/components"
    expect "components' mean" awk '($1 + $2 - 2 * $3) ^ 2 > 1e-10 || $1 == $2 { exit 1 }' "$T/components"
}

wrong_inputs() {
    echo mine >"$T/file"
    local arguments message
    while IFS='|' read -r arguments message; do
        # shellcheck disable=SC2086
        predict $arguments
        expect "predict $arguments ended with code $CODE" [ "$CODE" = 2 ]
        expect_errors 1 "$T/log"
        expect_line "$T/log" "$message"
    done <<END
$T/none $T/data --out $T/x|$T/none does not exist; name the folder of a finished run
$T $T/data --out $T/x|$T holds no finished run
$T/run $T/none --out $T/x|dataset $T/none does not exist
$T/run $T/file --out $T/x|$T/run: the schema that its data were imported by is not where it was
$T $T/all.csv --out $T/x|$T is no run: it has no config.yaml; name the folder of a finished run
$T/numeric $T/all.csv --columns z --out $T/x|$T/all.csv: no column z, which --columns wants
$T/run $T/data --schema x --out $T/x|$T/data is a dataset, which is scored as it was imported
$T/run $T/data --columns x --out $T/x|dataset $T/data: no field x, which --columns wants; the fields begin with n1, and there is group_id
$T/run $T/data|smelter predict needs --out FILE
$T/run --out $T/x|smelter predict needs RUN INPUT
$T/run $T/data --out $T/x --split half|--split is "half"; it must be train, eval, test or all
$T/run $T/data --out $T/x --set model.beta=2|--set changes the run in $T/run
$T/run $T/data --out $T/file/x|$T/file
$T/run $T/data --out $T/folder/|name a file, to which .f32 and .tsv are added, and not a folder
$T/run $T/data --out $T/run/predictions|$T/run/predictions.f32 exists and is no earlier prediction
END
}

# Folders are made before anything is scored, and an earlier prediction is replaced.
where_it_goes() {
    local time
    for time in 1 2; do
        predict "$T/run" "$T/data" --out "$T/no/such/x"
        expect "time $time ended with code $CODE" [ "$CODE" = 0 ]
    done
    expect "it is not where it was to go" [ -s "$T/no/such/x.f32" -a -s "$T/no/such/x.tsv" ]
}

# What rank 0 prints goes to where smelter's output goes, and mpirun alone would not notice that it is lost.
full_output() {
    [ -w /dev/full ] || return 0
    local code
    "$SMELTER" predict "$T/run" "$T/data" --out "$T/full" >/dev/full 2>"$T/log"
    code=$?
    expect "code $code where the output is full" [ "$code" = 1 ]
    expect "the reason is not the last line" grep -q "standard output cannot be written: No space left" <(tail -1 "$T/log")
    "$SMELTER" predict "$T/run" "$T/data" --out "$T/full" 2>"$T/log" | true
    code=${PIPESTATUS[0]}
    expect "code $code without a reader" [ "$code" = 0 ]
}

# Where there is room for one of the two files alone, none is left.
full_disk() {
    unshare -m true 2>/dev/null || return 0
    mkdir "$T/small"
    # shellcheck disable=SC2016
    run "$T/log" unshare -m sh -c 'mount -t tmpfs -o size=16k none "$1/small" || exit 1
        "$2" predict "$1/run" "$1/data" --out "$1/small/p"
        code=$?
        ls -A "$1/small" >"$1/left"
        exit $code' - "$T" "$SMELTER"
    expect "code $CODE" [ "$CODE" = 1 ]
    expect_line "$T/log" "cannot write"
    expect_line "$T/log" "No space left on device"
    expect "left: $(paste -sd' ' "$T/left")" [ ! -s "$T/left" ]
}

# A name is a name, whatever YAML would make of it.
names_of_datasets() {
    local name
    for name in '#1' 'a: {b' '%x'; do
        ln -s data "$T/$name"
        run "$T/log" bash -c 'cd "$1" && "$2" predict run "$3" --out x' - "$T" "$SMELTER" "$name"
        expect "dataset $name: code $CODE" [ "$CODE" = 0 ]
    done
}

# Every file that makes the model, damaged or taken away.
damaged_run() {
    local file change message
    while IFS='|' read -r file change message; do
        rm -rf "$T/bad"
        cp -r "$T/run" "$T/bad"
        eval "$change" <"$T/run/$file" >"$T/changed"
        if [ -s "$T/changed" ]; then cp "$T/changed" "$T/bad/$file"; else rm "$T/bad/$file"; fi
        predict "$T/bad" "$T/data" --out "$T/x"
        expect "$file damaged: code $CODE" [ "$CODE" != 0 ]
        expect_line "$T/log" "$message"
    done <<'END'
dense-1.f32|sed s/././|dense-1.f32: was changed after training: its checksum is 
dense-1.f32|:|dense-1.f32
dense-0.f32|head -c 100|dense-0.f32: was changed after training: it holds 100 bytes, 
inputs.json|:|inputs.json
config.yaml|sed 's/  beta: 1/  beta: 2/'|config.yaml: was changed after training: its checksum is 
store/shard-3/data.mdb|:|shard-3: no stored rows there
store/shard-0/data.mdb|head -c 9000|cut short
store/shard-1/data.mdb|tr x y|shard-1: page 
store/shard-2/data.sums|:|shard-2: data.sums is missing, the checksums of the pages of data.mdb
END
}

case_of "the same bits on other numbers of servers, shards and workers" same_bits
case_of "text and raw predictions agree" text_and_raw_agree
case_of "splits" splits
case_of "another dataset, standardised as in the run" other_dataset
case_of "files are scored, with columns carried through" files
case_of "spread over replicas and components" spread
case_of "wrong inputs are named" wrong_inputs
case_of "what predictions are worth is evaluated" evaluated
case_of "the folders of --out are made" where_it_goes
case_of "output that cannot be written is an error" full_output
case_of "a full disk leaves no half of a prediction" full_disk
case_of "names of datasets are taken as they are" names_of_datasets
case_of "a damaged run is refused" damaged_run
finish_tests
