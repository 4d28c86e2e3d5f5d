#!/usr/bin/env bash
# test_published.sh BUILD - "Each command checks the files of a finished run that it reads" (docs/howto/check-published-runs.md): a small
# experiment, whose files are damaged one by one: 8 flipped bits, cut, cut at a line's end, longer, taken from another replica, missing.
# Every command that reads the file refuses it in one line that names it, and nothing is published from it. What is whole passes, with
# dates and commits.
# shellcheck source=tests/lib/cluster.sh
. "$(dirname "$0")/../lib/cluster.sh"
small_config "$T/c.yaml" 'experiment: {replicas: 2, vary: [order], baseline: relu}' 'variants:' \
    '  - name: relu' '  - {name: student, teacher: {variant: relu, replica: first}}'
WHOLE=$T/whole

# flip FILE: 8 bits in its middle.
flip() {
    local middle=$(($(stat -c %s "$1") / 2)) byte
    byte=$(od -An -tu1 -j $middle -N 1 "$1")
    printf "\\x$(printf %x $((byte ^ 255)))" | dd of="$1" bs=1 seek=$middle conv=notrunc 2>/dev/null
}
cut_short() { truncate -s -7 "$1"; }
cut_line() { sed -i '$d' "$1"; }
longer() { printf '\n' >>"$1"; }
of_another() { cp "$WHOLE/relu/r1/$(basename "$1")" "$1"; }
taken_away() { rm "$1"; }

# refused FILE COMMAND...: the job fails, its only error line names the file, whose path is below $T/bad.
refused() {
    local file=$1
    shift
    run "$T/log" "$@"
    expect "$1 $2 with $file $CHANGE: exit code $CODE" [ "$CODE" = 1 ]
    expect "$1 $2 with $file $CHANGE: $(cat "$T/log")" grep -qE "error: .*bad/relu/r0/$file: (was changed|is missing)" "$T/log"
    expect_errors 1 "$T/log"
}

# damage FILE CHANGE
damage() {
    CHANGE=$2
    rm -rf "$T/bad"
    cp -r "$WHOLE" "$T/bad"
    "$2" "$T/bad/relu/r0/$1"
}

make_whole() {
    run "$T/log" "$SMELTER" compare "$T/c.yaml" --out "$WHOLE"
    expect "exit code $CODE" [ "$CODE" = 0 ]
    run "$T/digests" "$SMELTER" digest "$WHOLE"
    expect "digest: exit code $CODE" [ "$CODE" = 0 ]
    expect "$(wc -l <"$T/digests") digests" [ "$(wc -l <"$T/digests")" = 4 ]
    run "$T/log" "$SMELTER" report "$WHOLE"
    expect "report: exit code $CODE" [ "$CODE" = 0 ]
    local member
    for member in begun ended hosts cpu version commit; do
        expect "the manifest has no $member" grep -qE "^    \"$member\": \".+\"" "$WHOLE/relu/r0/manifest.json"
    done
    for member in written host cpu kernels version commit; do
        expect "results.json has no $member" grep -qE "^    \"$member\": \".+\"" "$WHOLE/results.json"
    done
    expect "the page does not say who wrote it" grep -q '"commit":"' "$WHOLE/report.html"
}

every_file() {
    local file change changes='flip cut_short longer taken_away'
    for file in config.yaml inputs.json metrics.jsonl steps.jsonl predictions.f32 clipped.json dense-0.f32; do
        for change in $changes cut_line of_another; do
            cmp -s "$WHOLE/relu/r0/$file" "$WHOLE/relu/r1/$file" && [ $change = of_another ] && continue
            damage $file $change
            refused $file "$SMELTER" digest "$T/bad"
            [[ $change = taken_away && $file =~ steps|inputs|clipped|dense ]] && continue # the page is not made of them
            refused $file "$SMELTER" report "$T/bad"
        done
    done
    damage teacher.f32 flip
    refused teacher.f32 "$SMELTER" digest "$T/bad"
    damage teacher.f32 taken_away # its students are trained
    run "$T/log" "$SMELTER" digest "$T/bad"
    expect "without teacher.f32: exit code $CODE" [ "$CODE" = 0 ]
    expect_line "$T/log" "relu/r0/teacher.f32 was removed; nothing that is done here needs it"
}

# digest tells of all runs, also behind one that is damaged.
other_runs_are_told() {
    damage predictions.f32 flip
    run "$T/log" "$SMELTER" digest "$T/bad"
    expect "other runs' digests" cmp -s <(grep -v error "$T/log" | sed "s|$T/bad|$WHOLE|") <(grep -v relu/r0 "$T/digests")
}

the_manifest() {
    damage manifest.json flip
    refused manifest.json "$SMELTER" digest "$T/bad"
    damage manifest.json taken_away
    sed -E 's/("logloss": 0\.[0-9])[0-9]/\17/' "$WHOLE/relu/r0/manifest.json" >"$T/bad/relu/r0/manifest.json"
    CHANGE='a digit'
    refused manifest.json "$SMELTER" report "$T/bad"
    refused manifest.json "$SMELTER" compare "$T/c.yaml" --out "$T/bad"
    refused manifest.json "$SMELTER" inspect "$T/bad/relu/r0"
    refused manifest.json "$SMELTER" predict "$T/bad/relu/r0" "$T/data" --out "$T/p"
    refused manifest.json "$SMELTER" diff "$T/bad/relu/r0" "$WHOLE/relu/r1"
}

