# cluster.sh - what the scripts that run whole jobs share. Source it with the build folder as $1; needs bash.
#
#   $T                       a temporary folder, removed at exit with every process that names it on its command line
#   $SMELTER  MPIRUN         the binary; the words that start mpirun on this machine
#   small_config FILE [LINE...]  a configuration whose training takes a moment (3,200 examples, 4 tables, 4 lanes), and more lines
#   run LOG CMD...           run a job to its end: its exit code is in $CODE, its seconds in $TOOK
#   start LOG CMD...         the same in the background, until `finish`
#   train DIR [SET...]       `smelter train` of $T/c.yaml with --set SET...; expects that it succeeds
#   digest_of DIR            the digest that the run's manifest states
#   make_older DIR           the run's manifest as of format 5, which has no checksums: its files may be changed
#   newest DIR               incarnation and step of the newest committed checkpoint of the run in DIR, as one number that grows; 0: none
#   wait_for_checkpoint DIR  until the run in DIR has committed one
#   go_on LOG DIR SET...      `smelter train --resume` of $T/c.yaml, or without where DIR holds no checkpoint, to its end
#   wait_for_training DIR    until the run in DIR has done some steps
#   rank_pid RANK            process id of that rank of the job under $T
#
#   case_of NAME FUNCTION    run a test: one line, ok or not ok with what was not as expected and the last log
#   expect WHAT CMD...       note WHAT as a failure of the test unless the command succeeds
#   expect_line LOG TEXT     LOG has a line with TEXT;  expect_errors N LOG  LOG has exactly N lines that begin as errors of ours do
#   expect_nothing_left      no process of the job under $T is there 2 s later
#   report NAME CODE [LOG]   a test that is one command, which has just ended with CODE; where that is not 0, with the last of LOG
#   skip NAME REASON         report a test that cannot run here
#   finish_tests             exit with the result; the last line of a script

set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
SMELTER=$(realpath "${1:?usage: SCRIPT BUILD}/smelter") || exit 2
T=$(mktemp -d "${TMPDIR:-/tmp}/smelter-test.XXXXXX")
MPIRUN=(mpirun --oversubscribe --bind-to none --mca btl_vader_single_copy_mechanism none)
[ "$(id -u)" = 0 ] && MPIRUN+=(--allow-run-as-root)
export SMELTER_PROGRESS=off
unset SMELTER_LOG
JOB='' LOG=/dev/null FAILED=0 NOTES=()

processes() { pgrep -f "$T/" | grep -vx $$; }

cleanup() {
    local left
    left=$(processes) && kill -KILL $left 2>/dev/null
    rm -rf "$T"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

small_config() {
    local file=$1
    shift
    cat >"$file" <<END
name: small
defaults: 1
determinism: invariant
data: {path: $T/data}
synth: {rows: 4000, fields: 3, values: 300, numeric: 1, multi: 1}
train: {batch: 256, lanes: 4, epochs: 2, report_steps: 5}
model: {hidden: [16, 8]}
embedding: {dim: 4}
END
    [ $# = 0 ] || printf '%s\n' "$@" >>"$file"
}

start() {
    LOG=$1
    shift
    BEGUN=$EPOCHREALTIME
    "$@" >"$LOG" 2>&1 </dev/null &
    JOB=$!
}

# A job that does not end within 40 s is killed.
finish() {
    local i
    for i in $(seq 800); do
        kill -0 "$JOB" 2>/dev/null || break
        sleep 0.05
    done
    kill -KILL "$JOB" 2>/dev/null
    wait "$JOB" 2>/dev/null
    CODE=$?
    TOOK=$(awk -v a="$BEGUN" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.2f", b - a }')
}

run() {
    start "$@"
    finish
}

train() {
    local dir=$1 sets=() set
    shift
    for set in "$@"; do sets+=(--set "$set"); done
    run "$T/train.log" "$SMELTER" train "$T/c.yaml" --out "$dir" ${sets[@]+"${sets[@]}"}
    expect "train $* ended with code $CODE" [ $CODE = 0 ]
}

digest_of() { sed -nE 's/^  "digest": "([0-9a-f]{32})",?$/\1/p' "$1/manifest.json" 2>/dev/null; }

make_older() {
    sed -i -e 's/^  "format": 6,/  "format": 5,/' -e '/^  "files": \[/,$d' "$1/manifest.json"
    sed -i '$ s/,$/\n}/' "$1/manifest.json"
}

newest() {
    local path best=0 incarnation step
    for path in "$1"/checkpoint/epoch-*/step-*/manifest.json; do
        [ -f "$path" ] || continue
        incarnation=${path%/step-*} step=${path%/manifest.json}
        incarnation=$((10#${incarnation##*epoch-})) step=$((10#${step##*step-}))
        [ $((incarnation * 1000000000 + step)) -le "$best" ] || best=$((incarnation * 1000000000 + step))
    done
    echo "$best"
}

wait_for_checkpoint() {
    local i
    for i in $(seq 400); do
        [ "$(newest "$1")" = 0 ] || return 0
        sleep 0.05
    done
    NOTES+=("the run in $1 saved nothing within 20 s")
    return 1
}

go_on() {
    local log=$1 dir=$2 sets=() set
    shift 2
    [ "$(newest "$dir")" = 0 ] || sets=(--resume)
    for set in "$@"; do sets+=(--set "$set"); done
    run "$log" "$SMELTER" train "$T/c.yaml" --out "$dir" ${sets[@]+"${sets[@]}"}
}

wait_for_training() {
    local i
    for i in $(seq 400); do
        [ -s "$1/metrics.jsonl" ] && return 0
        sleep 0.05
    done
    NOTES+=("the run in $1 did not begin within 20 s")
    return 1
}

rank_pid() {
    local pid
    for pid in $(processes); do
        tr '\0' '\n' 2>/dev/null <"/proc/$pid/environ" | grep -qx "OMPI_COMM_WORLD_RANK=$1" && echo "$pid" && return
    done
}

expect() {
    local what=$1
    shift
    "$@" || NOTES+=("$what")
}

expect_line() { grep -qF -- "$2" "$1" || NOTES+=("no line with: $2"); }

expect_errors() {
    local n
    n=$(grep -cE '^[0-9:.]+ [a-z]+( [0-9]+)?: error: ' "$2")
    [ "$n" = "$1" ] || NOTES+=("$n error lines instead of $1")
}

expect_nothing_left() {
    local i
    for i in $(seq 40); do
        processes >/dev/null || return 0
        sleep 0.05
    done
    NOTES+=("still running: $(processes | xargs -r ps -o pid=,args= -p)")
}

case_of() {
    NOTES=()
    $2
    if [ ${#NOTES[@]} = 0 ]; then
        echo "ok - $1"
        return
    fi
    FAILED=1
    echo "not ok - $1"
    printf '  # %s\n' "${NOTES[@]}"
    [ -f "$LOG" ] && sed 's/^/  | /' "$LOG" | tail -n 20
}

report() {
    if [ "$2" = 0 ]; then
        echo "ok - $1"
        return
    fi
    FAILED=1
    echo "not ok - $1"
    [ $# -lt 3 ] || sed 's/^/  | /' "$3" | tail -n 20
}

skip() { echo "skip - $1: $2"; }

finish_tests() { exit $FAILED; }
