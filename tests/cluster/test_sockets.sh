#!/usr/bin/env bash
# test_sockets.sh BUILD - where a job listens.
#
# docs/SECURITY.md: "ranks listen on no TCP port; mpirun on loopback alone, and it hands over no connection of another user"; across
# hosts "all listen on the interface that cluster.interface names".
# shellcheck source=tests/lib/cluster.sh
. "$(dirname "$0")/../lib/cluster.sh"
small_config "$T/c.yaml" 'cluster: {workers: 1, servers: 1, heartbeat_ms: 200, deadline_s: 5}'
LONG=train.epochs=100000

# listeners PID... - program, address and port, in hexadecimal digits, of each TCP port that these processes listen on.
listeners() {
    local pid inodes
    for pid in "$@"; do
        inodes=$(find "/proc/$pid/fd" -lname 'socket:*' -printf '%l\n' 2>/dev/null | tr -dc '0-9\n')
        awk -v name="$(cat "/proc/$pid/comm")" -v inodes="$inodes" '
            BEGIN { n = split(inodes, list, "\n"); for (i = 1; i <= n; i++) own[list[i]] = 1 }
            $4 == "0A" && own[$10] { print name, $2 }' "/proc/$pid/net/tcp" "/proc/$pid/net/tcp6" 2>/dev/null
    done
}

# job_processes - of the job under $T: smelter, mpirun, ranks, daemons, which may not have $T on their command line.
job_processes() {
    local pid
    for pid in $(pgrep -x 'smelter|mpirun|orted'); do
        tr '\0' '\n' 2>/dev/null <"/proc/$pid/environ" | grep -qxF "SOCKETS_TEST=$T" && echo "$pid"
    done
}
export SOCKETS_TEST=$T

# stop PID - tell this process of the job to save and stop.
stop() {
    kill -TERM "$1"
    finish
    expect "exit code $CODE" [ "$CODE" = 3 ]
    expect_nothing_left
}

started_by_smelter() {
    local others
    start "$T/log" "$SMELTER" train "$T/c.yaml" --set $LONG --out "$T/one"
    wait_for_training "$T/one"
    # shellcheck disable=SC2046
    listeners $(job_processes) >"$T/listeners"
    expect "there are $(wc -l <"$T/listeners") listeners" [ "$(wc -l <"$T/listeners")" -ge 1 ]
    others=$(grep -v '^mpirun 0100007F:' "$T/listeners" | paste -sd' ')
    expect "listening: $others" [ -z "$others" ]
    if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then strangers; else skip "strangers" "needs root and setpriv"; fi
    stop "$JOB"
}

# Another user is cut off before a byte is read; the own user is not.
strangers() {
    local port hear='exec 3<>/dev/tcp/127.0.0.1/$0 && cat <&3' other=(setpriv --reuid 65534 --regid 65534 --clear-groups)
    while IFS=: read -r _ port; do
        port=$((16#$port))
        "${other[@]}" timeout 1 bash -c "$hear" $port >"$T/heard" 2>&1
        expect "a stranger at port $port: code $?" [ $? = 0 ]
        expect "a stranger at port $port heard $(wc -c <"$T/heard") bytes" [ ! -s "$T/heard" ]
        timeout 0.3 bash -c "$hear" $port >"$T/heard" 2>&1
        expect "the user was cut off at port $port" [ $? = 124 ]
    done <"$T/listeners"
}

started_by_mpirun() {
    start "$T/log" "${MPIRUN[@]}" -np 3 "$SMELTER" train "$T/c.yaml" --set $LONG --out "$T/two"
    wait_for_training "$T/two"
    # shellcheck disable=SC2046
    listeners $(job_processes) | grep -v ^mpirun >"$T/listeners"
    expect "ranks listen: $(paste -sd' ' "$T/listeners")" [ ! -s "$T/listeners" ]
    stop "$(rank_pid 0)"
}

# smelter starts mpirun, which the user's settings of Open MPI lead to a second host.
across_hosts() {
    export NETNS_BRIDGE=docker0
    netns_up || {
        skip "two hosts" "$NETNS_REASON"
        return
    }
    local agent hex others
    agent=$(netns_agent)
    printf 'node1 slots=2\nnode2 slots=1\n' >"$NETNS_DIR/hosts"
    start "$T/log" netns_run 1 env OMPI_MCA_orte_default_hostfile="$NETNS_DIR/hosts" OMPI_MCA_plm_rsh_agent="$agent" \
        OMPI_MCA_orte_tmpdir_base="$NETNS_DIR" OMPI_MCA_btl=tcp,self "$SMELTER" train "$T/c.yaml" --set $LONG \
        --set cluster.interface="eth77, $NETNS_SUBNET" --set cluster.ports=24000-24063 --out "$T/three"
    wait_for_training "$T/three"
    # shellcheck disable=SC2046
    listeners $(job_processes) >"$T/listeners"
    # shellcheck disable=SC2046
    hex=$(printf '%02X' $(tr . ' ' <<<"${NETNS_SUBNET%.*}"))
    hex=${hex:4:2}${hex:2:2}${hex:0:2}
    expect "no daemon of mpirun's listens" grep -q "^orted 02$hex:" "$T/listeners"
    expect "no rank listens" grep -q "^smelter 0[12]$hex:" "$T/listeners"
    others=$(grep -vE " (0[12]$hex|0100007F|0{24}01000000):" "$T/listeners" | paste -sd' ')
    expect "listening: $others" [ -z "$others" ]
    others=$(grep -vE ' 0100007F:| 0{24}01000000:|:5D[C-F][0-9A-F]$' "$T/listeners" | paste -sd' ') # 24000 is 5DC0
    expect "listening outside of cluster.ports: $others" [ -z "$others" ]
    stop "$(rank_pid 0)"
    netns_down
}

# shellcheck source=tests/lib/netns.sh
. tests/lib/netns.sh
NETNS_1='' NETNS_2='' NETNS_DIR=''
trap '[ -z "$NETNS_DIR" ] || netns_down; cleanup' EXIT
case_of "one host: only mpirun listens, on loopback, and strangers get nowhere" started_by_smelter
case_of "one host, mpirun by hand: no rank listens" started_by_mpirun
case_of "two hosts: all listen on the interface that was named" across_hosts
finish_tests
