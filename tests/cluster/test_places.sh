#!/usr/bin/env bash
# test_places.sh BUILD - runs whose servers wrote on disks of their own: two hosts, of which each has its own --out.
#
# docs/howto/gather-a-run.md: "Whoever misses a part names it, with its host and folder"; smelter gather brings the parts together,
# checks each before and after, and does nothing twice; a run that was gathered goes on, and is scored, on one host.
# shellcheck source=tests/lib/cluster.sh
. "$(dirname "$0")/../lib/cluster.sh"
small_config "$T/c.yaml" 'cluster: {workers: 1, servers: 2, heartbeat_ms: 200, deadline_s: 5}' 'checkpoint: {every_steps: 8}'
export NETNS_PRIVATE=$T/own
HERE=$T/own-node1 THERE=$T/own-node2 # the coordinator and server 0; server 1 and the worker
HINT="(smelter gather brings the parts of a run together)"

# on_both LOG WORD... - the job on both hosts, its output on disks of their own.
on_both() {
    local log=$1
    shift
    run "$log" tests/cluster/two_hosts.sh 2 2 ${CRASH:+-x SMELTER_CRASH="$CRASH"} -- "$SMELTER" train "$T/c.yaml" --out "$T/own/$@"
}

gather() { run "$T/log" "$SMELTER" gather "$@"; }

# missing TEXT WORD... - the command fails in a line that says where the part is.
missing() {
    local text=$1
    shift
    run "$T/log" "$SMELTER" "$@"
    expect "exit code 0: $*" [ "$CODE" != 0 ]
    expect_line "$T/log" "$text"
}

named() {
    CRASH=coordinator:commit.renamed:2 on_both "$T/log" died
    expect "the run was not killed" [ "$CODE" != 0 ]
    local shard=$HERE/died/checkpoint/epoch-0001/shard-1 place="it was written on node2, in $T/own/died/checkpoint/epoch-0001/shard-1 $HINT"
    missing "$shard: is not on this host: $place" checkpoint verify "$HERE/died"
    missing "copy the run's whole folder to every host that runs a server; $place; the job ends" \
        train "$T/c.yaml" --out "$HERE/died" --resume --set cluster.servers=1
}

goes_on() {
    gather "$HERE/died"
    expect_line "$T/log" "died/checkpoint/epoch-0001/shard-1: is not here, and in no folder of --from: it was written on node2, in $T/own/died/"
    expect "gathered from nowhere" [ "$CODE" = 2 ]
    gather "$HERE/died" --from "$THERE/died"
    expect "gather: exit code $CODE" [ "$CODE" = 0 ]
    expect_line "$T/log" "gathered  $HERE/died/checkpoint/epoch-0001/shard-1 from $THERE/died"
    gather "$HERE/died"
    expect_line "$T/log" "2 parts: 2 here before, 0 gathered, 0 not"
    expect "gather again: exit code $CODE" [ "$CODE" = 0 ]
    train "$T/plain"
    run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$HERE/died" --resume --set cluster.servers=1
    expect "$(digest_of "$HERE/died") instead of $(digest_of "$T/plain")" [ "$(digest_of "$HERE/died")" = "$(digest_of "$T/plain")" ]
}

# A part of a finished run: by a command of the user's, and not one that is damaged.
finished() {
    on_both "$T/log" whole
    expect "exit code $CODE" [ "$CODE" = 0 ]
    missing "it was written on node2, in $T/own/whole/store/shard-1 $HINT" predict "$HERE/whole" "$T/data" --out "$T/p" --set cluster.servers=1
    echo 'cp -r "$(echo "$2" | sed "s,/own/,/own-$1/,")" "$3.x" && rm -rf "$3" && mv "$3.x" "$3"' >"$T/it's a copy"
    local copy="sh '$T/it'\\''s a copy' {host} {path} {to}" store=$THERE/whole/store/shard-1
    cp -r "$store" "$T/kept" && printf 'x' | dd of="$store/data.mdb" bs=1 seek=9000 conv=notrunc 2>/dev/null
    gather "$HERE/whole" --fetch "$copy"
    expect "a damaged part: exit code $CODE" [ "$CODE" = 1 ]
    expect_line "$T/log" ".gather/store/shard-1"
    expect "a damaged part is in its place" [ ! -e "$HERE/whole/store/shard-1" ]
    rm -r "$store" && mv "$T/kept" "$store"
    gather "$HERE/whole" --fetch "$copy"
    expect "fetch: exit code $CODE" [ "$CODE" = 0 ]
    expect_line "$T/log" "gathered  $HERE/whole/store/shard-1 from node2"
    run "$T/log" "$SMELTER" digest "$HERE/whole"
    expect_line "$T/log" "$(digest_of "$T/plain")  $HERE/whole"
    run "$T/log" "$SMELTER" predict "$HERE/whole" "$T/data" --out "$T/p" --set cluster.servers=1
    expect "predict: exit code $CODE" [ "$CODE" = 0 ]
}

mistakes() {
    gather "$T/data"
    expect_line "$T/log" "$T/data holds no finished run and no checkpoint"
    gather "$HERE/whole" --fetch 'cp {path} there'
    expect_line "$T/log" "does not say where to copy to: {to} stands for it"
    gather "$HERE/whole" --from "$T/nowhere"
    expect_line "$T/log" "--from $T/nowhere does not exist on this host"
}

reason=$(tests/cluster/two_hosts.sh 1 1 -- true) && code=0 || code=$?
if [ $code = 77 ]; then
    skip "places" "${reason#two hosts: }"
else
    case_of "a part that is on another host is named with it" named
    case_of "what was gathered goes on, on one host" goes_on
    case_of "a finished run is gathered by a command, part by part, and only what is whole" finished
    case_of "what gather is not given, it says" mistakes
fi
finish_tests
