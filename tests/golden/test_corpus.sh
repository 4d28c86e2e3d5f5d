#!/usr/bin/env bash
# What older builds left on disk is read: corpus.tar.gz holds a dataset, runs, checkpoints and a comparison of commit ed0b5d8, and
# corpus/expected.txt what that build said of them (make_golden.sh).
. "$(dirname "$0")/../lib/cluster.sh"
export OPENBLAS_CORETYPE=Prescott # the kernel that make_golden.sh used; every x86-64 processor has it
gzip -dc tests/golden/corpus.tar.gz | tar -C "$T" -xf - || exit 2
for config in "$T"/corpus/{run,compare}.yaml; do # files of the first version, as who goes on with its runs has to say
    echo 'defaults: 1' >>"$config" || exit 2
done
cd "$T/corpus" || exit 2
wanted() { sed -n "s|^$1 ||p" expected.txt; }

inspect_dataset() {
    run "$T/log" "$SMELTER" inspect data
    expect "exit code 0" [ "$CODE" = 0 ]
    expect "the content hash that the older build printed" grep -qF "$(grep content expected.txt)" "$T/log"
}
digest_of_run() {
    run "$T/log" "$SMELTER" digest "$1"
    expect "exit code 0" [ "$CODE" = 0 ]
    expect_line "$T/log" "$(wanted "$1")"
}
predict_run() {
    run "$T/log" "$SMELTER" predict finished data --split all --out scores
    expect "exit code 0" [ "$CODE" = 0 ]
    expect "the scores that the older build wrote" [ "$(md5sum <scores.f32 | cut -d' ' -f1)" = "$(wanted scores)" ]
}
# The old run says nothing about how its data were imported; of data that are not its own that is worth a word, and no more.
predict_other_data() {
    head -n 701 clicks.csv >other.csv
    run "$T/log" "$SMELTER" import other.csv --schema schema.yaml --out other
    run "$T/log" "$SMELTER" predict finished other --split all --out other_scores
    expect "exit code 0" [ "$CODE" = 0 ]
    expect_line "$T/log" "finished does not record how import made the values of the fields"
    expect "warnings of data that are its own" [ "$(predict_run; grep -c 'does not record' "$T/log")" = 0 ]
}
inspect_bare() {
    cp -r finished bare
    rm -f bare/inputs.json
    run "$T/log" "$SMELTER" inspect bare
    expect "exit code 0" [ "$CODE" = 0 ]
    expect_line "$T/log" "inputs         not recorded"
}
verify_checkpoints() {
    run "$T/log" "$SMELTER" checkpoint verify unfinished
    expect "exit code 0" [ "$CODE" = 0 ]
}
predict_checkpoint() {
    run "$T/log" "$SMELTER" predict unfinished data --split all --out early
    expect "exit code 0" [ "$CODE" = 0 ]
    expect "a score for each of 1,600 rows" [ "$(stat -c %s early.f32)" = 6400 ]
}
intervals() { grep '"logloss"' "$1" | grep -oE '"(step|logloss|calibration)": [0-9.]+'; }
resume_run() {
    run "$T/log" "$SMELTER" train run.yaml --out unfinished --resume
    expect "exit code 0" [ "$CODE" = 0 ]
    expect "the digest of the run that was never stopped" [ "$(digest_of unfinished)" = "$(wanted finished)" ]
    # The digests of the first steps are in metrics.jsonl, where the older build put them, those of the others in steps.jsonl.
    expect "older and newer digests of steps" [ "$(grep -hc '"rows"' unfinished/metrics.jsonl unfinished/steps.jsonl | grep -cvx 0)" = 2 ]
    run "$T/log" "$SMELTER" diff finished unfinished
    expect "the steps of the run that was never stopped" [ "$CODE" = 0 ]
    expect "its metrics" cmp <(intervals finished/metrics.jsonl) <(intervals unfinished/metrics.jsonl)
}
warm_start() {
    run "$T/log" "$SMELTER" train run.yaml --out warm --set warm_start="$T/corpus/finished" --set dense.learning_rate=0 --set embedding.learning_rate=0
    expect "exit code 0" [ "$CODE" = 0 ]
    expect "the predictions of the run it starts from" cmp -s warm/predictions.f32 finished/predictions.f32
}
keep_runs() {
    run "$T/log" "$SMELTER" compare compare.yaml --out compared
    expect "exit code 0" [ "$CODE" = 0 ]
    expect_line "$T/log" "4 of 4 runs are finished"
}
write_report() {
    run "$T/log" "$SMELTER" report compared
    expect "exit code 0" [ "$CODE" = 0 ]
}
diff_runs() {
    run "$T/log" "$SMELTER" diff compared/relu/r0 compared/relu/r0
    expect "exit code 0" [ "$CODE" = 0 ]
}

draw_figures() {
    command -v gnuplot >/dev/null || return 0 # the command needs it before it reads
    run "$T/log" "$SMELTER" figures compared/results.json --out figures
    expect "old results are read: $(grep error "$T/log")" [ "$(grep -c 'was changed\|missing' "$T/log")" = 0 ]
}
inspect_run() {
    run "$T/log" "$SMELTER" inspect finished
    expect "exit code 0" [ "$CODE" = 0 ]
    expect_line "$T/log" "$(wanted finished)"
}

case_of "inspect reads an old dataset" inspect_dataset
digest_finished() { digest_of_run finished; }
digest_compared() { digest_of_run compared/student/r1; }
case_of "digest reads an old run" digest_finished
case_of "digest reads an old run of a comparison" digest_compared
case_of "predict scores by an old run" predict_run
case_of "predict scores other data by an old run, with a warning" predict_other_data
case_of "inspect shows an old run without its inputs" inspect_bare
case_of "checkpoint verify reads old checkpoints" verify_checkpoints
case_of "predict scores by an old checkpoint" predict_checkpoint
case_of "--resume goes on from an old checkpoint" resume_run
case_of "warm_start starts from an old run" warm_start
case_of "compare keeps old finished runs" keep_runs
case_of "report reads an old comparison" write_report
case_of "diff reads old runs" diff_runs
case_of "figures reads old results" draw_figures
case_of "inspect reads an old run" inspect_run
finish_tests
