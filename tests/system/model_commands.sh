#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `reeve model` from the outside: exit statuses and what is printed. usage: model_commands.sh REEVE CORPUS
set -u
reeve=$(realpath "$1") corpus=$(realpath "$2")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 2
number=0 failed=0
is() { # is STATUS PATTERN DESCRIPTION COMMAND...
    want=$1 pattern=$2 what=$3
    shift 3
    number=$((number + 1))
    "$@" >out 2>&1
    got=$?
    if [ "$got" -eq "$want" ] && grep -q -e "$pattern" out; then
        echo "ok $number - $what"
    else
        failed=1
        echo "not ok $number - $what"
        sed "s/^/# status $got, wanted $want: /" out
    fi
}
is 0 ' 0 decisions changed' "an XGBoost model is imported and equal" \
    "$reeve" model import "$corpus/xgboost/three-trees.json" -o x.rv
is 0 '"decisions_changed": 0' "an ONNX model is imported and equal" \
    "$reeve" model import "$corpus/onnx/margin-sum.onnx" -o o.rv --json
is 0 'a network of 3 layers over 12 features' "an ONNX network is imported" \
    "$reeve" model import "$corpus/onnx/dense-gemm.onnx" -o n.rv
is 0 '(mlp)' "the network's card" "$reeve" model card n.rv
is 2 'not JSON' "half a model is refused" \
    sh -c 'head -c 500 "$1" >half.json; "$2" model import half.json -o h.rv' sh "$corpus/xgboost/three-trees.json" "$reeve"
is 2 'a model of the host reads' "a narrow model is not one of the host" \
    "$reeve" model import "$corpus/xgboost/three-trees.json" --host -o h.rv
is 0 '3 trees, depth 3' "inspect describes the forest" "$reeve" model inspect x.rv
is 0 '"of_host": false' "inspect --json" "$reeve" model inspect x.rv --json
is 0 'Intended use' "card" "$reeve" model card x.rv
is 0 '"specVersion": "1.6"' "card --json is CycloneDX" "$reeve" model card x.rv --json
is 0 ' 0 decisions differ' "a model equals itself" "$reeve" model compare x.rv x.rv
is 2 'different width' "models of different width are not compared" "$reeve" model compare x.rv o.rv
printf 'a,b,c,d,e,f\n1,2,3,4,5,6\n60,50,40,30,20,10\n' >rows.csv
is 0 'trees that spoke loudest' "explain" "$reeve" model explain x.rv --rows rows.csv --row 2
is 0 '"attribution_q16"' "explain --json" "$reeve" model explain x.rv --rows rows.csv --json
is 2 'has 2 rows' "a row that is not there" "$reeve" model explain x.rv --rows rows.csv --row 3
is 2 'line 1' "rows of another width" sh -c 'printf "1,2\n3,4\n" >bad.csv; "$1" model explain x.rv --rows bad.csv' sh "$reeve"
is 0 'exact reasons' "bench" "$reeve" model bench x.rv
mkdir alias
is 0 'speaks now' "promote" "$reeve" model promote alias x.rv --why 'better on the holdout'
is 0 '"built_in":true' "quarantine returns to the built-in model" \
    "$reeve" model quarantine alias --why 'red since noon' --who monitor --json
is 1 'is quarantined' "what is quarantined is not promoted" \
    "$reeve" model promote alias x.rv --why again
is 1 'cannot be quarantined' "the built-in model stays" "$reeve" model quarantine alias --why x
is 0 '2' "both changes are recorded" grep -c previous alias/models.jsonl
is 2 'chain is broken' "a changed history is refused" \
    sh -c 'sed -i s/holdout/hold-out/ alias/models.jsonl; "$1" model quarantine alias --why x' sh "$reeve"
is 2 'not a profile' "drift wants recordings or profiles" \
    "$reeve" model drift --reference rows.csv --now rows.csv
printf 'x' | dd of=x.rv bs=1 seek=400 conv=notrunc status=none
is 2 'digest does not match' "a changed package is refused" "$reeve" model inspect x.rv
is 2 'usage' "no operand" "$reeve" model card
for verb in bench card compare drift explain import inspect promote quarantine; do
    is 0 'usage: reeve model' "$verb --help" "$reeve" model $verb --help
done
echo "1..$number"
exit $failed
