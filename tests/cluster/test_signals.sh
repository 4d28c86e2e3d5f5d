#!/usr/bin/env bash
# test_signals.sh BUILD - what a person, or a batch system, can ask of a running job by signal.
#
# docs/howto/stop-and-resume.md: "SIGUSR1: is saved and goes on. SIGTERM, SIGINT, SIGHUP (to mpirun: SIGUSR2): is saved and stops, exit
# code 3. A second one: ends now"; through smelter, through its terminal, through mpirun, and to the coordinator or another rank alone. A
# run that was saved goes on and ends as one that was never stopped, and no other start removes it unasked.
# shellcheck source=tests/lib/cluster.sh
. "$(dirname "$0")/../lib/cluster.sh"
small_config "$T/c.yaml" 'cluster: {workers: 2, servers: 2, heartbeat_ms: 200, deadline_s: 5}'
RUN=("$T/c.yaml" --set train.epochs=150 --out "$T/run")
BY_SMELTER=("$SMELTER" train "${RUN[@]}")
BY_MPIRUN=("${MPIRUN[@]}" -np 5 "$SMELTER" train "${RUN[@]}")

begin() {
    rm -rf "$T/run"
    start "$T/log" "$@"
    wait_for_training "$T/run"
}

# saved_and_stopped - the job ends within 10 s, with a checkpoint and the code that says so; and goes on to the end that it would
# have had.
saved_and_stopped() {
    local now=$EPOCHREALTIME
    finish
    expect "exit code $CODE" [ "$CODE" = 3 ]
    expect "it took more than 10 s to stop" awk -v a="$now" -v b="$EPOCHREALTIME" 'BEGIN { exit !(b - a < 10) }'
    expect_line "$T/log" "and stopped, as a signal asked; --resume goes on from there"
    expect_errors 0 "$T/log"
    expect_nothing_left
    expect "there is no checkpoint" [ "$(newest "$T/run")" != 0 ]
    expect "the run counts as finished" [ ! -e "$T/run/manifest.json" ]
    go_on "$T/log" "$T/run" train.epochs=150
    expect "exit code $CODE of the rest" [ "$CODE" = 0 ]
    expect "digest $(digest_of "$T/run") instead of $DIGEST" [ "$(digest_of "$T/run")" = "$DIGEST" ]
}

