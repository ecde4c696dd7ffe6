#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# No two rooms define a function of the same name: of two in archives the linker takes the one that
# it meets first, and says nothing.
cd "$1/src" || exit 1
defined=$(for archive in */lib*.a; do
    nm -g --defined-only "$archive" 2>/dev/null | awk -v room="${archive%%/*}" 'NF == 3 && $2 ~ /[TDBR]/ { print $3, room }'
done | sort -u)
count=$(echo "$defined" | wc -l)
twice=$(echo "$defined" | awk '{ if ($1 == last) print $1 " is in " room " and in " $2; last = $1; room = $2 }')
if [ "$count" -gt 500 ] && [ -z "$twice" ]; then
    echo "ok 1 - $count names, each in one room"
    echo 1..1
    exit 0
fi
echo "not ok 1 - names of $count that are in two rooms"
echo "$twice" | sed 's/^/# /'
echo 1..1
exit 1
