#!/usr/bin/env bash
# test_portable.sh BUILD - at determinism portable the bits are those of portable.txt, whatever computes them (docs/DETERMINISM.md):
# here the kernels that this processor chooses, a job whose ranks have different ones side by side, and going on by other kernels,
# also with OpenBLAS and libm of other processors, which below portable is refused. Other compilers, builds and processors are make
# portable's.
. "$(dirname "$0")/../lib/cluster.sh"
. tests/lib/portable.sh
GOLDEN=tests/golden

# kernel N - the N-th kind of kernels that this processor can run, from 0, the slowest first, and around again.
kernel() {
    local all=(plain)
    [ "$(uname -m)" = aarch64 ] && all+=(neon)
    grep -qw avx2 /proc/cpuinfo && grep -qw fma /proc/cpuinfo && all+=(avx2)
    grep -qw avx512f /proc/cpuinfo && all+=(avx512)
    echo "${all[$1 % ${#all[@]}]}"
}

# check OUT - the table of that comparison is portable.txt's
check() {
    portable_table "$1" "$T/data" >"$T/table" 2>/dev/null
    expect "the job to end well" [ "$CODE" = 0 ]
    grep -v '^#\|^import' $GOLDEN/portable.txt | diff - "$T/table" >"$T/difference"
    expect "no difference to portable.txt: $(head -n 4 "$T/difference" | tr '\n' ';')" [ ! -s "$T/difference" ]
}

run "$T/log" "$SMELTER" compare $GOLDEN/portable.yaml --out "$T/one" --set data.path="$T/data"
one_kind() { check "$T/one"; }
case_of "30 configurations have the bits of portable.txt" one_kind

# elsewhere N CMD.. - CMD as if on a processor of another kind
elsewhere() {
    local n=$1
    shift
    env SMELTER_KERNELS="$(kernel $n)" OPENBLAS_CORETYPE=Prescott GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2 "$@"
}
job=()
for rank in 0 1 2 3 4 5; do
    kind=(SMELTER_KERNELS="$(kernel $((rank + 2)))")
    [ $rank = 4 ] && kind+=(OPENBLAS_CORETYPE=Prescott GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2)
    job+=(-n 1 env "${kind[@]}" "$SMELTER" compare $GOLDEN/portable.yaml --out "$T/mixed" --set data.path="$T/data"
        --set cluster.workers=4 :)
done
run "$T/log" "${MPIRUN[@]}" "${job[@]}"
mixed_kinds() {
    check "$T/mixed"
    expect "kinds of processors are recorded" grep -q '"first_rank": 4' "$T/mixed/relu/r0/manifest.json"
    expect "nobody warns of them" [ "$(grep -c 'compute with different bits' "$T/log")" = 0 ]
}
case_of "so does a job of four workers whose ranks multiply matrices by different kernels" mixed_kinds

# The base of portable.yaml is its variant relu.
goes_on() {
    local sets=(--out "$T/killed" --set data.path="$T/data" --set checkpoint.every_steps=3) wanted
    wanted=$(sed -nE 's/^relu ([0-9a-f]*).*/\1/p' $GOLDEN/portable.txt)
    SMELTER_CRASH=coordinator:commit.renamed:1 run "$T/log" "$SMELTER" train $GOLDEN/portable.yaml "${sets[@]}"
    expect "it was not killed" [ "$CODE" != 0 ]
    run "$T/log" elsewhere 0 "$SMELTER" train $GOLDEN/portable.yaml "${sets[@]}" --resume
    expect_line "$T/log" "goes on before step"
    expect "digest $wanted, and it is $(digest_of "$T/killed")" [ "$(digest_of "$T/killed")" = "$wanted" ]
}
case_of "a run goes on elsewhere as if nothing had happened" goes_on

learns() {
    local from=("--set" data.path="$T/data" --set warm_start="$T/one/relu/r0" --set teacher.run="$T/one/ensemble/r0")
    sed '/^experiment:/,$d' $GOLDEN/portable.yaml >"$T/c.yaml"
    run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/here" "${from[@]}"
    expect "exit code $CODE" [ "$CODE" = 0 ]
    run "$T/log" elsewhere 1 "$SMELTER" train "$T/c.yaml" --out "$T/there" "${from[@]}"
    expect "exit code $CODE" [ "$CODE" = 0 ]
    expect "the same digest twice" [ "$(digest_of "$T/here")" = "$(digest_of "$T/there")" ]
    expect "no line about scores that may differ" [ "$(grep -c 'last bits of a score' "$T/log")" = 0 ]
}
case_of "a warm start with a teacher has the same bits here and elsewhere" learns

transforms() {
    local line
    line=$(portable_import "$T" "$SMELTER")
    expect "the line '$(grep '^import' $GOLDEN/portable.txt)', and it is '$line'" grep -qxF "$line" $GOLDEN/portable.txt
}
case_of "an import with every transform has the content of portable.txt" transforms
finish_tests
