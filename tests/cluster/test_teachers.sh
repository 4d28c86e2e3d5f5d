#!/usr/bin/env bash
# test_teachers.sh BUILD - who teaches, and what of it: "a finished run that teaches in the place of a variant" (docs/CONFIG.md). The
# student of a run in another folder is, bit for bit, that of the same run as a variant, on any cluster and after a crash; a teacher of
# an earlier period, on another dataset of the same fields, scores the student's examples as smelter predict does; a teacher
# that is not there, not finished, of other fields or changed since is refused in one line. Progressive predictions, "each at the
# teacher's first visit", are the same bits for every number of workers and after a crash; of what was never visited there are none.
# shellcheck source=tests/lib/cluster.sh
. "$(dirname "$0")/../lib/cluster.sh"
export OMP_NUM_THREADS=1
TEACHER='{name: wide, model: {hidden: [24, 8], activation: smelu, components: 2}, data: {order: chronological}}'
small_config "$T/c.yaml" 'checkpoint: {every_steps: 8}'
small_config "$T/v.yaml" 'experiment: {replicas: 1, vary: []}' "variants: [$TEACHER, {name: student, teacher: {variant: wide, weight: 0.7}}, {name: early, teacher: {variant: wide, predictions: progressive, weight: 0.7}}]"

as_variant() {
    run "$T/log" "$SMELTER" compare "$T/v.yaml" --out "$T/v" --set cluster.workers=2
    expect "exit code $CODE" [ "$CODE" = 0 ]
    STUDENT=$(digest_of "$T/v/student/r0") EARLY=$(digest_of "$T/v/early/r0")
    expect "two students" [ -n "$STUDENT" -a -n "$EARLY" -a "$STUDENT" != "$EARLY" ]
    run "$T/log" "$SMELTER" compare "$T/v.yaml" --out "$T/v1" --set cluster.workers=1 --set experiment.only=early
    expect "exit code $CODE" [ "$CODE" = 0 ]
    expect "what one worker predicted" cmp "$T/v/wide/r0/progressive.f32" "$T/v1/wide/r0/progressive.f32"
    expect "the student of one worker" [ "$(digest_of "$T/v1/early/r0")" = "$EARLY" ]
    expect_line "$T/log" "3200 of 3200 training examples were predicted before they were learned"
}
gaps() { # of a file of floats: how many are NaN, and how many there are
    od -An -v -tf4 -w4 "$1" | awk '/nan/ { n++ } END { print n + 0, NR }'
}
kept() {
    local keep=(model.components=2 train.keep_progressive=true data.order=window data.window=100)
    train "$T/whole" "${keep[@]}" cluster.workers=1
    local sets=() set
    for set in "${keep[@]}" cluster.workers=2 cluster.servers=2; do sets+=(--set "$set"); done
    SMELTER_CRASH=coordinator:commit.renamed:2 run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/cut" "${sets[@]}"
    expect "it was not killed" [ "$CODE" != 0 ]
    run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/cut" --resume "${sets[@]}"
    expect_line "$T/log" "goes on before step 16"
    expect "the predictions of before and after the crash" cmp "$T/cut/progressive.f32" "$T/whole/progressive.f32"
    expect "one for each" [ "$(gaps "$T/cut/progressive.f32")" = "0 3200" ]
    train "$T/short" "${keep[@]}" train.max_steps=5
    expect "none of what it never visited" [ "$(gaps "$T/short/progressive.f32")" = "1920 3200" ]
    train "$T/of_short" teacher.run="$T/short" teacher.predictions=progressive
    expect "a student of it" [ -n "$(digest_of "$T/of_short")" ]
}
as_run() {
    local by=(teacher.weight=0.7 teacher.run="$T/v/wide/r0")
    train "$T/one" cluster.workers=1 cluster.servers=2 "${by[@]}"
    expect "the variant's student" [ "$(digest_of "$T/one")" = "$STUDENT" ]
    expect_line "$T/train.log" "training examples of $T/data scored by $T/v/wide/r0"
    SMELTER_CRASH=coordinator:commit.renamed:2 run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/two" --set teacher.weight=0.7 \
        --set teacher.run="$T/v/wide/r0" --set cluster.workers=2
    expect "it was not killed" [ "$CODE" != 0 ]
    run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/two" --resume --set teacher.weight=0.7 --set teacher.run="$T/v/wide/r0"
    expect "the variant's student, after a crash" [ "$(digest_of "$T/two")" = "$STUDENT" ]
    run "$T/log" "$SMELTER" predict "$T/two" "$T/data" --out "$T/p"
    expect "the student predicts alone" cmp -s "$T/p.f32" "$T/two/predictions.f32"
}
earlier_period() {
    train "$T/today" data.path="$T/data2" synth.seed=1 synth.rows=3000 synth.drift=0.7 teacher.run="$T/v/wide/r0"
    expect_line "$T/train.log" "training examples of $T/data2 scored by $T/v/wide/r0"
    expect "it finished" [ -n "$(digest_of "$T/today")" ]
}
# refuse TEXT SET... - one line, and no run
refuse() {
    local text=$1 sets=() set
    shift
    for set in "$@"; do sets+=(--set "$set"); done
    run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/no" "${sets[@]}"
    expect "exit code $CODE for $*" [ "$CODE" != 0 ]
    expect_line "$T/log" "$text"
    expect "no run" [ ! -e "$T/no/manifest.json" ]
}
refused() {
    refuse "teacher.run: $T/nothing holds no finished run (there is no manifest.json); name the folder" teacher.run="$T/nothing"
    refuse "dataset $T/data3 does not have the fields that $T/v/wide/r0 was trained on" data.path="$T/data3" synth.fields=2 \
        teacher.run="$T/v/wide/r0"
    refuse "teacher.run: $T/one has no progressive.f32; train it with train.keep_progressive true" teacher.run="$T/one" \
        teacher.predictions=progressive
    refuse "teacher.run: $T/whole was not trained on the examples of $T/data2" teacher.run="$T/whole" data.path="$T/data2" \
        synth.rows=3000 synth.drift=0.7 teacher.predictions=progressive
    cp -r "$T/v/wide/r0" "$T/hurt"
    printf x | dd of="$T/hurt/dense-1.f32" bs=1 seek=100 conv=notrunc status=none
    refuse "$T/hurt/dense-1.f32: " teacher.run="$T/hurt"
}
case_of "students of a variant, of its last word and of its first ones" as_variant
case_of "the same student, of the run in its folder" as_run
case_of "a teacher of an earlier period" earlier_period
case_of "progressive predictions that are kept, after a crash, and with gaps" kept
case_of "teachers that are refused" refused
finish_tests
