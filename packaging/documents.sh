#!/usr/bin/env bash
# packaging/documents.sh FOLDER - put the documents, and the examples with their configurations, where an installed smelter has
# them: FOLDER/README.md, FOLDER/docs and FOLDER/examples. Their commands name smelter without the build folder.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1
umask 022

mkdir -p "$folder"
cp LICENSE "$folder/"
for file in README.md docs/*.md docs/*.svg docs/howto/*.md examples/*/* configs/*.yaml; do
    to=$folder/$file
    [[ $file != configs/* ]] || to=$folder/examples/$file
    mkdir -p "${to%/*}"
    sed 's|build/smelter|smelter|g' "$file" >"$to"
done
ln -sfn examples/configs "$folder/configs" # where links of the documents look for it
