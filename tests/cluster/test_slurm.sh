#!/usr/bin/env bash
# test_slurm.sh BUILD - the scripts of examples/slurm on a real Slurm: a slurmctld and two slurmd of this test's own, each slurmd on a
# host of its own (tests/lib/slurm.sh). Skipped where slurm-wlm and munge are not installed; CI does not install them.
#
# docs/howto/run-under-slurm.md: "saves before its time is over, or when it is preempted, is queued again, and goes on"; the digest is
# that of a run which nothing disturbs, whatever starts the ranks. Exit code 2 is not tried again, an accident is.
# shellcheck source=tests/lib/cluster.sh
. "$(dirname "$0")/../lib/cluster.sh"
export TMPDIR=$T
# shellcheck source=tests/lib/netns.sh
. tests/lib/netns.sh
# shellcheck source=tests/lib/slurm.sh
. tests/lib/slurm.sh

slurm_up || {
    skip "jobs under Slurm" "$SLURM_REASON"
    exit 0
}
trap 'slurm_down; cleanup' EXIT
small_config "$T/c.yaml" 'cluster: {workers: 2, servers: 2}'
sed -i 's/epochs: 2/epochs: 250/' "$T/c.yaml" # 3,125 steps
export SMELTER OMPI_MCA_btl=tcp,self          # the two hosts share /dev/shm, which Open MPI must not take for memory that they share
export MPIRUN_OPTIONS="--mca orte_tmpdir_base $T --mca oob_tcp_if_include $NETNS_SUBNET --mca btl_tcp_if_include $NETNS_SUBNET"
[ "$(id -u)" = 0 ] && MPIRUN_OPTIONS+=" --allow-run-as-root"

