#!/usr/bin/env bash
# test_hosts.sh BUILD - whole jobs across two hosts: two network namespaces of this machine, joined by a wire.
#
# PROTOCOL: "On one host it is ipc, across hosts tcp://ADDRESS:PORT on the configured interface"; level 3 gives the same model
# wherever its ranks run; a rank that dies on another host is named with that host.
# shellcheck source=tests/lib/cluster.sh
. "$(dirname "$0")/../lib/cluster.sh"
small_config "$T/c.yaml" 'cluster: {workers: 2, servers: 2, heartbeat_ms: 200, deadline_s: 5}'
TWO_HOSTS=tests/cluster/two_hosts.sh

one_host() {
    train "$T/ipc"
    ONE=$(digest_of "$T/ipc")
    expect "there is no digest" [ ${#ONE} = 32 ]
    train "$T/tcp" cluster.transport=tcp cluster.interface=lo
    expect "tcp gives $(digest_of "$T/tcp"), ipc $ONE" [ "$(digest_of "$T/tcp")" = "$ONE" ]
}

# A server on each host: the second one's is its first rank, not the job's rank 2, and so it is where their number is the hosts'.
# Workers are the ranks that are left.
two_hosts() {
    local here there servers=2
    for here in 2 3; do
        there=$((5 - here))
        run "$T/log" "$TWO_HOSTS" $here $there -x SMELTER_LOG=debug -- "$SMELTER" train "$T/c.yaml" --out "$T/net$here" \
            --set cluster.servers=$servers
        servers=per_host
        expect_line "$T/log" "server 1 (rank $here on node2, pid "
        expect_line "$T/log" "worker 1 (rank 4 on node2, pid "
        expect "$here + $there ranks: exit code $CODE" [ "$CODE" = 0 ]
        expect "$here + $there ranks: $(digest_of "$T/net$here") instead of $ONE" [ "$(digest_of "$T/net$here")" = "$ONE" ]
    done
    expect_nothing_left
}

named_interface() {
    run "$T/log" "$TWO_HOSTS" 2 3 -- "$SMELTER" train "$T/c.yaml" --set cluster.interface=eth77 --out "$T/x"
    expect "exit code $CODE" [ "$CODE" = 2 ]
    expect_line "$T/log" 'no interface that is up has the name or IPv4 address "eth77"; this host has: lo (127.0.0.1), sm'
    expect_errors 1 "$T/log"
}

# A bridge that is the same on both hosts, and comes first, joins no hosts; nor does a network without a wire, which comes
# second.
bridge_on_both() {
    local bridge=(env NETNS_BRIDGE=docker0 NETNS_PARTED=virbr0 "$TWO_HOSTS" 2 3 -- "$SMELTER" train "$T/c.yaml" --out "$T/bridge")
    run "$T/log" "${bridge[@]}"
    expect "exit code $CODE" [ "$CODE" = 0 ]
    expect "$(digest_of "$T/bridge") instead of $ONE" [ "$(digest_of "$T/bridge")" = "$ONE" ]
    expect "something is said of interfaces" [ -z "$(grep interface "$T/log")" ]
    run "$T/log" "${bridge[@]}" --set cluster.interface=docker0,virbr0
    expect "exit code $CODE without a wire" [ "$CODE" = 2 ]
    expect_line "$T/log" 'node2 cannot connect to node1: it has tried 172.18.0.1 for 2.5 s; is something between them that lets no connections'
    expect_errors 1 "$T/log"
    run "$T/log" "${bridge[@]}" --set cluster.interface=docker0
    expect "exit code $CODE with the bridge" [ "$CODE" = 2 ]
    expect_line "$T/log" 'cluster.interface "docker0": node1 and node2 have the same address there, 172.17.0.1, and cannot reach each other; node1 has lo'
    expect_errors 1 "$T/log"
}

ipc_refused() {
    run "$T/log" "$TWO_HOSTS" 2 3 -- "$SMELTER" train "$T/c.yaml" --set cluster.transport=ipc --out "$T/x"
    expect "exit code $CODE" [ "$CODE" = 2 ]
    expect_line "$T/log" "cluster.transport is ipc, but ranks run on several hosts (node1 and others); use auto or tcp"
    expect_errors 1 "$T/log"
}

killed_over_there() {
    start "$T/log" "$TWO_HOSTS" 3 2 -- "$SMELTER" train "$T/c.yaml" --set train.epochs=100000 --out "$T/run"
    wait_for_training "$T/run"
    local begun=$EPOCHREALTIME
    kill -KILL "$(rank_pid 4)"
    finish
    expect "exit code 0" [ "$CODE" != 0 ]
    expect "it took more than 10 s" awk -v a="$begun" -v b="$EPOCHREALTIME" 'BEGIN { exit !(b - a < 10) }'
    expect_line "$T/log" "error: worker 1 (rank 4 on node2, pid "
    expect_line "$T/log" ") died without a goodbye; the job ends"
    expect_errors 1 "$T/log"
    expect_nothing_left
}

# The wire is cut: both sides end, the far one with mpirun's daemon, which would wait for a quarter of an hour.
cut_off() {
    start "$T/log" "$TWO_HOSTS" 3 2 -- "$SMELTER" train "$T/c.yaml" --set train.epochs=100000 --set cluster.deadline_s=2 --out "$T/cut"
    wait_for_training "$T/cut"
    local far name interface i
    far=$(rank_pid 4)
    name=$(tr '\0' '\n' <"/proc/$far/environ" | sed -n 's/^NETNS_2=//p')
    interface=$(tr '\0' '\n' <"/proc/$far/environ" | sed -n 's/^NETNS_IF_2=//p')
    ip -n "$name" link set "$interface" down
    for i in $(seq 240); do
        [ -z "$(ip netns pids "$name")" ] && break
        sleep 0.05
    done
    expect "after 12 s there are on the host that is cut off: $(ip netns pids "$name" | xargs -r ps -o pid=,args= -p)" [ -z "$(ip netns pids "$name")" ]
    for i in $(seq 100); do # the near side ends at its own deadline, only its mpirun waits for the daemon
        grep -q 'coordinator: error: ' "$T/log" && break
        sleep 0.05
    done
    kill -TERM "$JOB"
    finish
    expect "exit code 0" [ "$CODE" != 0 ]
    expect_line "$T/log" "coordinator: error: waiting for 2 of 4 ranks: server 1 (rank 3 on node2, pid "
}

case_of "one host: tcp and ipc give one model" one_host
reason=$("$TWO_HOSTS" 1 1 -- true) && code=0 || code=$?
if [ $code = 77 ]; then
    skip "two hosts" "${reason#two hosts: }"
else
    case_of "two hosts give the same model as one" two_hosts
    case_of "two hosts: an interface that does not exist" named_interface
    case_of "two hosts: a bridge that both have is passed over" bridge_on_both
    case_of "two hosts: ipc is refused" ipc_refused
    case_of "two hosts: a host that is cut off" cut_off
    case_of "two hosts: a rank killed on the other one is named with it" killed_over_there
fi
finish_tests
