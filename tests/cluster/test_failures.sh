#!/usr/bin/env bash
# test_failures.sh BUILD - what a person sees when a part of a running job dies, hangs, or is told to end.
#
# PROTOCOL: "A rank that dies without a word is noticed by mpirun, which ends the other ranks"; "the silent ranks: role, rank, host".
# Every end comes within 10 s, with one line that names the rank, a non-zero exit code, and nothing left running; both where smelter
# started mpirun and where a person did.
# shellcheck source=tests/lib/cluster.sh
. "$(dirname "$0")/../lib/cluster.sh"
small_config "$T/c.yaml" 'cluster: {workers: 2, servers: 2, heartbeat_ms: 200, deadline_s: 3}'
HOST=$(hostname)
ROLES=(coordinator "server 0" "server 1" "worker 0" "worker 1")
ENDLESS=(train "$T/c.yaml" --set train.epochs=100000 --out "$T/run")
BY_SMELTER=("$SMELTER" "${ENDLESS[@]}")
BY_MPIRUN=("${MPIRUN[@]}" -np 5 "$SMELTER" "${ENDLESS[@]}")

# begin CMD... - start the job and wait until it trains.
begin() {
    rm -rf "$T/run"
    start "$T/log" "$@"
    wait_for_training "$T/run"
}

# ended SECONDS - wait for the job; it must not succeed, nor take longer from now on.
ended() {
    local now=$EPOCHREALTIME
    finish
    expect "the exit code is 0" [ $CODE != 0 ]
    expect "it took more than $1 s to end" awk -v a="$now" -v b="$EPOCHREALTIME" -v most="$1" 'BEGIN { exit !(b - a < most) }'
    expect_nothing_left
}

killed_by_smelter() {
    begin "${BY_SMELTER[@]}"
    kill -KILL "$(rank_pid "$RANK")"
    ended 10
    expect_line "$T/log" "smelter: error: ${ROLES[RANK]} (rank $RANK on $HOST) was killed by signal 9 (Killed); the job ended"
    expect_errors 1 "$T/log"
    expect "mpirun's own words got through" [ "$(grep -ciE 'mpirun noticed|MPI_ABORT|orte|^---' "$T/log")" = 0 ]
}

killed_by_mpirun() {
    begin "${BY_MPIRUN[@]}"
    local pid
    pid=$(rank_pid "$RANK")
    kill -KILL "$pid"
    ended 10
    expect_line "$T/log" "error: ${ROLES[RANK]} (rank $RANK on $HOST, pid $pid) died without a goodbye; the job ends"
    expect_errors 1 "$T/log"
}

stopped() {
    begin "${BY_SMELTER[@]}"
    local pid
    pid=$(rank_pid "$RANK")
    kill -STOP "$pid"
    ended 10
    expect_line "$T/log" "coordinator: error: waiting for 1 of 4 ranks: ${ROLES[RANK]} (rank $RANK on $HOST, pid $pid), 3 s"
    expect_errors 1 "$T/log"
}

# Nobody hears of it any more, and all others end.
coordinator_stopped() {
    local pid
    pid=$(rank_pid 0)
    kill -STOP "$pid"
    ended 12
    expect_line "$T/log" "server 0: error: nothing was heard of the coordinator (rank 0 on $HOST, pid $pid) for 3 s; this rank ends, and the job with it"
}

coordinator_stopped_by_smelter() {
    begin "${BY_SMELTER[@]}"
    coordinator_stopped
    expect_errors 1 "$T/log"
}

coordinator_stopped_by_mpirun() {
    begin "${BY_MPIRUN[@]}"
    coordinator_stopped
}

# All ranks are stopped for longer than the deadline, and go on one after the other.
paused() {
    begin "$SMELTER" train "$T/c.yaml" --set train.epochs=200 --out "$T/run"
    local ranks rank
    ranks=$(for rank in 0 1 2 3 4; do rank_pid $rank; done)
    for rank in $ranks; do kill -STOP "$rank" && sleep 0.1; done
    sleep 4
    for rank in $ranks; do kill -CONT "$rank" && sleep 0.1; done
    finish
    expect "exit code $CODE" [ $CODE = 0 ]
    expect_errors 0 "$T/log"
}

# Twice, with time for a checkpoint between (test_signals.sh) that a stopped server does not let happen.
interrupted_smelter() {
    begin "${BY_SMELTER[@]}"
    local server
    server=$(rank_pid 1)
    kill -STOP "$server"
    kill -INT "$JOB"
    sleep 0.3
    kill -INT "$JOB"
    ended 5
    expect_line "$T/log" "smelter: error: interrupted by signal 2 (Interrupt); the job ended"
    expect_errors 1 "$T/log"
}

# mpirun has one warning for its ranks, SIGTERM: the job ends with a checkpoint if there is time for one (test_signals.sh).
interrupted_mpirun() {
    begin "${BY_MPIRUN[@]}"
    kill -INT "$JOB"
    ended 10
    expect_errors 0 "$T/log"
}

# Where the launcher of the job dies, the ranks do not live on.
launcher_killed() {
    begin "${BY_SMELTER[@]}"
    kill -KILL "$JOB"
    ended 10
}

# An interrupted training over a finished one leaves nothing that could be taken for a finished run, and does not stand in the way.
interrupted_over_finished() {
    rm -rf "$T/run"
    local again=(train.epochs=300 cluster.servers=1)
    train "$T/run" "${again[@]}"
    rm -f "$T/run/metrics.jsonl"
    start "$T/log" "$SMELTER" train "$T/c.yaml" --set ${again[0]} --out "$T/run" --again
    wait_for_training "$T/run"
    kill -KILL "$JOB"
    ended 10
    expect "the manifest of the former run is still there" [ ! -e "$T/run/manifest.json" ]
    "$SMELTER" digest "$T/run" >"$T/log" 2>&1
    expect_line "$T/log" "holds no finished run"
    train "$T/run" "${again[@]}"
    expect "the tables of the run before are still there" [ ! -e "$T/run/store/shard-1" ]
}

for RANK in 0 1 4; do
    case_of "${ROLES[RANK]} killed, started by smelter: one line names it" killed_by_smelter
    case_of "${ROLES[RANK]} killed, started by mpirun: one line names it" killed_by_mpirun
done
for RANK in 1 3; do
    case_of "${ROLES[RANK]} silent for longer than the deadline: named" stopped
done
case_of "the coordinator silent for longer than the deadline: all end, one line names it" coordinator_stopped_by_smelter
case_of "the same, started by mpirun" coordinator_stopped_by_mpirun
case_of "a pause of all ranks does not count as silence" paused
case_of "a second interrupt of smelter ends the job" interrupted_smelter
case_of "an interrupt of mpirun ends the job" interrupted_mpirun
case_of "smelter killed: the ranks end, too" launcher_killed
case_of "a finished run that is trained again and interrupted is no finished run" interrupted_over_finished
finish_tests
