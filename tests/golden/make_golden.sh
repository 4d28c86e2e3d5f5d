#!/usr/bin/env bash
# make_golden.sh SMELTER - write digests.txt and corpus.tar.gz with the binary given, which must be a build of the commit whose results and
# files later builds are to reproduce (today: ed0b5d8). Run by hand, and only where a change of results is meant.
#
# corpus/ is what that build leaves on disk: a dataset with every kind of column, a finished run of two components, an unfinished run with two
# checkpoints, and a comparison with a teacher. corpus/expected.txt holds what it said of them.
set -euo pipefail
smelter=$(realpath "${1:?usage: make_golden.sh SMELTER}")
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/smelter-golden.XXXXXX")
trap 'rm -rf "$work"' EXIT
# A kernel that every x86-64 processor has: elsewhere OpenBLAS takes what fits the machine, and the bits are that machine's.
export OPENBLAS_CORETYPE=Prescott SMELTER_PROGRESS=off
digest() { sed -nE 's/.*"digest": "([0-9a-f]{32})".*/\1/p' "$1/manifest.json"; }

cd "$work"
"$smelter" compare "$here/digests.yaml" --out digests --set data.path="$work/digests_data" --set cluster.servers=2 >/dev/null 2>&1
{
    echo "# Digest of every variant of digests.yaml, written by make_golden.sh (OPENBLAS_CORETYPE=Prescott)."
    for run in digests/*/r0; do
        echo "$(basename "$(dirname "$run")") $(digest "$run")"
    done
} >"$here/digests.txt"

mkdir corpus
cd corpus
awk -v OFS=, 'BEGIN {
    srand(7)
    print "click,user,item,tags,price,age,query,second"
    for (i = 0; i < 1600; i++) {
        user = int(rand() * 40); item = int(rand() * 20); price = int(rand() * 1000) / 100
        tags = (i % 5 == 0) ? "" : "t" int(rand() * 9) "|t" int(rand() * 9)
        age = (i % 7 == 0) ? "" : 18 + int(rand() * 50)
        print (rand() < 0.15 + ((user * 7 + item * 3) % 10 > 6 ? 0.5 : 0)) ? 1 : 0, user, item, tags, price, age, int(i / 4), 1700000000 + i
    }
}' >clicks.csv
cat >schema.yaml <<'Y'
format: csv
label: click
group: query
time: second
split: {train_fraction: 0.8}
columns:
  - user
  - item
  - {name: tags, kind: multi, separator: "|", pooling: mean}
  - {name: price, kind: numeric, transform: log1p}
  - {name: age, kind: numeric, transform: standardise}
Y
cat >run.yaml <<'Y'
name: corpus
defaults: 1
determinism: invariant
cluster: {workers: 2, servers: 2}
data: {path: data, order: full}
train: {batch: 64, lanes: 2, epochs: 2, report_steps: 5}
model: {hidden: [8, 4], components: 2, activation: smelu}
embedding: {dim: 2}
Y
cat >compare.yaml <<'Y'
name: corpus
defaults: 1
determinism: sync
data: {path: data, order: full}
train: {batch: 64, lanes: 2}
model: {hidden: [8, 4]}
embedding: {dim: 2}
experiment: {replicas: 2, vary: [order], baseline: relu}
variants:
  - {name: relu}
  - {name: student, teacher: {variant: relu, weight: 1}}
Y
"$smelter" import clicks.csv --schema schema.yaml --out data >/dev/null 2>&1
"$smelter" train run.yaml --out finished >/dev/null 2>&1
"$smelter" train run.yaml --out unfinished --set checkpoint.every_steps=10 --set train.max_steps=25 >/dev/null 2>&1
rm -r unfinished/manifest.json unfinished/predictions.f32 unfinished/store
"$smelter" compare compare.yaml --out compared >/dev/null 2>&1
"$smelter" predict finished data --split all --out scores >/dev/null 2>&1
{
    echo "finished $(digest finished)"
    echo "scores $(md5sum <scores.f32 | cut -d' ' -f1)"
    for run in compared/*/r*; do
        echo "$run $(digest "$run")"
    done
    "$smelter" inspect data | grep content
} >expected.txt
rm scores.*
cd ..
tar --sort=name --mtime=2026-11-01 --owner=0 --group=0 -cf - corpus | gzip -9n >"$here/corpus.tar.gz"
ls -l "$here/corpus.tar.gz"
