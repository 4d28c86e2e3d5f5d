#!/usr/bin/env bash
# tests/bench/run.sh BUILD - every benchmark, a table of what matters, and all numbers in out/bench.json, one flat object. With
# ONLY="bench_parts bench_model" those programs alone, and nothing is written.
#
# A benchmark is a program BUILD/tests/bench/bench_* that prints `name value` lines; its head says what it measures and how.
# Each compares things measured in turns within one run, so that the ratios mean the same on every machine. Whole runs train in
# a scratch folder that is removed at the end. Without SMELTER_DATA the run on KuaiRand's log is skipped and its number is null.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ $# -ne 1 ]; then
    echo "usage: tests/bench/run.sh BUILD" >&2
    exit 2
fi
build=$1
scratch=$(mktemp -d "${TMPDIR:-/tmp}/smelter-bench.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
numbers=$scratch/numbers
: >"$numbers"

# bench WHAT PROGRAM ARGUMENT... - append the program's numbers; show what it said where it fails.
bench() {
    local what=$1 log=$scratch/log
    shift
    case " ${ONLY:-$1} " in *" $1 "*) ;; *) return ;; esac
    printf 'bench: %s\n' "$what" >&2
    if ! "$build/tests/bench/$@" >>"$numbers" 2>"$log"; then
        cat "$log" >&2
        echo "bench: $1 failed" >&2
        exit 1
    fi
}

value() { awk -v name="$1" '$1 == name { print $2 }' "$numbers"; }

# row NAME FORMAT TEXT BAR - one line of the table; FORMAT is awk's, over the value v.
row() {
    local v shown
    v=$(value "$1")
    [ -n "$v" ] || [ -z "${ONLY:-}" ] || return 0
    shown=$(awk -v v="${v:-null}" "BEGIN { if (v == \"null\") print \"skipped\"; else printf $2 }")
    printf '%-52s %14s   %s\n' "$3" "$shown" "$4"
}

read -r load _ </proc/loadavg
cores=$(nproc)
awk -v load="$load" -v cores="$cores" 'BEGIN { if (load > 0.5 * cores)
    printf "bench: other work is running here (load %.1f on %d cores); expect noise\n", load, cores }' >&2

bench "importing a text" bench_import "$scratch"
bench "pulls and pushes through the whole stack" bench_rows tests/bench/rows.yaml
bench "the same over tcp, encrypted and not" bench_rows tests/bench/rows.yaml tcp
bench "a table alone" bench_table
bench "a table ten times larger than its memory" bench_memory "$scratch/spill"
bench "training with tables ten times larger than their memory" bench_train "$build/smelter" "$scratch" memory
bench "a full shuffle of ten times the cache" bench_train "$build/smelter" "$scratch" beyond
bench "matrix products of our own and of OpenBLAS" bench_products
bench "the model alone" bench_model
bench "the parts of networks alone" bench_parts
bench "the activations alone" bench_activation
bench "training steps of the paper's toy net" bench_train "$build/smelter" "$scratch" toy
bench "CPU time with 1, 2 and 4 workers" bench_train "$build/smelter" "$scratch" workers
bench "a single network and ensembles of three" bench_train "$build/smelter" "$scratch" ensemble
bench "checkpoints while a run trains" bench_train "$build/smelter" "$scratch" save
bench "a shard's part of checkpoints" bench_cut "$scratch"
bench "batches and embeddings alone" bench_batch "$scratch/data-workers" 8 1024 4
if [ -n "${SMELTER_DATA:-}" ]; then
    bench "configs/kuairand.yaml" bench_train "$build/smelter" "$scratch" kuairand
    bench "configs/kuairand.yaml over tcp, encrypted and not" bench_train "$build/smelter" "$scratch" encrypted
elif [ -z "${ONLY:-}" ]; then
    echo "bench: SMELTER_DATA is not set: configs/kuairand.yaml is skipped (the file says where its data comes from)" >&2
    echo "kuairand_examples_per_second null" >>"$numbers"
    echo "kuairand_encrypted_over_tcp null" >>"$numbers"
fi

