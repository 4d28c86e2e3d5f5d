#!/usr/bin/env bash
# test_tutorial.sh BUILD - docs/TUTORIAL.md does what it says: its commands are run as they stand there, in a new folder, and the
# decision that it draws is the one that its numbers show.
# shellcheck source=tests/lib/cluster.sh
. "$(dirname "$0")/../lib/cluster.sh"

# The n-th block of lines that begins with $, without the prompt.
block() {
    awk -v n="$1" '/^    \$ / { inside = 1; seen++ } !/^    / { inside = 0 } inside && seen == n { sub(/^    (\$ )?/, ""); print }' docs/TUTORIAL.md
}

blocks=$(grep -c '^    \$ ' docs/TUTORIAL.md)
for n in $(seq "$blocks"); do block "$n" >"$T/block-$n.sh"; done
mkdir "$T/bin" && ln -s "$SMELTER" "$T/bin/smelter" && PATH=$T/bin:$PATH
cd "$T" || exit 2

every_command_ends_well() {
    for n in $(seq "$blocks"); do
        LOG=$T/log
        timeout -k 5 300 bash "block-$n.sh" >"$LOG" 2>&1 </dev/null # `run` gives a job 40 s, and this is an experiment
        CODE=$?
        expect "code $CODE of: $(head -1 "block-$n.sh")" [ "$CODE" = 0 ]
        expect_errors 0 "$T/log"
        cp "$T/log" "$T/log-$n"
    done
}

# value_of VARIANT KEY - of the comparison's results.csv
value_of() {
    awk -F, -v variant="$1" -v key="$2" 'NR == 1 { for (i = 1; i <= NF; i++) { if ($i == key) at = i; if ($i == "name") who = i } next } $who == variant { print $at; exit }' first/out/results.csv
}

the_numbers_are_as_told() {
    expect "report.html" [ -s first/out/report.html ]
    expect "curve.tsv" [ -s first/tuned/curve.tsv ]
    expect "four replicas" [ -f first/out/smelu/r3/manifest.json ]
    expect "$(wc -l <scores.tsv) lines of scores.tsv" [ "$(wc -l <scores.tsv)" = 8001 ]
    expect "levelled PD of smelu $(value_of smelu pd_levelled), of relu $(value_of relu pd_levelled), of ensemble $(value_of ensemble pd_levelled)" \
        awk -v s="$(value_of smelu pd_levelled)" -v r="$(value_of relu pd_levelled)" -v e="$(value_of ensemble pd_levelled)" 'BEGIN { exit !(s > 0 && s < 0.7 * r && s < e) }'
    expect "logloss of smelu $(value_of smelu logloss), of relu $(value_of relu logloss)" \
        awk -v s="$(value_of smelu logloss)" -v r="$(value_of relu logloss)" 'BEGIN { exit !(s > 0 && s < 1.005 * r) }'
    expect "rows of the ensemble" awk -v s="$(value_of smelu rows_pulled_per_example)" -v e="$(value_of ensemble rows_pulled_per_example)" 'BEGIN { exit !(s > 0 && e > 1.9 * s) }'
}

case_of "every command of the tutorial ends well" every_command_ends_well
case_of "its numbers are as it tells" the_numbers_are_as_told
finish_tests
