#!/usr/bin/env bash
# two_hosts.sh NP1 NP2 [-x NAME[=VALUE] | --mca KEY VALUE]... -- COMMAND... - run a command by mpirun across two hosts.
#
# Ranks 0 .. NP1-1 run on "node1", the next NP2 on "node2": two network namespaces of this machine, joined by a veth pair,
# with host names of their own, where mpirun on node1 enters node2 by a plm_rsh_agent script in place of ssh. What is between
# the numbers and -- goes to mpirun as it is. The command sees the namespaces' names in NETNS_1, NETNS_2, NETNS_IF_1 and
# NETNS_IF_2, so that it can cut the wire (`ip -n $NETNS_2 link set $NETNS_IF_2 down`). Open MPI keeps its session files in the
# run's own folder: all runs have the same host names, and one that ends removes the folder named after its host.
# Everything is removed at the end, on SIGINT and SIGTERM too. Exit code: mpirun's; 77 with the reason on standard output where
# namespaces are not allowed; 2 for wrong arguments.
set -uo pipefail
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

options=()
np1=${1:-} np2=${2:-}
shift 2
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    options+=("$1")
    shift
done
if ! [[ $np1 =~ ^[0-9]+$ && $np2 =~ ^[0-9]+$ && $# -ge 2 ]] || [ "$np1" = 0 ]; then
    echo "usage: two_hosts.sh NP1 NP2 [mpirun options] -- COMMAND..." >&2
    exit 2
fi
shift

child=''
stop() {
    [ -n "$child" ] && kill -TERM "$child" 2>/dev/null && wait "$child"
    exit 143
}
netns_up || {
    echo "two hosts: $NETNS_REASON"
    exit 77
}
trap netns_down EXIT
trap stop INT TERM

agent=$(netns_agent)
{
    echo "node1 slots=$np1"
    [ "$np2" -gt 0 ] && echo "node2 slots=$np2"
} >"$NETNS_DIR/hosts"
export NETNS_1 NETNS_2 NETNS_IF_1 NETNS_IF_2

netns_run 1 mpirun --allow-run-as-root --bind-to none --map-by slot --hostfile "$NETNS_DIR/hosts" -np $((np1 + np2)) \
    --mca plm_rsh_agent "$agent" --mca btl tcp,self --mca btl_tcp_if_include "$NETNS_SUBNET" \
    --mca oob_tcp_if_include "$NETNS_SUBNET" --mca orte_tmpdir_base "$NETNS_DIR" \
    -x NETNS_1 -x NETNS_2 -x NETNS_IF_1 -x NETNS_IF_2 ${options[@]+"${options[@]}"} \
    "$@" </dev/null &
child=$!
wait "$child"
