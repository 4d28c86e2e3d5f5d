#!/usr/bin/env bash
# test_mistakes.sh BUILD - jobs that cannot start: every mistake is named in one line that says what to do, with exit code 2.
#
# The command line's promise: "one line per error, non-zero exit codes"; roster.h: "ranks that differ from rank 0 are named and the
# job does not start"; outdir.h: "made, locked, and never mixed with another one's files".
# shellcheck source=tests/lib/cluster.sh
. "$(dirname "$0")/../lib/cluster.sh"
small_config "$T/c.yaml"
small_config "$T/two.yaml" 'cluster: {workers: 2, servers: 1}'
HOST=$(hostname)

# refused TEXT CMD... - the command ends with code 2, one line of error, and that line.
refused() {
    local text=$1
    shift
    run "$T/log" "$@"
    expect "exit code $CODE instead of 2" [ "$CODE" = 2 ]
    expect_line "$T/log" "$text"
    expect_errors 1 "$T/log"
}

mpirun_np() {
    local np=$1
    shift
    "${MPIRUN[@]}" -np "$np" "$SMELTER" train "$@" --out "$T/np"
}

np_too_small() {
    refused "-np 2 does not fit: the configuration wants 1 coordinator, 1 server and any number of workers; start it with -np 3 or more" \
        mpirun_np 2 "$T/c.yaml"
}
np_too_large() {
    refused "-np 5 does not fit: the configuration wants 1 coordinator, 1 server and 2 workers; start it with -np 4" mpirun_np 5 "$T/two.yaml"
}
np_fits_no_lanes() {
    refused "cluster.workers 5 are more than train.lanes 4, so some would have nothing to do; use at most 4 workers or more lanes" \
        mpirun_np 7 "$T/c.yaml"
}
np_auto() {
    run "$T/log" mpirun_np 6 "$T/c.yaml"
    expect "exit code $CODE" [ "$CODE" = 0 ]
    expect_line "$T/log" "job of 6 ranks: 1 server with 1 shard each, 4 workers"
}

other_configuration() {
    small_config "$T/other.yaml" 'dense: {learning_rate: 0.01}'
    refused "rank 0 on $HOST and rank 1 on $HOST have different configurations" "${MPIRUN[@]}" -np 1 "$SMELTER" train "$T/c.yaml" --out "$T/x" : \
        -np 2 "$SMELTER" train "$T/other.yaml" --out "$T/x"
    refused "rank 0 on $HOST and rank 2 on $HOST have different configurations" "${MPIRUN[@]}" -np 2 "$SMELTER" train "$T/c.yaml" --out "$T/x" : \
        -np 1 "$SMELTER" train "$T/c.yaml" --set seed=5 --out "$T/x"
}
no_configuration_there() {
    refused "rank 2 on $HOST could not load the configuration that rank 0 on $HOST loaded; put the same files on every host" \
        "${MPIRUN[@]}" -np 2 "$SMELTER" train "$T/c.yaml" --out "$T/x" : -np 1 "$SMELTER" train "$T/missing.yaml" --out "$T/x"
}
other_build() {
    cp "$SMELTER" "$T/smelter"
    printf x >>"$T/smelter"
    refused "rank 0 on $HOST and rank 2 on $HOST run different builds of smelter" "${MPIRUN[@]}" -np 2 "$SMELTER" train "$T/c.yaml" --out "$T/x" : \
        -np 1 "$T/smelter" train "$T/c.yaml" --out "$T/x"
}

