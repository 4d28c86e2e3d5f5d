#!/usr/bin/env bash
# test_early_stopping.sh BUILD - a run that stops early ends with the parameters of its best evaluation, and the same bits whatever happens on the way.
#
# docs/howto/stop-early.md: "The same bits on every number of workers, and after a kill". The run on 1 worker is that of a training that ends at the best
# step by itself; it is the same on 2 workers and servers, with one checkpoint kept, and killed and resumed on others; what it reports is of the test split.
. "$(dirname "$0")/../lib/cluster.sh"
small_config "$T/c.yaml" 'evaluate: {every: 10, examples: 300, patience: 2, window: 150}' 'checkpoint: {keep: 1}'
sed -i -e 's/epochs: 2/epochs: 30/' -e 's/multi: 1}/multi: 1, test_fraction: 0.1}/' -e 's/dim: 4/dim: 4, learning_rate: 0.5/' "$T/c.yaml" # 375 steps

member() { sed -nE 's/^  "'"$2"'": "?([a-z0-9]+)"?,?$/\1/p' "$1/manifest.json"; }

expect_same() {
    expect "digests of $1 and $2 differ" [ "$(digest_of "$1")" = "$(digest_of "$2")" ]
    for file in validation.jsonl predictions.f32 dense-0.f32; do
        expect "$file of $1 and $2 differ" cmp "$1/$file" "$2/$file"
    done
    expect "steps of $1 and $2 differ" cmp <(sort "$1/steps.jsonl") <(sort "$2/steps.jsonl")
    expect "metrics of $1 and $2 differ" cmp <(untimed "$1") <(untimed "$2")
}

untimed() { sed 's/"seconds": [^,}]*//' "$1/metrics.jsonl"; }

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

# Three windows of the first pass, each whole; and of the split by the command: the only one there is has the numbers of all.
windows() {
    run "$T/log" "$SMELTER" evaluate "$T/one" "$T/data" --split test --by-window day --json
    expect "evaluate ended with code $CODE" [ "$CODE" = 0 ]
    expect "windows are not those of the data" python3 - "$T/one/metrics.jsonl" "$T/log" <<'END'
import json, sys
told = [w for line in open(sys.argv[1]) for w in json.loads(line).get("windows", [])]
text = open(sys.argv[2]).read()
of = json.JSONDecoder().raw_decode(text[text.index("{"):])[0]
day, metrics = of["windows"][0], of["metrics"]
good = [w["start"] % 150 == 0 and 0.3 < w["logloss"] < 0.8 and 0.3 < w["auc"] < 0.8 for w in told]
sys.exit(not (len(told) >= 3 and all(good) and sum(w["examples"] for w in told) == 3200 and len(of["windows"]) == 1
              and day["examples"] == 400 and all(day[m] == metrics[m]["value"] for m in ("logloss", "auc", "calibration"))))
END
}

# At level sync: an ensemble, peers in groups, a teacher that stops early, and who learns from it: what it predicts at its end, or has predicted until it stopped.
kinds() {
    local variant
    sed -e 's/invariant/sync/' -e 's/epochs: 30/epochs: 9/' "$T/c.yaml" >"$T/k.yaml"
    cat >>"$T/k.yaml" <<'END'
cluster: {workers: 2}
variants:
  - {name: ensemble, model: {components: 2}}
  - {name: groups, model: {components: 2}, objective: {kind: codistill, form: groups}}
  - {name: teacher, evaluate: {every: 5, patience: 1, min_delta: 0.3}}
  - {name: student, teacher: {variant: teacher}}
  - {name: online, teacher: {variant: teacher, predictions: progressive}}
END
    for variant in k1 k2; do
        run "$T/log" "$SMELTER" compare "$T/k.yaml" --out "$T/$variant" --set experiment.replicas=1 --set 'experiment.vary=[]'
        expect "compare ended with code $CODE" [ "$CODE" = 0 ]
    done
    for variant in ensemble groups teacher student online; do
        expect_same "$T/k1/$variant/r0" "$T/k2/$variant/r0"
        expect "$variant has no evaluation" [ -s "$T/k1/$variant/r0/validation.jsonl" ]
    done
    expect "the teacher ends with step $(member "$T/k1/teacher/r0" best_step)" [ "$(member "$T/k1/teacher/r0" stopped_at)" = 10 ]
    expect "the page does not say where runs stopped" grep -q '"best_step":5,"stopped_at":10' "$T/k1/report.html"
}

