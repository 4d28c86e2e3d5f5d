#!/usr/bin/env bash
# test_init.sh BUILD - "a first comparison on a CSV that the machine has never seen: three commands, no file edited": init, check,
# compare; and that real data, where it is there, is understood as those who know it describe it.
# shellcheck source=tests/lib/cluster.sh
. "$(dirname "$0")/../lib/cluster.sh"

first() {
    awk 'BEGIN { srand(3); print "ts,user_id,item,genres,price,clicked,watched_s"
        for (i = 0; i < 400; i++) { c = rand() < 0.3
            printf "%d,u%d,i%d,%s|%s,%.2f,%d,%d\n", 1700000000 + 60 * i, 20 * rand(), 40 * rand(), substr("abc", 1 + 3 * rand(), 1), substr("xyz", 1 + 3 * rand(), 1), 900 * rand(), c, c * (1 + 50 * rand()) } }' >"$T/my clicks.csv"
    run "$T/log" "$SMELTER" init "$T/my clicks.csv" --out "$T/mine"
    expect "init ended with code $CODE" [ $CODE = 0 ]
    expect_line "$T/log" '  label      clicked: 0 and 1; '
    run "$T/log" "$SMELTER" check "$T/mine/experiment.yaml"
    expect "check ended with code $CODE" [ $CODE = 0 ]
    run "$T/log" "$SMELTER" compare "$T/mine/experiment.yaml" --out "$T/out" --set experiment.replicas=2 --set train.epochs=1
    expect "compare ended with code $CODE" [ $CODE = 0 ]
    expect_errors 0 "$T/log"
    for variant in relu smelu ensemble linear; do
        expect "no row of $variant" grep -q "^$variant," "$T/out/results.csv"
    done
    run "$T/log" "$SMELTER" check "$T/mine/experiment.yaml" --set train.lanes=3
    expect "check of an impossible number of lanes ended with code $CODE" [ $CODE = 2 ]
}

known() {
    run "$T/log" "$SMELTER" init "$SMELTER_DATA/movietweetings/movietweetings.tsv.gz" --out "$T/known"
    expect "init ended with code $CODE" [ $CODE = 0 ]
    local line
    for line in 'label: label # 0 and 1' 'group: user_id #' 'time: time_s # seconds since 1970' 'split: {train_fraction: 0.8}' \
        '  - {name: genres, kind: multi, separator: "|", pooling: mean}' '#   rating: tells 100 % of label by itself'; do
        expect "the schema has no line $line" grep -qF -- "$line" "$T/known/schema.yaml"
    done
}

case_of "init, check and compare, and no file edited" first
if [ -f "${SMELTER_DATA:-}/movietweetings/movietweetings.tsv.gz" ]; then
    case_of "MovieTweetings is understood" known
else
    skip "MovieTweetings is understood" "SMELTER_DATA is not set"
fi
finish_tests
