#!/usr/bin/env bash
# test_start.sh BUILD - starts that never happen, or happen in a strange place: one line says why, soon, and nothing is left behind.
#
# docs/howto/start-on-one-host.md: "A start that fails, ends": another MPI's mpirun, none, one that hangs, too few file descriptors, a
# launcher that Open MPI does not understand, closed descriptors, a signal before there are ranks; and a job that is stopped and
# continued at a terminal.
# shellcheck source=tests/lib/cluster.sh
. "$(dirname "$0")/../lib/cluster.sh"
small_config "$T/c.yaml"
"$SMELTER" synth "$T/c.yaml" --out "$T/data" >/dev/null 2>&1

# stand_in LINE... - the first mpirun in PATH is a script of these lines.
stand_in() {
    mkdir -p "$T/bin"
    printf '%s\n' '#!/bin/sh' "$@" >"$T/bin/mpirun"
    chmod +x "$T/bin/mpirun"
}
by_stand_in() { PATH=$T/bin:$PATH "$SMELTER" train "$T/c.yaml" --out "$T/run" "$@"; }

# refused CODE TEXT CMD... - the command ends within 6 s with this code, one line of error, and that line.
refused() {
    local code=$1 text=$2
    shift 2
    run "$T/log" "$@"
    expect "exit code $CODE instead of $code" [ "$CODE" = "$code" ]
    expect "it took $TOOK s" awk -v t="$TOOK" 'BEGIN { exit !(t < 6) }'
    expect_line "$T/log" "$text"
    expect_errors 1 "$T/log"
    expect "the last line is: $(tail -n 1 "$T/log")" grep -q 'error: ' <(tail -n 1 "$T/log")
    expect_nothing_left
}

