#!/usr/bin/env bash
# Proves the habits of the code (docs/ARCHITECTURE.md, "The rules that a test enforces") on the sources themselves: functions that fit
# on a screen, one width of line, a type name with one meaning, rooms that are not crowded, documents that name only what is there.
#
# A check is a function that prints one line per violation in the current folder and nothing where there is none. Each is run in
# this tree, where it must find nothing, and in a small made-up tree that breaks every rule, where it must find what is expected:
# a check that sees nothing proves nothing. Needs no git; pmccabe and clang-format are used where they are installed.
set -uo pipefail
build=${1:?usage: test_tidy.sh BUILD}
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
smelter=$(realpath -m "$build/smelter")
T=$(mktemp -d "${TMPDIR:-/tmp}/smelter-tidy.XXXXXX")
trap 'rm -rf "$T"' EXIT
COLUMNS_MOST=128
LINES_MOST=60
COMPLEXITY_MOST=20
MODULES_MOST=20
HOWTO_LINES_MOST=50
failed=0

product() { find common ps worker launcher -name '*.[ch]' | sort; }
sources() { find common ps worker launcher tests -name '*.[ch]' | sort; }
documents() { find README.md docs configs -name '*.md' -o -name '*.yaml' | sort; }

# The table of configuration keys has one key a row, however long; a text that begins a line cannot be broken by clang-format.
check_columns() {
    sources | grep -v /config_keys.h | xargs awk -v most=$COLUMNS_MOST '
        length($0) > most && !/^ *"/ { print FILENAME ":" FNR ": " length($0) " columns, at most " most }'
}

