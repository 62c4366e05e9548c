#!/usr/bin/env bash
# Builds SPP in release mode and installs it: the binaries under both spellings of their names
# (spp-nfv, and spp_nfv as a link), the documentation, the man page, completion for bash, zsh and
# fish, units for systemd, and sample plugins. --uninstall takes all of it away again.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<'END'
usage: scripts/install.sh [--prefix DIR] [--destdir DIR] [--bin-dir DIR] [--uninstall]

  --prefix DIR   where it will be used (default /usr/local): DIR/bin, DIR/share
  --destdir DIR  put everything under DIR instead of /, to be packaged
  --bin-dir DIR  install the spp* programs of this folder instead of building
  --uninstall    remove what was installed with the same --prefix and --destdir

What was installed is listed in PREFIX/share/spp/installed; installing again replaces it.
END
}

PREFIX=/usr/local DESTDIR='' BIN_DIR='' UNINSTALL=no
while [ $# -gt 0 ]; do
    case $1 in
    --prefix | --destdir | --bin-dir)
        [ -n "${2:-}" ] || die "$1 needs a folder"
        [[ $2 != *$'\n'* ]] || die "$1: a folder without line breaks is needed"
        case $1 in
        --prefix) PREFIX=$2 ;;
        --destdir) DESTDIR=$2 ;;
        --bin-dir) BIN_DIR=$2 ;;
        esac
        shift
        ;;
    --uninstall) UNINSTALL=yes ;;
    -h | --help)
        usage
        exit 0
        ;;
    *) die "unknown option '$1' (see --help)" ;;
    esac
    shift
done
[[ $PREFIX == /* ]] || die "--prefix $PREFIX: an absolute path is needed"
[[ -z $DESTDIR || $DESTDIR == /* ]] || DESTDIR=$PWD/$DESTDIR
[[ -z $BIN_DIR || $BIN_DIR == /* ]] || BIN_DIR=$PWD/$BIN_DIR
PREFIX=${PREFIX%/}
ROOT=${DESTDIR%/}$PREFIX
LIST=$ROOT/share/spp/installed

# remove_installed: what the list names, last things first; folders only if they are empty by now.
remove_installed() {
    local names i
    mapfile -t names <"$LIST"
    for ((i = ${#names[@]} - 1; i >= 0; i--)); do
        # The list is ours; but nothing that leaves the prefix is ever followed.
        [[ -n ${names[i]} && /${names[i]}/ != */../* ]] ||
            die "$LIST is damaged: '${names[i]}' is not a name below $ROOT"
    done
    rm -f -- "$LIST"
    for ((i = ${#names[@]} - 1; i >= 0; i--)); do
        case ${names[i]} in
        */) rmdir --ignore-fail-on-non-empty -- "$ROOT/${names[i]}" ;;
        *) rm -f -- "$ROOT/${names[i]}" ;;
        esac
    done
}

if [ "$UNINSTALL" = yes ]; then
    [ -f "$LIST" ] || die "$LIST does not exist: SPP is not installed under $ROOT (name its --prefix and --destdir)"
    remove_installed
    say "removed SPP from $ROOT"
    exit 0
fi

cd "$SPP_TOP"
PROGRAMS=()
if [ -n "$BIN_DIR" ]; then
    [ -d "$BIN_DIR" ] || die "--bin-dir $BIN_DIR: no such folder"
    mapfile -t PROGRAMS < <(find "$BIN_DIR" -maxdepth 1 -type f -executable -name 'spp*' ! -name '*.*' | sort)
    [ ${#PROGRAMS[@]} -gt 0 ] || die "--bin-dir $BIN_DIR: no spp* program is there (cargo build --release --workspace --bins)"
else
    command -v cargo >/dev/null || die "cargo is not in the PATH: install a Rust toolchain, or build as another user and name --bin-dir"
    say "build (release)"
    # Exactly what this revision builds, but for examples; the folder may hold programs of others.
    mapfile -t PROGRAMS < <(cargo build --release --workspace --exclude nf-router --bins --locked --message-format=json-render-diagnostics |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | sort -u)
    [ ${#PROGRAMS[@]} -gt 0 ] || die "cargo built no program (see above)"
fi

mkdir -p "$ROOT" 2>/dev/null || true
[ -w "$ROOT" ] ||
    die "$ROOT cannot be written to by $(id -un): use sudo, or another --prefix or --destdir"
if [ -f "$LIST" ]; then remove_installed; fi

NEW=()
# make_dir NAME: a folder and those that it lies in; notes the ones that were not there.
make_dir() {
    [ "$1" != . ] && [ ! -d "$ROOT/$1" ] || return 0
    make_dir "$(dirname -- "$1")"
    mkdir -- "$ROOT/$1"
    if [ -f "$LIST" ]; then printf '%s/\n' "$1" >>"$LIST"; else NEW+=("$1/"); fi
}
# The list comes first, so that an interrupted installation can be removed too.
make_dir share/spp
printf '%s\n' "${NEW[@]}" | sed '/^$/d' >"$LIST"
# put MODE FILE NAME
put() {
    make_dir "$(dirname -- "$3")"
    printf '%s\n' "$3" >>"$LIST"
    install -m "$1" -- "$2" "$ROOT/$3"
}
for program in "${PROGRAMS[@]}"; do
    name=$(basename -- "$program")
    put 0755 "$program" "bin/$name"
    other=${name//-/_}
    if [ "$other" != "$name" ]; then
        printf 'bin/%s\n' "$other" >>"$LIST"
        ln -sfn -- "$name" "$ROOT/bin/$other"
    fi
done
put 0644 README.md share/doc/spp/README.md
while IFS= read -r doc; do
    put 0644 "$doc" "share/doc/spp/$doc"
done < <(find docs -type f -name '*.md' | sort)
for page in docs/man/*.1; do
    put 0644 "$page" "share/man/man1/${page##*/}"
done
put 0644 completions/spp.bash share/bash-completion/completions/spp
put 0644 completions/_spp share/zsh/site-functions/_spp
put 0644 completions/spp.fish share/fish/vendor_completions.d/spp.fish
# systemd looks there itself, under /usr/local and /usr.
UNIT=$(mktemp)
trap 'rm -f -- "$UNIT"' EXIT
for unit in systemd/*.service; do
    sed "s|@BINDIR@|${PREFIX//|/\\|}/bin|" "$unit" >"$UNIT"
    put 0644 "$UNIT" "lib/systemd/system/${unit##*/}"
done
for plugin in plugins/*; do
    put 0755 "$plugin" "share/spp/plugins/${plugin##*/}"
done

say "installed under $ROOT: ${#PROGRAMS[@]} programs ($(sed -n 's:^bin/\(..*\):\1:p' "$LIST" | tr '\n' ' ')) and the documentation"
case :$PATH: in
*":$PREFIX/bin:"*) ;;
*) [ -n "$DESTDIR" ] || say "$PREFIX/bin is not in your PATH" ;;
esac
