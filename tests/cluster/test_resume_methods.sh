#!/usr/bin/env bash
# test_resume_methods.sh BUILD - whatever the method, "a step is all that training has of state": a run that is killed and goes on from
# a checkpoint ends with the digest of an undisturbed one. Peers in groups, whose checkpoints come after an exchange;
# widths that are being found; schedules, noise and a teacher, which are functions of the step; deep pipelines, whose last pushes are not applied yet.
# shellcheck source=tests/lib/cluster.sh
. "$(dirname "$0")/../lib/cluster.sh"
small_config "$T/c.yaml" 'cluster: {workers: 2, servers: 2}' 'checkpoint: {every_steps: 30}'
sed -i 's/epochs: 2/epochs: 10/' "$T/c.yaml" # 125 steps

# kill_and_resume NAME STEP MORE SET... - train undisturbed; again, killed after the second checkpoint, which must be STEP's; and
# resume with the settings MORE.
kill_and_resume() {
    local name=$1 step=$2 more=$3 set
    shift 3
    train "$T/$name-whole" "$@" checkpoint.every_steps=0
    local settings=()
    for set in "$@"; do settings+=(--set "$set"); done
    SMELTER_CRASH=coordinator:commit.renamed:2 run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/$name" "${settings[@]}"
    expect "$name was not killed" [ "$CODE" != 0 ]
    for set in $more; do settings+=(--set "$set"); done
    run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/$name" --resume "${settings[@]}"
    expect "exit code $CODE of $name" [ "$CODE" = 0 ]
    expect_line "$T/log" "goes on before step $step"
    expect "digest of $name" [ -n "$(digest_of "$T/$name")" ]
    expect "digest of $name" [ "$(digest_of "$T/$name")" = "$(digest_of "$T/$name-whole")" ]
}

groups() {
    # Both shares have 1600 examples: 62 steps. A period of 20 is rounded up to a multiple of 7.
    local form=(model.components=2 objective.kind=codistill objective.form=groups objective.exchange_steps=7 objective.weight=0.5
        'model.parts=[linear, fm, mlp]' linear.schedule=cosine
        checkpoint.every_steps=20 embedding.optimizer=adam dense.optimizer=adam model.dropout=0.2
        embedding.schedule=cosine dense.schedule=step dense.decay_steps=10 dense.clip_norm=0.1 dense.weight_decay=0.01 dense.average_steps=25)
    kill_and_resume groups 42 "cluster.workers=4 cluster.servers=1" train.pipeline_depth=3 "${form[@]}"
}
schedules() {
    kill_and_resume schedules 60 "cluster.workers=1 cluster.servers=3" model.components=3 objective.kind=codistill objective.burn_in=0.3 \
        objective.ramp=0.4 train.noise_seed=5 data.order=window model.weight_norm=2 model.activation=gsmelu \
        embedding.optimizer=momentum dense.optimizer=momentum dense.nesterov=true dense.average_steps=100
}
parts() { # rows of two segments with optimizers of their own; one worker instead of two
    kill_and_resume parts 60 "cluster.workers=1 cluster.servers=3" 'model.parts=[linear, fm, cross, mlp]' model.cross_form=stacked \
        model.cross_rank=3 linear.optimizer=ftrl embedding.optimizer=adagrad_row
}
widths() { # the second checkpoint comes before the widths are found, the third after
    kill_and_resume widths 60 "cluster.workers=4 cluster.servers=1" model.activation=smelu model.beta_spread=1.5 model.beta_warmup=70 \
        embedding.optimizer=ftrl embedding.ftrl_l1=0.0001 dense.optimizer=ftrl
    run "$T/log" "$SMELTER" inspect "$T/widths"
    expect "no width was found" [ "$(grep -cE '^ +0 +(inputs|hidden [0-9]) +[0-9.]+ ' "$T/log")" -ge 2 ]
    expect "a width is the first one" [ "$(grep -cE '^ +0 +(inputs|hidden [0-9]) +1 ' "$T/log")" = 0 ]
}
depths() {
    # Fields that share a table, widths and crosses by name: names are looked up again, and checkpoints know tables by number.
    kill_and_resume depth0 60 "cluster.workers=4" train.pipeline_depth=0 "fields.widths={c1: 3}" "fields.share={m1: c2}" \
        "fields.crosses=[[c1, c2], {of: [c3, c1], width: 2, buckets: 40}]"
    # As often as can be: a period of 2 is made one of 9.
    kill_and_resume depth8 18 "cluster.workers=1 cluster.servers=1" train.pipeline_depth=8 embedding.optimizer=adagrad_row \
        checkpoint.every_steps=2
}
unordered() { # nothing is promised of the result, but that it ends well
    local level
    for level in async bounded; do
        SMELTER_CRASH=coordinator:commit.renamed:2 run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/$level-2" --set determinism=$level
        expect "$level was not killed" [ "$CODE" != 0 ]
        run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/$level-2" --set determinism=$level --resume
        expect "exit code $CODE at $level" [ "$CODE" = 0 ]
        expect_line "$T/log" "goes on before step 60"
    done
}

case_of "peers in groups go on after an exchange, on other workers" groups
case_of "schedules, noise, norms and trained activations go on where they were" schedules
case_of "widths that are found are those of an undisturbed run, on other workers" widths
case_of "a network of all parts goes on, on other workers" parts
case_of "fields by name, without and with a deep pipeline, saved as often as can be" depths
case_of "levels 0 and 1 are saved and go on" unordered
finish_tests