# A function's body stands between a brace in the first column and the next one that closes there.
check_lengths() {
    sources | xargs awk -v most=$LINES_MOST '
        FNR == 1 { start = 0 }
        /^[a-zA-Z].*\(/ { name = $0 }
        /^\{$/ { start = FNR }
        /^\}$/ && start {
            if (FNR - start - 1 > most)
                print FILENAME ":" start ": " FNR - start - 1 " lines, at most " most ": " name
            start = 0
        }'
}

# pmccabe takes an attribute of a struct for a function, so it reads copies without.
check_complexity() {
    local copy=$T/copy
    rm -rf "$copy" && mkdir "$copy"
    cp -r --parents common ps worker launcher tests -t "$copy"
    (
        cd "$copy" || exit 1
        sources | xargs sed -i -E 's/__attribute__\(\([a-z]+\)\) //'
        sources | grep '\.c$' | xargs pmccabe 2>&1 | awk -F '\t' -v most=$COMPLEXITY_MOST '
            NF < 6 { print "pmccabe cannot read " $0 }
            NF >= 6 && $2 > most { print $6 ": cyclomatic complexity " $2 ", at most " most }'
    )
}

# Twice in a header and the source beside it is one meaning: an opaque type. constants_t is what
# common/kernels/activation_loop.h calls the numbers of the activation that includes it.
check_types() {
    product | xargs grep -nE '^(typedef [^(]* [a-z_0-9]+_t;|\} (__attribute__\(\([a-z]+\)\) )?[a-z_0-9]+_t;)' |
        sed -nE 's/^([^:]*:[0-9]+):.* ([a-z_0-9]+_t);.*/\2 \1/p' | sort |
        awk '{ where[$1] = where[$1] " " $2; n[$1]++ } END { for (type in n) if (n[type] > 1) print type ":" where[type] }' |
        grep -v '^constants_t:' | grep -vE '^([a-z_0-9]+): (\S+)\.[ch]:[0-9]+ \2\.[ch]:[0-9]+$' | sort
}

# A struct has one name: what stands behind the word struct is the name of its type, without _t.
check_tags() {
    product | xargs awk '
        function compare(tag, type) {
            match(type, /[a-z_0-9]+_t;/)
            type = substr(type, RSTART, RLENGTH - 3)
            if (tag != type)
                print FILENAME ":" FNR ": struct " tag " is " type "_t"
        }
        /^typedef (struct|enum|union) [a-z_0-9]+ [a-z_0-9]+_t;/ { compare($3, $4) }
        /^typedef (struct|enum|union) [a-z_0-9]+ \{/ { tag = $3 }
        /^\} .*[a-z_0-9]+_t;/ && tag != "" { compare(tag, $0); tag = "" }'
}

# The activations are a row of files in one room, each as small as the next.
check_rooms() {
    product | grep '\.c$' | grep -vE '/(activation|optimizer)_' | sed 's|/[^/]*$|/|' | sort | uniq -c |
        awk -v most=$MODULES_MOST '$1 > most { print $2 ": " $1 " modules, at most " most }'
}

# Only main ends the process: what is below returns a status. Where memory is refused there is no caller that could go on.
check_exits() {
    product | grep -vxE 'launcher/main.c|common/base/memory.c' | xargs grep -nE '(^|[^_a-zA-Z])exit\(' | sed 's/$/   (return a status)/'
}

# A 64-bit number is printed, and read, by the macros of inttypes.h, without a cast.
check_prints() {
    sources | xargs grep -nE '%[-+ #0-9.*]*ll[dioux]|\((unsigned )?long long\)' | sed 's/$/   (PRId64, or its like)/'
}

# Two steps in a row, each `if (status == ST_OK ...)` around one that sets the status again: a TRY or a TRY_DONE each is meant.
check_chains() {
    sources | xargs awk '
        function open(line,   closed) { closed = line; return gsub(/\(/, "", line) - gsub(/\)/, "", closed) }
        FNR == 1 { chained = part = "" }
        { match($0, /^ */); indent = RLENGTH }
        part == "" && /^ *if \([a-z_.>-]+ == ST_OK/ {
            variable = substr($2, 2); step_indent = indent; start = FNR; unclosed = 0; is_step = 0; part = "condition"
        }
        part == "condition" {
            unclosed += open($0)
            if (unclosed == 0) { part = "body"; has_braces = /\{( *\/\*.*)?$/ }
            next
        }
        part == "body" {
            if (indent == step_indent + 4 && $1 == variable && $2 == "=")
                is_step = 1
            if (has_braces ? indent == step_indent && /^ *\}/ : /;( *\/\*.*)?$/) {
                part = ""
                if (is_step && chained == variable " " step_indent)
                    print FILENAME ":" start ": a second step behind " variable " == ST_OK; use TRY or TRY_DONE"
                chained = is_step && !/else/ ? variable " " step_indent : ""
            }
            next
        }
        !/^ *\/?\*/ && NF { chained = "" }'
}

check_format() {
    sources | grep -v /config_keys.h | xargs clang-format --dry-run 2>&1 | sed -nE 's/^([^:]+):[0-9]+:.*warning.*/\1/p' |
        sort | uniq -c | awk '{ print $2 ": " $1 " places differ from what make format writes" }'
}

# Files that comments and documents name: by a path from the root, or in documents by their name alone, between backticks.
# NAME stands for a name that the reader chooses.
check_files() {
    { sources | grep -v /test_layers.c; documents; find tests -name '*.sh' ! -name test_tidy.sh; ls Makefile; } |
        xargs grep -noE '(^|[^a-zA-Z0-9_./-])(common|ps|worker|launcher|tests|docs|configs)/[a-zA-Z0-9_/.-]+\.(c|h|md|sh|yaml|txt|tsv)\b' |
        sed -E 's/^([^:]*:[0-9]+):[^a-z]?/\1 /' | grep -v NAME | while read -r where path; do
        [ -e "$path" ] || echo "$where: $path is not there"
    done
    find . -name .git -prune -o -name 'build*' -prune -o -type f -printf '%f\n' | sort -u >"$T/names"
    find README.md docs -name '*.md' | xargs grep -noE '`[a-z0-9_]+\.(c|h|sh)`' | tr -d '`' | sed -E 's/^([^:]*:[0-9]+):/\1 /' |
        while read -r where name; do
            grep -qxF "$name" "$T/names" || echo "$where: no file is called $name"
        done
    # Links of documents, without what is behind #.
    find README.md docs -name '*.md' | xargs grep -noE '\]\([^)#:]+[)#]' | sed -E 's/^([^:]*:[0-9]+):\]\(([^)#]*).*/\1 \2/' |
        while read -r where link; do
            [ -e "$(dirname "$where")/$link" ] || echo "$where: the link to $link leads nowhere"
        done
}

# A how-to is a page of one screen, and OPERATIONS lists it.
check_howtos() {
    local page
    for page in docs/howto/*.md; do
        awk -v most=$HOWTO_LINES_MOST 'END { if (NR > most) print FILENAME ": " NR " lines, at most " most }' "$page"
        [ "$(head -c 2 "$page")" = "# " ] || echo "$page: does not begin with a title"
        grep -qF "(howto/${page##*/})" docs/OPERATIONS.md || echo "$page: docs/OPERATIONS.md does not list it"
    done
}

