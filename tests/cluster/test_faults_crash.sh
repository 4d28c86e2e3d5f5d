#!/usr/bin/env bash
# test_faults_crash.sh BUILD - jobs that die in the middle of a checkpoint, and go on from what is on disk.
#
# docs/ERRORS.md: "whatever rank dies, and wherever it was in saving, committing or dropping a checkpoint: the newest committed one
# is whole"; docs/howto/stop-and-resume.md: "a resumed run equals an uninterrupted one", on any cluster size at L3. A rank kills
# itself by SIGKILL at each named point (common/process/failpoint.h), another is killed at random times; the final digest is compared
# with that of an undisturbed run that saved nothing.
#
# FULL=1 dies at every point, the first times that it is reached, from the same beginning; and at 20 random times.
# shellcheck source=tests/lib/cluster.sh
. "$(dirname "$0")/../lib/cluster.sh"
small_config "$T/c.yaml" 'cluster: {heartbeat_ms: 200, deadline_s: 5, workers: 2, servers: 2}' 'checkpoint: {every_steps: 7, keep: 1}'
EPOCHS=${EPOCHS:-24}
printf 'train: {batch: 256, lanes: 4, epochs: %d, report_steps: 5}\n' "$EPOCHS" >"$T/train"
sed -i -e "/^train:/r $T/train" -e '/^train:/d' "$T/c.yaml"
SIZES=("2 2" "1 1" "2 1" "4 3" "1 2")
POINTS=(worker:worker.cut server:shard.freeze server:shard.slice server:delta.written server:delta.synced server:delta.renamed
    server:shard.prepared coordinator:commit.dense coordinator:commit.manifest_written coordinator:commit.manifest_synced
    coordinator:commit.renamed coordinator:drop.manifest_removed server:compaction.begun server:compaction.batch server:compaction.done
    coordinator:drop.done)

# size N - the N-th cluster size as settings, round and round.
size() {
    local workers servers
    read -r workers servers <<<"${SIZES[$1 % ${#SIZES[@]}]}"
    echo "cluster.workers=$workers" "cluster.servers=$servers"
}

undisturbed() {
    train "$T/whole" checkpoint.every_steps=0
    DIGEST=$(digest_of "$T/whole")
    expect "there is no digest" [ ${#DIGEST} = 32 ]
    train "$T/saved"
    expect "saving changes what is learned" [ "$(digest_of "$T/saved")" = "$DIGEST" ]
    expect "nothing was saved" [ "$(newest "$T/saved")" != 0 ]
    rm -rf "$T/saved"
}

# die_at POINT NTH DIR N - go on with the run in DIR until it dies at the point. What was committed before is not lost.
die_at() {
    local before
    before=$(newest "$3")
    export SMELTER_CRASH=$1:$2
    # shellcheck disable=SC2046
    go_on "$T/log" "$3" $(size "$4")
    unset SMELTER_CRASH
    expect "$1:$2: exit code $CODE" [ "$CODE" = 1 ]
    expect "$1:$2: it took $TOOK s" awk -v t="$TOOK" 'BEGIN { exit !(t < 30) }'
    expect_line "$T/log" "was killed by signal 9 (Killed); the job ended"
    expect "$1:$2: checkpoint $before was there, now $(newest "$3")" [ "$(newest "$3")" -ge "$before" ]
    verify "$3"
}

# verify DIR - every checkpoint there is whole.
verify() {
    [ "$(newest "$1")" != 0 ] || return 0
    "$SMELTER" checkpoint verify "$1" >"$T/verify.log" 2>&1 || NOTES+=("verify of $1: $(tail -n 3 "$T/verify.log")")
}

# ends_as_ever DIR N - the run goes on to its end, and ends as if it had not been disturbed.
ends_as_ever() {
    # shellcheck disable=SC2046
    go_on "$T/log" "$1" $(size "$2")
    expect "exit code $CODE" [ "$CODE" = 0 ]
    expect "digest $(digest_of "$1") instead of $DIGEST" [ "$(digest_of "$1")" = "$DIGEST" ]
    expect "$("$SMELTER" digest "$1" 2>&1 | tail -n 1)" [ "$("$SMELTER" digest "$1" 2>/dev/null | cut -d' ' -f1)" = "$DIGEST" ]
    expect_nothing_left
}

# One run dies at every point in turn, each time on another cluster.
in_turn() {
    local n=0 point
    for point in "${POINTS[@]}"; do
        die_at "$point" 2 "$T/run" $n
        [ ${#NOTES[@]} = 0 ] || return
        n=$((n + 1))
    done
    ends_as_ever "$T/run" $n
    rm -rf "$T/run"
}

once() {
    die_at "$POINT" "$NTH" "$T/run" 0
    ends_as_ever "$T/run" "$NTH"
    rm -rf "$T/run"
}

# killed_at_random N - N times, a rank that dies some time after training has begun, wherever that is.
killed_at_random() {
    local n pid before code
    for n in $(seq "$1"); do
        before=$(newest "$T/run")
        # shellcheck disable=SC2046
        (go_on "$T/log" "$T/run" $(size 0)) &
        for code in $(seq 200); do
            pid=$(rank_pid $((RANDOM % 5)))
            [ -n "$pid" ] && [ -s "$T/run/metrics.jsonl" ] && break
            sleep 0.02
        done
        sleep "0.$((RANDOM % 5))"
        [ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null
        wait $!
        [ ! -e "$T/run/manifest.json" ] || break
        expect "checkpoint $before was there, now $(newest "$T/run")" [ "$(newest "$T/run")" -ge "$before" ]
        verify "$T/run"
    done
    ends_as_ever "$T/run" 1
    rm -rf "$T/run"
}

case_of "saving changes nothing" undisturbed
if [ "${FULL:-0}" = 1 ]; then
    for POINT in "${POINTS[@]}"; do
        for NTH in 1 2 3; do
            case_of "$POINT, time $NTH: resumed, it ends as ever" once
        done
    done
    for RANDOM_JOB in 1 2 3 4; do
        case_of "killed at 5 random times: resumed, it ends as ever ($RANDOM_JOB)" "killed_at_random 5"
    done
fi
case_of "a run that dies at each of ${#POINTS[@]} points in turn, on changing clusters, ends as ever" in_turn
case_of "a run that is killed at random times ends as ever" "killed_at_random 2"
finish_tests
