#!/usr/bin/env bash
# test_resume.sh BUILD - a run that is killed goes on from its newest checkpoint as if nothing had happened.
#
# docs/howto/stop-and-resume.md: "Resume on other server or worker counts. A damaged or mismatched checkpoint is an error that names what differs." The digest
# and the curve of a run killed on 2 servers and 2 workers and resumed on 1 and 4, or on 4 workers and then 3, are those of an undisturbed one; so are those
# of one that a signal saved and stopped; allowed changes of the configuration are listed, others refused, and so is whatever is damaged.
# shellcheck source=tests/lib/cluster.sh
. "$(dirname "$0")/../lib/cluster.sh"
small_config "$T/c.yaml" 'cluster: {workers: 2, servers: 2}' 'checkpoint: {every_steps: 100}'
sed -i 's/epochs: 2/epochs: 60/' "$T/c.yaml" # 750 steps

# killed DIR NTH [SET...] - train, and kill the coordinator right after the NTH checkpoint is committed.
killed() {
    local dir=$1 nth=$2
    shift 2
    SMELTER_CRASH=coordinator:commit.renamed:$nth run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$dir" "$@"
    expect "the run in $dir was not killed" [ "$CODE" != 0 ]
    expect_errors 1 "$T/log"
}

resume() {
    local dir=$1
    shift
    run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$dir" --resume "$@"
}

# refused DIR TEXT [ARGUMENT...] - the resume ends with one error that has the text.
refused() {
    local dir=$1 text=$2
    shift 2
    resume "$dir" "$@"
    expect "refused with code $CODE: $text" [ "$CODE" != 0 ]
    expect_line "$T/log" "$text"
}

# The lines of a run, without time; those of steps' digests come when they come.
lines_of() { cat "$1"/metrics.jsonl "$1"/steps.jsonl | sed 's/, "seconds.*//' | sort; }

expect_same() {
    expect "digest of $1" [ "$(digest_of "$1")" = "$(digest_of "$2")" ]
    expect "metrics of $1" cmp <(lines_of "$1") <(lines_of "$2")
}

# A copy of the killed run, which every test spoils in its own way.
fresh() {
    rm -rf "$T/copy"
    cp -r "$T/killed" "$T/copy"
    STEP=$(find "$T/copy/checkpoint" -name manifest.json | sort | tail -1 | xargs dirname)
}

other_cluster() {
    train "$T/whole" checkpoint.every_steps=0
    killed "$T/killed" 4
    expect "it was not killed after step 400" [ -f "$T/killed/checkpoint/epoch-0001/step-000000000400/manifest.json" ]
    fresh
    resume "$T/copy" --set cluster.workers=4 --set cluster.servers=1
    expect "exit code $CODE" [ "$CODE" = 0 ]
    expect_line "$T/log" "goes on before step 400"
    expect_same "$T/copy" "$T/whole"
    expect "the manifest does not say it was resumed" grep -q '"resumed": 1,' "$T/copy/manifest.json"
    expect "examples of all starts" grep -q '"examples": 192000' "$T/copy/manifest.json"
    expect "the first epoch is still there" [ ! -e "$T/copy/checkpoint/epoch-0001" ]
    resume "$T/copy"
    expect "resume of a finished run: exit code $CODE" [ "$CODE" = 0 ]
    expect_line "$T/log" "$T/copy is finished; there is nothing to resume"
    expect_line "$T/log" "digest         $(digest_of "$T/whole")"
}

killed_again_and_again() {
    fresh
    SMELTER_CRASH=coordinator:commit.manifest_synced:2 resume "$T/copy" --set cluster.servers=3
    expect "not killed" [ "$CODE" != 0 ]
    SMELTER_CRASH=worker:worker.cut:1 resume "$T/copy" --set cluster.workers=4
    expect "not killed" [ "$CODE" != 0 ]
    resume "$T/copy" --set cluster.workers=3
    expect "exit code $CODE" [ "$CODE" = 0 ]
    expect_line "$T/log" "goes on before step 500, from $T/copy/checkpoint/epoch-0002/"
    expect_same "$T/copy" "$T/whole"
    expect "the manifest does not say how often it was resumed" grep -q '"resumed": 2,' "$T/copy/manifest.json"
}

# The smelter that started mpirun gets the signals, as from a shell or a batch system.
signals() {
    start "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/stopped" --set checkpoint.every_steps=0
    wait_for_training "$T/stopped"
    kill -USR1 "$JOB"
    for _ in $(seq 100); do grep -q 'checkpoint before step' "$T/log" && break; sleep 0.05; done
    kill -TERM "$JOB"
    finish
    expect "exit code $CODE" [ "$CODE" = 3 ]
    expect_line "$T/log" "checkpoint before step"
    expect_line "$T/log" "and stopped, as a signal asked; --resume goes on from there"
    expect_errors 0 "$T/log"
    expect_nothing_left
    resume "$T/stopped" --set checkpoint.every_steps=0 --set cluster.servers=1
    expect "exit code $CODE" [ "$CODE" = 0 ]
    expect_same "$T/stopped" "$T/whole"
}

