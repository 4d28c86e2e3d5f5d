#!/usr/bin/env bash
# tests/scale.sh BUILD - how a cluster grows, measured on one machine: a table, and all numbers in out/scale.json.
#
#     rows      ROWS rows in the tables of one shard: bytes of memory a row, seconds to store and to verify them
#     cache     a full shuffle of a dataset CACHE times as large as data.cache_mb, over one that is in memory
#     ranks     a job of RANKS ranks on two hosts (network namespaces), with DELAY_MS between them and LOSS of a hundred frames
#               lost: the digest of the same job on one host, at what cost
#     workers   CPU time of an example with 2, 4, 8 workers over 1, the batch as it is and growing with them
#     servers   the same with 4 servers over 1
#
# PARTS chooses (default: all). Nothing here is timed by a test: a part takes from seconds to many minutes, as its size wants.
# Runs are made in SCRATCH, removed at the end; ROWS=100000000 takes 11 GB of memory, 25 GB of disk there and ten minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
smelter=$(realpath "${1:?usage: tests/scale.sh BUILD}/smelter")
ROWS=${ROWS:-2000000} CACHE=${CACHE:-10} RANKS=${RANKS:-16} DELAY_MS=${DELAY_MS:-1} LOSS=${LOSS:-1} ROUNDS=${ROUNDS:-3}
PARTS=${PARTS:-rows cache ranks workers servers}
for name in ROWS CACHE RANKS ROUNDS; do
    if ! [[ ${!name} =~ ^[1-9][0-9]{0,11}$ ]]; then
        echo "scale: $name=${!name}: give a whole number from 1" >&2
        exit 2
    fi
done
for part in $PARTS; do
    if ! [[ " rows cache ranks workers servers " == *" $part "* ]]; then
        echo "scale: PARTS: there is no part '$part'; there are: rows cache ranks workers servers" >&2
        exit 2
    fi
done
if [ "$RANKS" -lt 4 ]; then
    echo "scale: RANKS=$RANKS: at least 4, a coordinator, a server and two workers" >&2
    exit 2
