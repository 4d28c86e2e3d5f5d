#!/usr/bin/env bash
# test_methods.sh BUILD - the methods of configs/quickstart_methods.yaml, trained for real.
#
# Proves: every variant is trained and reported; "bit-identical across worker and server counts" (docs/CONFIG.md, L3) holds for every
# objective, for shared embeddings, for solved widths and for distillation, where the teacher's predictions cross the cluster;
# shared embeddings pull the rows of a single network; a teacher is trained before its student, and an interrupted experiment asks
# again for the predictions that its students miss; a run starts from another one's parameters on any cluster.
# shellcheck source=tests/lib/cluster.sh
. "$(dirname "$0")/../lib/cluster.sh"
export OMP_NUM_THREADS=1

# compare OUT [--set ...]
compare() {
    local out=$1
    shift
    timeout 120 "$SMELTER" compare configs/quickstart_methods.yaml --out "$T/$out" --set data.path="$T/data" \
        --set synth.rows=12000 --set experiment.replicas=1 --set 'experiment.vary=[]' --set determinism=invariant "$@" >"$T/$out.log" 2>&1
}

# digests OUT - "VARIANT DIGEST" per run, from the manifests
digests() {
    (cd "$T/$1" && grep -o '^  "digest": "[0-9a-f]*"' ./*/r*/manifest.json | sed 's|^\./||; s|/r\([0-9]*\)/manifest.json:  "digest": | \1 |')
}

# field OUT VARIANT KEY - a number of a variant in results.csv
field() {
    awk -F, -v name="$2" -v key="$3" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == key) at = i } $1 == name { print $at }' "$T/$1/results.csv"
}

variants=$(sed -n 's/^  - name: //p' configs/quickstart_methods.yaml)

compare one --set cluster.workers=1
report "all methods train" $? "$T/one.log"

missing=0
for v in $variants; do
    grep -q "\"name\": \"$v\"" "$T/one/results.json" || missing=1
    [ -f "$T/one/$v/r0/predictions.f32" ] || missing=1
done
report "results.json has every variant" $missing "$T/one.log"

compare two --set cluster.workers=2 --set cluster.servers=2
report "all methods train on two workers and two servers" $? "$T/two.log"
[ -n "$(digests one)" ] && [ "$(digests one | wc -l)" = "$(echo "$variants" | wc -l)" ] && [ "$(digests one)" = "$(digests two)" ]
same=$?
report "every method has the same digest on one worker and on two" $same
[ $same = 0 ] || diff <(digests one) <(digests two)
[ "$(digests one | awk '{ print $3 }' | sort -u | wc -l)" = "$(echo "$variants" | wc -l)" ]
report "no two methods train the same model" $?

[ -n "$(field one single rows_pulled_per_example)" ] &&
    [ "$(field one ensemble_shared rows_pulled_per_example)" = "$(field one single rows_pulled_per_example)" ] &&
    awk -v a="$(field one ensemble rows_pulled_per_example)" -v b="$(field one single rows_pulled_per_example)" \
        'BEGIN { exit !(a > 2.999 * b && a < 3.001 * b) }'
report "shared embeddings pull the rows of one network, an ensemble of 3 those of 3" $?

grep -q 'variant ensemble_equal matches single: embedding.dim [0-9]*, model.hidden \[[0-9]*, [0-9]*\]' "$T/one.log" &&
    awk -v a="$(field one ensemble_equal parameters)" -v b="$(field one single parameters)" 'BEGIN { exit !(a > 0.9 * b && a < 1.1 * b) }'
report "the equal-complexity ensemble has the parameters of the single network, and the log says its widths" $? "$T/one.log"
grep -q 'match: ""' "$T/one/ensemble_equal/r0/config.yaml" &&
    ! cmp -s <(grep 'hidden:' "$T/one/ensemble_equal/r0/config.yaml") <(grep 'hidden:' "$T/one/single/r0/config.yaml")
report "config.yaml of a matched run holds the widths it was trained with" $?

