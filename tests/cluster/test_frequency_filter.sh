#!/usr/bin/env bash
# test_frequency_filter.sh BUILD - embedding.min_count and embedding.ttl_steps, by whole jobs under mpirun.
#
# "Slots and keys alone decide what is added in which order, so the result is that of any number of workers and shards"
# (ps/table/frequency_filter.h); what is stored at the end is that model, and it scores as it did in the run.
# shellcheck source=tests/lib/cluster.sh
. "$(dirname "$0")/../lib/cluster.sh"
small_config "$T/c.yaml"
both=(embedding.min_count=3 embedding.ttl_steps=6)

any_cluster() {
    local w s first='' digest
    for w in 1 2 4; do
        for s in 1 2 3; do
            rm -rf "$T/r"
            train "$T/r" "${both[@]}" cluster.workers=$w cluster.servers=$s
            digest=$(digest_of "$T/r")
            first=${first:-$digest}
            expect "$w workers, $s servers: digest $digest instead of $first" [ "$digest" = "$first" ]
            expect "$w workers, $s servers: the files give another digest" [ "$("$SMELTER" digest "$T/r" | cut -d' ' -f1)" = "$first" ]
        done
    done
    expect "there is no digest" [ ${#first} = 32 ]
    FIRST=$first
}

parameters_of() { sed -nE 's/^ *"parameters": ([0-9]+),?$/\1/p' "$1/manifest.json" | head -n 1; }

fewer_rows() {
    train "$T/all"
    train "$T/some" embedding.min_count=3
    train "$T/fresh" embedding.ttl_steps=3
    expect "min_count is without effect" [ "$(digest_of "$T/all")" != "$(digest_of "$T/some")" ]
    expect "ttl_steps leaves $(parameters_of "$T/fresh") of $(parameters_of "$T/all") parameters" [ "$(parameters_of "$T/fresh")" -lt "$(parameters_of "$T/all")" ]
    expect "both are without effect" [ "$(digest_of "$T/all")" != "$FIRST" ]
}

beyond_memory() {
    rm -rf "$T/r"
    train "$T/r" "${both[@]}" cluster.memory_mb=1
    expect "memory_mb: digest $(digest_of "$T/r") instead of $FIRST" [ "$(digest_of "$T/r")" = "$FIRST" ]
}

sets() { printf -- '--set\n%s\n' "$@"; }

killed() {
    mapfile -t words < <(sets "${@:2}")
    SMELTER_CRASH=coordinator:commit.renamed:2 run "$T/train.log" "$SMELTER" train "$T/c.yaml" --out "$1" "${words[@]}"
    expect "the run was not killed" [ "$CODE" != 0 ]
}

resume() {
    mapfile -t words < <(sets "${@:2}")
    run "$T/train.log" "$SMELTER" train "$T/c.yaml" --out "$1" --resume "${words[@]}"
    expect "resume ended with code $CODE" [ "$CODE" = 0 ]
}

# Counts of pushes, default rows and ages are part of a checkpoint.
resumed() {
    local long=("${both[@]}" train.epochs=20 checkpoint.every_steps=60)
    train "$T/whole" "${long[@]}" checkpoint.every_steps=0
    rm -rf "$T/r"
    killed "$T/r" "${long[@]}" cluster.workers=2 cluster.servers=2
    resume "$T/r" "${long[@]}" cluster.workers=4 cluster.servers=3 cluster.memory_mb=1
    expect_line "$T/train.log" "goes on before step 120"
    expect "resumed: digest $(digest_of "$T/r") instead of $(digest_of "$T/whole")" [ "$(digest_of "$T/r")" = "$(digest_of "$T/whole")" ]
}

case_of "1, 2, 4 workers x 1, 2, 3 servers give one model" any_cluster
case_of "each has its effect; old rows are gone" fewer_rows
case_of "a bound of memory does not change the model" beyond_memory
case_of "a killed run goes on, on another cluster, as if nothing had happened" resumed
finish_tests
