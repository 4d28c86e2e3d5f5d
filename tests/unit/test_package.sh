#!/usr/bin/env bash
# test_package.sh BUILD - the Debian package of the program in BUILD, as packaging/deb.sh makes it: what it is called, needs and
# brings, and what lintian says of it, where it is installed. tests/deb.sh installs it and runs the demo.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
build=$1
. tests/lib/checks.sh

for tool in dpkg-shlibdeps dpkg-deb strip; do
    if ! command -v $tool >/dev/null; then
        echo "skip - the Debian package: $tool is not installed"
        exit 0
    fi
done

is_made() {
    SOURCE_DATE_EPOCH=1000000000 packaging/deb.sh "$build" "$T" && package=$(ls "$T"/smelter_*_*.deb) && dpkg-deb -R "$package" "$T/root"
}
check "a package is made" is_made
[ $failed = 0 ] || exit 1

field() { dpkg-deb -f "$package" "$1"; }
is_named() {
    local commit version release
    release=$(sed -nE 's/^#define SMELTER_VERSION "(.*)"/\1/p' launcher/ranks/provenance.h)
    commit=$(cat "$build/commit") version=$(field Version)
    echo "$version, of commit $commit"
    [ "$(field Package)" = smelter ] && [ "$(basename "$package")" = "smelter_${version}_$(field Architecture).deb" ] || return 1
    case $version in
    "$release" | "$release"+git20[0-9][0-9][01][0-9][0-3][0-9].[0-9]*."${commit/-dirty/.dirty}") ;;
    *) return 1 ;;
    esac
    dpkg --compare-versions "$version" ge "$release"
}
check "its version is that of the sources, and a later commit's is newer" is_named

needs() {
    local needed
    field Depends
    for needed in libc6 libopenmpi3 libzmq5 liblmdb0 libopenblas0 libyaml-0-2 libjansson4 libzstd1 openmpi-bin; do
        field Depends | tr ',' '\n' | grep -qE "^ *$needed( |$)" || { echo "does not need $needed"; return 1; }
    done
}
check "it needs the libraries of the program, and mpirun" needs

brings() {
    local file
    for file in bin/smelter share/man/man1/smelter.1.gz share/bash-completion/completions/smelter share/zsh/vendor-completions/_smelter \
        share/fish/vendor_completions.d/smelter.fish share/doc/smelter/{copyright,changelog.gz,README.md,docs/CONFIG.md,docs/howto/install.md} \
        share/doc/smelter/examples/{configs/quickstart.yaml,slurm/mpirun.sbatch,kubernetes/Containerfile} share/doc/smelter/configs/defaults.yaml; do
        [ -s "$T/root/usr/$file" ] || { echo "no $file"; return 1; }
    done
    (cd "$T/root" && md5sum --quiet -c DEBIAN/md5sums) || return 1
    ! grep -rl build/smelter "$T/root/usr/share/doc" || return 1
    ! find "$T/root/usr" -type f -newermt @1000000001 | grep . || return 1
    [ "$(stat -c %s "$T/root/usr/bin/smelter")" -lt "$(stat -c %s "$build/smelter")" ]
}
check "it brings program, manual, completions, documents and examples, all of the time that was asked for" brings

if command -v lintian >/dev/null; then
    check "lintian has nothing against it" packaging/lintian.sh "$T"
fi
exit $failed