# Paragraphs of documents are as wide as the code at most; tables, pictures and what is printed may be wider.
check_prose() {
    find README.md docs -name '*.md' | sort | xargs awk -v most=$COLUMNS_MOST '
        FNR == 1 { is_printed = 0 }
        /^```/ { is_printed = !is_printed }
        !is_printed && !/^(\||    |#)/ && length($0) > most { print FILENAME ":" FNR ": " length($0) " columns, at most " most }'
}

# Functions and types that ARCHITECTURE names, between backticks.
check_words() {
    sources | xargs cat | grep -oE '[a-zA-Z_][a-zA-Z0-9_]*' | sort -u >"$T/words"
    grep -noE '`[a-z]+(_[a-z0-9]+)+`' docs/ARCHITECTURE.md | tr -d '`' | while IFS=: read -r line word; do
        grep -qxF "$word" "$T/words" || echo "docs/ARCHITECTURE.md:$line: the sources have no $word"
    done
}

# A list of folders under the heading "The tree", as "    FOLDER/   what it holds", has all that hold sources, and no other.
check_pictures() {
    product | sed 's|/[^/]*$|/|' | sort -u >"$T/rooms"
    local document
    for document in README.md docs/ARCHITECTURE.md; do
        awk '/^## / { inside = $0 == "## The tree" } inside && /^    [a-z_\/]+\/( |$)/ { print $1 }' $document |
            grep -E '^(common|ps|worker|launcher)/' | sort >"$T/picture"
        comm -23 "$T/rooms" "$T/picture" | sed "s|^|$document: the tree lacks |"
        comm -13 "$T/rooms" "$T/picture" | sed "s|^|$document: the tree has a folder without sources, or none, |"
    done
}

# Commands of smelter that documents show are there, with the options that stand behind them; so are the targets of make.
check_commands() {
    local commands where word options option
    commands=$("$smelter" --help 2>&1)
    documents | xargs grep -noE '(build/|^ {4,}|`)smelter [a-z][a-z-]+[^`#|]*' |
        sed -E 's/^([^:]*:[0-9]+):.*smelter ([a-z-]+)(.*)/\1 \2 \3/' | while read -r where word options; do
        if ! grep -qE "^  $word " <<<"$commands"; then
            echo "$where: smelter has no command $word"
            continue
        fi
        [ -e "$T/help.$word" ] || "$smelter" "$word" --help >"$T/help.$word" 2>&1
        for option in $(grep -oE -- '--[a-z][a-z-]+' <<<"$options"); do
            grep -qE -- "^ *$option\b" "$T/help.$word" || echo "$where: smelter $word has no option $option"
        done
    done
    documents | xargs grep -noE '(^    |`)make [a-z-]+' | sed -E 's/^([^:]*:[0-9]+):.*make /\1 /' | while read -r where word; do
        grep -qE "^$word:" Makefile || echo "$where: make has no target $word"
    done
}

