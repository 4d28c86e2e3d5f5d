#!/usr/bin/env bash
# docs/FILES.md, "Checksums of pages": "damage is an error that names file and page, and never another value, nor the end of the
# process", as the commands show it that read stores, bases and datasets.
#
# FLIPS=N flips N bits of each file instead of 6 (2 of them where a job has to be started).
# shellcheck source=tests/lib/cluster.sh
. "$(dirname "$0")/../lib/cluster.sh"
FLIPS=${FLIPS:-6}
JOBS=$(((FLIPS + 3) / 4))
small_config "$T/c.yaml" 'cluster: {workers: 2, servers: 2}' 'checkpoint: {every_steps: 4, keep: 2}'
RANDOM=7

trained() {
    train "$T/run"
    BASE=$(compgen -G "$T/run/checkpoint/epoch-0001/shard-0/base")
    expect "no base" [ -s "$BASE/data.mdb" ]
    expect "no checksums" [ -s "$BASE/data.sums" -a -s "$T/run/store/shard-1/data.sums" -a -s "$T/data/data.sums" ]
    predict
    SCORES=$SCORE
}

# predict - what the run predicts: one checksum in $SCORE.
predict() {
    run "$T/log" "$SMELTER" predict "$T/run" "$T/data" --out "$T/scores"
    SCORE=''
    [ "$CODE" = 0 ] && SCORE=$(md5sum <"$T/scores.f32")
    rm -f "$T"/scores.*
}

# flip FILE - another bit of it, drawn at random.
flip() {
    local at byte
    at=$(((RANDOM * 32768 + RANDOM) % $(stat -c %s "$1")))
    byte=$(od -An -tu1 -j $at -N 1 "$1" | tr -d ' ')
    printf "\\x$(printf %02x $((byte ^ 1 << RANDOM % 8)))" | dd of="$1" bs=1 seek=$at conv=notrunc 2>/dev/null
    WHERE="$1, byte $at"
}

# refused NAME - the command that has just ended said which file and page is damaged.
refused() {
    expect "$WHERE: exit code $CODE" [ "$CODE" = 1 ]
    grep -E 'error: ' "$T/log" | grep -F "$1" | grep -qE 'page [0-9]+ of data.mdb|data\.sums' || NOTES+=("$WHERE: no error names $1 and the page")
    grep -qiE 'signal 11|internal error|Segmentation|Bus error' "$T/log" && NOTES+=("$WHERE: it crashed")
}

# of_files FILE NAME COMMAND.. - a bit of FILE flips: the command refuses NAME, and is content again once it is as it was.
of_files() {
    local file=$1 name=$2 i
    shift 2
    cp "$file" "$T/good"
    for i in $(seq "$FLIPS"); do
        flip "$file"
        run "$T/log" "$@"
        refused "$name"
        cp "$T/good" "$file"
    done
    run "$T/log" "$@"
    expect "$*: refused what is whole" [ "$CODE" = 0 ]
}

quick_commands() {
    of_files "$T/run/store/shard-1/data.mdb" store/shard-1 "$SMELTER" digest "$T/run"
    of_files "$T/run/store/shard-0/data.sums" store/shard-0 "$SMELTER" digest "$T/run"
    of_files "$T/run/store/shard-0/data.mdb" store/shard-0 "$SMELTER" inspect "$T/run" --verify
    of_files "$T/data/data.mdb" "$T/data" "$SMELTER" inspect "$T/data" --verify
    of_files "$T/data/data.sums" "$T/data" "$SMELTER" inspect "$T/data" --verify
}

# Texts of values are for people: what is shown goes on without them.
texts_of_values() {
    truncate -s -9 "$T/data/data.texts"
    run "$T/log" "$SMELTER" inspect "$T/data" --verify
    expect "cut texts are verified: code $CODE" [ "$CODE" = 1 ]
    expect_line "$T/log" "dataset $T/data: data.texts is cut short or damaged; remove it, or import or generate it again"
    run "$T/log" "$SMELTER" inspect "$T/data"
    expect "cut texts are an error: code $CODE" [ "$CODE" = 0 ]
    expect "said once" [ "$(grep -c 'data.texts is cut short or damaged, so values are shown by their keys' "$T/log")" = 1 ]
    rm "$T/data/data.texts"
    run "$T/log" "$SMELTER" inspect "$T/data" --verify
    expect "no texts: code $CODE" [ "$CODE" = 0 ]
    predict
    expect "predictions without texts" [ "$SCORE" = "$SCORES" ]
}

# Of a base many pages are free, and hold nothing that could be damaged.
verify_base() {
    local i found=0
    cp "$BASE/data.mdb" "$T/good"
    for i in $(seq $((2 * FLIPS))); do
        flip "$BASE/data.mdb"
        run "$T/log" "$SMELTER" checkpoint verify "$T/run"
        [ "$CODE" = 0 ] || refused shard-0/base
        found=$((found + CODE))
        cp "$T/good" "$BASE/data.mdb"
    done
    expect "no damage was found" [ $found -gt 0 ]
}

# As above where a bit that flipped may be of a page that is not needed: the same predictions, or refused.
of_jobs() {
    local file=$1 name=$2 i
    cp "$file" "$T/good"
    for i in $(seq $JOBS); do
        flip "$file"
        predict
        [ "$CODE" = 0 ] || refused "$name"
        expect "$WHERE: other predictions" [ "$CODE" != 0 -o "$SCORE" = "$SCORES" ]
        cp "$T/good" "$file"
    done
}

# hurt FILE - every page of it, but for the first two.
hurt() { tail -c +8193 "$1" | tr '\000-\377' '\001-\377\000' | dd of="$1" bs=4096 seek=2 conv=notrunc 2>/dev/null; WHERE=$1; }

jobs() {
    of_jobs "$T/run/store/shard-1/data.mdb" store/shard-1
    cp -r "$T/run" "$T/hurt"
    hurt "$T/hurt/store/shard-1/data.mdb"
    run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/warm" --set warm_start="$T/hurt"
    refused store/shard-1
    cp -r "$T/run" "$T/unfinished"
    rm -rf "$T/unfinished/manifest.json" "$T/unfinished/store"
    hurt "$T/unfinished/checkpoint/epoch-0001/shard-0/base/data.mdb"
    run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/unfinished" --resume
    refused shard-0/base
    cp "$T/data/data.mdb" "$T/good"
    hurt "$T/data/data.mdb"
    predict
    refused "$T/data"
    cp "$T/good" "$T/data/data.mdb"
    predict
    expect "other predictions" [ "$SCORE" = "$SCORES" ]
}

case_of "a run with stores, bases and a dataset, all with checksums" trained
case_of "digest and inspect --verify find every bit that flips" quick_commands
case_of "checkpoint verify finds it in a base" verify_base
case_of "predict, warm_start and --resume refuse what is damaged" jobs
case_of "texts of values that are damaged, or gone, change what is shown and nothing else" texts_of_values
finish_tests
