#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The Bitloom authors
#
# Runs the engine as if on another machine: what lies at ROOT/PLACE it sees at PLACE, and nobody else
# does; its standard input and output go through two pipes, as over a network.
#
#     other_machine.sh --probe                      says how it would, or fails where there is no way
#     other_machine.sh ROOT PLACE PROGRAM [ARG...]
set -eu

# A mount namespace of its own; where that is forbidden, a root folder of its own.
way() {
    if [ "${BITLOOM_TEST_CHROOT:-0}" = 0 ] && unshare -m true 2>/dev/null; then
        echo unshare -m
    elif [ "${BITLOOM_TEST_CHROOT:-0}" = 0 ] && unshare -rm true 2>/dev/null; then
        echo unshare -rm
    elif [ "$(id -u)" = 0 ] && command -v chroot >/dev/null; then
        echo chroot
    fi
}

how=$(way)
if [ "$1" = --probe ]; then
    echo "$how"
    [ -n "$how" ]
    exit
fi

root=$1 place=$2 program=$3
shift 3

# The program and what it is linked with, as links where the disk is the same one.
furnish() {
    for file in "$program" $(ldd "$program" | grep -o '/[^ ]*'); do
        [ -e "$root$file" ] && continue
        mkdir -p "$root$(dirname "$file")"
        ln "$(readlink -f "$file")" "$root$file" 2>/dev/null || cp -L "$file" "$root$file"
    done
    files=$(dirname "$(dirname "$program")")/share/bitloom
    if [ ! -e "$root/share/bitloom" ]; then
        mkdir -p "$root/share"
        cp -rL "$files" "$root/share/bitloom"
    fi
    mkdir -p "$root/tmp" "$root/dev"
    [ -e "$root/dev/null" ] || mknod -m 666 "$root/dev/null" c 1 3
}

# Nothing of this side leads there: the home folder, too, is the other machine's.
export HOME="$place/home"
unset XDG_CACHE_HOME XDG_STATE_HOME XDG_CONFIG_HOME || true
engine() {
    case $how in
    unshare*)
        # shellcheck disable=SC2016,SC2086 # for the inner shell; "unshare -m" is two words
        $how sh -c 'mount --bind "$1" "$2" && cd / && shift 2 && exec "$@"' sh \
            "$root$place" "$place" "$program" "$@"
        ;;
    chroot)
        BITLOOM_RESOURCES=/share/bitloom chroot "$root" "$program" "$@"
        ;;
    esac
}

[ "$how" != chroot ] || furnish
# As ssh does: where the other end is gone, so is this one, though its input goes on.
cat | {
    engine "$@" || true
    kill -9 $$
} | cat
