#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every shell script passes shellcheck.
SOURCE=$2
command -v shellcheck >/dev/null || { echo "# skip: shellcheck is not installed"; exit 77; }
cd "$SOURCE" || exit 1
count=0
status=0
for script in $(grep -rlE '^#!/bin/(ba)?sh' --include='*' packaging tests bench fuzz models .ci 2>/dev/null |
    grep -v '/corpus/' | sort); do
    count=$((count + 1))
    if said=$(shellcheck -x -S warning "$script" 2>&1); then
        echo "ok $count - $script"
    else
        echo "not ok $count - $script"
        echo "$said" | sed 's/^/# /'
        status=1
    fi
done
echo "1..$count"
exit $status
