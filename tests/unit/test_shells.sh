#!/usr/bin/env bash
# test_shells.sh BUILD - what is made from the tables of commands and options: "at 80 columns nothing of --help wraps", the manual page,
# the completion of bash (of zsh and fish: that they parse it, where they are installed), and where make install puts them.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
build=$1
smelter=$build/smelter
. tests/lib/checks.sh
commands=$("$smelter" --help | sed -nE 's/^  ([a-z-]+) +[a-z].*/\1/p')

# Every --help in a terminal of 80 columns, whose words are those of a pipe.
narrow() {
    local command
    {
        echo "stty cols 80; unset COLUMNS; '$smelter' --help"
        for command in $commands; do echo "'$smelter' $command --help"; done
    } >"$T/all.sh"
    script -qec "sh '$T/all.sh'" /dev/null </dev/null | tr -d '\r' >"$T/narrow"
    sed 's/stty cols 80; unset COLUMNS; //' "$T/all.sh" | sh >"$T/wide"
    [ "$(wc -l <"$T/narrow")" -gt "$(wc -l <"$T/wide")" ] || { echo "nothing was broken"; return 1; }
    if grep -nE '^.{81}' "$T/narrow"; then return 1; fi
    cmp <(tr -s ' \n' '\n' <"$T/narrow") <(tr -s ' \n' '\n' <"$T/wide")
}
check "at 80 columns nothing of --help wraps" narrow

installed() {
    make -s install-only BUILD="$build" DESTDIR="$T/root" PREFIX=/opt/x || return 1
    local share=$T/root/opt/x/share file
    for file in ../bin/smelter man/man1/smelter.1 bash-completion/completions/smelter zsh/site-functions/_smelter \
        fish/vendor_completions.d/smelter.fish; do
        [ -s "$share/$file" ] || { echo "no $file"; return 1; }
    done
    [ "$(stat -c %a "$share/man/man1/smelter.1")" = 644 ]
}
check "make install puts everything below DESTDIR and PREFIX" installed

manual() {
    local command
    for command in $commands; do
        grep -qxE "\.SS smelter ${command//-/\\\\-} .*" "$T/root/opt/x/share/man/man1/smelter.1" || { echo "no $command"; return 1; }
    done
    grep -q '^\.SH EXIT STATUS' "$T/root/opt/x/share/man/man1/smelter.1" || return 1
    command -v groff >/dev/null || return 0
    groff -man -Tutf8 -ww "$T/root/opt/x/share/man/man1/smelter.1" 2>&1 >/dev/null | grep . && return 1
    return 0
}
check "the manual page has every command, and its formatter nothing to complain of" manual

# completes WORD... - what the last word may become.
completes() {
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _smelter 2>/dev/null
    echo "${COMPREPLY[*]}"
}
bash_completes() {
    # shellcheck source=/dev/null
    . "$T/root/opt/x/share/bash-completion/completions/smelter"
    : >"$T/file-of-mine"
    [ "$(completes smelter trai)" = train ] && [ "$(completes smelter train --no)" = "" ] &&
        [ "$(completes smelter import --no-c)" = --no-compress ] && [ "$(completes smelter train --set train.epo)" = train.epochs= ] &&
        [ "$(completes smelter predict --split "")" = "train eval test all" ] && [ "$(completes smelter checkpoint v)" = verify ] &&
        [ "$(completes smelter train "$T/file-of-m")" = "$T/file-of-mine" ] && [ "$(completes smelter train --rows "")" = "" ]
}
check "bash completes commands, options, words, keys and files" bash_completes

if command -v zsh >/dev/null; then
    check "zsh reads its completion" zsh -n "$T/root/opt/x/share/zsh/site-functions/_smelter"
fi
if command -v fish >/dev/null; then
    check "fish reads its completion" fish -n "$T/root/opt/x/share/fish/vendor_completions.d/smelter.fish"
fi
exit $failed
