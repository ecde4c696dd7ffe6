#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Model cards against CycloneDX's own schema, through the npm package and ajv.
# usage: cyclonedx.sh REEVE SOURCE_DIR BUILD_DIR CORPUS
set -u
reeve=$(realpath "$1") source=$2 work=$3/cyclonedx-interop corpus=$4
if ! command -v node >/dev/null 2>&1 || ! command -v npm >/dev/null 2>&1; then
    echo "# skip: no node and npm, so no schema to validate against"
    exit 77
fi
mkdir -p "$work" && cp "$source"/package.json "$source"/package-lock.json "$source"/validate.cjs "$work" || exit 2
cd "$work" || exit 2
if [ ! -d node_modules/ajv ] && ! npm ci --ignore-scripts --no-audit --no-fund >npm.log 2>&1; then
    echo "# skip: cannot fetch the npm packages (no network?): $(tail -1 npm.log)"
    exit 77
fi
number=0 failed=0
for model in "$corpus"/*.rv; do
    number=$((number + 1))
    name=$(basename "$model" .rv)
    if "$reeve" model card --json "$model" >"$name.json" && node validate.cjs "$name.json" >out 2>&1; then
        echo "ok $number - $name"
    else
        failed=1
        echo "not ok $number - $name"
        sed 's/^/# /' out
    fi
done
# The validator must be able to say no.
number=$((number + 1))
sed 's/"machine-learning-model"/"machine-learning-modle"/' full.json >broken.json
if node validate.cjs broken.json >out 2>&1; then
    failed=1
    echo "not ok $number - a broken card is refused"
else
    echo "ok $number - a broken card is refused"
fi
echo "1..$number"
exit $failed
