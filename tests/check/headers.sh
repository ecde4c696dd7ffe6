#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every public header compiles by itself, seeing only its own room and those below.
SOURCE=$2
cd "$SOURCE/src" || exit 1
include=
count=0
status=0
for room in base event sensors features policy audit models enforce agent; do
    include="$include -I$room/include"
    for header in "$room"/include/"$room"/*.h; do
        [ -e "$header" ] || continue
        count=$((count + 1))
        # shellcheck disable=SC2086 # the include options are words
        if said=$(printf '#include "%s"\n' "${header#*/include/}" |
            cc -std=gnu17 -D_GNU_SOURCE -Wall -Wextra -Werror $include -fsyntax-only -x c - 2>&1); then
            echo "ok $count - $header"
        else
            echo "not ok $count - $header"
            echo "$said" | head -5 | sed 's/^/# /'
            status=1
        fi
    done
done
echo "1..$count"
exit $status
