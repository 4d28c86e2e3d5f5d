#!/usr/bin/env bash
# test_strangers.sh BUILD - somebody who is no rank of a job does to its sockets what he can, and the job ends with the model that
# it would have had without him.
#
# SECURITY: "another user on a host of the job cannot connect to, list or replace its Unix sockets"; "who reaches a port is
# disconnected without an answer before it has sent a message".
# shellcheck source=tests/lib/cluster.sh
. "$(dirname "$0")/../lib/cluster.sh"
small_config "$T/c.yaml" 'cluster: {workers: 2, servers: 2, deadline_s: 90}'
STRANGER=tests/lib/stranger.py
EPOCHS=train.epochs=120
NOBODY=(setpriv --reuid=65534 --regid=65534 --clear-groups)
PYTHON=$(PATH=/usr/bin:/bin command -v python3) || PYTHON=''
cp "$STRANGER" "$T/stranger.py" && chmod 711 "$T" && chmod 644 "$T/stranger.py"
export TMPDIR=$T/tmp && mkdir "$TMPDIR" && chmod 1777 "$TMPDIR"

# ports PREFIX [COMMAND...]: where ranks of the job listen on addresses that begin so, as stranger.py wants it. The command enters
# the ranks' namespace.
ports() {
    local prefix=$1
    shift
    "$@" ss -Hltnp | grep -E "pid=($(processes | paste -sd'|'))," | awk '{ print $4 }' | grep "^$prefix" | sort -u
}

# workers SIGNAL: a job that stands still does not end before the stranger has.
workers() { kill "-$1" "$(rank_pid 3)" "$(rank_pid 4)"; }

# attack ADDRESS...: as nobody, and in the namespace that $FROM names, if any. What he got is in $T/attack.
attack() {
    workers STOP
    ${FROM:+nsenter "--net=/run/netns/$FROM"} "${NOBODY[@]}" timeout 60 "$PYTHON" "$T/stranger.py" "$@" >"$T/attack" 2>&1
    ATTACK=$?
    workers CONT
}

