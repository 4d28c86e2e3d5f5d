#!/usr/bin/env bash
# test_memory.sh BUILD - tables many times larger than the memory their shards may use, by whole jobs under mpirun.
#
# "No value depends on where a row was" (ps/table/table.h): with cluster.memory_mb the model is, bit for bit, the one of a run without a
# bound, on any cluster, and what was on disk for it is gone when the run ends.
# shellcheck source=tests/lib/cluster.sh
. "$(dirname "$0")/../lib/cluster.sh"
small_config "$T/c.yaml"
sed -i 's/values: 300/values: 20000, exponent: 0.3/' "$T/c.yaml"

# About 10 MB of rows, where one shard may hold 1 MB.
wide=(embedding.dim=128)

beyond_memory() {
    train "$T/free" "${wide[@]}"
    train "$T/bound" "${wide[@]}" cluster.memory_mb=1
    expect "a bound of 1 MB: digest $(digest_of "$T/bound") instead of $(digest_of "$T/free")" [ "$(digest_of "$T/bound")" = "$(digest_of "$T/free")" ]
    expect "the log tells of rows that left memory: $(cat "$T/train.log")" grep -q "[1-9][0-9]* rows left memory" "$T/train.log"
    expect "the files give $("$SMELTER" digest "$T/bound")" [ "$("$SMELTER" digest "$T/bound" | cut -d' ' -f1)" = "$(digest_of "$T/free")" ]
    expect "work/ is left behind: $(ls "$T/bound")" [ ! -e "$T/bound/work" ]
    rm -rf "$T/bound"
}

another_cluster() {
    train "$T/bound" "${wide[@]}" cluster.memory_mb=1 cluster.workers=2 cluster.servers=2
    expect "2 workers, 2 servers: digest $(digest_of "$T/bound") instead of $(digest_of "$T/free")" [ "$(digest_of "$T/bound")" = "$(digest_of "$T/free")" ]
}

case_of "a bound of memory does not change the model" beyond_memory
case_of "nor does it on another cluster" another_cluster
finish_tests
