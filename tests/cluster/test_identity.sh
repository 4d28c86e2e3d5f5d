#!/usr/bin/env bash
# test_identity.sh BUILD - the parts of a run belong together. A file under the right name that another run wrote, another shard or an
# earlier start of the same run, is refused by --resume, predict, warm_start, digest and checkpoint verify, in a line that says
# what it is and what is wanted; nothing that an earlier run left in a folder passes for a part of the one that was trained there anew.
. "$(dirname "$0")/../lib/cluster.sh"
small_config "$T/c.yaml" 'cluster: {workers: 1, servers: 1, shards_per_server: 2}' 'checkpoint: {every_steps: 8}' 'evaluate: {probe_every: 5}'
CHECKPOINT=checkpoint/epoch-0001

id_of() { sed -nE 's/^  "run_id": "([0-9a-f]{16})",?$/\1/p' "$1/manifest.json"; }

# refused LOG TEXT... - the command just run failed, and one error line has all texts.
refused() {
    local log=$1 lines text
    lines=$(grep -E 'error: ' "$log")
    expect "exit code 0" [ "$CODE" != 0 ]
    for text in "${@:2}"; do lines=$(grep -F -- "$text" <<<"$lines"); done
    [ -n "$lines" ] || NOTES+=("no error with: ${*:2}")
}

# A run that was cut off after step 24, with the file of another one in place of its own.
resume_with() {
    rm -rf "$T/hurt"
    cp -r "$T/unfinished" "$T/hurt"
    cp -r "$T/other/$1" "$T/hurt/$(dirname "$1")/"
    go_on "$T/log" "$T/hurt" cluster.shards_per_server="${2:-2}"
}

two_runs() {
    train "$T/run"
    train "$T/other" seed=2
    cp -r "$T/run" "$T/unfinished"
    rm "$T/unfinished/manifest.json"
    RUN=$(id_of "$T/run") OTHER=$(id_of "$T/other")
    expect "no id, or the same: $RUN $OTHER" [ ${#RUN} = 16 -a ${#OTHER} = 16 -a "$RUN" != "$OTHER" ]
    "$SMELTER" checkpoint list "$T/unfinished" >"$T/list"
    expect_line "$T/list" "$RUN"
    go_on "$T/log" "$T/unfinished"
    expect "the id did not last over a resume" [ "$(id_of "$T/unfinished")" = "$RUN" ]
    expect "the resumed run has another digest" [ "$(digest_of "$T/unfinished")" = "$(digest_of "$T/run")" ]
    mv "$T/unfinished" "$T/resumed"
    cp -r "$T/run" "$T/unfinished"
    rm "$T/unfinished/manifest.json"
}

other_delta() {
    local delta
    delta=$(cd "$T/run" && ls $CHECKPOINT/shard-1/*.delta | tail -n 1)
    resume_with "$delta"
    refused "$T/log" "$delta: its run id is $OTHER" "that of the run is $RUN"
    expect "the last line does not say why" grep -qF "$delta: its run id is $OTHER" <(tail -n 1 "$T/log")
    run "$T/log" "$SMELTER" checkpoint verify "$T/hurt"
    refused "$T/log" "$delta: its run id is $OTHER"
    run "$T/log" "$SMELTER" predict "$T/hurt" "$T/data" --out "$T/p" --set cluster.shards_per_server=1
    refused "$T/log" "$delta: its run id is $OTHER" "coordinator: error: server"
}

# What a start of an earlier run left on a host's own disk: a shard's folder, whole in itself.
other_shard_folder() {
    resume_with $CHECKPOINT/shard-1 1
    refused "$T/log" "$CHECKPOINT/shard-1/" "its run id is $OTHER" "that of the run is $RUN"
}

other_metrics() {
    resume_with metrics.jsonl
    refused "$T/log" "metrics.jsonl: its lines up to step 24 have checksum"
    expect "the file was changed" cmp "$T/other/metrics.jsonl" "$T/hurt/metrics.jsonl"
}

# Whole files of lines about steps, each line as it was written: the run would end as it should, and diff would say that it
# parts from others at the first step.
other_lines() {
    local file
    for file in steps.jsonl probes.jsonl; do
        rm -rf "$T/hurt"
        cp -r "$T/unfinished" "$T/hurt"
        cp "$T/other/$file" "$T/hurt/"
        [ $file = steps.jsonl ] || cp "$T/other/probes.f32" "$T/hurt/"
        go_on "$T/log" "$T/hurt"
        refused "$T/log" "$file: its first " "it is another run's, or was changed"
        expect "the file was changed" cmp "$T/other/$file" "$T/hurt/$file"
        rm -rf "$T/hurt"
        cp -r "$T/unfinished" "$T/hurt"
        rm "$T/hurt/$file"
        go_on "$T/log" "$T/hurt"
        refused "$T/log" "$file: has 0 lines about what was before step 24, and the run had written"
    done
}

# The digits of one step's digest: the run would end as it should, and diff would say that it parts from itself.
other_step() {
    local line
    line=$(grep -n '"step": 9, "rows"' "$T/unfinished/steps.jsonl" | cut -d: -f1)
    rm -rf "$T/hurt"
    cp -r "$T/unfinished" "$T/hurt"
    sed -i "${line}y/0123456789/1234567890/;${line}s/\"step\": [0-9]*/\"step\": 9/" "$T/hurt/steps.jsonl"
    go_on "$T/log" "$T/hurt"
    refused "$T/log" "steps.jsonl: line $line was changed after it was written"
}

# use_run WORD - predict, warm_start or digest of $T/hurt.
use_run() {
    case $1 in
    predict) run "$T/log" "$SMELTER" predict "$T/hurt" "$T/data" --out "$T/p" --set cluster.shards_per_server=1 ;;
    warm_start) run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/warm" --set warm_start="$T/hurt" ;;
    digest) run "$T/log" "$SMELTER" digest "$T/hurt" ;;
    esac
}