# Any folder of runs: means over them, and how far they lie apart.
replicas() {
    mkdir "$T/pair"
    cp -r "$T/k1/ensemble/r0" "$T/pair/a"
    cp -r "$T/k1/teacher/r0" "$T/pair/b"
    run "$T/log" "$SMELTER" evaluate "$T/pair" "$T/data" --split test --by-window hour --json
    expect "evaluate ended with code $CODE" [ "$CODE" = 0 ]
    expect "a job was started for predictions that are there" [ "$(grep -c "start: mpirun" "$T/log")" = 0 ]
    expect "no means over both" python3 - "$T/pair" "$T/log" <<'END'
import json, sys
runs = [json.load(open(sys.argv[1] + "/" + r + "/manifest.json"))["metrics"] for r in "ab"]
text = open(sys.argv[2]).read()
of = json.JSONDecoder().raw_decode(text[text.index("{"):])[0]
m = of["metrics"]
same = [abs(m[n]["value"] - (runs[0][n] + runs[1][n]) / 2) < 1e-12 for n in ("logloss", "auc", "pqauc_loss", "calibration")]
same += [m["logloss"]["low"] == min(r["logloss"] for r in runs), abs(of["windows"][0]["auc"] - m["auc"]["value"]) < 1e-12]
sys.exit(not (all(same) and of["replicas"] == 2 and m["pd_relative"]["value"] > 0.05 and m["pd_relative"]["error"] is None))
END
    run "$T/log" "$SMELTER" evaluate "$T/k1" "$T/data"
    expect "evaluate of an experiment ended with code $CODE" [ "$CODE" = 2 ]
    expect_line "$T/log" "$T/k1 holds the runs of several variants; name the folder of one of them, as in $T/k1/ensemble"
    run "$T/log" "$SMELTER" check "$T/c.yaml" --set dense.schedule=step --set dense.decay_from=900
    expect_line "$T/log" "the learning rate would fall from step 900 on (dense.schedule), but the training ends at step 375, so it never does"
    run "$T/log" "$SMELTER" evaluate "$T/pair" "$T/data" --by-window week
    expect_line "$T/log" '--by-window is "week"; it must be day, hour, or seconds from 1 to 1000000000'
}

# A run that ends with its best evaluation is one that was told to end there, also of several components and of peers.
same_as_short() {
    local sets best
    for sets in 'model.components=2' 'model.components=2 objective.kind=codistill objective.form=groups'; do
        # shellcheck disable=SC2086
        train "$T/long" cluster.workers=2 evaluate.every=15 evaluate.patience=1 evaluate.min_delta=0.02 $sets
        best=$(member "$T/long" best_step)
        expect "nothing stopped it" [ -n "$(member "$T/long" stopped_at)" ]
        # shellcheck disable=SC2086
        train "$T/cut" cluster.workers=2 evaluate.every=0 evaluate.patience=0 "train.max_steps=$best" $sets
        expect "$sets: a run of $best steps ends with other parameters" [ "$(digest_of "$T/long")" = "$(digest_of "$T/cut")" ]
        rm -r "$T/long" "$T/cut"
    done
}

