#!/usr/bin/env bash
# tests/deb.sh BUILD - what docs/howto/install.md says of the package in BUILD: a second build, in another folder, makes the same
# bytes; in a bare Debian 12 (debootstrap, chroot) apt installs it and all it needs, a user without the sources runs the demo
# from its examples, with the bits of the program in BUILD, and it goes without a trace.
#
# Prints what a test prints, and skips, with a reason, what this machine cannot do. BARE=DIR keeps the bare system between calls.
set -uo pipefail
cd "$(dirname "$0")/.."
build=$1
package=$(ls "$build"/smelter_*.deb) || exit 2
T=$(mktemp -d /var/tmp/smelter-deb-test.XXXXXX)
chmod 755 "$T"
trap 'rm -rf --one-file-system "$T"' EXIT
trap 'exit 130' INT TERM
passed=0 failed=0 skipped=0

check() { # check NAME COMMAND...
    if "${@:2}" >"$T/said" 2>&1; then
        echo "ok - $1"
        passed=$((passed + 1))
    else
        tail -n 30 "$T/said" | sed 's/^/# /'
        echo "not ok - $1"
        failed=$((failed + 1))
    fi
}

skip() {
    echo "skip - $1: $2"
    skipped=$((skipped + 1))
}

finish() {
    echo "$passed passed, $failed failed, $skipped skipped"
    [ $failed = 0 ] && [ $passed -gt 0 ]
    exit
}

# The same sources in another folder, with all that git knows of them.
same_bytes() {
    mkdir "$T/again"
    git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$T/again"
    cp -r .git "$T/again/"
    make -C "$T/again" -j"$(nproc)" BUILD=build all
    "$T/again/packaging/deb.sh" build
    cmp "$package" "$T/again/$package"
}
if [ "$build" = build ] && [ -e .git ]; then
    check "a second build, in another folder, makes the same package to the byte" same_bytes
else
    skip "a second build makes the same package" "this is no repository, or the package is not of the folder build"
fi

bare="a bare Debian 12 installs the package and runs the demo"
if [ "$(id -u)" != 0 ] || ! unshare --mount true 2>/dev/null; then
    skip "$bare" "it takes root, and mounts"
    finish
elif ! command -v debootstrap >/dev/null; then
    skip "$bare" "debootstrap is not installed"
    finish
fi

# Where this machine is a Debian 12, its mirrors are asked, by its proxies.
root=${BARE:-$T/root}
bootstrap() {
    [ ! -x "$root/usr/bin/apt-get" ] || return 0
    mkdir -p "$root" && chmod 755 "$root"
    debootstrap --variant=minbase --include=ca-certificates bookworm "$root" || return 1
    cp -r /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
    if grep -q '^VERSION_CODENAME=bookworm' /etc/os-release; then
        rm -f "$root/etc/apt/sources.list"
        cp -r /etc/apt/sources.list /etc/apt/sources.list.d "$root/etc/apt/" 2>/dev/null
        mkdir -p "$root/usr/share/keyrings"
        cp -r /usr/share/keyrings/. "$root/usr/share/keyrings/"
    fi
    cp /etc/hosts /etc/resolv.conf "$root/etc/"
}
if ! bootstrap >"$T/said" 2>&1; then
    tail -n 5 "$T/said" | sed 's/^/# /'
    [ -n "${BARE:-}" ] || rm -rf --one-file-system "$root"
    skip "$bare" "debootstrap cannot fetch it here (above)"
    finish
fi

# inside COMMAND - a line of the shell in the bare system, as root; as_user: as somebody there.
inside() {
    unshare --mount --pid --fork --propagation private bash -c '
        mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && mount --rbind /sys "$0/sys" && mount -t tmpfs tmpfs "$0/dev/shm"
        exec chroot "$0" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
            bash -c "$1"' "$root" "$1"
}
as_user() { inside "exec setpriv --reuid=1234 --regid=1234 --clear-groups env HOME=/home/user bash -ec 'cd; $1'"; }

installs() {
    rm -rf "$root/home/user" && install -d -o 1234 -g 1234 "$root/home/user" && cp "$package" "$root/root/smelter.deb"
    inside "apt-get update && apt-get purge -y smelter; apt-get install -y --no-install-recommends /root/smelter.deb"
}
check "apt installs it, with all it needs, in a bare Debian 12" installs
[ -x "$root/usr/bin/smelter" ] || finish

version() { [ "$(as_user "smelter version")" = "$("$build/smelter" version)" ]; }
check "it is the program of $build" version

has_documents() {
    as_user "zcat /usr/share/man/man1/smelter.1.gz | grep -q NAME
        . /usr/share/bash-completion/completions/smelter
        test -s /usr/share/doc/smelter/docs/OPERATIONS.md -a -s /usr/share/doc/smelter/examples/slurm/mpirun.sbatch"
}
check "manual page, completion, documents and examples are there" has_documents

# The lines of docs/howto/install.md.
demo() {
    as_user "mkdir demo; cd demo; cp -r /usr/share/doc/smelter/examples/configs .
        SMELTER_PROGRESS=off smelter compare configs/quickstart.yaml --out out/quickstart
        ls out/quickstart/results.json out/quickstart/report.html"
}
check "a user without the sources runs the demo from its examples" demo

# What the variants without anything of their own have in both.
same_bits() {
    "$build/smelter" train configs/quickstart.yaml --set data.path="$T/data" --out "$T/here" || return 1
    as_user "cd demo; smelter train configs/quickstart.yaml --out out/one"
    diff <("$build/smelter" digest "$T/here" | cut -d" " -f1) <(as_user "smelter digest demo/out/one" | cut -d" " -f1)
}
check "a training there has the bits of one here" same_bits

goes() {
    inside "apt-get purge -y smelter && ! find / -xdev -ipath '*smelter*' -not -path '/home/*' -not -path '/root/*' \
        -not -path '/proc/*' -not -path '/sys/*' -not -path '/dev/*' -not -path '/var/log/*' -not -path '/tmp/*' | grep ."
}
check "it goes without a trace" goes
finish
