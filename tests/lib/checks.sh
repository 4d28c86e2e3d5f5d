# checks.sh - for tests that run commands on one machine, without a cluster: the folder $T, gone afterwards, and check. Sourced from the
# project's folder; who sources it ends with `exit $failed`.
T=$(mktemp -d "${TMPDIR:-/tmp}/smelter-checks.XXXXXX")
trap 'rm -rf "$T"' EXIT
failed=0

check() { # check NAME COMMAND...
    if "${@:2}" >"$T/said" 2>&1; then
        echo "ok - $1"
    else
        head -n 20 "$T/said" | sed 's/^/# /'
        echo "not ok - $1"
        failed=1
    fi
}