changed_configuration() {
    fresh
    resume "$T/copy" --set dense.learning_rate=0.01 --set checkpoint.keep=1
    expect "exit code $CODE" [ "$CODE" = 0 ]
    expect_line "$T/log" "dense.learning_rate: 0.02 -> 0.01 from step 400 on"
    expect "another learning rate changed nothing" [ "$(digest_of "$T/copy")" != "$(digest_of "$T/whole")" ]
    expect "config.yaml has the old one" grep -q 'learning_rate: 0.01' "$T/copy/config.yaml"
    fresh
    refused "$T/copy" "the configuration changed in what a run cannot change: model.hidden: [16, 8] -> [16, 4]; embedding.dim: 4 -> 8" \
        --set embedding.dim=8 --set 'model.hidden=[16, 4]' --set dense.learning_rate=0.01
    expect "code $CODE" [ "$CODE" = 2 ]
    refused "$T/copy" "the dataset is not that of the run" --set data.path="$T/data2" --set synth.seed=7
    refused "$T/copy" "and the run now ends after 100; raise train.epochs or train.max_steps" --set train.max_steps=100
    resume "$T/copy"
    expect_same "$T/copy" "$T/whole" # a refusal does no harm
}

sync_needs_its_workers() {
    train "$T/sync" determinism=sync checkpoint.every_steps=0 cluster.workers=3
    killed "$T/sync-killed" 2 --set determinism=sync --set cluster.workers=3
    refused "$T/sync-killed" "was made by 3 workers, this job has 2; at determinism sync a run goes on with as many" --set determinism=sync
    resume "$T/sync-killed" --set determinism=sync --set cluster.workers=3 --set cluster.servers=1
    expect "exit code $CODE" [ "$CODE" = 0 ]
    expect_same "$T/sync-killed" "$T/sync"
}

nothing_there() {
    refused "$T/none" "--resume: $T/none holds no checkpoint; start without --resume"
    expect "a folder was made" [ ! -e "$T/none" ]
    expect "code $CODE" [ "$CODE" = 2 ]
    SMELTER_CRASH=coordinator:commit.manifest_synced:1 run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/early"
    refused "$T/early" "--resume: $T/early holds no checkpoint"
}

# One command line for every start of a batch job: it begins, fails, goes on by itself, and shows what is finished.
automatic() {
    AUTO=("$SMELTER" train "$T/c.yaml" --out "$T/auto" --resume auto)
    SMELTER_CRASH=coordinator:commit.renamed:2 run "$T/log" "${AUTO[@]}"
    expect_line "$T/log" "--resume auto: $T/auto holds no checkpoint; the run begins at its beginning"
    expect "not killed" [ "$CODE" != 0 ]
    run "$T/log" "${AUTO[@]}" --set embedding.dim=8
    expect "another configuration: exit code $CODE" [ "$CODE" = 2 ]
    SMELTER_CRASH=coordinator:commit.renamed:3 run "$T/log" "${AUTO[@]}" --restarts 1
    expect "exit code $CODE" [ "$CODE" = 0 ]
    expect_line "$T/log" "$T/auto goes on before step 200"
    expect_line "$T/log" "it starts again in 1 s (restart 1 of 1)"
    expect_line "$T/log" "$T/auto goes on before step 500"
    expect_same "$T/auto" "$T/whole"
    run "$T/log" "${AUTO[@]}"
    expect_line "$T/log" "$T/auto is finished; there is nothing to resume"
    run "$T/log" "${AUTO[@]}" --again
    expect "--again: exit code $CODE" [ "$CODE" = 2 ]
}

damaged() {
    fresh
    sed -i 's/"format": 1/"format": 9/' "$STEP/manifest.json"
    refused "$T/copy" "manifest.json: has format 9, this program reads up to 1; use the smelter that wrote it, or a newer one"
    fresh
    sed -i 's/"rows": [0-9]*/"rows": 1/' "$STEP/manifest.json"
    refused "$T/copy" "manifest.json: its checksum is"
    expect_line "$T/log" "to go on from there, remove $STEP/manifest.json"
    fresh
    truncate -s -4 "$STEP/dense-0.f32"
    refused "$T/copy" "dense-0.f32: has"
    fresh
    printf x | dd of="$STEP/progress.bin" bs=1 seek=20 conv=notrunc status=none
    refused "$T/copy" "progress.bin: its checksum is"
    fresh
    rm "$T/copy/checkpoint/epoch-0001/shard-1/step-000000000400.delta"
    refused "$T/copy" "shard-1/step-000000000400.delta: is not on this host"
    expect_line "$T/log" "the checkpoint before it is that of step 300 of incarnation 1; to go on from there, remove $STEP/manifest.json"
    run "$T/log" "$SMELTER" checkpoint verify "$STEP"
    expect "verify where a delta is missing: exit code $CODE" [ "$CODE" = 1 ]
    expect_line "$T/log" "damaged $STEP"
    fresh
    printf x | dd of="$T/copy/checkpoint/epoch-0001/shard-0/step-000000000400.delta" bs=1 seek=500 conv=notrunc status=none
    refused "$T/copy" "shard-0/step-000000000400.delta: "
}

