#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every manual page is clean mdoc.
BUILD=$1
SOURCE=$2
count=0
status=0
command -v mandoc >/dev/null || { echo "# skip: mandoc is not installed"; exit 77; }
for page in "$SOURCE"/docs/man/*.[1-8] "$BUILD"/docs/man/*.[1-8]; do
    [ -e "$page" ] || continue
    count=$((count + 1))
    if said=$(mandoc -Tlint -W warning "$page" 2>&1); then
        echo "ok $count - $(basename "$page")"
    else
        echo "not ok $count - $(basename "$page")"
        echo "$said" | sed 's/^/# /'
        status=1
    fi
done
echo "1..$count"
exit $status