undisturbed() {
    train "$T/alone" $EPOCHS
    ALONE=$(digest_of "$T/alone")
    expect "there is no digest" [ ${#ALONE} = 32 ]
    expect "left behind: $(ls "$TMPDIR")" [ -z "$(ls "$TMPDIR" | grep smelter-ipc)" ]
}

# expect_unharmed DIR: the job of `start` goes on and ends as alone.
expect_unharmed() {
    expect "the job has ended under the attack" kill -0 "$JOB"
    finish
    expect "exit code $CODE" [ "$CODE" = 0 ]
    expect "$(digest_of "$1") instead of $ALONE" [ "$(digest_of "$1")" = "$ALONE" ]
    expect_errors 0 "$LOG"
}

same_host_tcp() {
    local encryption at
    for encryption in on off; do
        start "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/tcp-$encryption" --set $EPOCHS --set cluster.transport=tcp \
            --set cluster.interface=lo --set cluster.encryption=$encryption
        wait_for_training "$T/tcp-$encryption"
        at=$(ports 127.0.0.1:)
        expect "nobody listens" [ -n "$at" ]
        # shellcheck disable=SC2086
        FROM='' attack $at
        expect "encryption $encryption: he got $(grep -v ' 0 more than' "$T/attack")" [ $ATTACK = 0 ]
        expect_unharmed "$T/tcp-$encryption"
        expect_line "$T/log" ': it does not speak as ranks of this job do (1 refused so far)'
    done
}

unix_sockets() {
    start "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/ipc" --set $EPOCHS
    wait_for_training "$T/ipc"
    expect "there are still sockets: $(ls "$TMPDIR")" [ -z "$(ls "$TMPDIR" | grep smelter-ipc)" ]
    local at
    at=$(grep -o "$TMPDIR/smelter-ipc-.*" /proc/net/unix | sort -u)
    expect "no socket lies below $TMPDIR" [ -n "$at" ]
    # shellcheck disable=SC2086
    FROM='' attack $at
    expect "he got $(cat "$T/attack")" [ -z "$(grep -v ' 0 bytes back\| 0 connections' "$T/attack")" ]
    expect_unharmed "$T/ipc"
}

# Whatever kills a job, no socket of it is left.
killed() {
    start "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/killed" --set train.epochs=100000
    wait_for_training "$T/killed"
    # shellcheck disable=SC2046
    kill -KILL $(processes)
    finish
    expect "left behind: $(ls "$TMPDIR")" [ -z "$(ls "$TMPDIR" | grep smelter-ipc)" ]
}

# Who owns the folder can put others in the place of those in it.
folder_of_another() {
    mkdir "$T/his" && chown 65534 "$T/his"
    TMPDIR=$T/his run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/x"
    expect "exit code $CODE" [ "$CODE" = 2 ]
    expect_line "$T/log" "$T/his: others may put sockets of their own in place of the job's there (it belongs to user 65534"
    expect_errors 1 "$T/log"
}

other_host() {
    start "$T/log" tests/cluster/two_hosts.sh 5 0 -- "$SMELTER" train "$T/c.yaml" --out "$T/far" --set $EPOCHS --set cluster.transport=tcp
    wait_for_training "$T/far"
    local environ here there at
    environ=$(tr '\0' '\n' <"/proc/$(rank_pid 0)/environ")
    here=$(sed -n 's/^NETNS_1=//p' <<<"$environ")
    there=$(sed -n 's/^NETNS_2=//p' <<<"$environ")
    at=$(ports 10.77 nsenter "--net=/run/netns/$here")
    expect "nobody listens" [ -n "$at" ]
    # shellcheck disable=SC2086
    FROM=$there attack $at
    expect "he got $(cat "$T/attack")" [ -z "$(grep -v ' 0 bytes back\|that say nothing' "$T/attack")" ]
    expect_unharmed "$T/far"
    expect_line "$T/log" 'warn: refused a connection: it is of no host or no user of this job'
}

# Rank 3 is in a container: it has another folder in the place of the others'.
container() {
    cat >"$T/contain" <<END
#!/bin/sh
[ "\$OMPI_COMM_WORLD_RANK" = 3 ] && exec unshare --mount sh -c 'mount -t tmpfs none $T/run && chmod 700 $T/run && exec "\$@"' - "\$@"
exec "\$@"
END
    chmod +x "$T/contain" && mkdir -m 700 "$T/run"
    local job=("${MPIRUN[@]}" -np 5 -x "XDG_RUNTIME_DIR=$T/run" "$T/contain" "$SMELTER" train "$T/c.yaml" --set $EPOCHS --out "$T/contained")
    run "$T/log" "${job[@]}" --set cluster.transport=ipc
    expect "ipc: exit code $CODE" [ "$CODE" = 2 ]
    expect_line "$T/log" "error: cluster.transport is ipc, but worker 0 (rank 3 on "
    expect_line "$T/log" " does not see the folder of the job's sockets, $T/run/smelter-ipc-"
    expect_errors 1 "$T/log"
    run "$T/log" "${job[@]}"
    expect "auto: exit code $CODE" [ "$CODE" = 0 ]
    expect_line "$T/log" ": the job uses tcp in place of ipc"
    expect "$(digest_of "$T/contained") instead of $ALONE" [ "$(digest_of "$T/contained")" = "$ALONE" ]
    expect "left behind: $(ls "$T/run")" [ -z "$(ls "$T/run")" ]
}

if [ "$(id -u)" != 0 ] || ! command -v ss >/dev/null || [ -z "$PYTHON" ]; then
    skip "strangers" "another user is played by root alone, with ss (iproute2) and a python3 that all may run"
    finish_tests
fi
case_of "a job that is left alone" undisturbed
case_of "strangers on one host, tcp" same_host_tcp
case_of "strangers on one host, Unix sockets" unix_sockets
case_of "a job that is killed leaves no socket" killed
case_of "the folder for sockets is another user's" folder_of_another
case_of "ranks of one host that share no folder" container
reason=$(tests/cluster/two_hosts.sh 1 1 -- true) && code=0 || code=$?
if [ $code = 77 ]; then
    skip "strangers on another host" "${reason#two hosts: }"
else
    case_of "strangers on another host" other_host
fi
finish_tests
