#!/usr/bin/env bash
# test_predict.sh BUILD - `smelter predict` scores from any finished run on any number of servers and workers, equal bit for bit to the
# coordinator's own evaluation; numeric fields are standardised as in the run, whatever dataset they come from; what does not fit is
# one clear line.
. "$(dirname "$0")/../lib/cluster.sh"

check() { "$@" || failed "$*: $(tail -n 3 "$T"/log 2>/dev/null)"; }
predict() { run "$T/log" "$SMELTER" predict "$@"; }
says() { grep -qF -- "$1" "$T/log"; }

small_config "$T/small.yaml"
run "$T/log" "$SMELTER" train "$T/small.yaml" --out "$T/run" --set model.components=2 --set cluster.servers=2 \
    --set cluster.workers=2 --set cluster.shards_per_server=2
[ "$CODE" = 0 ] || { cat "$T/log"; exit 1; }

same_bits() {
    local servers workers shards
    while read -r servers workers shards; do
        predict "$T/run" "$T/data" --out "$T/p" --set cluster.servers="$servers" --set cluster.workers="$workers" \
            --set cluster.shards_per_server="$shards"
        check [ "$CODE" = 0 ] || return
        check cmp "$T/p.f32" "$T/run/predictions.f32" || return
    done <<<'1 1 1
3 2 1
1 4 3'
    passed
}

# A prediction printed with 9 digits reads back to the same float.
text_and_raw_agree() {
    predict "$T/run" "$T/data" --out "$T/q.tsv"
    check [ "$CODE" = 0 ] || return
    check [ "$(head -1 "$T/q.tsv")" = $'index\tlabel\tgroup\tprediction' ] || return
    check [ "$(tail -n +2 "$T/q.tsv" | cut -f 1 | paste -sd,)" = "$(seq -s, 0 799)" ] || return
    tail -n +2 "$T/q.tsv" | cut -f 4 | perl -ne 'print pack("f<", $_)' >"$T/from_text"
    check cmp "$T/from_text" "$T/q.f32" || return
    passed
}

splits() {
    local split rows
    while read -r split rows; do
        predict "$T/run" "$T/data" --split "$split" --out "$T/s.$split.f32"
        check [ "$CODE" = 0 ] || return
        check [ "$(stat -c %s "$T/s.$split.f32")" = $((rows * 4)) ] || return
    done <<<'train 3200
eval 800
all 4000'
    cat "$T"/s.train.tsv "$T"/s.eval.tsv | grep -v index | cut -f 2- >"$T/parts"
    tail -n +2 "$T/s.all.tsv" | cut -f 2- >"$T/whole"
    # The split's examples fall into other batches than the whole's, so that the last bits of a prediction may differ.
    if paste "$T/parts" "$T/whole" | awk '$1 != $4 || $2 != $5 || ($3 - $6) ^ 2 > 1e-10 { exit 1 }'; then
        passed
    else
        failed "train and eval together are not all"
    fi
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
END
    local name
    for name in all late; do
        run "$T/log" "$SMELTER" import "$T/$name.csv" --schema "$T/schema.yaml" --out "$T/$name"
        check [ "$CODE" = 0 ] || return
    done
    run "$T/log" "$SMELTER" train "$T/small.yaml" --set data.path="$T/all" --set synth.rows=0 --out "$T/numeric"
    check [ "$CODE" = 0 ] || return
    predict "$T/numeric" "$T/late" --split all --out "$T/late_scored"
    check [ "$CODE" = 0 ] || return
    check cmp "$T/late_scored.f32" "$T/numeric/predictions.f32" || return
    predict "$T/run" "$T/late" --out "$T/x"
    check [ "$CODE" = 2 ] || return
    check says "does not have the fields that $T/run was trained on: field 1 is x (numeric), wanted is n1 (numeric)" || return
    passed
}

wrong_inputs() {
    local arguments message
    while IFS='|' read -r arguments message; do
        # shellcheck disable=SC2086
        predict $arguments
        check [ "$CODE" = 2 ] || return
        check [ "$(grep -c error "$T/log")" = 1 ] || return
        check says "$message" || return
    done <<END
$T/none $T/data --out $T/x|$T/none does not exist; name the folder of a finished run
$T $T/data --out $T/x|$T holds no finished run
$T/run $T/none --out $T/x|dataset $T/none does not exist
$T/run $T/data|smelter predict needs --out FILE
$T/run --out $T/x|smelter predict needs RUN DATASET
$T/run $T/data --out $T/x --split half|--split is "half"; it must be train, eval or all
$T/run $T/data --out $T/x --set model.beta=2|--set changes the run in $T/run
$T/run $T/data --out $T/no/such/x|$T/no/such/x.f32
END
    passed
}

# Every file that makes the model, damaged or taken away.
damaged_run() {
    local file message
    while IFS='|' read -r file change message; do
        rm -rf "$T/bad"
        cp -r "$T/run" "$T/bad"
        eval "$change" <"$T/run/$file" >"$T/changed"
        if [ -s "$T/changed" ]; then cp "$T/changed" "$T/bad/$file"; else rm "$T/bad/$file"; fi
        predict "$T/bad" "$T/data" --out "$T/x"
        check [ "$CODE" != 0 ] || return
        check says "$message" || return
    done <<'END'
dense-1.f32|sed s/././|the files changed after training
dense-1.f32|:|dense-1.f32
dense-0.f32|head -c 100|the files changed after training
inputs.json|:|inputs.json
config.yaml|sed 's/beta: 1/beta: 2/'|it changed after training
store/shard-3/data.mdb|:|shard-3: no stored rows there
store/shard-0/data.mdb|head -c 9000|cut short
END
    passed
}

test_case "the same bits on other numbers of servers, shards and workers" && same_bits
test_case "text and raw predictions agree" && text_and_raw_agree
test_case "splits" && splits
test_case "another dataset, standardised as in the run" && other_dataset
test_case "wrong inputs are named" && wrong_inputs
test_case "a damaged run is refused" && damaged_run
exit $FAILED
