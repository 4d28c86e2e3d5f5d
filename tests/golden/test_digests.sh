#!/usr/bin/env bash
# Whatever changes in the code, a model's bits do not: every configuration of digests.yaml ends with the digest that digests.txt holds, which a
# build of commit ed0b5d8 wrote (make_golden.sh).
. "$(dirname "$0")/../lib/cluster.sh"
GOLDEN=tests/golden
export OPENBLAS_CORETYPE=Prescott # the kernel that make_golden.sh used; every x86-64 processor has it

if [ "$(uname -m)" != x86_64 ]; then
    skip "digests of all configurations" "they hold for x86-64; this machine is $(uname -m)"
    finish_tests
fi
run "$T/log" "$SMELTER" compare $GOLDEN/digests.yaml --out "$T/out" --set data.path="$T/data" --set cluster.servers=2
all_trained() { expect "the comparison to end well" [ "$CODE" = 0 ]; }
case_of "every configuration of digests.yaml is trained" all_trained

while read -r variant digest; do
    same_digest() {
        local now
        now=$(digest_of "$T/out/$variant/r0" 2>/dev/null)
        expect "digest $digest, and it is ${now:-not there}" [ "$now" = "$digest" ]
    }
    case_of "$variant has the digest of always" same_digest
done < <(grep -v '^#' $GOLDEN/digests.txt)
finish_tests