undisturbed() {
    train "$T/whole" train.epochs=150
    DIGEST=$(digest_of "$T/whole")
    expect "there is no digest" [ ${#DIGEST} = 32 ]
}

# A save now and then, and the job goes on to its end.
save_and_go_on() {
    begin "${BY_SMELTER[@]}"
    kill -USR1 "$JOB"
    wait_for_checkpoint "$T/run"
    kill -USR1 "$(rank_pid 0)"
    kill -USR1 "$(rank_pid 4)" # a worker, which takes no such wish
    finish
    expect "exit code $CODE" [ "$CODE" = 0 ]
    expect_errors 0 "$T/log"
    expect "digest $(digest_of "$T/run") instead of $DIGEST" [ "$(digest_of "$T/run")" = "$DIGEST" ]
}

save_by_mpirun() {
    begin "${BY_MPIRUN[@]}"
    kill -USR1 "$JOB"
    wait_for_checkpoint "$T/run"
    finish
    expect "exit code $CODE" [ "$CODE" = 0 ]
    expect "digest $(digest_of "$T/run") instead of $DIGEST" [ "$(digest_of "$T/run")" = "$DIGEST" ]
}

stop_by_smelter() {
    begin "${BY_SMELTER[@]}"
    kill -TERM "$JOB"
    saved_and_stopped
}

# A key reaches all processes of the terminal's foreground group at once.
stop_by_key() {
    rm -rf "$T/run"
    mkfifo "$T/keys"
    start "$T/log" env COLUMNS=1000 sh -c 'exec script -qec "$1" /dev/null <"$2"' - "$(printf '%q ' "${BY_SMELTER[@]}")" "$T/keys"
    exec 8>"$T/keys"
    wait_for_training "$T/run"
    printf '\003' >&8
    saved_and_stopped
    exec 8>&-
    rm "$T/keys"
}

# The terminal goes, and with it the other end of standard error.
hang_up() {
    rm -rf "$T/run"
    start "$T/log" sh -c '"$@" 2>&1 | sleep 2' - sh -c 'echo $$ >"$0"; exec "$@"' "$T/pid" "${BY_SMELTER[@]}" --set train.epochs=100000
    wait_for_training "$T/run"
    sleep 2
    JOB=$(cat "$T/pid")
    kill -HUP "$JOB"
    local i
    for i in $(seq 200); do
        processes >/dev/null || break
        sleep 0.05
    done
    expect_nothing_left
    expect "there is no checkpoint" [ "$(newest "$T/run")" != 0 ]
}

# Only --again removes a run with a checkpoint; nor is a finished one.
kept() {
    local before
    before=$(newest "$T/run")
    run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/run"
    expect "exit code $CODE" [ "$CODE" = 2 ]
    expect_line "$T/log" "$T/run holds an unfinished run, saved before step $((before % 1000000000)); give --resume to go on from there, --again to remove it"
    expect_errors 1 "$T/log"
    expect "the checkpoint is gone" [ "$(newest "$T/run")" = "$before" ]
    run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/run" --again --resume
    expect "exit code $CODE of both options" [ "$CODE" = 2 ]
    run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/run" --again
    expect "exit code $CODE of --again" [ "$CODE" = 0 ]
    expect_line "$T/log" "--again: the unfinished run in $T/run is removed, with its checkpoints up to step $((before % 1000000000))"
    expect "the checkpoint is still there" [ "$(newest "$T/run")" = 0 ]
    before=$(digest_of "$T/run")
    rm -rf "$T/run/work"
    touch "$T/run/work" # where a server wants a folder
    run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/run" --again --set cluster.memory_mb=1
    expect "exit code $CODE of a start that fails" [ "$CODE" != 0 ]
    rm "$T/run/work"
    expect "a start that failed has changed the run" [ "$("$SMELTER" digest "$T/run" 2>&1 | cut -d' ' -f1)" = "$before" ]
    run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/run"
    expect "exit code $CODE over a finished run" [ "$CODE" = 2 ]
    expect_line "$T/log" "$T/run holds a finished run of this configuration; give --again to remove it and train anew"
    expect "the finished run is gone" [ "$(digest_of "$T/run")" = "$before" ]
}

stop_by_mpirun() {
    begin "${BY_MPIRUN[@]}"
    kill -USR2 "$JOB"
    saved_and_stopped
}

# mpirun waits for the time-out, warns its ranks by SIGTERM, waits again and kills what is left.
end_by_mpirun() {
    begin "${MPIRUN[@]}" --mca odls_base_sigkill_timeout 2 -np 5 "$SMELTER" train "${RUN[@]}" --set train.epochs=100000
    kill -TERM "$JOB"
    finish
    expect_line "$T/log" "and stopped, as a signal asked; --resume goes on from there"
    expect_errors 0 "$T/log"
    expect_nothing_left
    expect "there is no checkpoint" [ "$(newest "$T/run")" != 0 ]
}

stop_by_rank() {
    begin "${BY_SMELTER[@]}"
    kill -TERM "$(rank_pid "$RANK")"
    saved_and_stopped
}

# A supervised job that was told to stop has stopped.
stop_supervised() {
    begin "${BY_SMELTER[@]}" --restarts 5
    kill -TERM "$JOB"
    saved_and_stopped
}

# The second one does not wait for the checkpoint, which a server that is stopped would hold up.
twice() {
    begin "${BY_SMELTER[@]}"
    local server
    server=$(rank_pid 1)
    kill -STOP "$server"
    kill -TERM "$JOB"
    sleep 1.2
    kill -TERM "$JOB"
    local now=$EPOCHREALTIME
    finish
    kill -CONT "$server" 2>/dev/null
    expect "exit code $CODE" [ "$CODE" = 3 ]
    expect "it took more than 3 s to end" awk -v a="$now" -v b="$EPOCHREALTIME" 'BEGIN { exit !(b - a < 3) }'
    expect_line "$T/log" "smelter: error: interrupted by signal 15 (Terminated); the job ended"
    expect_nothing_left
}

case_of "the undisturbed run" undisturbed
case_of "SIGUSR1 to smelter and to the coordinator: saved, and the run goes on" save_and_go_on
case_of "SIGUSR1 to mpirun: saved, and the run goes on" save_by_mpirun
case_of "SIGTERM to smelter: saved and stopped, and resumed" stop_by_smelter
case_of "Ctrl-C at its terminal: saved and stopped, and resumed" stop_by_key
case_of "SIGHUP, with no reader left: saved" hang_up
case_of "a run that is there is refused, and removed by --again alone" kept
case_of "SIGTERM to smelter under supervision: saved, stopped, not started again" stop_supervised
case_of "SIGUSR2 to mpirun: saved and stopped, and resumed" stop_by_mpirun
case_of "SIGTERM to mpirun: saved in the time that it gives its ranks" end_by_mpirun
for RANK in 0 3; do
    case_of "SIGTERM to rank $RANK alone: saved and stopped, and resumed" stop_by_rank
done
case_of "a second SIGTERM ends the job at once" twice
finish_tests
