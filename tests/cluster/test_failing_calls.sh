#!/usr/bin/env bash
# test_failing_calls.sh BUILD - jobs in which the n-th system call of a kind fails, on a path of the run or of its dataset.
#
# docs/ERRORS.md: whatever call fails, "the job says so in a line and ends, or goes on to the right end; it neither crashes nor hangs,
# and starts again to the same model". A library (tests/lib/failing_calls.c) fails the call in one rank, or in the smelter that makes
# the dataset; then the job is started again as a person would, with --resume where a checkpoint was committed.
#
# Here a few calls fail, SAMPLES of them, which SAMPLE_SEED chooses. FULL=1 (make faults) fails every one, from the first to
# the one behind the last, in every rank, of a run that is new, of one that goes on, of one with rows that leave memory, and the same
# with all later writes, too, as on a disk that stays full. RANKS, KINDS and SCENES choose among them.
# shellcheck source=tests/lib/cluster.sh
. "$(dirname "$0")/../lib/cluster.sh"
LIBRARY=$(realpath "$1/tests/lib/failing_calls.so") || exit 2
KINDS=${KINDS:-open write sync rename map reserve remove}
JOBS=0 FAILED_CALLS=0 TOLERATED=0

cat >"$T/c.yaml" <<END
name: calls
defaults: 1
determinism: invariant
data: {path: $T/data}
synth: {rows: 1500, fields: 2, values: 200, numeric: 1, multi: 1}
train: {batch: 128, lanes: 2, epochs: 1, report_steps: 2}
model: {hidden: [8]}
embedding: {dim: 4}
cluster: {workers: 1, servers: 1, heartbeat_ms: 200, deadline_s: 5}
checkpoint: {every_steps: 4, keep: 1}
evaluate: {probe_every: 3, probe_examples: 64}
END

# Each scene is a command with settings, $SETS, and what is in $T/run before: nothing (new, data: no dataset either; spill: a table that is too
# large), or a run that died after its second checkpoint (resume).
SPILL=(synth.rows=4000 synth.values=60000 embedding.dim=32 cluster.memory_mb=1 checkpoint.every_steps=12 "data.path=$T/data-wide")
declare -A DIGEST
prepare() {
    local set
    SETS=() WORDS=()
    [ "$SCENE" != spill ] || SETS=("${SPILL[@]}")
    for set in ${SETS[@]+"${SETS[@]}"}; do WORDS+=(--set "$set"); done
    [ -z "${DIGEST[$SCENE]:-}" ] || return 0
    run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/whole-$SCENE" ${WORDS[@]+"${WORDS[@]}"}
    DIGEST[$SCENE]=$(digest_of "$T/whole-$SCENE")
    expect "the undisturbed run: exit code $CODE" [ "$CODE" = 0 ]
    [ "$SCENE" != resume ] && return
    SMELTER_CRASH=coordinator:commit.renamed:2 run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/saved"
    expect "the run that was to die after a checkpoint: exit code $CODE" [ "$CODE" = 1 ]
}

set_scene() {
    rm -rf "$T/run" "$T/fail"
    GO=()
    case $SCENE in
    data) rm -rf "$T/data" ;;
    resume) cp -r "$T/saved" "$T/run" && GO=(--resume) ;;
    esac
}

# with_failure RANK KIND N[+] - the job, in which that call fails. What it was is in HIT then: nothing where there was no such call.
with_failure() {
    FAIL_RANK=$1 FAIL_CALL=$2:$3 FAIL_PATHS=$T/run:$T/data FAIL_LOG=$T/fail \
        run "$T/log" env LD_PRELOAD="$LIBRARY" "$SMELTER" train "$T/c.yaml" --out "$T/run" ${WORDS[@]+"${WORDS[@]}"} ${GO[@]+"${GO[@]}"}
    HIT=$(grep -vm 1 ' count ' "$T/fail" 2>/dev/null)
    JOBS=$((JOBS + 1))
}

# errors - lines of errors in the log, without that of the coordinator, which repeats what another rank has said.
errors() { grep -E '^[0-9:.]+ [a-z]+( [0-9]+)?: error: ' "$T/log" | grep -vc 'coordinator: error: .* cannot go on'; }

