#!/usr/bin/env bash
# portable.sh BUILD - make portable: that determinism portable gives the bits of tests/golden/portable.txt everywhere: by each kernel of
# matrix products, by gcc and clang at -O1, -O2 and -O3, for processors without AVX, under sanitizers, and on ARM64 under qemu. One
# line each, "ok", "not ok" or "skipped" with the reason. What is built stays in build-portable/, for the next time. PARTS="by_gcc .."
# are some of it.
. "$(dirname "$0")/lib/cluster.sh"
. tests/lib/portable.sh
TABLE=tests/golden/portable.txt
HERE=build-portable
JOBS=$(nproc)
mkdir -p $HERE
SMELTER_HERE=$SMELTER # looks at datasets, whoever has made them

# check NAME CMD.. - CMD, a smelter or what starts its ranks, has the table's bits
check() {
    local name=$1 code=0 line
    shift
    rm -rf "$T/out" "$T/data" "$T/import"
    mkdir "$T/import"
    # An emulated rank is silent for long.
    "$@" compare tests/golden/portable.yaml --out "$T/out" --set data.path="$T/data" --set cluster.deadline_s=300 \
        --set cluster.start_deadline_s=300 >"$T/log" 2>&1 || code=$?
    SMELTER=$SMELTER_HERE
    { portable_import "$T/import" "${ALONE[@]:-$@}"; portable_table "$T/out" "$T/data"; } >"$T/table" 2>/dev/null
    if [ $code = 0 ] && grep -v '^#' $TABLE | diff - "$T/table" >"$T/difference"; then
        echo "ok - $name: $(grep -c . "$T/table") lines"
        return
    fi
    FAILED=1
    { [ $code = 0 ] || grep -E ' error: |ERROR|runtime error' "$T/log" || tail -n 5 "$T/log"; head -n 6 "$T/difference" 2>/dev/null; } | sed 's/^/  | /'
    echo "not ok - $name"
}

skipped() { echo "skipped - $1: $2"; }

# built NAME VARIABLE=VALUE.. - build the program with them, below build-portable/NAME; says so where that fails
built() {
    local name=$1
    shift
    if ! nice make --no-print-directory -j"$JOBS" BUILD="$HERE/$name" "$@" all >"$HERE/$name.log" 2>&1; then
        tail -n 5 "$HERE/$name.log" | sed 's/^/  | /'
        echo "not ok - $name: it cannot be built; all of it is in $HERE/$name.log"
        FAILED=1
        return 1
    fi
}

# has INSTRUCTION.. - this processor has them
has() {
    local one
    for one in "$@"; do grep -qw "$one" /proc/cpuinfo || return 1; done
}

by_kernels() {
    local kernel
    for kernel in avx512 avx2 neon plain; do
        case $kernel in
        avx512) has avx512f || { skipped "kernels avx512" "this processor has no AVX-512"; continue; } ;;
        avx2) has avx2 fma || { skipped "kernels avx2" "this processor has no AVX2"; continue; } ;;
        neon) [ "$(uname -m)" = aarch64 ] || continue ;;
        esac
        SMELTER_KERNELS=$kernel check "kernels $kernel" "$SMELTER_HERE"
    done
}

by_gcc() {
    local sanitizers="-fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=undefined,float-cast-overflow -fno-omit-frame-pointer"
    built gcc-O1-sanitized CC="${GCC:-gcc}" OPT="-O1 -g0" SAN="$sanitizers -Wno-format-truncation" &&
        ASAN_OPTIONS=detect_leaks=0 check "gcc -O1, address and undefined-behaviour sanitizers" "$HERE/gcc-O1-sanitized/smelter"
    local oldest=()
    [ "$(uname -m)" = x86_64 ] && oldest=(MARCH=x86-64-v2)
    built gcc-O2 CC="${GCC:-gcc}" OPT="-O2 -g0" "${oldest[@]}" && check "gcc -O2 ${oldest[*]}" "$HERE/gcc-O2/smelter"
    if [ "$(uname -m)" = x86_64 ] && command -v qemu-x86_64-static >/dev/null && [ -x $HERE/gcc-O2/smelter ]; then
        ALONE=(qemu-x86_64-static -cpu Nehalem $HERE/gcc-O2/smelter)
        check "the same on a processor without AVX and FMA (qemu)" "${MPIRUN[@]}" -n 4 "${ALONE[@]}"
        ALONE=()
    else
        skipped "a processor without AVX and FMA" "no qemu-x86_64-static, which the package qemu-user-static has"
    fi
}

by_clang() {
    if command -v clang >/dev/null; then
        built clang-O3 CC="${CLANG:-clang}" OPT="-O3 -g0" MARCH=native SAN="-Wno-unknown-warning-option -Wno-unknown-pragmas" &&
            check "clang -O3 MARCH=native" "$HERE/clang-O3/smelter"
    else
        skipped clang "it is not installed"
    fi
}

# arm_root - Debian's libraries for ARM64, unpacked below build-portable/arm64/root; apt-get looks at no state of this machine's but where
# packages come from, and needs no rights.
arm_root() {
    local at=$PWD/$HERE/arm64
    [ -e "$at/root/done" ] && return
    rm -rf "$at"
    mkdir -p "$at"/state/lists/partial "$at"/cache/archives/partial "$at/root"
    : >"$at/status"
    local apt=(apt-get -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State="$at/state" -o Dir::State::status="$at/status"
        -o Dir::Cache="$at/cache" -o Debug::NoLocking=true -o APT::Sandbox::User="$(id -un)")
    "${apt[@]}" update >"$HERE/arm64.log" 2>&1
    "${apt[@]}" install -y --no-install-recommends --download-only libc6-dev libopenmpi-dev libzmq3-dev liblmdb-dev libopenblas-pthread-dev \
        libyaml-dev libjansson-dev libxxhash-dev libzstd-dev zlib1g-dev libsnappy-dev liblz4-dev >>"$HERE/arm64.log" 2>&1 || return
    local package
    for package in "$at"/cache/archives/*.deb; do dpkg -x "$package" "$at/root" || return; done
    rm -rf "$at/cache" "$at/state"
    touch "$at/root/done"
}

on_arm64() {
    local tool name="ARM64 under qemu"
    for tool in aarch64-linux-gnu-gcc qemu-aarch64-static apt-get dpkg; do
        command -v $tool >/dev/null || { skipped "$name" "no $tool is installed (.ci/setup portable)"; return; }
    done
    arm_root || { skipped "$name" "Debian's libraries for ARM64 cannot be fetched; $HERE/arm64.log says why"; return; }
    local root=$PWD/$HERE/arm64/root lib
    lib=$root/usr/lib/aarch64-linux-gnu
    local -x PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_LIBDIR=$lib/openblas-pthread/pkgconfig:$lib/pkgconfig:$root/usr/share/pkgconfig
    built arm64-O3 CC="${ARM64_GCC:-aarch64-linux-gnu-gcc} --sysroot=$root" OPT="-O3 -g0" || return
    ALONE=(qemu-aarch64-static -L "$root" -E LD_LIBRARY_PATH="$lib/openblas-pthread:$lib" "$HERE/arm64-O3/smelter")
    check "$name, NEON" "${MPIRUN[@]}" -n 4 "${ALONE[@]}"
    SMELTER_KERNELS=plain check "$name, plain C" "${MPIRUN[@]}" -n 4 "${ALONE[@]}"
    ALONE=()
}

for part in ${PARTS:-by_kernels by_gcc by_clang on_arm64}; do
    $part
done
exit $FAILED
