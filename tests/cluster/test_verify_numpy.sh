#!/usr/bin/env bash
# test_verify_numpy.sh BUILD - what a training starts from, exported, and the training computed again from it by tests/verify_numpy.py.
#
# Proves: with the arrays of `inspect --initial` the equations of docs/MATH.md determine a run, to rounding, for each replica and on
# any cluster; an equation that is wrong is noticed; the export refuses what it cannot be true of.
# shellcheck source=tests/lib/cluster.sh
. "$(dirname "$0")/../lib/cluster.sh"
PYTHON=/usr/bin/python3

# small NAME... - of the configurations of `make verify-numpy`, these.
small() {
    awk -v wanted=" $* " '!/^  / { keep = 1 } /^  - name: / { keep = index(wanted, " " $3 " ") } keep' tests/verify_numpy.yaml
}
trained() {
    small gelu antidistill_correlation found_widths all_parts fields >"$T/c.yaml"
    run "$T/log" "$SMELTER" compare "$T/c.yaml" --out "$T/out" --set "data.path=$T/data"
    expect "exit code $CODE" [ "$CODE" = 0 ]
    small relu >"$T/r.yaml"
    run "$T/log" "$SMELTER" compare "$T/r.yaml" --out "$T/replicas" --set "data.path=$T/data" --set cluster.workers=1 \
        --set experiment.replicas=2 --set 'experiment.vary=[init, order]'
    expect "exit code $CODE" [ "$CODE" = 0 ]
}

verify() {
    LOG=$T/verified
    SMELTER=$SMELTER "$PYTHON" "${1:-tests/verify_numpy.py}" "${@:2}" >"$LOG" 2>&1
}

followed() {
    expect "a run is not what the equations say" verify "" "$T"/out/*/r0 "$T"/replicas/relu/r1
    expect "six were not verified" grep -qx '6 passed, 0 failed' "$LOG"
}

# wrong RUN FROM TO - with one equation changed the run must not pass.
wrong() {
    sed "s|$2|$3|" tests/verify_numpy.py >"$T/wrong.py"
    expect "nothing to change in: $2" [ "$(cmp -s tests/verify_numpy.py "$T/wrong.py"; echo $?)" = 1 ]
    verify "$T/wrong.py" "$T/$1"
    expect "not noticed: $3" grep -qx '0 passed, 1 failed' "$LOG"
}

wrong_equations() {
    wrong replicas/relu/r0 'np.sqrt(s) + self.epsilon' 'np.sqrt(s + self.epsilon)'
    wrong out/gelu/r0 '+ 1e-5)$' '+ 1e-6)'
    wrong out/gelu/r0 'tables.apply(depth, ' 'tables.apply(depth + 1, '
    wrong out/gelu/r0 '0x726F7773' '0x726F7774'
    wrong out/gelu/r0 'for rounds in range(6)' 'for rounds in range(5)'
}

others_are_not_covered() {
    run "$T/log" "$SMELTER" train "$T/r.yaml" --out "$T/async" --set "data.path=$T/data" --set determinism=async
    expect "exit code $CODE" [ "$CODE" = 0 ]
    verify "" "$T/async"
    expect "not said" grep -qx '0 passed, 0 failed, 1 not covered' "$LOG"
}

# refused TEXT ARGUMENT... - `inspect` ends with one error line that has TEXT.
refused() {
    run "$T/refused" "$SMELTER" inspect "${@:2}"
    expect "exit code $CODE" [ "$CODE" = 2 ]
    expect_line "$LOG" "$1"
    expect_errors 1 "$LOG"
}

exported() {
    run "$T/exported" "$SMELTER" inspect "$T/replicas/relu/r0" --initial "$T/initial"
    expect "exit code $CODE" [ "$CODE" = 0 ]
    expect "the line does not say what was written" grep -qE ': [0-9]+ arrays, [0-9.]+ MB, in ' "$LOG"
    expect "no array of order" [ "$(stat -c %s "$T/initial/order.i64")" = $((50 * 64 * 8)) ]
    refused 'is not an empty folder' "$T/replicas/relu/r0" --initial "$T/initial"
    refused 'holds no finished run' "$T/data" --initial "$T/none"
    run "$T/log" "$SMELTER" train "$T/r.yaml" --out "$T/warm" --set "data.path=$T/data" --set "warm_start=$T/async"
    refused 'started from the parameters of' "$T/warm" --initial "$T/none"
    expect "a refusal left a folder" [ ! -e "$T/none" ]
    rm -r "$T/data"
    "$SMELTER" synth --out "$T/data" --set synth.rows=100 --set synth.numeric=2 --set synth.multi=2 --set synth.fields=3 >>"$T/log" 2>&1
    refused 'is not the one that' "$T/replicas/relu/r0" --initial "$T/none"
}

case_of "six configurations train" trained
if "$PYTHON" -c 'import numpy' 2>/dev/null; then
    case_of "the equations determine what they end with" followed
    case_of "a wrong equation is noticed" wrong_equations
    case_of "what nothing determines is not covered" others_are_not_covered
else
    skip "runs computed again by numpy" "python3-numpy is not installed"
    run "$T/log" "$SMELTER" train "$T/r.yaml" --out "$T/async" --set "data.path=$T/data"
fi
case_of "initial values are exported or refused" exported
finish_tests
