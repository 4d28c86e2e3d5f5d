#!/usr/bin/env bash
# test_no_libm.sh BUILD - proves that nothing which decides bits calls a function of the C library whose last bits differ between its
# versions and between processors (docs/DETERMINISM.md): no object of the program but processor.o, which probes them, asks for one.
# What IEEE 754 defines to the bit (sqrt, fma, floor, rint, fmod, ldexp ..) may be called.
set -uo pipefail
build=${1:?usage: test_no_libm.sh BUILD}
T=$(mktemp -d "${TMPDIR:-/tmp}/smelter-libm.XXXXXX")
trap 'rm -rf "$T"' EXIT
failed=0
inexact='(exp|exp2|exp10|expm1|log|log2|log10|log1p|pow|cbrt|hypot|sin|cos|tan|sincos|a?(sin|cos|tan)h?|atan2|erfc?|[lt]?gamma(_r)?|j[01n]|y[01n]|c(exp|log|pow))[fl]?'

# users OBJECT.. - "function object" for every call of such a function; a vector form of them is named _ZGV..
users() { nm -u -A "$@" 2>/dev/null | sed -nE "s/^(.*):.* U ($inexact|_ZGV[a-zA-Z0-9]*_$inexact)(@.*)?$/\2 \1/p" | grep -v 'processor\.o'; }

report() { # report NAME CODE
    if [ "$2" = 0 ]; then
        echo "ok - $1"
    else
        sed 's/^/# /' "$T/found"
        echo "not ok - $1"
        failed=1
    fi
}
users "$build/libsmelter.a" >"$T/found"
[ -s "$build/libsmelter.a" ] && [ ! -s "$T/found" ]
report "no object of $build/libsmelter.a calls libm for bits" $?

printf '#include <math.h>\ndouble tail(double x, double y);\ndouble tail(double x, double y) { return exp(x) + sqrt(y) + powf(2.5f, (float)y); }\n' >"$T/tail.c"
read -ra compiler <<<"${CC:-gcc}"
"${compiler[@]}" -O1 -c -o "$T/tail.o" "$T/tail.c" && users "$T/tail.o" >"$T/found"
[ "$(cut -d' ' -f1 "$T/found" | sort | tr '\n' ' ')" = "exp powf " ]
report "a call of exp and of powf would be found" $?
exit $failed
