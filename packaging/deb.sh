#!/usr/bin/env bash
# packaging/deb.sh BUILD [FOLDER] - make FOLDER/smelter_VERSION_ARCH.deb of the program in BUILD, and print its name; FOLDER is BUILD
# where none is given.
#
# The version is SMELTER_VERSION, and, unless the sources are its tag, the time and the name of the commit. Libraries that it needs
# are asked of the program itself (dpkg-shlibdeps). The same program gives the same bytes: every time in the package is
# SOURCE_DATE_EPOCH, by default the commit's. DEBFULLNAME and DEBEMAIL say who makes it. Wants dpkg-dev and gzip; no root.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1
into=${2:-$build}
umask 022
export LC_ALL=C TZ=UTC

T=$(mktemp -d "${TMPDIR:-/tmp}/smelter-deb.XXXXXX")
trap 'rm -rf "$T"' EXIT
root=$T/root
share=$root/usr/share
doc=$share/doc/smelter

release=$(sed -nE 's/^#define SMELTER_VERSION "(.*)"/\1/p' launcher/ranks/provenance.h)
commit=$(cat "$build/commit")
if [ "$commit" != unknown ]; then
    committed=$(git log -1 --format=%ct)
else
    committed=$(stat -c %Y launcher/ranks/provenance.h)
fi
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$committed}
version=$release
if [ "$commit" != unknown ] && ! { git describe --exact-match --tags --match "v$release" >/dev/null 2>&1 && [ "$commit" = "${commit%-dirty}" ]; }; then
    version=$release+git$(date -d "@$committed" +%Y%m%d.%H%M%S).${commit/-dirty/.dirty}
fi
maintainer="${DEBFULLNAME:-Smelter maintainers} <${DEBEMAIL:-smelter@example.org}>"

make --no-print-directory -s install-only BUILD="$build" DESTDIR="$root" PREFIX=/usr STRIP=-s ZSH_INTO=share/zsh/vendor-completions >/dev/null
architecture=$(dpkg --print-architecture)
case $(objdump -f "$root/usr/bin/smelter") in
*x86-64*) architecture=amd64 ;;
*aarch64*) architecture=arm64 ;;
esac
strip --remove-section=.comment "$root/usr/bin/smelter"
rm "$doc/LICENSE" # Debian has it once for all
cp packaging/copyright "$doc/"
gzip -9n "$share/man/man1/smelter.1"
cat >"$T/changelog" <<END
smelter ($version) unstable; urgency=medium

  * Built from commit $commit.

 -- $maintainer  $(date -R -d "@$SOURCE_DATE_EPOCH")
END
gzip -9n <"$T/changelog" >"$doc/changelog.gz"

# dpkg-shlibdeps looks for debian/control where it stands.
mkdir -p "$T/debian" "$root/DEBIAN"
printf 'Source: smelter\n\nPackage: smelter\nArchitecture: any\n' >"$T/debian/control"
libraries=$(cd "$T" && dpkg-shlibdeps -O "$root/usr/bin/smelter" 2>"$T/said") || { cat "$T/said" >&2; exit 1; }
cat >"$root/DEBIAN/control" <<END
Package: smelter
Version: $version
Architecture: $architecture
Maintainer: $maintainer
Installed-Size: $(find "$root/usr" -printf '%y %s\n' | awk '{ kib += $1 == "f" ? int(($2 + 1023) / 1024) : 1 } END { print kib }')
Depends: ${libraries#shlibs:Depends=}, openmpi-bin
Recommends: gnuplot-nox
Section: science
Priority: optional
Description: train click-through-rate recommenders on a parameter-server cluster
 Smelter trains recommenders on a cluster of workers and servers (Open MPI and
 ZeroMQ), compares variants of a model in accuracy, prediction difference and
 cost, and makes a training bit-identical, whatever the number of machines.
 .
 /usr/share/doc/smelter has the documents, and examples to begin with.
END
(cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum >DEBIAN/md5sums)

find "$root" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +
package=$into/smelter_${version}_$architecture.deb
dpkg-deb --root-owner-group -Zxz --build "$root" "$T/smelter.deb" >/dev/null
rm -f "$into"/smelter_*.deb
mv "$T/smelter.deb" "$package"
echo "$package"