# submit SCRIPT [OPTION...] -- ARGUMENT... - its job's number into ID, the file of its output into LOG.
submit() {
    local script=examples/slurm/$1 options=()
    shift
    while [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    shift
    ID=$(slurm_run sbatch --parsable --output="$T/%j.log" "${options[@]}" "$script" "$@")
    LOG=$T/$ID.log
}

state() { slurm_run squeue -h -t all -j "$1" -o %T 2>/dev/null | head -n 1; }

# wait_for STATE [SECONDS] - until the job is in it.
wait_for() {
    local i
    for i in $(seq $((${2:-75} * 5))); do
        [[ $(state "$ID") = $1 ]] && return 0
        sleep 0.2
    done
    NOTES+=("job $ID is $(state "$ID") instead of $1")
}

# A job that is queued again would begin two minutes later; its last step is to be gone from the nodes, and a node tells the
# credentials of two starts apart by whole seconds.
hurry() {
    wait_for PENDING "$@"
    while pgrep -f "slurmstepd: \[$ID\." >/dev/null; do sleep 0.2; done
    sleep 2
    slurm_run scontrol update JobId="$ID" StartTime=now
}

# pid_of RANK - of the job's last step.
pid_of() {
    local pid
    for pid in $(processes); do
        tr '\0' '\n' 2>/dev/null <"/proc/$pid/environ" | grep -qx "PMIX_RANK=$1" && [ "$(cat "/proc/$pid/comm")" = smelter ] && echo "$pid" && return
    done
}

went_on_and_ended() {
    wait_for COMPLETED
    expect_line "$LOG" "$1 goes on before step"
    expect "digest $(digest_of "$1") instead of $DIGEST" [ "$(digest_of "$1")" = "$DIGEST" ]
}

by_srun() {
    train "$T/whole"
    DIGEST=$(digest_of "$T/whole")
    run "$T/log" nsenter --net="/run/netns/$NETNS_1" srun -N 2 -n 5 --mpi=pmix "$SMELTER" train "$T/c.yaml" --out "$T/srun"
    expect "exit code $CODE" [ "$CODE" = 0 ]
    expect "digest" [ "$(digest_of "$T/srun")" = "$DIGEST" ]
    expect "it ran on one host" grep -q '"hosts": "node1, node2"' "$T/srun/manifest.json"
    run "$T/log" nsenter --net="/run/netns/$NETNS_1" srun -N 2 -n 5 --mpi=none "$SMELTER" train "$T/c.yaml" --out "$T/none"
    expect "without PMIx: exit code $CODE" [ "$CODE" = 2 ]
    expect_line "$T/log" "without PMIx"
}

# Slurm's clock looks every 30 s, so the signal comes within that time.
time_limit() {
    submit srun.sbatch --ntasks=5 --time=1 --signal=USR2@58 -- train "$T/c.yaml" --out "$T/limit" --set train.epochs=100000
    wait_for_training "$T/limit"
    hurry 60
    expect_line "$LOG" "and stopped, as a signal asked; --resume goes on from there"
    expect_line "$LOG" "start 1 ended with exit code 3; job $ID is queued again"
    slurm_run scancel "$ID"
}

preempted() {
    submit srun.sbatch --ntasks=5 -- train "$T/c.yaml" --out "$T/low"
    wait_for_training "$T/low"
    slurm_run srun --quiet --partition=urgent -N 2 --exclusive true
    hurry
    went_on_and_ended "$T/low"
}

# requeued SCRIPT OPTION - by an operator, and then by a signal that is sent with this option of scancel.
requeued() {
    submit "$1.sbatch" --ntasks=5 -- train "$T/c.yaml" --out "$T/again.$1"
    wait_for_training "$T/again.$1"
    slurm_run scontrol requeue "$ID"
    hurry
    local saved
    saved=$(newest "$T/again.$1")
    expect "nothing was saved" [ "$saved" != 0 ]
    for _ in $(seq 200); do
        [ "$(grep -c 'goes on before step' "$LOG")" = 1 ] && break
        sleep 0.1
    done
    sleep 0.5
    slurm_run scancel $2 --signal=USR2 "$ID"
    hurry
    expect_line "$LOG" "and stopped, as a signal asked"
    expect "it was saved once" [ "$(newest "$T/again.$1")" -gt "$saved" ]
    went_on_and_ended "$T/again.$1"
}
requeued_srun() { requeued srun ''; }
requeued_mpirun() { requeued mpirun --batch; }

# A rank that dies takes the step with it; ranks that hang on are killed 8 s later (KillWait).
accident() {
    submit srun.sbatch --ntasks=5 -- train "$T/c.yaml" --out "$T/killed" --set checkpoint.every_steps=200
    wait_for_checkpoint "$T/killed"
    kill -KILL "$(pid_of 4)"
    hurry
    went_on_and_ended "$T/killed"
}

cancelled() {
    submit srun.sbatch --ntasks=5 -- train "$T/c.yaml" --out "$T/cancelled"
    wait_for_training "$T/cancelled"
    slurm_run scancel "$ID"
    wait_for CANCELLED
    expect_line "$LOG" "and stopped, as a signal asked"
}

wrong_input() {
    submit srun.sbatch --ntasks=5 -- train "$T/c.yaml" --out "$T/wrong" --set train.batch=0
    wait_for FAILED
    expect "$(slurm_run scontrol show job "$ID" | grep -o 'ExitCode=[^ ]*')" grep -q 'ExitCode=2:0' <(slurm_run scontrol show job "$ID")
}

array() {
    submit replicas.sbatch --array=0-1 --ntasks=5 -- "$T/c.yaml" "$T/replicas" --set train.epochs=2
    wait_for 'COMPLETED'
    wait_for_training "$T/replicas/r1"
    local i
    for i in $(seq 100); do
        [ -e "$T/replicas/r0/manifest.json" ] && [ -e "$T/replicas/r1/manifest.json" ] && break
        sleep 0.1
    done
    run "$T/log" "$SMELTER" churn "$T/replicas" "$T/replicas" "$T/data"
    expect "churn: exit code $CODE" [ "$CODE" = 0 ]
    expect "both have one digest" [ "$(digest_of "$T/replicas/r0")" != "$(digest_of "$T/replicas/r1")" ]
}

case_of "srun on two hosts gives the digest of one" by_srun
case_of "a time limit saves, stops and queues again" time_limit
case_of "a job that another preempts goes on" preempted
case_of "requeued and signalled under srun: the digest of an undisturbed run" requeued_srun
case_of "requeued and signalled under mpirun: the digest of an undisturbed run" requeued_mpirun
case_of "after an accident the job is queued again, and goes on" accident
case_of "a job that is cancelled saves, and is not queued again" cancelled
case_of "wrong input is not tried again" wrong_input
case_of "an array of replicas" array
finish_tests
