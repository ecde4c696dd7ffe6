# Work under version control.
w=$(mktemp -d) && cd "$w" && HOME=$w && export HOME
if have git; then
    git init -q r && cd r && git config user.name n && git config user.email n@example.org
    i=0; while [ $i -lt 6 ]; do echo "$i $v" >f$i && git add f$i && git commit -qm "c$i"; i=$((i + 1)); done
    git checkout -qb topic && sed -i 's/1/2/' f1 f2 && git commit -qam topic && git checkout -q - && git merge -q topic
    git log --oneline | head -3; git diff HEAD~2 --stat; git tag v$v; git clone -q . ../c; (cd ../c && git status -s && git gc -q)
    printf '#!/bin/sh\nexit 0\n' >.git/hooks/pre-commit && chmod +x .git/hooks/pre-commit && echo z >z && git add z && git commit -qm z
else
    mkdir a b && i=0 && while [ $i -lt 8 ]; do echo "$i $v" >a/f$i; cp a/f$i b/; i=$((i + 1)); done
    sed -i 's/1/2/' b/*; diff -ru a b >p.diff; (cd a && patch -p1 <../p.diff) >/dev/null; cmp a/f1 b/f1
fi >/dev/null 2>&1
cd / && rm -rf "$w"
