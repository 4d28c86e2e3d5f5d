#!/usr/bin/env bash
# test_restarts.sh BUILD - jobs under smelter's own supervision: `--restarts N`.
#
# docs/howto/restart-after-failures.md: "when a rank dies, the job ends within 10 s with one line and starts again"; it stops where the same step fails three
# times, where it has been started N times, and where another start would change nothing.
# shellcheck source=tests/lib/cluster.sh
. "$(dirname "$0")/../lib/cluster.sh"
small_config "$T/c.yaml" 'cluster: {workers: 2, servers: 2, heartbeat_ms: 200, deadline_s: 3}' 'experiment: {replicas: 2, vary: [init]}'
HOST=$(hostname)

starts() { grep -c 'smelter: start: mpirun' "$T/log"; }

# Killed twice, as fast as it can be found, the job still ends with the result of an undisturbed one.
killed_and_restarted() {
    local sets=(--set train.epochs=60) digest rank
    train "$T/whole" train.epochs=60
    digest=$(digest_of "$T/whole")
    start "$T/log" "$SMELTER" train "$T/c.yaml" "${sets[@]}" --out "$T/run" --restarts 3
    for rank in 2 0; do
        wait_for_training "$T/run" && kill -KILL "$(rank_pid $rank)"
        rm -f "$T/run/metrics.jsonl"
    done
    finish
    expect "exit code $CODE" [ $CODE = 0 ]
    expect "$(starts) starts" [ "$(starts)" = 3 ]
    expect_line "$T/log" "server 1 (rank 2 on $HOST) was killed by signal 9 (Killed); the job ended"
    expect_line "$T/log" "; it starts again in 1 s (restart 1 of 3)"
    expect_line "$T/log" "; it starts again in 2 s (restart 2 of 3)"
    expect "the digest is not that of an undisturbed run" [ "$digest" = "$(digest_of "$T/run")" ]
    expect_nothing_left
}

# Of a comparison, the run that is in progress goes on from its checkpoint, and those before it are kept.
compared_and_restarted() {
    local sets=(--set train.epochs=60 --set checkpoint.every_steps=50) before r
    run "$T/log" "$SMELTER" compare "$T/c.yaml" "${sets[@]}" --out "$T/alone"
    expect "exit code $CODE of the undisturbed one" [ $CODE = 0 ]
    start "$T/log" "$SMELTER" compare "$T/c.yaml" "${sets[@]}" --out "$T/both" --restarts 3
    wait_for_checkpoint "$T/both/small/r1"
    before=$(stat -c %y "$T/both/small/r0/manifest.json")
    kill -KILL "$(rank_pid 3)"
    finish
    expect "exit code $CODE" [ $CODE = 0 ]
    expect "$(starts) starts" [ "$(starts)" = 2 ]
    expect_line "$T/log" " of small/r1; it starts again in 1 s (restart 1 of 3)"
    expect_line "$T/log" "/small/r1 goes on before step "
    expect "the finished run was trained again" [ "$before" = "$(stat -c %y "$T/both/small/r0/manifest.json")" ]
    for r in r0 r1; do
        expect "$r differs" [ "$(digest_of "$T/both/small/$r")" = "$(digest_of "$T/alone/small/$r")" ]
    done
    expect_nothing_left
}

# A worker that dies at its first cut comes to it again in every start.
same_step() {
    run "$T/log" env SMELTER_CRASH=worker:worker.cut "$SMELTER" train "$T/c.yaml" --out "$T/same" --restarts 9 --set checkpoint.every_steps=1 \
        --set train.report_steps=1000
    expect "exit code $CODE" [ $CODE = 1 ]
    expect "$(starts) starts" [ "$(starts)" = 3 ]
    expect_line "$T/log" "smelter: error: the job has failed 3 times in a row no further than at the start, and is not started again"
    expect_nothing_left
}

not_again() {
    run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/bad" --restarts 9 --set data.path="$T/c.yaml"
    expect "exit code $CODE" [ $CODE = 2 ]
    expect "$(starts) starts" [ "$(starts)" -le 1 ]
    run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/bad" --restarts nine
    expect "exit code $CODE" [ $CODE = 2 ]
    expect_line "$T/log" "--restarts nine: must be a number from 0 to 1,000,000"
    run "$T/log" "${MPIRUN[@]}" -np 5 "$SMELTER" train "$T/c.yaml" --out "$T/bad" --restarts 9
    expect "exit code $CODE" [ $CODE = 2 ]
    expect_line "$T/log" "smelter: error: --restarts works only where smelter itself starts the ranks"
    expect_errors 1 "$T/log"
}

told_to_end() {
    start "$T/log" "$SMELTER" train "$T/c.yaml" --set train.epochs=100000 --out "$T/end" --restarts 9
    wait_for_training "$T/end"
    kill -INT "$JOB"
    finish
    expect "exit code $CODE" [ $CODE = 3 ]
    expect "$(starts) starts" [ "$(starts)" = 1 ]
    expect_nothing_left
    # In the pause before the next start.
    rm -rf "$T/end"
    start "$T/log" "$SMELTER" train "$T/c.yaml" --set train.epochs=100000 --out "$T/end" --restarts 9
    wait_for_training "$T/end"
    kill -KILL "$(rank_pid 1)"
    local i
    for i in $(seq 200); do
        grep -q 'starts again in 1 s' "$T/log" && break
        sleep 0.05
    done
    kill -TERM "$JOB"
    finish
    expect "exit code $CODE in the pause" [ $CODE = 3 ]
    expect_line "$T/log" "smelter: error: interrupted by signal 15 (Terminated) before the job started again"
}

case_of "a job whose ranks are killed starts again and ends as if nothing had happened" killed_and_restarted
case_of "a comparison whose rank is killed starts again where it was" compared_and_restarted
case_of "a job that fails three times at one step is not started again" same_step
case_of "bad input is not tried again" not_again
case_of "a job that was told to end is not started again" told_to_end
finish_tests