# Names of what is in a run's folder, in texts: of files wherever they stand, of folders as a part of a path.
check_names() {
    local paths names
    paths=$(product | grep -E '/(run|checkpoint)_paths.h$')
    names=$(sed -nE 's/^#define FILE_[A-Z_]+ "([^"]+)".*/\1/p; s/^#define DIR_[A-Z]+ "([a-z]+-)".*/\1/p
                     s/^#define DIR_[A-Z]+ "([a-z]+)".*/("|%[sd]\/)\1\/|%[sd]\/\1"/p' $paths | sed 's/\./[.]/g' | paste -sd '|')
    product | grep -vxF "$paths" | NAMES=$names xargs awk '
        /^#include/ { next }
        {
            for (line = $0; match(line, /"([^"\\]|\\.)*"/); line = substr(line, RSTART + RLENGTH)) {
                text = substr(line, RSTART, RLENGTH)
                if (text ~ ENVIRON["NAMES"])
                    print FILENAME ":" FNR ": " text " is a name of run_paths.h or checkpoint_paths.h"
            }
        }'
}

# passes NAME CHECK - the test NAME: the check finds nothing in this tree.
passes() {
    $2 >"$T/found" 2>&1
    if [ -s "$T/found" ]; then
        head -n 40 "$T/found" | sed 's/^/# /'
        echo "not ok - $1"
        failed=1
    else
        echo "ok - $1"
    fi
}