other_store() {
    local word
    rm -rf "$T/hurt"
    cp -r "$T/run" "$T/hurt"
    cp "$T/other/store/shard-1/"data.* "$T/hurt/store/shard-1/"
    for word in predict warm_start digest; do
        use_run $word
        refused "$T/log" "store/shard-1: its run id is $OTHER, that of the run is $RUN"
    done
    cp "$T/run/store/shard-0/"data.* "$T/hurt/store/shard-1/"
    use_run digest
    refused "$T/log" "store/shard-1: is of shard 0, written by start 1 of the run; shard 1 of start 1 is wanted"
    rm -rf "$T/hurt"
    cp -r "$T/resumed" "$T/hurt"
    cp "$T/run/store/shard-1/"data.* "$T/hurt/store/shard-1/"
    use_run digest
    refused "$T/log" "store/shard-1: is of shard 1, written by start 1 of the run; shard 1 of start 2 is wanted"
}

other_dense() {
    local word
    rm -rf "$T/hurt"
    cp -r "$T/run" "$T/hurt"
    cp "$T/other/dense-0.f32" "$T/hurt/"
    for word in predict warm_start digest; do
        use_run $word
        refused "$T/log" "dense-0.f32"
    done
}

# A run of two shards and components that was given up, then one of one each in the same folder.
trained_anew() {
    cp -r "$T/run" "$T/anew"
    rm -r "$T/anew/manifest.json" "$T/anew/checkpoint"
    cp "$T/anew/dense-0.f32" "$T/anew/dense-1.f32"
    cp "$T/anew/predictions.f32" "$T/anew/teacher.f32"
    train "$T/anew" cluster.shards_per_server=1
    expect "the id of the run before" [ "$(id_of "$T/anew")" != "$RUN" ]
    expect "what the run before left" [ ! -e "$T/anew/dense-1.f32" -a ! -e "$T/anew/teacher.f32" -a ! -e "$T/anew/store/shard-1" ]
    run "$T/log" "$SMELTER" digest "$T/anew"
    expect "digest: exit code $CODE" [ "$CODE" = 0 ]
    expect_line "$T/log" "$(digest_of "$T/run")"
}

# At async a teacher that is trained again predicts something else. A student that has begun goes on with the predictions that it began with.
other_teacher() {
    small_config "$T/t.yaml" 'cluster: {workers: 2, servers: 1}' 'checkpoint: {every_steps: 8}' 'experiment: {vary: [], baseline: plain}' \
        'variants: [{name: plain}, {name: student, teacher: {variant: plain}}]'
    sed -i 's/^determinism: .*/determinism: async/' "$T/t.yaml"
    run "$T/log" "$SMELTER" compare "$T/t.yaml" --out "$T/taught"
    expect "exit code $CODE" [ "$CODE" = 0 ]
    rm -r "$T/taught/student/r0/manifest.json" "$T/taught/plain/r0"
    run "$T/log" "$SMELTER" compare "$T/t.yaml" --out "$T/taught"
    refused "$T/log" "plain/r0/teacher.f32: its checksum is" "the teacher was trained again since the student began"
}

case_of "two runs of one configuration have two ids, a resumed run has one" two_runs
case_of "another run's delta" other_delta
case_of "a shard's folder of an earlier run" other_shard_folder
case_of "another run's metrics" other_metrics
case_of "another run's digests of steps, and probes" other_lines
case_of "a digest of a step that was changed" other_step
case_of "a store of another run, another shard, an earlier start" other_store
case_of "another run's dense parameters" other_dense
case_of "a folder in which a run was trained anew" trained_anew
case_of "another teacher's predictions" other_teacher
finish_tests