other_mpi() {
    stand_in 'echo "[mpiexec@host] match_arg: unrecognized argument allow-run-as-root" >&2' 'exit 255'
    refused 2 "the first mpirun in PATH, $T/bin/mpirun, is not Open MPI's (to --version it says \"[mpiexec@host] match_arg" by_stand_in
}
no_mpirun() {
    refused 2 "there is no mpirun in PATH; install Open MPI" env PATH=/nowhere "$SMELTER" train "$T/c.yaml" --out "$T/run"
}
mpirun_fails() {
    stand_in '[ "$1" = --version ] && echo "mpirun (Open MPI) 4.1.4" && exit' 'exit 213'
    refused 1 "mpirun ended with exit code 213 before a rank had started; what it said is above" by_stand_in
}
# A stand-in of somebody's that does something else, and is content with it: nothing was trained.
mpirun_does_nothing() {
    stand_in '[ "$1" = --version ] && echo "mpirun (Open MPI) 4.1.4" && exit' 'exit 0'
    refused 1 "mpirun ended with exit code 0 before a rank had started; what it said is above" by_stand_in
    stand_in 'echo "Intel(R) MPI Library"' 'exit 0'
    refused 2 "the first mpirun in PATH, $T/bin/mpirun, is not Open MPI's (to --version it says \"Intel(R) MPI Library\")" by_stand_in
}
no_room_for_sessions() {
    mkdir -p "$T/small"
    mount -t tmpfs -o size=3m tmpfs "$T/small" 2>"$T/mount" || { skip "no room for mpirun's files" "$(head -1 "$T/mount")" && return; }
    refused 1 "$T/small, where mpirun and its ranks share files, has 3 MB free, and they need 9; make room there" \
        env TMPDIR="$T/small" "$SMELTER" train "$T/c.yaml" --out "$T/run"
    umount "$T/small"
}
hangs=('[ "$1" = --version ] && echo "mpirun (Open MPI) 4.1.4" && exit' 'trap "" TERM USR2' 'while :; do sleep 1; done')
mpirun_hangs() {
    stand_in "${hangs[@]}"
    refused 1 "mpirun has started 0 of 3 ranks within 1 s (cluster.start_deadline_s), and was ended" by_stand_in --set cluster.start_deadline_s=1
}
signal_at_start() {
    stand_in "${hangs[@]}"
    start "$T/log" env PATH="$T/bin:$PATH" "$SMELTER" train "$T/c.yaml" --out "$T/run"
    sleep 0.5
    kill -TERM "$JOB"
    finish
    expect "exit code $CODE instead of 3" [ "$CODE" = 3 ]
    expect "it took $TOOK s" awk -v t="$TOOK" 'BEGIN { exit !(t < 6) }'
    expect_line "$T/log" "interrupted by signal 15 (Terminated) before the job had started"
    expect_nothing_left
}
# mpirun is to hear a signal from its first moment on; and its crash at an end that was asked for does not matter.
signal_crashes_mpirun() {
    stand_in 'trap "echo [$(hostname):$$] \\*\\*\\* Process received signal \\*\\*\\* >&2; exit 139" TERM' 'grep "^SigBlk" /proc/self/status >&2' \
        'while :; do sleep 0.1; done'
    start "$T/log" env PATH="$T/bin:$PATH" "$SMELTER" train "$T/c.yaml" --out "$T/run"
    sleep 0.5
    kill -INT "$JOB"
    finish
    expect "exit code $CODE instead of 3" [ "$CODE" = 3 ]
    expect_line "$T/log" "$(printf 'SigBlk:\t0000000000000000')"
    expect "mpirun's crash is shown" [ "$(grep -c 'Process received signal' "$T/log")" = 0 ]
    expect_line "$T/log" "interrupted by signal 2 (Interrupt) before the job had started"
}
few_descriptors() {
    refused 2 "mpirun with 3 ranks may need 47 open files, and the limit is 32; raise it (ulimit -n 1024;" \
        bash -c 'ulimit -n 32; exec "$@"' - "$SMELTER" train "$T/c.yaml" --out "$T/run"
}
soft_limit_is_raised() {
    run "$T/log" bash -c 'ulimit -Sn 32; exec "$@"' - "$SMELTER" train "$T/c.yaml" --out "$T/run"
    expect "exit code $CODE" [ "$CODE" = 0 ]
}
srun_without_pmix() {
    local step=(SLURM_STEP_ID=0 SLURM_STEP_NUM_TASKS=4)
    refused 2 "srun has started 4 tasks without PMIx, so that they cannot find each other; start them with srun --mpi=pmix" \
        env "${step[@]}" SLURM_PROCID=0 "$SMELTER" train "$T/c.yaml" --out "$T/run"
    run "$T/log" env "${step[@]}" SLURM_PROCID=1 "$SMELTER" train "$T/c.yaml" --out "$T/run"
    expect "exit code $CODE of another task" [ "$CODE" = 2 ]
    expect_errors 0 "$T/log"
}
other_launcher() {
    refused 2 "another MPI's launcher (that of MPICH, Intel MPI or MVAPICH) has started 3 ranks" \
        env PMI_RANK=0 PMI_SIZE=3 HYDI_CONTROL_FD=9 "$SMELTER" train "$T/c.yaml" --out "$T/run"
    refused 2 "the launcher has started 3 ranks, but MPI sees 1" env PMI_RANK=0 PMI_SIZE=3 "$SMELTER" train "$T/c.yaml" --out "$T/run"
}

# A program that says of itself that it uses what this processor does not have; ranks of a host say it once.
missing_instructions() {
    LC_ALL=C sed 's/__FMA4__\x00/1\x00FMA4__\x00/' "$SMELTER" >"$T/elsewhere"
    chmod +x "$T/elsewhere"
    refused 2 "lacks what it uses of that: fma4; build it for the oldest processor of the cluster, which for this one is make MARCH=" \
        "$T/elsewhere" train "$T/c.yaml" --out "$T/run"
    run "$T/log" "${MPIRUN[@]}" -np 3 "$T/elsewhere" train "$T/c.yaml" --out "$T/run"
    expect "by mpirun: exit code $CODE" [ "$CODE" = 2 ]
    expect_errors 1 "$T/log"
}

# A real one, as far as the program can see.
older_processor() {
    refused 2 "avx2, bmi2, abm; build it for the oldest processor of the cluster, which for this one is make MARCH=x86-64-v2" \
        "$QEMU" -cpu Nehalem "$SMELTER" train "$T/c.yaml" --out "$T/run"
}