fi
scratch=$(mktemp -d "${SCRATCH:-${TMPDIR:-/tmp}}/smelter-scale.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
numbers=$scratch/numbers
: >"$numbers"
export SMELTER_PROGRESS=off SMELTER_LOG=warn

number() { echo "$1 $2" >>"$numbers"; }
value() { awk -v name="$1" '$1 == name { print $2 }' "$numbers"; }
of_manifest() { sed -nE "s/^ *\"$2\": ([0-9.e+-]+),?\$/\\1/p" "$1/manifest.json" | head -n 1; }
digest_of() { sed -nE 's/^  "digest": "([0-9a-f]{32})",$/\1/p' "$1/manifest.json"; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.4f", a / b }'; }
median() { sort -g | awk '{ v[NR] = $1 } END { printf "%.6g", NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
say() { printf 'scale: %s\n' "$*" >&2; }

# run NAME COMMAND... - its output is shown where it fails.
run() {
    local log=$scratch/log what=$1
    shift
    if ! "$@" >"$log" 2>&1; then
        cat "$log" >&2
        echo "scale: $what failed" >&2
        exit 1
    fi
}

# train NAME CONFIG [SET...] - into $scratch/NAME.
train() {
    local name=$1 config=$2 sets=() set
    shift 2
    for set in "$@"; do sets+=(--set "$set"); done
    run "$name" "$smelter" train "$config" --out "$scratch/$name" "${sets[@]}"
}

# 128 fields with values that hardly ever come twice: 70 to 90 new rows an example, fewer the more there are.
rows_part() {
    say "$ROWS rows in one shard"
    cat >"$scratch/rows.yaml" <<END
name: rows
defaults: 1
cluster: {workers: 1, servers: 1, deadline_s: 300}
data: {path: $scratch/rows-data, order: chronological}
synth:
  {rows: $((ROWS / 72 + 100)), fields: 128, values: 1000000000000, exponent: 0, numeric: 0, multi: 0, group_size: 1, train_fraction: 0.999}
train: {batch: 1024, lanes: 4, step_digests: false}
model: {hidden: [16]}
embedding: {dim: 8}
END
    train rows "$scratch/rows.yaml"
    local rows memory examples
    rows=$(of_manifest "$scratch/rows" rows)
    examples=$(of_manifest "$scratch/rows" examples)
    memory=$(of_manifest "$scratch/rows" peak_rss_bytes)
    number scale_rows "$rows"
    number scale_rows_examples_per_second "$(of_manifest "$scratch/rows" examples_per_second)"
    number scale_rows_peak_bytes_per_row "$(ratio "$memory" "$rows")"
    number scale_rows_disk_bytes_per_row "$(ratio "$(du -sb "$scratch/rows/store" | cut -f1)" "$rows")"
    number scale_rows_outside_training_seconds "$(awk -v w="$(of_manifest "$scratch/rows" wall_seconds)" -v n="$examples" \
        -v r="$(of_manifest "$scratch/rows" examples_per_second)" 'BEGIN { printf "%.2f", w - n / r }')"
    say "reading them all again"
    local begun=$EPOCHREALTIME
    run digest "$smelter" digest "$scratch/rows"
    number scale_rows_verify_seconds "$(awk -v a="$begun" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.2f", b - a }')"
    rm -rf "$scratch/rows" "$scratch/rows-data"
}

# As tests/bench/beyond.yaml: 235 bytes an example, so 500,000 of them are 112 MiB.
cache_part() {
    say "a full shuffle of $CACHE times the cache"
    local n
    for n in $(seq "$ROUNDS"); do
        for mb in 1024 $((112 / CACHE > 0 ? 112 / CACHE : 1)); do
            train "cache-$mb-$n" tests/bench/beyond.yaml "data.path=$scratch/cache-data" "data.cache_mb=$mb"
            of_manifest "$scratch/cache-$mb-$n" examples_per_second >>"$scratch/rate-$((mb == 1024))"
            rm -rf "$scratch/cache-$mb-$n"
        done
    done
    number scale_cache_times "$CACHE"
    number scale_cached_examples_per_second "$(median <"$scratch/rate-1")"
    number scale_beyond_over_cached "$(ratio "$(median <"$scratch/rate-0")" "$(median <"$scratch/rate-1")")"
    rm -rf "$scratch/cache-data"
}

ranks_part() {
    local servers=$((RANKS / 4)) workers near=$((RANKS / 2)) here there where lanes=1
    workers=$((RANKS - 1 - servers))
    while [ $lanes -lt "$workers" ]; do lanes=$((2 * lanes)); done
    say "a job of $RANKS ranks ($servers servers, $workers workers), on one host and on two with $DELAY_MS ms and $LOSS % loss between them"
    cat >"$scratch/ranks.yaml" <<END
name: ranks
defaults: 1
determinism: invariant
cluster: {workers: $workers, servers: $servers, deadline_s: 120, start_deadline_s: 300}
data: {path: $scratch/ranks-data}
synth: {rows: 40000, fields: 8, values: 10000, numeric: 2, multi: 1}
train: {batch: 2048, lanes: $lanes, epochs: 2, pipeline_depth: 1}
model: {hidden: [32, 16]}
embedding: {dim: 8}
END
    train ranks-here "$scratch/ranks.yaml"
    if ! NETNS_DELAY_MS=$DELAY_MS NETNS_LOSS=$LOSS tests/cluster/two_hosts.sh "$near" $((RANKS - near)) --oversubscribe -- \
        "$smelter" train "$scratch/ranks.yaml" --out "$scratch/ranks-there" >"$scratch/log" 2>&1; then
        cat "$scratch/log" >&2
        echo "scale: the job on two hosts failed" >&2
        return 1
    fi
    here=$(digest_of "$scratch/ranks-here") there=$(digest_of "$scratch/ranks-there")
    number scale_ranks "$RANKS"
    for where in here there; do
        number "scale_ranks_${where}_examples_per_second" "$(of_manifest "$scratch/ranks-$where" examples_per_second)"
        number "scale_ranks_${where}_cpu_seconds" "$(of_manifest "$scratch/ranks-$where" cpu_seconds)"
    done
    if [ -z "$here" ] || [ "$here" != "$there" ]; then
        echo "scale: $RANKS ranks on two hosts: digest $there instead of $here" >&2
        return 1
    fi
}

# cpu_of NAME SET... - CPU-seconds of all ranks per example, appended to $scratch/NAME.cpu.
cpu_of() {
    local name=$1
    shift
    train growth tests/bench/workers.yaml "data.path=$scratch/workers-data" train.lanes=8 "$@"
    awk -v c="$(of_manifest "$scratch/growth" cpu_seconds)" -v n="$(of_manifest "$scratch/growth" examples)" \
        'BEGIN { printf "%.6g\n", c / n }' >>"$scratch/$name.cpu"
    rm -rf "$scratch/growth"
}

workers_part() {
    say "1, 2, 4 and 8 workers"
    local n w
    for n in $(seq "$ROUNDS"); do
        for w in 1 2 4 8; do
            cpu_of "w$w" "cluster.workers=$w"
            cpu_of "weak$w" "cluster.workers=$w" "train.batch=$((1024 * w))" "train.max_steps=$((400 / w))"
        done
    done
    number scale_cpu_seconds_per_example "$(median <"$scratch/w1.cpu")"
    for w in 2 4 8; do
        number "scale_cpu_w${w}_over_w1" "$(ratio "$(median <"$scratch/w$w.cpu")" "$(median <"$scratch/w1.cpu")")"
        number "scale_cpu_weak_w${w}_over_w1" "$(ratio "$(median <"$scratch/weak$w.cpu")" "$(median <"$scratch/weak1.cpu")")"
    done
}

servers_part() {
    say "1 and 4 servers"
    local n s
    for n in $(seq "$ROUNDS"); do
        for s in 1 4; do cpu_of "s$s" "cluster.servers=$s"; done
    done
    number scale_cpu_s4_over_s1 "$(ratio "$(median <"$scratch/s4.cpu")" "$(median <"$scratch/s1.cpu")")"
}

# row NAME FORMAT TEXT BAR - one line of the table, where the part ran; FORMAT is awk's, over the value v.
row() {
    local v
    v=$(value "$1")
    [ -z "$v" ] || printf '%-64s %14s   %s\n' "$3" "$(awk -v v="$v" "BEGIN { printf $2 }")" "$4"
}

for part in $PARTS; do "${part}_part"; done

printf '\n%-64s %14s   %s\n' "what" "measured" "wanted"
row scale_rows '"%.0f", v' "rows in one shard" ""
row scale_rows_examples_per_second '"%.0f /s", v' "    examples of 128 values, most of them new" ""
row scale_rows_peak_bytes_per_row '"%.1f", v' "    memory of all ranks at its highest, bytes a row" ""
row scale_rows_disk_bytes_per_row '"%.1f", v' "    bytes of the store a row" ""
row scale_rows_outside_training_seconds '"%.1f s", v' "    seconds outside training, most of them the store" ""
row scale_rows_verify_seconds '"%.1f s", v' "    smelter digest, which reads them all again" ""
row scale_beyond_over_cached '"%.2f", v' "a full shuffle of $CACHE times the cache over one in memory" "at least 0.5"
row scale_ranks '"%.0f", v' "ranks, with the same digest on one host and on two" ""
row scale_ranks_here_examples_per_second '"%.0f /s", v' "    examples on one host" ""
row scale_ranks_there_examples_per_second '"%.0f /s", v' "    $DELAY_MS ms apart with $LOSS % of the frames lost" ""
row scale_cpu_seconds_per_example '"%.2f us", v * 1e6' "CPU time of an example, 1 worker, batch 1,024" ""
for w in 2 4 8; do
    row scale_cpu_w${w}_over_w1 '"%.2f", v' "    $w workers over 1" "$([ $w = 8 ] && echo "at most 1.5")"
done
for w in 2 4 8; do
    row scale_cpu_weak_w${w}_over_w1 '"%.2f", v' "    $w workers and a batch $w times as large" "$([ $w = 8 ] && echo "at most 1.06")"
done
row scale_cpu_s4_over_s1 '"%.2f", v' "    4 servers over 1" "at most 1.10"

mkdir -p out
awk 'BEGIN { printf "{" } { printf "%s\n  \"%s\": %s", (NR > 1 ? "," : ""), $1, $2 } END { print "\n}" }' \
    "$numbers" >"$scratch/scale.json"
mv "$scratch/scale.json" out/scale.json
printf '\nall numbers: out/scale.json\n'