# What its teacher cost is a part of what the student costs, and is more than the teacher's training.
for key in cpu_seconds wall_seconds rows_pulled_per_example; do
    [ -n "$(field one distill ${key}_with_teacher)" ] && [ -z "$(field one single ${key}_with_teacher)" ] &&
        awk -v a="$(field one distill ${key}_with_teacher)" -v b="$(field one distill $key)" -v c="$(field one ensemble $key)" \
            'BEGIN { exit !(a > b + c * 1.0001) }'
    report "a student's $key are counted with its teacher's training and scoring" $? "$T/one.log"
done
grep -q "^distill .*held-out logloss" "$T/one.log"
report "what the teacher saves is said" $? "$T/one.log"

# The student of an interrupted experiment; once with and once without the teacher's predictions.
rm "$T/one/distill/r0/manifest.json"
compare one --set cluster.workers=1
report "an interrupted student is trained again" $? "$T/one.log"
grep -q '9 of 10 runs are finished' "$T/one.log" && [ "$(digests one)" = "$(digests two)" ]
report "its teacher is kept, and the student ends with the same digest" $? "$T/one.log"
rm "$T/one/distill/r0/manifest.json" "$T/one/ensemble/r0/teacher.f32"
compare one --set cluster.workers=1
report "a teacher without predictions is trained again" $? "$T/one.log"
grep -q 'ensemble/r0 has no predictions for its student distill; it is trained again' "$T/one.log" && grep -q '8 of 10 runs are finished' "$T/one.log" &&
    [ "$(digests one)" = "$(digests two)" ]
report "the log says so, and teacher and student end with the same digests" $? "$T/one.log"

# A teacher on other data: its numbers would mean other examples.
cat >"$T/other.yaml" <<END
data: {path: $T/data}
synth: {rows: 12000, fields: 6, values: 5000}
train: {batch: 512}
variants:
  - {name: teacher, data: {path: $T/data2}, synth: {rows: 3000}}
  - {name: student, teacher: {variant: teacher}}
END
timeout 60 "$SMELTER" compare "$T/other.yaml" --out "$T/other" >"$T/other.log" 2>&1
code=$?
[ $code != 0 ] && grep -qE 'its teacher teacher was trained on another dataset|have different datasets' "$T/other.log"
report "a teacher on other data is refused" $? "$T/other.log"

# Scoring a student needs no teacher.
timeout 60 "$SMELTER" predict "$T/one/distill/r0" "$T/data" --out "$T/p" >"$T/p.log" 2>&1 && cmp -s "$T/p.f32" "$T/one/distill/r0/predictions.f32"
report "a student predicts without its teacher" $? "$T/p.log"

# warm OUT [--set ...] - the ensemble's configuration, started from its finished run, which one server stored
warm() {
    local out=$1
    shift
    timeout 60 "$SMELTER" train "$T/one/ensemble/r0/config.yaml" --out "$T/$out" --set warm_start="$T/one/ensemble/r0" \
        --set data.path="$T/data" "$@" >"$T/$out.log" 2>&1
}
warm still --set cluster.workers=2 --set cluster.servers=3 --set embedding.learning_rate=0 --set dense.learning_rate=0 &&
    cmp -s "$T/still/predictions.f32" "$T/one/ensemble/r0/predictions.f32" && grep -q '21 of 21 tables and 18 of 18 blocks' "$T/still.log"
report "a warm start that learns nothing predicts what the run before it did" $? "$T/still.log"
warm again1 --set cluster.workers=1 && warm again2 --set cluster.workers=2 --set cluster.servers=2 &&
    [ "$(grep '^digest' "$T/again1.log")" = "$(grep '^digest' "$T/again2.log")" ] && grep -q '^digest' "$T/again1.log" &&
    ! cmp -s "$T/again1/predictions.f32" "$T/one/ensemble/r0/predictions.f32"
report "a warm start goes on to the same digest on any cluster" $? "$T/again1.log"
finish_tests