# A library's or our own first line must not land in a file that got the number of a closed descriptor.
closed_descriptors() {
    train "$T/open"
    "$SMELTER" train "$T/c.yaml" --out "$T/closed" <&- >&- 2>&-
    expect "exit code $? with closed descriptors" [ "$?" = 0 ]
    expect "another digest with closed descriptors" [ "$(digest_of "$T/closed")" = "$(digest_of "$T/open")" ]
    "${MPIRUN[@]}" -np 3 "$SMELTER" train "$T/c.yaml" --out "$T/closed2" <&- >"$T/log" 2>&1
    expect "exit code $? with closed standard input" [ "$?" = 0 ]
}

# All stop, and go on; the time that passes meanwhile is longer than the deadline and counts for nothing.
stopped_at_a_terminal() {
    local pid states
    small_config "$T/two.yaml" 'cluster: {workers: 2, servers: 2, heartbeat_ms: 100, deadline_s: 1.5}'
    start "$T/log" "$SMELTER" train "$T/two.yaml" --set train.epochs=400 --set data.order=chronological --out "$T/stopped"
    wait_for_training "$T/stopped"
    kill -TSTP "$JOB"
    sleep 2.5
    for pid in $(processes); do states+=$(awk '/^State:/ { print $2 }' "/proc/$pid/status"); done
    expect "states while it is stopped: $states" [ "${states//T/}" = '' ]
    expect "there are only $states" [ ${#states} -ge 7 ]
    kill -CONT "$JOB"
    finish
    expect "exit code $CODE" [ "$CODE" = 0 ]
    expect_errors 0 "$T/log"
    expect_nothing_left
}

# OPENBLAS_CORETYPE stands for the second kind of processor.
mixed_processors() {
    local there=(-np 1 -x "OPENBLAS_CORETYPE=$OTHER_KERNEL" "$SMELTER" train "$T/c.yaml" --out "$T/mixed") allow=(--set cluster.mixed_processors=true)
    run "$T/log" "${MPIRUN[@]}" -np 2 "$SMELTER" train "$T/c.yaml" --out "$T/mixed" : "${there[@]}"
    expect "exit code $CODE instead of 2" [ "$CODE" = 2 ]
    expect_line "$T/log" "rank 0 and 1 more on $(hostname) ("
    expect_line "$T/log" "and rank 2 on $(hostname) ("
    expect_line "$T/log" "kernel $OTHER_KERNEL, glibc "
    expect_line "$T/log" "compute with different bits, so that determinism invariant cannot be kept"
    expect_errors 1 "$T/log"
    run "$T/log" "${MPIRUN[@]}" -np 2 "$SMELTER" train "$T/c.yaml" --out "$T/mixed" "${allow[@]}" : "${there[@]}" "${allow[@]}"
    expect "exit code $CODE where it is allowed" [ "$CODE" = 0 ]
    expect "two kinds in the manifest" [ "$(grep -c '"probe"' "$T/mixed/manifest.json")" = 2 ]
}
mixed_starts() {
    local epochs=(--set train.epochs=300)
    start "$T/log" "$SMELTER" train "$T/c.yaml" "${epochs[@]}" --out "$T/moved"
    wait_for_training "$T/moved"
    kill -TERM "$JOB"
    finish
    expect "exit code $CODE of the first start" [ "$CODE" = 3 ]
    refused 2 "would compute with different bits, which determinism invariant promises to be the same" \
        env OPENBLAS_CORETYPE="$OTHER_KERNEL" "$SMELTER" train "$T/c.yaml" "${epochs[@]}" --out "$T/moved" --resume
    run "$T/log" env OPENBLAS_CORETYPE="$OTHER_KERNEL" "$SMELTER" train "$T/c.yaml" "${epochs[@]}" --set cluster.mixed_processors=true --out "$T/moved" --resume
    expect "exit code $CODE where it is allowed" [ "$CODE" = 0 ]
    expect "two kinds in the manifest" [ "$(grep -c '"probe"' "$T/moved/manifest.json")" = 2 ]
}
# Finished runs of another kind: what is to be trained would be of this one; with nothing to train there is nothing to compute.
finished_elsewhere() {
    local there=(env "OPENBLAS_CORETYPE=$OTHER_KERNEL" "$SMELTER")
    run "$T/log" "$SMELTER" compare "$T/c.yaml" --set experiment.replicas=2 --out "$T/pair"
    expect "exit code $CODE" [ "$CODE" = 0 ]
    run "$T/log" "${there[@]}" compare "$T/c.yaml" --set experiment.replicas=2 --out "$T/pair"
    expect "exit code $CODE with nothing to train" [ "$CODE" = 0 ]
    refused 2 "/small/r0: holds a finished run that was computed by rank 0" "${there[@]}" compare "$T/c.yaml" --set experiment.replicas=3 --out "$T/pair"
    run "$T/log" "${there[@]}" predict "$T/pair/small/r0" "$T/data" --out "$T/scores"
    expect "exit code $CODE of predict" [ "$CODE" = 0 ]
    expect_line "$T/log" "kernel $OTHER_KERNEL, glibc "
    expect_line "$T/log" "and the last bits of a score may be others than there"
}
# The same with the C library's functions: another variant of exp, on the same processor.
mixed_libm() {
    local words=("${MPIRUN[@]}" -np 2 "$SMELTER" train "$T/c.yaml" --out "$T/libm" : -np 1 -x "GLIBC_TUNABLES=$OTHER_LIBM" "$SMELTER" train "$T/c.yaml" --out "$T/libm")
    run "$T/log" "${words[@]}"
    expect "exit code $CODE instead of 2" [ "$CODE" = 2 ]
    expect_line "$T/log" "compute with different bits, so that determinism invariant cannot be kept"
    expect_errors 1 "$T/log"
}
OTHER_LIBM=glibc.cpu.hwcaps=-AVX2
OTHER_KERNEL=Nehalem
"$SMELTER" version | grep -q 'kernel Nehalem$' && OTHER_KERNEL=Prescott

case_of "another MPI's mpirun is first in PATH" other_mpi
case_of "there is no mpirun" no_mpirun
case_of "mpirun fails before there are ranks: its exit code is no signal" mpirun_fails
case_of "mpirun ends well and has started nothing" mpirun_does_nothing
case_of "no room for the files that mpirun shares with its ranks" no_room_for_sessions
case_of "mpirun never starts a rank" mpirun_hangs
case_of "one SIGTERM ends a start that hangs" signal_at_start
case_of "an mpirun that crashes where it is told to end" signal_crashes_mpirun
case_of "too few file descriptors" few_descriptors
case_of "a soft limit on file descriptors is raised" soft_limit_is_raised
case_of "srun without PMIx" srun_without_pmix
case_of "another MPI's launcher" other_launcher
case_of "closed descriptors" closed_descriptors
if grep -qw fma4 /proc/cpuinfo || ! grep -qw avx /proc/cpuinfo; then
    skip "a processor that lacks what the program was built for" "it needs an x86-64 processor without FMA4"
else
    case_of "a processor that lacks what the program was built for" missing_instructions
fi
QEMU=$(command -v qemu-x86_64 || command -v qemu-x86_64-static)
if [ -z "$QEMU" ]; then
    skip "an older processor" "qemu-x86_64 is not installed"
elif ! "$SMELTER" version | grep -qx "march   x86-64-v3"; then
    skip "an older processor" "this smelter is not built for x86-64-v3"
else
    case_of "an older processor" older_processor
fi
case_of "stopped and continued at a terminal" stopped_at_a_terminal
if OPENBLAS_CORETYPE=$OTHER_KERNEL "$SMELTER" version | grep -q "kernel $OTHER_KERNEL$"; then
    case_of "ranks on two kinds of processor" mixed_processors
    case_of "a run that goes on with another kind of processor" mixed_starts
    case_of "finished runs of another kind of processor" finished_elsewhere
else
    skip "two kinds of processor" "this OpenBLAS has one kernel only"
fi
if [ "$("$SMELTER" version)" != "$(GLIBC_TUNABLES=$OTHER_LIBM "$SMELTER" version)" ]; then
    case_of "ranks with two variants of the C library's functions" mixed_libm
else
    skip "two variants of the C library's functions" "this C library has one only, or does not let choose"
fi
finish_tests