printf '\n%-52s %14s   %s\n' "what" "measured" "wanted"
row import_bytes_per_second '"%.0f MB/s", v / 1e6' "text imported" "at least 150 MB/s on two cores"
row import_floor_bytes_per_second '"%.0f MB/s", v / 1e6' "    split and hashed, one thread" ""
row import_cpu_seconds_per_gb '"%.1f s", v' "    CPU time of a gigabyte imported" ""
row import_floor_cpu_seconds_per_gb '"%.1f s", v' "    split and hashed" ""
row worker_step_over_sgemm '"%.3f", v' "training step, speed over its bare sgemm calls" "at least 0.80"
row products_toy '"%.2f", v' "products of our own, speed over OpenBLAS, toy net" "at least 0.95"
row products_fields26 '"%.2f", v' "    26 fields x 16 and 13 numbers" "at least 0.95"
row products_kuairand '"%.2f", v' "    configs/kuairand.yaml" "at least 0.95"
row model_own_step_over_sgemm_toy '"%.2f", v' "a network's step with them over bare sgemm calls, toy net" "at least 1"
row model_own_step_over_sgemm_fields26 '"%.2f", v' "    26 fields x 16 and 13 numbers" "at least 1"
row model_own_step_over_step_kuairand '"%.2f", v' "    configs/kuairand.yaml, over the step with OpenBLAS" "at least 1.15"
row pull_rows_per_second '"%.1f M/s", v / 1e6' "rows pulled, 1 worker, 1 server, dim 16" "at least 8 M/s"
row push_rows_per_second '"%.1f M/s", v / 1e6' "rows pushed, AdaGrad" "at least 5 M/s"
row copy_bytes_per_second '"%.1f GB/s", v / 1e9' "copying the bytes of the same rows" "(over 5 GB/s)"
row pull_over_copy '"%.3f", v' "pull, speed over the copy" ""
row push_over_copy '"%.3f", v' "push, speed over the copy" ""
row pull_encrypted_over_tcp '"%.3f", v' "pull over tcp, speed encrypted over not" ""
row push_encrypted_over_tcp '"%.3f", v' "push over tcp, speed encrypted over not" ""
row cpu_seconds_per_example_w1 '"%.2f us", v * 1e6' "CPU time of an example, 1 worker" ""
row cpu_seconds_per_example_w2 '"%.2f us", v * 1e6' "                        2 workers" ""
row cpu_seconds_per_example_w4 '"%.2f us", v * 1e6' "                        4 workers" ""
row single_examples_per_second '"%.0f /s", v' "examples of a single network" ""
row single_over_ensemble3 '"%.2f", v' "    over those of an ensemble of three such" "at least 1.33"
row single_over_ensemble3_equal '"%.2f", v' "    over one of three with its parameters in all" ""
row checkpoint_slowdown_each_minute '"%.2f %%", 100 * v' "training time that a checkpoint a minute costs" "under 3 %"
row checkpoint_slowdown_always '"%.1f %%", 100 * v' "    one after the other" ""
row save_none_step_longest_over_median '"%.1f", v' "longest step over the median, no checkpoints" ""
row save_always_step_longest_over_median '"%.1f", v' "    one checkpoint after the other" "under 5"
row save_always_longest_over_none '"%.2f", v' "    over that without, run by run" ""
row table_push_without_over_with_digests '"%.2f", v' "rows pushed, speed without over with digests, a table alone" ""
row step_digests_slowdown '"%.1f %%", 100 * v' "training time that digests of steps cost" ""
row cut_write_over_plain '"%.2f", v' "writing a checkpoint, speed over write and fsync" ""
row cut_delta_over_changed '"%.2f", v' "bytes written per byte of changed rows" ""
row cut_disk_over_changed '"%.2f", v' "    and to fold them into the base" ""
row cut_restore_base_seconds_per_gb '"%.2f s", v' "rows of a base into tables, per GB" ""
row cut_restore_file_seconds_per_gb '"%.2f s", v' "    of a checkpoint's file" ""
row resume_seconds_per_gb '"%.2f s", v' "resuming, per GB of checkpoint" ""
row memory_tenth_training_over_all '"%.2f", v' "training with a tenth of the rows in memory over all" "over 0.5"
row memory_tenth_over_whole '"%.2f", v' "    the table alone, which does nothing but wait" ""
row memory_overhead_bytes_per_row '"%.1f", v' "bytes of memory of a row over its payload" "at most 24"
row shuffle_beyond_over_cached '"%.2f", v' "a full shuffle with a tenth of the examples in memory over all" "at least 0.5"
row parts_linear_over_bare '"%.2f", v' "a logistic regression on 429 numbers, time over its bytes" "at most 1.2"
row parts_fm_over_bare '"%.2f", v' "second order of 26 fields x 16 and 13 numbers, time over its bytes" "at most 1.2"
row parts_cross_over_bare '"%.2f", v' "two cross layers on them, time over bare products" "at most 1.2"
row parts_cross_of_rank_64_over_bare '"%.2f", v' "    of rank 64" "at most 1.2"
row parts_mlp_over_bare '"%.2f", v' "MLP [256, 128, 64]" "at most 1.2"
row parts_wide_and_deep_over_bare '"%.2f", v' "Wide & Deep, time over products and bytes" "at most 1.2"
row parts_deepfm_over_bare '"%.2f", v' "DeepFM" "at most 1.2"
row parts_dcn_over_bare '"%.2f", v' "DCN-v2, parallel" "at most 1.2"
row parts_dcn_stacked_over_bare '"%.2f", v' "DCN-v2, stacked" "at most 1.2"
row activation_smelu_over_relu '"%.2f", v' "SmeLU, time over ReLU's, forward and backward" "at most 1.15"
row activation_gelu_over_relu '"%.2f", v' "GELU, exact" ""
row activation_swish_over_relu '"%.2f", v' "Swish" ""
row activation_swish_kept '"%.2f", v' "Swish, slopes kept from forward over slopes computed twice" ""
row activation_softplus_over_relu '"%.2f", v' "SoftPlus" ""
row kuairand_examples_per_second '"%.0f /s", v' "examples of configs/kuairand.yaml, single ReLU" "over 103,000 /s"
row kuairand_encrypted_over_tcp '"%.3f", v' "    over tcp, speed encrypted over not" "at least 0.90"

if [ -n "${ONLY:-}" ]; then
    grep -q . "$numbers" || { echo "bench: ONLY=\"$ONLY\" names no benchmark (tests/bench/bench_*.c)" >&2; exit 2; }
    exit 0
fi
mkdir -p out
awk 'BEGIN { printf "{" } { printf "%s\n  \"%s\": %s", (NR > 1 ? "," : ""), $1, $2 } END { print "\n}" }' \
    "$numbers" >"$scratch/bench.json"
mv "$scratch/bench.json" out/bench.json
printf '\nall numbers: out/bench.json\n'