# The three commands, on a run whose shards have folded into their bases.
commands() {
    fresh
    run "$T/log" "$SMELTER" checkpoint list "$T/copy"
    expect "list: exit code $CODE" [ "$CODE" = 0 ]
    expect "list: $(grep -cE '^ +[234]00 +1 ' "$T/log") lines" [ "$(grep -cE '^ +[234]00 +1 ' "$T/log")" = 3 ]
    run "$T/log" "$SMELTER" checkpoint show "$STEP" --json
    expect "show: step" [ "$(jq_of '.[0].step' "$T/log")" = 400 ]
    run "$T/log" "$SMELTER" checkpoint verify "$T/copy"
    expect "verify: exit code $CODE" [ "$CODE" = 0 ]
    expect "verify: $(grep -c '^whole' "$T/log") are whole" [ "$(grep -c '^whole' "$T/log")" = 3 ]
    local file
    while read -r file; do
        fresh
        file=$T/copy/checkpoint/epoch-0001/$file
        printf 'xyz' | dd of="$file" bs=1 seek=$(($(stat -c %s "$file") / 2)) conv=notrunc status=none
        run "$T/log" "$SMELTER" checkpoint verify "$STEP"
        expect "verify of a damaged $file: exit code $CODE" [ "$CODE" = 1 ]
        expect_line "$T/log" "error: $file: "
        expect_line "$T/log" "damaged $STEP"
    done <<'END'
step-000000000400/dense-0.f32
step-000000000400/progress.bin
shard-1/step-000000000400.delta
shard-0/step-000000000300.delta
END
    run "$T/log" "$SMELTER" checkpoint verify "$T/data"
    expect "nothing to verify: exit code $CODE" [ "$CODE" = 2 ]
    expect_line "$T/log" "$T/data holds no checkpoint"
}

# jq_of .[0].KEY FILE - the first value of a key in indented JSON.
jq_of() { sed -nE 's/^ *"'"${1##*.}"'": ([^,]*),?$/\1/p' "$2" | head -1; }

# A checkpoint before step T predicts what a run of T steps does, pushes that its rows have not seen included.
predictions() {
    fresh
    train "$T/short" train.max_steps=400 checkpoint.every_steps=0
    run "$T/log" "$SMELTER" predict "$T/copy" "$T/data" --out "$T/p" --set cluster.servers=1 --set cluster.workers=4
    expect "exit code $CODE" [ "$CODE" = 0 ]
    expect "predictions of the newest checkpoint" cmp "$T/p.f32" "$T/short/predictions.f32"
    train "$T/shorter" train.max_steps=300 checkpoint.every_steps=0
    run "$T/log" "$SMELTER" predict "${STEP%400}300" "$T/data" --out "$T/p"
    expect "exit code $CODE" [ "$CODE" = 0 ]
    expect "predictions of an older checkpoint" cmp "$T/p.f32" "$T/shorter/predictions.f32"
    run "$T/log" "$SMELTER" predict "$T/copy" "$T/data" --out "$T/p" --set model.clip=3
    expect_line "$T/log" "--set changes the run in $T/copy; scoring takes only cluster.*, data.cache_mb and model.deploy"
}

# A comparison resumes without an option.
comparison() {
    sed 's/^name: small/name: pair/' "$T/c.yaml" >"$T/pair.yaml"
    printf '%s\n' 'experiment: {replicas: 2, vary: [init]}' >>"$T/pair.yaml"
    SMELTER_CRASH=coordinator:commit.renamed:9 run "$T/log" "$SMELTER" compare "$T/pair.yaml" --out "$T/pair"
    expect "not killed" [ "$CODE" != 0 ]
    run "$T/log" "$SMELTER" compare "$T/pair.yaml" --out "$T/pair" --set cluster.workers=4 --resume
    expect "--resume: exit code $CODE" [ "$CODE" = 2 ]
    run "$T/log" "$SMELTER" compare "$T/pair.yaml" --out "$T/pair" --set cluster.workers=4 --resume=auto
    expect "exit code $CODE" [ "$CODE" = 0 ]
    expect_line "$T/log" "1 of 2 runs are finished"
    expect_line "$T/log" "$T/pair/pair/r1 goes on before step 200"
    expect "digest" [ "$(digest_of "$T/pair/pair/r0")" = "$(digest_of "$T/whole")" ]
}

case_of "killed on 2 servers and 2 workers, resumed on 1 and 4: the digest and the curve of an undisturbed run" other_cluster
case_of "killed in every start, resumed every time" killed_again_and_again
case_of "SIGUSR1 saves and goes on, SIGTERM saves and stops" signals
case_of "changes of the configuration are listed or refused" changed_configuration
case_of "at determinism sync the same workers, on any servers" sync_needs_its_workers
case_of "without a checkpoint there is nothing to resume" nothing_there
case_of "--resume auto begins, goes on and ends by one command line" automatic
case_of "what is damaged is named" damaged
case_of "checkpoints are listed, shown and verified, and what is damaged is named" commands
case_of "a checkpoint predicts what a run of as many steps does" predictions
case_of "a comparison resumes without an option" comparison
finish_tests