# What must hold after it, and after the next start.
check_failure() {
    FAILED_CALLS=$((FAILED_CALLS + 1))
    local said
    said=$(errors)
    expect "$HIT: crashed: $(grep -iEm 1 'signal|dumped|internal error' "$T/log")" [ -z "$(grep -iEm 1 'signal|dumped|internal error' "$T/log")" ]
    expect "$HIT: it took $TOOK s" awk -v t="$TOOK" 'BEGIN { exit !(t < 30) }'
    if [ "$CODE" = 0 ]; then
        TOLERATED=$((TOLERATED + 1))
        expect "$HIT: it went on to digest $(digest_of "$T/run")" [ "$(digest_of "$T/run")" = "${DIGEST[$SCENE]}" ]
        expect "$HIT: $said errors, and exit code 0" [ "$said" = 0 ]
    else
        expect "$HIT: exit code $CODE" [ "$CODE" -le 3 ]
        expect "$HIT: $said lines of errors" [ "$said" = 1 ]
    fi
    if [ ! -e "$T/run/manifest.json" ]; then
        go_on "$T/log.next" "$T/run" ${SETS[@]+"${SETS[@]}"}
        expect "$HIT: the next start: exit code $CODE: $(grep -m 1 error: "$T/log.next")" [ "$CODE" = 0 ]
        JOBS=$((JOBS + 1))
    fi
    expect "$HIT: the end is digest $(digest_of "$T/run")" [ "$(digest_of "$T/run")" = "${DIGEST[$SCENE]}" ]
    "$SMELTER" digest "$T/run" >"$T/digest.log" 2>&1 || NOTES+=("$HIT: $(tail -n 1 "$T/digest.log")")
    expect "$HIT: left behind: $(litter)" [ -z "$(litter)" ]
}

litter() { find "$T/run" "$T"/data* -name '.writable*' -o -name '*.tmp' -o -name '*.partial*' 2>/dev/null | head -n 1; }

fail_one() {
    prepare
    set_scene
    with_failure "$RANK" "$KIND" "$N$STICKY"
    [ -z "$HIT" ] || check_failure
}

# Every call of the kind, until there is none that fails any more.
fail_every() {
    for ((N = 1; ; N++)); do
        fail_one
        [ -n "$HIT" ] || break
        [ ${#NOTES[@]} -lt 10 ] || break
    done
    LOG=/dev/null
    expect "exit code $CODE of a job without a failure" [ "$CODE" = 0 ]
}

sweep() {
    local scenes=${SCENES:-data new resume spill}
    for SCENE in $scenes; do
        for RANK in ${RANKS:-none 0 1 2}; do
            [ "$RANK" = none ] && [ "$SCENE" != data ] && continue
            [ "$RANK" != none ] && [ "$SCENE" = data ] && continue
            [ "$RANK" != 1 ] && [ "$SCENE" = spill ] && continue
            for STICKY in '' +; do
                for KIND in $KINDS; do
                    [ -n "$STICKY" ] && [[ $KIND != @(write|sync|reserve) ]] && continue
                    case_of "$SCENE run, ${RANK/none/no} rank, $KIND$STICKY: every call that fails" fail_every
                done
            done
        done
    done
}

# A few of them, each at one place.
sample() {
    local calls=("0 write 1-30" "1 write 1-45" "0 sync 1-50" "1 sync 1-22" "0 open 1-86" "1 open 1-46" "0 rename 1-13" "1 map 1-7" "1 reserve 1-2" "1 remove 1-9")
    local i place
    RANDOM=${SAMPLE_SEED:-1} SCENE=new STICKY=''
    for i in $(seq "${SAMPLES:-2}"); do
        read -r RANK KIND place <<<"${calls[RANDOM % ${#calls[@]}]}"
        N=$((${place%-*} + RANDOM % (${place#*-} - ${place%-*} + 1)))
        fail_one
        [ ${#NOTES[@]} = 0 ] || return
    done
    expect "no call failed" [ "$FAILED_CALLS" -gt 0 ]
}

if [ "${FULL:-0}" = 1 ]; then
    sweep
    echo "# $JOBS jobs, $FAILED_CALLS calls that failed, $TOLERATED of them without harm"
else
    case_of "a call that fails ends the job in a line, and the next start ends as ever" sample
fi
finish_tests
