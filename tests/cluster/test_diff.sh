#!/usr/bin/env bash
# test_diff.sh BUILD - "smelter diff RUN_A RUN_B names the first step, table and slot where two runs part", of whole jobs: equal
# runs on different clusters; another learning rate from a checkpoint on; noise in the dense gradients; what cannot be compared.
# shellcheck source=tests/lib/cluster.sh
. "$(dirname "$0")/../lib/cluster.sh"
small_config "$T/c.yaml" 'checkpoint: {every_steps: 10}' 'evaluate: {probe_every: 4}'

diff_runs() { run "$T/log" "$SMELTER" diff "$@"; }

equal_runs() {
    train "$T/a" cluster.workers=1
    train "$T/b" cluster.workers=4 cluster.servers=3
    diff_runs "$T/a" "$T/b"
    expect "exit code $CODE" [ "$CODE" = 0 ]
    expect_line "$T/log" "all 25 steps from 0 on are equal"
    expect_line "$T/log" "configuration: cluster.workers: 1, 4"
}

# Rows know of the new rate one step before the checkpoint, whose pushes were pending, dense parameters when they meet those rows.
from_a_checkpoint_on() {
    SMELTER_CRASH=coordinator:commit.renamed:2 run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/c"
    run "$T/log" "$SMELTER" train "$T/c.yaml" --out "$T/c" --resume --set embedding.learning_rate=0.25
    expect "resume: exit code $CODE" [ "$CODE" = 0 ]
    diff_runs "$T/a" "$T/c" --deep
    expect "exit code $CODE" [ "$CODE" = 1 ]
    expect_line "$T/log" "19 steps from 0 on are equal; the runs part at step 19"
    expect_line "$T/log" "rows   4 tables, the first is table 0 (component 0, field c1); "
    expect_line "$T/log" "rows there differ, the first is slot "
    expect "the key's value is not named" grep -qE '^         of c1 = [0-9]+$' "$T/log"
    expect_line "$T/log" "  probe  before step 16: PD 0 %, levelled 0 %, of 800 examples"
    expect "probes after: $(grep -c '^  probe' "$T/log")" [ "$(grep -c '^  probe  before step 2[04]: PD [0-9.e-]* %, levelled' "$T/log")" = 2 ]
    expect "no probe shows that the runs have parted" grep -qE '^  probe  before step 24: PD (0\.[0-9]*[1-9]|[1-9])' "$T/log"
    expect "dense parameters are named too" [ "$(grep -c '^  dense' "$T/log")" = 0 ]
}

in_dense_parameters() {
    train "$T/d" train.noise_seed=5 evaluate.probe_every=8
    diff_runs "$T/a" "$T/d"
    expect "exit code $CODE" [ "$CODE" = 1 ]
    expect_line "$T/log" "the runs part at step 0"
    expect_line "$T/log" "dense  component 0"
    expect "probes of both: $(grep -c '^  probe' "$T/log")" [ "$(grep '^  probe' "$T/log" | sed -E 's/.*step ([0-9]+):.*/\1/' | xargs)" = "8 16 24" ]
    expect "rows of the first step differ" [ "$(grep -c '^  rows' "$T/log")" = 0 ]
    [ -w /dev/full ] || return 0
    "$SMELTER" diff "$T/a" "$T/d" >/dev/full 2>"$T/log"
    expect_line "$T/log" "standard output cannot be written: No space left on device"
}

# A run that is not finished, or whose file lost its end, is not equal to one that went on.
that_end_early() {
    cp -r "$T/a" "$T/unfinished"
    rm "$T/unfinished/manifest.json"
    sed -i '/"step": 1[5-9], \|"step": 2[0-9], /d' "$T/unfinished/steps.jsonl"
    diff_runs "$T/a" "$T/unfinished"
    expect "exit code $CODE" [ "$CODE" = 1 ]
    expect_line "$T/log" "15 steps from 0 on are equal; of step 15 B has no digest, as it is not finished"
    cp -r "$T/a" "$T/cut"
    head -c -5 "$T/a/steps.jsonl" >"$T/cut/steps.jsonl"
    diff_runs "$T/b" "$T/cut"
    expect "exit code $CODE" [ "$CODE" = 1 ]
    expect_line "$T/log" "$T/cut/steps.jsonl: was changed after training: it holds "
    # A manifest of before there were checksums tells by its number of steps.
    make_older "$T/cut"
    grep -v '"step": 24, ' "$T/a/steps.jsonl" >"$T/cut/steps.jsonl"
    diff_runs "$T/a" "$T/cut"
    expect "exit code $CODE" [ "$CODE" = 1 ]
    expect_line "$T/log" "$T/cut/steps.jsonl: was changed after training: it has digests of 24 steps, the run made 25"
}

what_cannot_be_compared() {
    train "$T/e" determinism=async
    diff_runs "$T/a" "$T/e"
    expect "exit code $CODE" [ "$CODE" = 2 ]
    expect_line "$T/log" "the runs have no step in common that both have a digest of"
    expect_line "$T/log" "levels:        determinism invariant and async are different trainings, whose bits may part at the first step"
    diff_runs "$T/a" "$T"
    expect "exit code $CODE" [ "$CODE" = 2 ]
    expect_line "$T/log" "$T is no folder of a run (there is no config.yaml)"
    train "$T/f" model.components=2
    diff_runs "$T/a" "$T/f"
    expect "exit code $CODE" [ "$CODE" = 2 ]
    expect_line "$T/log" "the runs have other tables or components"
}

case_of "runs on different clusters are equal step by step" equal_runs
case_of "another learning rate from a checkpoint on" from_a_checkpoint_on
case_of "noise in dense gradients" in_dense_parameters
case_of "runs that end early" that_end_early
case_of "what cannot be compared" what_cannot_be_compared
finish_tests
