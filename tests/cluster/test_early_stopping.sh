#!/usr/bin/env bash
# test_early_stopping.sh BUILD - a run that stops early ends with the parameters of its best evaluation, and the same bits whatever happens on the way.
#
# docs/howto/stop-early.md: "The same bits on every number of workers, and after a kill". The run on 1 worker is that of a training that ends at the best
# step by itself; it is the same on 2 workers and servers, with one checkpoint kept, and killed and resumed on others; what it reports is of the test split.
. "$(dirname "$0")/../lib/cluster.sh"
small_config "$T/c.yaml" 'evaluate: {every: 10, examples: 300, patience: 2}' 'checkpoint: {keep: 1}'
sed -i -e 's/epochs: 2/epochs: 30/' -e 's/multi: 1}/multi: 1, test_fraction: 0.1}/' -e 's/dim: 4/dim: 4, learning_rate: 0.5/' "$T/c.yaml" # 375 steps

member() { sed -nE 's/^  "'"$2"'": "?([a-z0-9]+)"?,?$/\1/p' "$1/manifest.json"; }

expect_same() {
    expect "digests of $1 and $2 differ" [ "$(digest_of "$1")" = "$(digest_of "$2")" ]
    for file in validation.jsonl predictions.f32 dense-0.f32; do
        expect "$file of $1 and $2 differ" cmp "$1/$file" "$2/$file"
    done
    expect "steps of $1 and $2 differ" cmp <(sort "$1/steps.jsonl") <(sort "$2/steps.jsonl")
}

stops() {
    train "$T/one"
    local best stopped
    best=$(member "$T/one" best_step) stopped=$(member "$T/one" stopped_at)
    expect "best $best, stopped $stopped" [ "$stopped" = $((best + 20)) ]
    expect "the test split is not scored" [ "$(member "$T/one" scored) $(stat -c %s "$T/one/predictions.f32")" = "test 1600" ]
    expect_line "$T/train.log" "stopped        before step $stopped of 375, having got no better since step $best"
    expect "the best is another step" python3 - "$T/one" "$best" <<'END'
import json, sys
lines = [json.loads(l) for l in open(sys.argv[1] + "/validation.jsonl")]
sys.exit(min(lines, key=lambda l: l["logloss"])["step"] != int(sys.argv[2]) or lines[-1]["step"] != int(sys.argv[2]) + 20)
END
    train "$T/short" "train.max_steps=$best" evaluate.patience=0 evaluate.every=0
    expect "a run of $best steps ends with other parameters" [ "$(digest_of "$T/one")" = "$(digest_of "$T/short")" ]
}

elsewhere() {
    train "$T/two" cluster.workers=2 cluster.servers=2
    expect_same "$T/one" "$T/two"
}

# Killed before the best evaluation, and again when the training is over and the run is about to end with it.
killed() {
    local nth
    SMELTER_CRASH=coordinator:commit.renamed:2 run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/killed"
    expect "the run was not killed" [ "$CODE" != 0 ]
    nth=$(($(member "$T/one" stopped_at) / 10 - 2))
    SMELTER_CRASH=coordinator:commit.renamed:$nth run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/killed" --resume --set cluster.workers=2
    expect "the run was not killed again" [ "$CODE" != 0 ]
    go_on "$T/log" "$T/killed" cluster.servers=2
    expect "the resume ended with code $CODE" [ "$CODE" = 0 ]
    expect_same "$T/one" "$T/killed"
}

refused() {
    local set text
    while IFS='|' read -r set text; do
        run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/x" --set "${set%% *}" --set "${set##* }"
        expect "$set ended with code $CODE" [ "$CODE" = 2 ]
        expect_line "$T/log" "$text"
    done <<'END'
evaluate.every=0|evaluate.patience 2 waits for evaluations, and there are none; set evaluate.every or evaluate.every_epochs
evaluate.every_epochs=1|evaluate.every 10 and evaluate.every_epochs 1 both say when; remove one
checkpoint.every_steps=5|checkpoint.every_steps goes with no evaluate.patience
END
}

case_of "the best evaluation's parameters are those of a run that ends there" stops
case_of "the same bits on 2 workers and servers" elsewhere
case_of "the same bits after two kills" killed
case_of "what cannot be is named" refused
finish_tests
