#!/usr/bin/env bash
# test_network_disk.sh BUILD - runs whose --out is on a network file system.
#
# docs/FILES.md: "On a network file system no LMDB file is written": a library (tests/lib/network_calls.c) makes a folder behave as
# NFS without locks does, with shared mappings refused, and says ESTALE now and then. Runs there are refused without
# cluster.scratch, and with it give the model of any other place, also after a crash while a table is copied there.
# shellcheck source=tests/lib/cluster.sh
. "$(dirname "$0")/../lib/cluster.sh"
small_config "$T/c.yaml" 'checkpoint: {every_steps: 4, keep: 1}' \
    "cluster: {workers: 1, servers: 1, shards_per_server: 2, heartbeat_ms: 200, deadline_s: 5, memory_mb: 1}"
sed -i -e 's/dim: 4/dim: 32/' -e 's/values: 300/values: 3000/' "$T/c.yaml"
LIBRARY=$(realpath "$1/tests/lib/network_calls.so") || exit 2
mkdir "$T/net"
SCRATCH=(--set "cluster.scratch=$T/scratch")

# on_network LOG WORD... - smelter, with $T/net on a network file system.
on_network() {
    local log=$1
    shift
    run "$log" env LD_PRELOAD="$LIBRARY" NETWORK_PATHS="$T/net" NETWORK_LOG="$T/calls" NETWORK_STALE="${STALE:-0}" "$SMELTER" "$@"
}

expect_safe() {
    expect "calls that the file system cannot do: $(head -n 3 "$T/calls" 2>/dev/null)" [ ! -e "$T/calls" ]
    expect "left in scratch: $(ls "$T/scratch")" [ -z "$(ls -A "$T/scratch")" ]
}

refused() {
    on_network "$T/log" train "$T/c.yaml" --out "$T/net/x"
    expect "exit code $CODE" [ "$CODE" = 2 ]
    expect_line "$T/log" "$T/net/x is on a network file system (nfs), which LMDB must not write: set cluster.scratch to a folder on a disk of each host"
    expect_errors 1 "$T/log"
    on_network "$T/log" train "$T/c.yaml" --out "$T/net/x" --set "cluster.scratch=$T/net/s"
    expect_line "$T/log" "cluster.scratch $T/net/s is on a network file system (nfs)"
    expect "a refused run has made files" [ -z "$(ls -A "$T/net")" ]
}

# A second job on the folder meanwhile is turned away, though no lock can be had.
whole() {
    train "$T/plain"
    STALE=7 on_network "$T/log" train "$T/c.yaml" --out "$T/net/run" "${SCRATCH[@]}"
    expect "exit code $CODE" [ "$CODE" = 0 ]
    expect "$(digest_of "$T/net/run") instead of $(digest_of "$T/plain")" [ "$(digest_of "$T/net/run")" = "$(digest_of "$T/plain")" ]
    expect "rows left memory for no place" grep -q 'rows left memory for disk' "$T/log"
    expect "the lease is still there" [ ! -e "$T/net/run/.lease" ]
    STALE=3 on_network "$T/log" checkpoint verify "$T/net/run"
    expect_line "$T/log" "whole   $T/net/run/checkpoint/epoch-0001/step-000000000024"
    STALE=3 on_network "$T/log" digest "$T/net/run"
    expect "digest: exit code $CODE" [ "$CODE" = 0 ]
    expect_safe
}

# The copy of a base is in its place, and what it replaces is there, too; then, of the next, a part.
crashed() {
    local point
    for point in compaction.published:1 compaction.published:4 compaction.batch:3; do
        rm -rf "$T/net/crash"
        SMELTER_CRASH=server:$point on_network "$T/log" train "$T/c.yaml" --out "$T/net/crash" "${SCRATCH[@]}"
        expect "$point: exit code 0" [ "$CODE" != 0 ]
        on_network "$T/log" train "$T/c.yaml" --out "$T/net/crash" --resume "${SCRATCH[@]}"
        expect "$point: exit code $CODE" [ "$CODE" = 0 ]
        expect "$point: $(digest_of "$T/net/crash")" [ "$(digest_of "$T/net/crash")" = "$(digest_of "$T/plain")" ]
    done
    expect_safe
}

dataset() {
    TMPDIR=$T on_network "$T/log" synth "$T/c.yaml" --set synth.rows=500 --out "$T/net/data"
    expect "exit code $CODE" [ "$CODE" = 0 ]
    expect_line "$T/log" "dataset $T/net/data is on a network file system (nfs): it is made in $T (TMPDIR)"
    on_network "$T/log" inspect "$T/net/data" --verify
    expect "inspect: exit code $CODE" [ "$CODE" = 0 ]
    expect "left: $(ls -d "$T"/smelter-* "$T"/net/data.* 2>/dev/null)" [ -z "$(ls -d "$T"/smelter-* "$T"/net/data.* 2>/dev/null)" ]
    expect "calls that the file system cannot do" [ ! -e "$T/calls" ]
}

case_of "without cluster.scratch a run there is refused, in a line that names it" refused
case_of "a run there writes no LMDB file there, and is the run of any other place" whole
case_of "a run there goes on after a crash while a table is copied" crashed
case_of "a dataset there is made on a disk of the host" dataset
finish_tests