# A row of weight 2 counts as two, in what is measured while a run trains, in its manifest, and in evaluate: as the rows written so often do.
weighted() {
    local set
    awk 'BEGIN {
        srand(3); print "late,y,q,w,t,a,b"
        for (i = 0; i < 1400; i++) {
            a = int(40 * rand() ^ 2); b = int(9 * rand()); y = (rand() < (a % 3 + b % 5) / 7); w = 1 + int(3 * rand())
            printf "%d,%d,%d,%d,%d,%d,%d\n", (i >= 1000), y, i / 8, w, i, a, b
        }
    }' >"$T/w.csv"
    awk -F, -v OFS=, 'NR == 1 {print; next} {w = $4; $4 = 1; for (i = 0; i < w; i++) print}' "$T/w.csv" >"$T/often.csv"
    printf '%s\n' 'format: csv' 'label: y' 'group: q' 'weight: w' 'time: t' 'split: {column: late, train_max: 0}' 'columns: [a, b]' >"$T/s.yaml"
    for set in w often; do
        run "$T/log" "$SMELTER" import "$T/$set.csv" --schema "$T/s.yaml" --out "$T/$set.data"
        expect "import ended with code $CODE" [ "$CODE" = 0 ]
    done
    train "$T/weighted" "data.path=$T/w.data" "data.input=$T/w.csv" "data.schema=$T/s.yaml" synth.rows=0 train.epochs=2 dense.warmup_steps=90 evaluate.every=4 evaluate.patience=0 evaluate.examples=0
    expect_line "$T/train.log" "small: the learning rate rises for 90 steps (dense.warmup_steps), but the training ends at step 8, so it never comes to"
    for set in w often; do
        run "$T/$set.json" "$SMELTER" evaluate "$T/weighted" "$T/$set.data" --json
        expect "evaluate ended with code $CODE" [ "$CODE" = 0 ]
    done
    cut -d, -f1-3,5- "$T/w.csv" >"$T/now.csv" # files to be scored may lack them
    awk -F, -v OFS=, 'NR > 1 {$4 = 0} 1' "$T/w.csv" >"$T/nothing.csv"
    for set in w now nothing; do
        run "$T/$set.scored" "$SMELTER" predict "$T/weighted" "$T/$set.csv" --out "$T/scores"
        expect "predict ended with code $CODE" [ "$CODE" = 0 ]
    done
    expect "predict does not weigh" [ "$(grep -c "examples count by their weights" "$T/w.scored" "$T/now.scored" | cut -d: -f2 | tr '\n' ' ')" = "1 0 " ]
    expect_line "$T/nothing.scored" "1400 rows scored; none has a label and a weight, so there are no metrics"
    expect "weights do not count as rows do" python3 - "$T/weighted" "$T/w.json" "$T/often.json" <<'END'
import json, sys
run = json.load(open(sys.argv[1] + "/manifest.json"))["metrics"]
last = json.loads(open(sys.argv[1] + "/validation.jsonl").read().splitlines()[-1])
w, often = [json.JSONDecoder().raw_decode(text[text.index("{"):])[0]["metrics"] for text in (open(p).read() for p in sys.argv[2:4])]
names = "logloss auc auc_loss pqauc_loss pqauc_query_mean calibration normalised_entropy".split()
near = all(abs(w[m][n] - often[m][n]) < 1e-5 for m in w for n in ("value", "error", "low", "high"))
sys.exit(not (near and all(run[m] == last[m] == w[m]["value"] for m in names)))
END
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
evaluate.window=week|evaluate.window 'week' is no length of time; write day, hour, or seconds from 1 to 1000000000
END
}

case_of "the best evaluation's parameters are those of a run that ends there" stops
case_of "the same bits on 2 workers and servers" elsewhere
case_of "the same bits after two kills" killed
case_of "windows of time are told of, and are those of the data" windows
case_of "ensembles, groups, teachers and students stop alike, the same bits each time" kinds
case_of "a folder of runs is evaluated as replicas; check knows the length of a training" replicas
case_of "ensembles and groups end as they would have at the best step" same_as_short
case_of "weights count as so many rows" weighted
case_of "what cannot be is named" refused
finish_tests