# Where a host keeps its copy of the data is its own affair; the content must be the same.
data_elsewhere() {
    cp -r "$T/data" "$T/elsewhere"
    local there=(--set data.path="$T/elsewhere" --out "$T/x")
    run "$T/log" "${MPIRUN[@]}" -np 2 "$SMELTER" train "$T/c.yaml" --out "$T/x" : -np 1 "$SMELTER" train "$T/c.yaml" "${there[@]}"
    expect "exit code $CODE with a copy of the data" [ "$CODE" = 0 ]
    rm -rf "$T/elsewhere" "$T/x"
    "$SMELTER" synth "$T/c.yaml" --set synth.seed=2 --out "$T/elsewhere" >"$T/log" 2>&1 || NOTES+=("no other dataset")
    run "$T/log" "${MPIRUN[@]}" -np 2 "$SMELTER" train "$T/c.yaml" --out "$T/x" : -np 1 "$SMELTER" train "$T/c.yaml" "${there[@]}"
    expect "exit code $CODE with other data" [ "$CODE" = 2 ]
    expect_line "$T/log" "worker 0 (rank 2 on $HOST, pid "
    expect_line "$T/log" "differs from the coordinator's; copy the same dataset to every host"
    rm -rf "$T/elsewhere"
    run "$T/log" "${MPIRUN[@]}" -np 2 "$SMELTER" train "$T/c.yaml" --out "$T/x" : -np 1 "$SMELTER" train "$T/c.yaml" "${there[@]}"
    expect "exit code $CODE without data" [ "$CODE" = 2 ]
    expect_line "$T/log" "worker 0: error: no dataset at $T/elsewhere"
}

# All ranks see the same mistake, and one says it; and where one rank's mistake ends all, MPI has nothing to add.
said_once() {
    refused "smelter train does not know the option --bogus" mpirun_np 3 "$T/c.yaml" --bogus
    refused "smelter train needs CONFIG" "${MPIRUN[@]}" -np 3 "$SMELTER" train
}
leave_together() {
    mkdir -p "$T/others"
    echo x >"$T/others/file"
    refused "$T/others is not empty and was not made by smelter" "${MPIRUN[@]}" -np 4 "$SMELTER" train "$T/c.yaml" --out "$T/others"
    expect "MPI_ABORT is reported" [ -z "$(grep MPI_ABORT "$T/log")" ]
    expect "it took $TOOK s" awk -v t="$TOOK" 'BEGIN { exit !(t < 10) }'
}

no_dataset() {
    refused "$T/nowhere" "$SMELTER" train "$T/c.yaml" --set data.path="$T/nowhere" --set synth.rows=0 --out "$T/x"
    refused "$T/nowhere" "${MPIRUN[@]}" -np 3 "$SMELTER" train "$T/c.yaml" --set data.path="$T/nowhere" --set synth.rows=0 --out "$T/x"
}
no_configuration() {
    refused "$T/missing.yaml" "$SMELTER" train "$T/missing.yaml" --out "$T/x"
    refused "$T/missing.yaml" "${MPIRUN[@]}" -np 3 "$SMELTER" train "$T/missing.yaml" --out "$T/x"
}
# With so small a limit Open MPI would wait for ever for the files that its processes share.
file_limit() {
    local limit
    limit=$(ulimit -S -f)
    ulimit -S -f 1024
    refused "files are limited to 1048576 bytes (ulimit -f)" "$SMELTER" train "$T/c.yaml" --out "$T/limited"
    ulimit -S -f "$limit"
}

# A command that prints to a full disk says so.
full_output() {
    [ -w /dev/full ] || return 0
    local code
    "$SMELTER" version >/dev/full 2>"$T/full"
    code=$?
    expect "printing to a full disk ended with code $code" [ "$code" = 1 ]
    expect "the reason" grep -q "standard output cannot be written: No space left on device" "$T/full"
    "$SMELTER" >/dev/full 2>"$T/full"
    expect "the reason, without a command" grep -q "standard output cannot be written: No space left on device" "$T/full"
}

no_warm_start() {
    small_config "$T/warm.yaml" 'variants: [{name: cold}, {name: warm, warm_start: /nowhere}]'
    refused "warm_start: /nowhere holds no finished run (there is no manifest.json)" "$SMELTER" compare "$T/warm.yaml" --out "$T/warm"
    expect "a variant was trained before that was said" [ ! -e "$T/warm/cold" ]
}
no_interface() {
    refused 'no interface that is up has the name or IPv4 address "eth77"; this host has: lo (127.0.0.1)' \
        "$SMELTER" train "$T/c.yaml" --set cluster.transport=tcp --set cluster.interface=eth77 --out "$T/x"
}

