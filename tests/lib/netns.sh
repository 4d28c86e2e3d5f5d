# netns.sh - two "hosts" on one machine: two network namespaces joined by a veth pair. Source it; needs bash.
#
#   netns_up              create them; sets NETNS_1 NETNS_2 (namespaces), NETNS_IF_1 NETNS_IF_2 (their interfaces), NETNS_IP_1
#                         NETNS_IP_2, NETNS_SUBNET and NETNS_DIR (a temporary folder). Returns 77, with the reason in
#                         NETNS_REASON, where this machine does not allow them. Where NETNS_BRIDGE is set, both have a bridge of
#                         that name and of one address, as docker makes, before any other interface; where NETNS_PARTED is
#                         set, a bridge of that name and of different addresses of one network, which no wire joins. Where
#                         NETNS_PRIVATE is set, that folder is another on each host, as on a disk of its own:
#                         $NETNS_PRIVATE-node1, $NETNS_PRIVATE-node2. Where NETNS_DELAY_MS is set, what is sent arrives so
#                         much later, and of a hundred frames NETNS_LOSS (default 0) do not.
#   netns_run 1|2 CMD...  run a command as host node1 or node2
#   netns_agent           write an ssh stand-in for mpirun (plm_rsh_agent) that enters the other host; prints its path
#   netns_down            kill what runs inside and remove everything
#
# Names and subnet carry the process id, so runs side by side do not meet. The namespaces share files, /dev/shm and pids;
# Open MPI must therefore be held to tcp (`--mca btl tcp,self`), or it would take the two hosts for one.

netns_up() {
    local id=$BASHPID
    NETNS_REASON='' NETNS_DIR=''
    NETNS_1=smelter-$id-1 NETNS_2=smelter-$id-2
    NETNS_IF_1=sm${id}a NETNS_IF_2=sm${id}b
    local net=10.77.$((id % 256))
    NETNS_IP_1=$net.1 NETNS_IP_2=$net.2 NETNS_SUBNET=$net.0/24
    if ! command -v ip >/dev/null || ! command -v unshare >/dev/null; then
        NETNS_REASON="the commands ip and unshare are needed (Debian packages iproute2 and util-linux)"
        return 77
    fi
    if [ "$(id -u)" != 0 ]; then
        NETNS_REASON="network namespaces need root"
        return 77
    fi
    NETNS_DIR=$(mktemp -d "${TMPDIR:-/tmp}/smelter-netns.XXXXXX")
    if ! { ip netns add "$NETNS_1" && ip netns add "$NETNS_2" && netns_bridges && netns_wire &&
        ip netns exec "$NETNS_1" unshare --uts hostname node1; } 2>"$NETNS_DIR/error"; then
        NETNS_REASON="network namespaces are not allowed here: $(tail -n 1 "$NETNS_DIR/error")"
        netns_down
        return 77
    fi
    local i namespace interface address
    for i in 1 2; do
        namespace=NETNS_$i interface=NETNS_IF_$i address=NETNS_IP_$i
        ip -n "${!namespace}" addr add "${!address}/24" dev "${!interface}"
        ip -n "${!namespace}" link set "${!interface}" up
        ip -n "${!namespace}" link set lo up
    done
    [ -z "${NETNS_PRIVATE:-}" ] || mkdir -p "$NETNS_PRIVATE" "$NETNS_PRIVATE-node1" "$NETNS_PRIVATE-node2"
    NETNS_ENTER='hostname "$0" && { [ -z "$1" ] || mount --bind "$1-$0" "$1"; } && shift && exec'
}

# Quick as a veth pair is, or slow: a process that carries frames, which ends with the script that holds its input.
netns_wire() {
    if [ -z "${NETNS_DELAY_MS:-}" ]; then
        ip link add "$NETNS_IF_1" netns "$NETNS_1" type veth peer name "$NETNS_IF_2" netns "$NETNS_2"
        return
    fi
    local up
    coproc WIRE {
        exec /usr/bin/python3 "$(dirname "${BASH_SOURCE[0]}")/slow_wire.py" "$NETNS_1" "$NETNS_IF_1" "$NETNS_2" \
            "$NETNS_IF_2" "$NETNS_DELAY_MS" "${NETNS_LOSS:-0}"
    }
    read -r up <&"${WIRE[0]}" && [ "$up" = up ]
}

netns_bridges() {
    local namespace
    for namespace in "$NETNS_1" "$NETNS_2"; do
        [ -z "${NETNS_BRIDGE:-}" ] && break
        ip -n "$namespace" link add "$NETNS_BRIDGE" type bridge && ip -n "$namespace" addr add 172.17.0.1/16 dev "$NETNS_BRIDGE" &&
            ip -n "$namespace" link set "$NETNS_BRIDGE" up || return
    done
    for namespace in 1 2; do
        [ -z "${NETNS_PARTED:-}" ] && return
        local name=NETNS_$namespace
        ip -n "${!name}" link add "$NETNS_PARTED" type bridge &&
            ip -n "${!name}" addr add "172.18.0.$namespace/16" dev "$NETNS_PARTED" &&
            ip -n "${!name}" link set "$NETNS_PARTED" up || return
    done
}

netns_run() {
    local namespace=NETNS_$1 name=node$1
    shift
    ip netns exec "${!namespace}" unshare --uts sh -c "$NETNS_ENTER \"\$@\"" "$name" "${NETNS_PRIVATE:-}" "$@"
}

netns_agent() {
    local agent=$NETNS_DIR/agent
    cat >"$agent" <<END
#!/bin/sh
# AGENT HOST COMMAND...: what ssh would do.
host=\$1
shift
case \$host in
node1) namespace=$NETNS_1 ;;
node2) namespace=$NETNS_2 ;;
*)
    echo "no host \$host" >&2
    exit 1
    ;;
esac
exec ip netns exec \$namespace unshare --uts sh -c '$NETNS_ENTER sh -c "\$1"' "\$host" "${NETNS_PRIVATE:-}" "\$*"
END
    chmod +x "$agent"
    echo "$agent"
}

netns_down() {
    local namespace pids
    for namespace in "$NETNS_1" "$NETNS_2"; do
        pids=$(ip netns pids "$namespace" 2>/dev/null) && [ -n "$pids" ] && kill -9 $pids 2>/dev/null
        ip netns del "$namespace" 2>/dev/null
    done
    [ -n "$NETNS_DIR" ] && rm -rf "$NETNS_DIR"
    NETNS_DIR=''
    return 0
}
