# portable.sh - the table of what determinism portable promises to be the same everywhere (tests/golden/portable.txt). Needs bash.
#
#   portable_table OUT DATA   the table of tests/golden/portable.yaml, trained into OUT, with the dataset in DATA: a line for each
#                             variant, with the digests of its runs and a checksum of its numbers in results.csv
#   portable_import WORK CMD..  the line of a dataset that CMD, a smelter, imports in the folder WORK with every transform

# What the numbers of a variant are: all columns before the first that measures time or memory, but the level's.
portable_numbers() {
    awk -F, -v OFS=, 'NR == 1 { for (i = 1; i <= NF && $i != "examples_per_second"; i++) last = i; next }
        { line = $1; for (i = 3; i <= last; i++) line = line OFS $i; print line }' "$1/results.csv"
}

portable_table() {
    local out=$1 data=$2 line variant run digests
    echo "dataset $(portable_content "$data")"
    portable_numbers "$out" | while IFS= read -r line; do
        variant=${line%%,*} digests=
        for run in "$out/$variant"/r*; do
            digests+=" $(sed -nE 's/^  "digest": "([0-9a-f]{32})",?$/\1/p' "$run/manifest.json")"
        done
        echo "$variant$digests $(md5sum <<<"$line" | cut -c1-16)"
    done
}

portable_content() { "$SMELTER" inspect "$1" | sed -nE 's/^ *content +//p'; }

portable_import() {
    local work=$1
    shift
    awk -v OFS=, 'BEGIN {
        print "click,user,visits,price,age,second"
        for (i = 1; i <= 3000; i++)
            print (i * 7919) % 5 == 0, (i * 104729) % 97, (i * 31) % 4096 + (i % 7) / 8, (i * 7919 % 100003) / 100 - 50,
                i % 11 == 0 ? "" : 18 + (i * 13) % 60 / 7, 1700000000 + i
    }' >"$work/clicks.csv"
    printf '%s\n' 'format: csv' 'label: click' 'time: second' 'split: {train_fraction: 0.8}' 'columns:' '  - user' \
        '  - {name: visits, kind: categorical, transform: log2_bucket}' '  - {name: price, kind: numeric, transform: log1p}' \
        '  - {name: age, kind: numeric, transform: standardise}' >"$work/schema.yaml"
    "$@" import "$work/clicks.csv" --schema "$work/schema.yaml" --out "$work/imported" >"$work/import.log" 2>&1 &&
        echo "import $(portable_content "$work/imported")"
}