out_below_a_file() {
    touch "$T/file"
    refused "$T/file" "$SMELTER" train "$T/c.yaml" --out "$T/file/run"
}
out_read_only() {
    mkdir "$T/ro"
    if [ "$(id -u)" = 0 ]; then
        # As root only a file system says no.
        refused "$T/ro" unshare --mount sh -c 'mount -t tmpfs -o ro none "$0" && exec "$@"' "$T/ro" "$SMELTER" train "$T/c.yaml" --out "$T/ro"
    else
        chmod a-w "$T/ro"
        refused "$T/ro" "$SMELTER" train "$T/c.yaml" --out "$T/ro"
        chmod u+w "$T/ro"
    fi
}
out_of_others() {
    mkdir "$T/mine"
    echo precious >"$T/mine/thesis.txt"
    refused "$T/mine is not empty and was not made by smelter; choose another --out" "$SMELTER" train "$T/c.yaml" --out "$T/mine"
    expect "files appeared beside it: $(ls -A "$T/mine")" [ "$(ls -A "$T/mine")" = thesis.txt ]
}
out_of_another_run() {
    train "$T/held"
    cp "$T/held/manifest.json" "$T/before.json"
    refused "$T/held: holds a finished run: its train.epochs is 2, wanted is 1; choose another --out or remove it" \
        "$SMELTER" train "$T/c.yaml" --set train.epochs=1 --out "$T/held"
    refused "$T/held holds another run (train \"small\", this is train \"other\")" "$SMELTER" train "$T/c.yaml" --set name=other --out "$T/held"
    refused "$T/held holds another run (train \"small\", this is compare \"small\")" "$SMELTER" compare "$T/c.yaml" --out "$T/held"
    expect "the run that was there has changed" cmp -s "$T/before.json" "$T/held/manifest.json"
}
out_in_use() {
    start "$T/first.log" "$SMELTER" train "$T/c.yaml" --set train.epochs=100000 --out "$T/busy"
    local first=$JOB
    wait_for_training "$T/busy"
    refused "$T/busy is in use by another smelter job; wait for it or choose another --out" "$SMELTER" train "$T/c.yaml" --set train.epochs=100000 --out "$T/busy"
    expect "the first job has ended" kill -0 "$first"
    kill -INT "$first"
    wait "$first"
    expect_nothing_left
}

case_of "workers: auto takes the ranks that are left" np_auto
case_of "too few ranks: how many fit" np_too_small
case_of "too many ranks for a fixed number of workers: how many fit" np_too_large
case_of "ranks that leave a number of workers that does not divide the lanes" np_fits_no_lanes
case_of "ranks with different configurations are named" other_configuration
case_of "a rank that finds no configuration is named" no_configuration_there
case_of "ranks with different builds are named" other_build
case_of "a host may keep the data elsewhere, but not other data" data_elsewhere
case_of "a command line that is wrong on all ranks is said once" said_once
case_of "ranks that fail together leave MPI together" leave_together
case_of "no configuration" no_configuration
case_of "no dataset" no_dataset
case_of "a small limit of file size" file_limit
case_of "standard output on a full disk" full_output
case_of "no run to start from: said before other variants are trained" no_warm_start
case_of "an interface that does not exist: those that do" no_interface
case_of "output below a file" out_below_a_file
if [ "$(id -u)" = 0 ] && ! unshare --mount true 2>/dev/null; then
    skip "output on a read-only file system" "mount namespaces are not allowed here"
else
    case_of "output on a read-only file system" out_read_only
fi
case_of "output among other files" out_of_others
case_of "output of another run" out_of_another_run
case_of "output in use by another job" out_in_use
finish_tests