# catches CHECK TEXT... - a test: in the made-up tree the check finds one violation for each TEXT, which is part of its line.
catches() {
    local check=$1 text
    shift
    (cd "$T/made" && $check) >"$T/found" 2>&1
    local missing=()
    for text; do
        grep -qF "$text" "$T/found" || missing+=("$text")
    done
    if [ ${#missing[@]} = 0 ] && [ "$(wc -l <"$T/found")" = $# ]; then
        echo "ok - $check catches $# made-up violations"
    else
        printf '# expected: %s\n' "$@"
        sed 's/^/# found: /' "$T/found"
        echo "not ok - $check catches $# made-up violations"
        failed=1
    fi
}

make_made_up_tree() {
    mkdir -p "$T/made" && cd "$T/made" || exit 2
    mkdir -p common/base ps worker launcher tests docs/howto configs
    cp "$OLDPWD/.clang-format" .
    {
        echo 'typedef struct thing {'
        echo '    int a;'
        echo '} thing_t;'
        echo '/* docs/GONE.md says why; docs/ARCHITECTURE.md is there. */'
        printf 'static const char *const wide = "%s";\n' "$(printf 'x%.0s' {1..120})"
    } >ps/thing.h
    {
        echo 'typedef struct other {'
        echo '    int a;'
        echo '} thing_t;'
        echo
        echo 'int long_one(int a)'
        echo '{'
        seq -f '    a += %g;' 60
        echo '    return a;'
        echo '}'
        echo
        echo 'int branches(int a)'
        echo '{'
        seq -f $'    if (a == %g)\n        return 1;' 20
        echo '    exit(1);'
        echo '}'
        echo
        echo 'int  badly_set;'
        echo 'const char *a = "%s/manifest.json";'
        echo 'const char *b = "%s/store/shard-%d", *c = "store", *d = "restore/x";'
        echo 'const char *e = "%6lld";'
        echo
        echo 'status_t chain(status_t status)'
        echo '{'
        echo '    if (status == ST_OK)'
        echo '        status = first(1);'
        echo '    /* Why it may not be. */'
        echo '    if (status == ST_OK && may_be_with_a_long_name_indeed(1) &&'
        echo '        (may_be_with_a_long_name_indeed(2) || may_be_with_a_long_name_indeed(3) || is_not(4))) {'
        echo '        log_info("a");'
        echo '        status = second();'
        echo '    }'
        echo '    if (status == ST_OK)'
        echo '        *out = 1;'
        echo '    if (status == ST_OK)'
        echo '        status = last();'
        echo '    return status;'
        echo '}'
    } >worker/other.c
    echo '#define FILE_MANIFEST "manifest.json"' >common/base/run_paths.h
    echo '#define DIR_STORE "store"' >common/base/checkpoint_paths.h
    local n
    for n in $(seq 21); do
        echo "int module_$n;" >common/base/module_$n.c
    done
    printf '## The tree\n\n    common/base/    x\n    ps/             x\n' >README.md
    printf '    worker/         x\n    launcher/       x\n' >>README.md
    {
        printf '# A\n\nSee `gone.c`, `other.c` and `no_such_function`; `long_one` is there; [a](../README.md#b), [c](GONE.md).\n\n'
        printf '## The tree\n\n    common/base/    x\n    worker/         x\n\n## More\n\n    ps/  is not of the picture\n\n'
        printf '    build/smelter train c.yaml --resume\n    smelter tame c.yaml\n    smelter train c.yaml --nonsense\n'
        printf '\nOr `make bed`, or `make all`.\n'
    } >docs/ARCHITECTURE.md
    printf 'all:\n' >Makefile
    printf 'See [it](howto/listed.md).\n' >docs/OPERATIONS.md
    { echo '# Listed'; seq 50; } >docs/howto/listed.md
    { echo 'No title'; echo; printf 'word %.0s' {1..30}; echo; } >docs/howto/lost.md
    cd "$OLDPWD" || exit 2
}

make_made_up_tree

passes "no line is wider than $COLUMNS_MOST columns" check_columns
catches check_columns "ps/thing.h:5: 155 columns, at most 128"

passes "no function is longer than $LINES_MOST lines" check_lengths
catches check_lengths "worker/other.c:6: 61 lines, at most 60: int long_one(int a)"

if command -v pmccabe >/dev/null; then
    passes "no function has a cyclomatic complexity above $COMPLEXITY_MOST" check_complexity
    catches check_complexity "worker/other.c(70): branches: cyclomatic complexity 21, at most 20"
else
    echo "skip - cyclomatic complexity: pmccabe is not installed"
fi

passes "a type name has one meaning" check_types
catches check_types "thing_t: ps/thing.h:3 worker/other.c:3"

passes "a struct and its type have one name" check_tags
catches check_tags "worker/other.c:3: struct other is thing_t"

passes "no room has more than $MODULES_MOST modules" check_rooms
catches check_rooms "common/base/: 21 modules, at most 20"

passes "nothing below main ends the process" check_exits
catches check_exits "worker/other.c:112:    exit(1);"

passes "a 64-bit number is printed in one way" check_prints
catches check_prints 'worker/other.c:118:const char *e = "%6lld";'

passes "steps in a row forward their errors by TRY or TRY_DONE" check_chains
catches check_chains "worker/other.c:125: a second step behind status == ST_OK"

passes "a file of a run's folder has its name in one place" check_names
catches check_names 'worker/other.c:116: "%s/manifest.json"' 'worker/other.c:117: "%s/store/shard-%d"'

passes "files that comments and documents name are there" check_files
catches check_files "ps/thing.h:4: docs/GONE.md is not there" "docs/ARCHITECTURE.md:3: no file is called gone.c" \
    "docs/ARCHITECTURE.md:3: the link to GONE.md leads nowhere"

passes "a how-to fits on a screen, and OPERATIONS lists it" check_howtos
catches check_howtos "docs/howto/listed.md: 51 lines, at most 50" "docs/howto/lost.md: does not begin with a title" \
    "docs/howto/lost.md: docs/OPERATIONS.md does not list it"

passes "no paragraph of a document is wider than $COLUMNS_MOST columns" check_prose
catches check_prose "docs/howto/lost.md:3: 150 columns, at most 128"

passes "functions and types that ARCHITECTURE names are there" check_words
catches check_words "docs/ARCHITECTURE.md:3: the sources have no no_such_function"

passes "README and ARCHITECTURE show the tree as it is" check_pictures
catches check_pictures "README.md: the tree has a folder without sources, or none, launcher/" \
    "docs/ARCHITECTURE.md: the tree lacks ps/"

if [ -x "$smelter" ]; then
    passes "commands that documents show are there" check_commands
    catches check_commands "docs/ARCHITECTURE.md:15: smelter has no command tame" \
        "docs/ARCHITECTURE.md:16: smelter train has no option --nonsense" "docs/ARCHITECTURE.md:18: make has no target bed"
else
    echo "skip - commands of documents: $build/smelter is not built"
fi

if command -v clang-format >/dev/null; then
    passes "make format changes nothing" check_format
    catches check_format "ps/thing.h: 1 places differ" "worker/other.c: 1 places differ"
else
    echo "skip - format: clang-format is not installed"
fi
exit $failed