each_reader() {
    damage predictions.f32 flip
    cp "$T/bad/results.json" "$T/before.json"
    refused predictions.f32 "$SMELTER" compare "$T/c.yaml" --out "$T/bad"
    expect "compare has published something" cmp -s "$T/before.json" "$T/bad/results.json"
    damage metrics.jsonl cut_line
    refused metrics.jsonl "$SMELTER" compare "$T/c.yaml" --out "$T/bad"
    refused metrics.jsonl "$SMELTER" diff "$WHOLE/relu/r0" "$T/bad/relu/r0"
    damage steps.jsonl cut_line
    refused steps.jsonl "$SMELTER" diff "$WHOLE/relu/r0" "$T/bad/relu/r0"
    damage metrics.jsonl cut_line
    run "$T/log" "$SMELTER" predict "$T/bad/relu/r0" "$T/data" --out "$T/p" # reads no metrics
    expect "predict: exit code $CODE" [ "$CODE" = 0 ]
    damage dense-0.f32 of_another
    refused dense-0.f32 "$SMELTER" predict "$T/bad/relu/r0" "$T/data" --out "$T/p"
    refused dense-0.f32 "$SMELTER" inspect "$T/bad/relu/r0"
    refused dense-0.f32 "$SMELTER" train "$T/c.yaml" --out "$T/warm" --set warm_start="$T/bad/relu/r0"
    # A student is trained anew from a teacher that was changed.
    damage teacher.f32 flip
    rm -r "$T/bad/student/r1"
    refused teacher.f32 "$SMELTER" compare "$T/c.yaml" --out "$T/bad"
}

# results.json itself, and run folders that are no longer those that it was made from.
the_results() {
    damage config.yaml true
    sed -i -E 's/("pd_relative": 0\.0?)[0-9]/\19/' "$T/bad/results.json"
    local command
    for command in report digest; do
        run "$T/log" "$SMELTER" $command "$T/bad"
        expect "$command: exit code $CODE" [ "$CODE" = 1 ]
        expect_line "$T/log" "bad/results.json: was changed after it was written: its checksum is "
        expect_line "$T/log" "; run smelter compare again"
    done
    run "$T/log" "$SMELTER" figures "$T/bad/results.json" --out "$T/figures"
    expect "figures: exit code $CODE" [ "$CODE" != 0 ]
    [ "$CODE" = 2 ] || expect_line "$T/log" "bad/results.json: was changed after it was written" # 2: without gnuplot

    damage config.yaml true
    cp "$WHOLE/relu/r1/"* "$T/bad/relu/r0/" 2>/dev/null
    run "$T/log" "$SMELTER" report "$T/bad"
    expect "report of another run: exit code $CODE" [ "$CODE" = 1 ]
    expect_line "$T/log" "bad/relu/r0: holds a run of digest "
    damage manifest.json taken_away
    run "$T/log" "$SMELTER" report "$T/bad"
    expect "report of an unfinished run: exit code $CODE" [ "$CODE" = 1 ]
    expect_line "$T/log" "bad/relu/r0: has changed since $T/bad/results.json was written: it holds no finished run"
    run "$T/log" "$SMELTER" compare "$T/c.yaml" --out "$T/bad" # the run is trained again, to the same digest
    expect "compare: exit code $CODE" [ "$CODE" = 0 ]
    cp "$WHOLE/results.json" "$T/bad/results.json"
    run "$T/log" "$SMELTER" report "$T/bad"
    expect "report of a run that was trained again: exit code $CODE" [ "$CODE" = 1 ]
    expect_line "$T/log" "bad/relu/r0: has changed since $T/bad/results.json was written: its manifest.json has checksum "
}

# What lies beside results.json: digest knows the bytes of each, and report writes the page again.
the_tables() {
    local file change
    for file in results.csv verdict.txt report.html; do
        for change in flip cut_short longer; do
            damage config.yaml true
            "$change" "$T/bad/$file"
            run "$T/log" "$SMELTER" digest "$T/bad"
            expect "digest with $file $change: exit code $CODE" [ "$CODE" = 1 ]
            expect_line "$T/log" "bad/$file: was changed after it was written: "
            expect_errors 1 "$T/log"
        done
        rm "$T/bad/$file"
        run "$T/log" "$SMELTER" digest "$T/bad"
        expect "digest without $file: exit code $CODE" [ "$CODE" = 0 ]
    done
    run "$T/log" "$SMELTER" report "$T/bad"
    expect "the page is another one" cmp "$T/bad/report.html" "$WHOLE/report.html"
}

case_of "a whole experiment passes, and says when, where and by what it was made" make_whole
case_of "digest and report refuse every changed file" every_file
case_of "digest tells of the other runs" other_runs_are_told
case_of "a changed manifest is refused" the_manifest
case_of "each reader refuses what it reads" each_reader
case_of "results that were changed, or are of other runs, are refused" the_results
case_of "digest refuses changed tables, words and pages" the_tables
finish_tests
