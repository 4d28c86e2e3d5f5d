#!/usr/bin/env bash
# test_days.sh BUILD - a day is appended to a dataset, and `--continue` trains a finished run on with its rows alone: the same bits on any
# cluster and over a kill; what was gone on from stays as it was; what cannot be gone on with is one clear line.
. "$(dirname "$0")/../lib/cluster.sh"

day() { # NAME FIRST ROWS
    awk -v first="$2" -v rows="$3" 'BEGIN { srand(first + 1); print "y,q,a,b,n"
        for (i = first; i < first + rows; i++)
            printf "%d,%d,v%d,w%d,%.3f\n", rand() < 0.3, i / 5, 300 * rand(), 40 * rand(), 9 * rand() }' >"$T/$1.csv"
}
day first 0 2000
day second 2000 1000
cat >"$T/schema.yaml" <<END
label: y
group: q
split: {train_fraction: 0.8}
columns: [a, {name: n, kind: numeric, transform: standardise}, {name: b, column: n, bins: 4}]
END
cat >"$T/c.yaml" <<END
name: small
determinism: invariant
data: {path: $T/data}
train: {batch: 64, lanes: 4, epochs: 1, report_steps: 5}
model: {hidden: [16, 8]}
embedding: {dim: 4, learning_rate: 0.1}
END
run "$T/log" "$SMELTER" import "$T/first.csv" --schema "$T/schema.yaml" --out "$T/data"
[ "$CODE" = 0 ] || { cat "$T/log"; exit 1; }
cp -r "$T/data" "$T/monday"
train "$T/r1"
FIRST=$(digest_of "$T/r1")

go_on_with() { # LOG OUT SET...
    local log=$1 out=$2 sets=()
    shift 2
    for set in "$@"; do sets+=(--set "$set"); done
    run "$log" "$SMELTER" train "$T/c.yaml" --continue "$T/r1" --out "$out" "${sets[@]}"
}

nothing_new() {
    go_on_with "$T/log" "$T/x"
    expect "code $CODE" [ "$CODE" = 2 ]
    expect_errors 1 "$T/log"
    expect_line "$T/log" "dataset $T/data: nothing new to train on: no row was appended since it had the content"
    run "$T/log" "$SMELTER" train "$T/c.yaml" --continue "$T/r1" --out "$T/r1"
    expect "into itself: code $CODE" [ "$CODE" = 2 ]
    expect_line "$T/log" "what is gone on from stays as it is; name another --out"
    run "$T/log" "$SMELTER" train "$T/c.yaml" --continue "$T/none" --out "$T/x"
    expect "from nothing: code $CODE" [ "$CODE" = 2 ]
    expect_line "$T/log" "--continue: $T/none holds no finished run"
}

appended() {
    run "$T/log" "$SMELTER" import "$T/second.csv" --append "$T/data"
    expect "code $CODE" [ "$CODE" = 0 ]
    expect "inspect does not show the day" grep -q "appended    1,000 rows (800 training) on .* from $T/second.csv" <("$SMELTER" inspect "$T/data")
    run "$T/log" "$SMELTER" train "$T/c.yaml" --set data.path="$T/monday" --set data.since=0123456789abcdef --out "$T/x"
    expect "a content that never was: code $CODE" [ "$CODE" = 2 ]
    expect_line "$T/log" "dataset $T/monday: it never had the content 0123456789abcdef"
}

# 800 rows of the day are 13 steps; the first day's 1,600 would be 25 more.
continued() {
    go_on_with "$T/log" "$T/r2"
    expect "code $CODE" [ "$CODE" = 0 ]
    expect "what was gone on from changed" [ "$(digest_of "$T/r1")" = "$FIRST" ]
    expect "the manifest" python3 - "$T/r2/manifest.json" "$T/r1/manifest.json" "$T/r1" <<'END'
import json, sys
run, before = (json.load(open(p)) for p in sys.argv[1:3])
went = run["continued"]
sys.exit(not (run["steps"] == 13 and run["cost"]["examples"] == 800 and run["predictions"] == 600 and went["from"] == sys.argv[3]
              and went["digest"] == before["digest"] and went["since"] == before["dataset_hash"]
              and went["since_rows"] == 2000 and went["train_rows"] == 800))
END
    SECOND=$(digest_of "$T/r2")
    go_on_with "$T/log" "$T/other" cluster.workers=3 cluster.servers=2
    expect "another cluster: code $CODE" [ "$CODE" = 0 ]
    expect "another cluster: other bits" [ "$(digest_of "$T/other")" = "$SECOND" ]
    run "$T/log" "$SMELTER" evaluate "$T/r2" "$T/data" --split train
    expect "all training rows can be scored" grep -q "2,400 examples" "$T/log"
}

killed() {
    SMELTER_CRASH=coordinator:commit.renamed go_on_with "$T/log" "$T/cut" checkpoint.every_steps=5
    expect "it was not killed: code $CODE" [ "$CODE" != 0 ]
    run "$T/log" "$SMELTER" train "$T/c.yaml" --continue "$T/r1" --out "$T/cut" --set checkpoint.every_steps=5 --resume
    expect "resume: code $CODE" [ "$CODE" = 0 ]
    expect "it did not go on from a checkpoint" grep -q "goes on before step 5" "$T/log"
    expect "other bits after a kill" [ "$(digest_of "$T/cut")" = "$SECOND" ]
}

# The day after, each replica from its own.
compared() {
    run "$T/log" "$SMELTER" compare "$T/c.yaml" --set data.path="$T/monday" --set experiment.replicas=2 --out "$T/e1"
    expect "monday: code $CODE" [ "$CODE" = 0 ]
    run "$T/log" "$SMELTER" compare "$T/c.yaml" --set experiment.replicas=2 --continue "$T/e1" --out "$T/e2"
    expect "tuesday: code $CODE" [ "$CODE" = 0 ]
    expect "replica 0 is not the run that went on from its like" [ "$(digest_of "$T/e2/small/r0")" = "$SECOND" ]
    expect "replica 1" grep -q "warm_start: \"$T/e1/small/r1\"" "$T/e2/small/r1/config.yaml"
}

case_of "what there is nothing to go on with is said" nothing_new
case_of "a day is appended" appended
case_of "a run goes on with the new rows alone, the same bits on any cluster" continued
case_of "killed and resumed" killed
case_of "replicas go on from their own" compared
finish_tests
