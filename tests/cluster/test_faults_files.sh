#!/usr/bin/env bash
# test_faults_files.sh BUILD - checkpoints on disks that are full, damaged or taken, and servers that hang.
#
# docs/ERRORS.md: "a full disk ends the job in a clean error with the last checkpoint intact"; "a file that is not what was written is
# refused by its name"; "a second job on the same folder is refused, by a lock that dies with its owner"; "a rank that is silent for
# longer than the deadline ends the job, which goes on from its last checkpoint".
#
# FULL=1 damages more files in more ways.
# shellcheck source=tests/lib/cluster.sh
. "$(dirname "$0")/../lib/cluster.sh"
small_config "$T/c.yaml" 'cluster: {workers: 2, servers: 2, heartbeat_ms: 200, deadline_s: 3}' 'checkpoint: {every_steps: 7, keep: 2}'
LONG=train.epochs=60

undisturbed() {
    train "$T/whole" $LONG
    DIGEST=$(digest_of "$T/whole")
    expect "there is no digest" [ ${#DIGEST} = 32 ]
}

begin() {
    start "$T/log" "$SMELTER" train "$T/c.yaml" --set $LONG --out "$1"
    wait_for_checkpoint "$1"
}

ends_as_ever() {
    go_on "$T/log" "$1" $LONG cluster.servers=1
    expect "exit code $CODE" [ "$CODE" = 0 ]
    expect "digest $(digest_of "$1") instead of $DIGEST" [ "$(digest_of "$1")" = "$DIGEST" ]
}

silent_server() {
    begin "$T/silent"
    kill -STOP "$(rank_pid 2)"
    finish
    expect "exit code $CODE" [ "$CODE" = 1 ]
    expect_line "$T/log" "coordinator: error: waiting for 1 of 4 ranks: server 1 (rank 2 on "
    expect_nothing_left
    ends_as_ever "$T/silent"
}

# The file system fills up while the job runs. What was saved before is whole; with room again, the run goes on.
full_disk() {
    mkdir "$T/small"
    if ! mount -t tmpfs -o size=24m smelter-test "$T/small" 2>"$T/mount.log"; then
        skip "a full disk" "a tmpfs cannot be mounted: $(head -n 1 "$T/mount.log")"
        return
    fi
    MOUNTED=$T/small
    begin "$T/small/run"
    dd if=/dev/zero of="$T/small/filler" bs=64k >/dev/null 2>&1
    finish
    local saved
    saved=$(newest "$T/small/run")
    expect "exit code $CODE" [ "$CODE" = 1 ]
    expect_line "$T/log" "No space left on device"
    expect "it took $TOOK s" awk -v t="$TOOK" 'BEGIN { exit !(t < 20) }'
    expect_nothing_left
    "$SMELTER" checkpoint verify "$T/small/run" >"$T/verify.log" 2>&1
    expect "verify says: $(tail -n 2 "$T/verify.log")" [ $? = 0 ]
    rm "$T/small/filler"
    expect "the checkpoint is gone" [ "$(newest "$T/small/run")" = "$saved" ]
    ends_as_ever "$T/small/run"
    umount "$T/small" && MOUNTED=''
}

second_job() {
    begin "$T/taken"
    "$SMELTER" train "$T/c.yaml" --set $LONG --out "$T/taken" --resume >"$T/second.log" 2>&1
    expect "exit code of the second job" [ $? = 2 ]
    expect_line "$T/second.log" "$T/taken is in use by another smelter job; wait for it or choose another --out"
    expect_errors 1 "$T/second.log"
    local pid
    for pid in "$JOB" $(processes); do kill -KILL "$pid"; done 2>/dev/null
    wait "$JOB" 2>/dev/null
    ends_as_ever "$T/taken"
}

# A run that was killed, with a base, deltas after it and two manifests, to be damaged.
wounded() {
    rm -rf "$T/wounded"
    begin "$T/wounded"
    local i
    for i in $(seq 200); do
        compgen -G "$T/wounded/checkpoint/epoch-0001/shard-0/base/data.mdb" >/dev/null && break
        sleep 0.05
    done
    sleep 0.3
    kill -KILL "$(rank_pid 0)"
    finish
    EPOCH=$T/wounded/checkpoint/epoch-0001
    expect "no base" [ -e "$EPOCH/shard-0/base/data.mdb" ]
    "$SMELTER" checkpoint verify "$T/wounded" >"$T/log" 2>&1
    expect "a run that was killed does not verify" [ $? = 0 ]
}

# flip FILE OFFSET - invert a byte's bits; a negative offset counts from the end.
flip() {
    local at=$2 byte
    [ "$at" -ge 0 ] || at=$(($(stat -c %s "$1") + at))
    byte=$(od -An -tu1 -j "$at" -N 1 "$1" | tr -d ' ')
    printf "\\x$(printf %02x $((byte ^ 255)))" | dd of="$1" bs=1 seek="$at" conv=notrunc 2>/dev/null
}

# refused FILE - the resume and the verification fail, with a line that names the file (or a folder it is in).
refused() {
    local log
    run "$T/log" "$SMELTER" train "$T/c.yaml" --set $LONG --out "$T/hurt" --resume
    expect "resume: exit code $CODE" [ "$CODE" != 0 ]
    "$SMELTER" checkpoint verify "$T/hurt" >"$T/verify.log" 2>&1
    expect "verify finds nothing" [ $? != 0 ]
    for log in "$T/log" "$T/verify.log"; do
        grep -E '^[0-9:.]+ [a-z]+( [0-9]+)?: error: ' "$log" | grep -qF -- "$1" || NOTES+=("no error of $log names $1")
    done
    grep -qiE 'signal 11|internal error|Segmentation' "$T/log" "$T/verify.log" && NOTES+=("it crashed")
}

damaged() {
    local file=$1
    rm -rf "$T/hurt"
    cp -r "$T/wounded" "$T/hurt"
    "${@:2}" "$T/hurt/$file"
    refused "$file"
}

shorten() { truncate -s $(($(stat -c %s "$1") * 2 / 3)) "$1"; }
flip_middle() { flip "$1" $(($(stat -c %s "$1") / 2)); }
flip_last() { flip "$1" -3; }

damages() {
    local newest delta manifest
    newest=$(newest "$T/wounded")
    delta=checkpoint/epoch-0001/shard-0/step-$(printf %012d $((newest % 1000000000))).delta
    manifest=checkpoint/epoch-0001/step-$(printf %012d $((newest % 1000000000)))/manifest.json
    damaged "$manifest" shorten
    damaged "$delta" flip_middle
    damaged "$delta" shorten
    [ "${FULL:-0}" = 1 ] || return
    damaged "$manifest" flip_middle
    damaged "$delta" flip_last
    damaged "$delta" rm
    damaged "${manifest%manifest.json}dense-0.f32" flip_middle
    damaged "${manifest%manifest.json}progress.bin" flip_middle
}

damaged_base() {
    local base=checkpoint/epoch-0001/shard-0/base
    damaged "$base" truncate_base
    damaged "$base" flip_base
}
truncate_base() { truncate -s 8192 "$1/data.mdb"; }

# A byte of a row: of the first page of leaves, LMDB keeps values at the end.
flip_base() {
    local page
    for page in $(seq 2 $(($(stat -c %s "$1/data.mdb") / 4096 - 1))); do flip "$1/data.mdb" $((page * 4096 + 4000)); done
}

MOUNTED=''
trap '[ -z "$MOUNTED" ] || umount -l "$MOUNTED"; cleanup' EXIT
case_of "the undisturbed run" undisturbed
case_of "a server that is silent for longer than the deadline: named, and the run goes on" silent_server
case_of "a full disk: a clean error, the last checkpoint whole, and the run goes on" full_disk
case_of "a second job on the folder is refused, and not after the first one was killed" second_job
case_of "a run that was killed verifies" wounded
case_of "damaged manifests, deltas, dense parameters and metrics are refused by name" damages
case_of "a damaged base is refused by name" damaged_base
finish_tests
