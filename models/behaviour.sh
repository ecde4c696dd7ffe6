#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Make the behaviour model from nothing: four kinds of host from Debian packages, ordinary work and
# attacks played on each in a sandbox of its own and recorded by our own sensor, never a whole machine
# and never borrowed data; measured on hosts, hours and attack families that were not learnt from;
# then the package, with its figures and its card; the model for the kernel goes with it.
#
# Needs root, mmdebstrap, a compiler, python3 and a network for the packages. On two busy cores: eight
# minutes for the root file systems (kept), 15 for the recordings, 45 for the figures. With QUICK=1 two
# hosts, two blocks of time and one seed, in 20 minutes: to see that it works, not for figures.
# usage: [QUICK=1] models/behaviour.sh REEVE OUT [IMAGES]   (REEVE: build/bin/reeve)
set -eu
here=$(dirname "$(realpath "$0")")/behaviour
reeve=$(realpath "$1")
mkdir -p "$2" "${3:-$2/images}" && out=$(realpath "$2") images=$(realpath "${3:-$2/images}")
for tool in mmdebstrap cc python3 nsenter setpriv ip; do
    command -v "$tool" >/dev/null || { echo "models/behaviour.sh needs $tool" >&2; exit 1; }
done
hosts='busybox bookworm trixie bullseye' held_out=trixie blocks=3 seeds=3
[ -z "${QUICK:-}" ] || { hosts='busybox bookworm' held_out=busybox blocks=2 seeds=1; }

# shellcheck disable=SC2086
"$here/images.sh" "$images" $hosts
if [ ! -e "$out/recorded" ]; then
    rm -rf "$out/streams"
    recorders=
    for image in $hosts; do # mostly they wait
        "$here/record.sh" "$reeve" "$images" "$out/streams" "$image" "$blocks" &
        recorders="$recorders $!"
    done
    for recorder in $recorders; do
        wait "$recorder"
    done
    find "$out/streams" -name '*.seg' -size -200c -delete # nothing ran
    touch "$out/recorded"
fi
"$here/evaluate.py" "$reeve" "$out/streams" "$seeds" >"$out/figures.md"
"$here/evaluate.py" "$reeve" "$out/streams" "$seeds" --head kernel >"$out/figures-kernel.md"
cat "$out/figures.md" "$out/figures-kernel.md"

# The package learns from three hosts and half of the families, so that what its card says was
# measured on the fourth and on the other half.
learnt='dropper persist ransom recon revshell inject'
is_learnt='-false'
for family in $learnt; do
    is_learnt="$is_learnt -o -name $family.*"
done
set -f # the patterns are for find
# shellcheck disable=SC2046,SC2086
train() { # OUTPUT OPTION...
    output=$1
    shift
    "$reeve" model train --task behaviour "$@" \
        --normal $(find "$out/streams/normal" -name '*.seg' ! -name "*.$held_out.*" | sort) \
        --attack $(find "$out/streams/attack" ! -name "*.$held_out.*" \( $is_learnt \) | sort) \
        -o "$output"
}
train "$out/kernel.rv" --head kernel --name behaviour-kernel
train "$out/behaviour.rv" --name behaviour --carry "$out/kernel.rv"
# shellcheck disable=SC2046,SC2086
"$reeve" model eval --model "$out/behaviour.rv" \
    --normal $(find "$out/streams/normal" -name "*.$held_out.*" | sort) \
    --attack $(find "$out/streams/attack" -name "*.$held_out.*" ! \( $is_learnt \) | sort) \
    -o "$out/behaviour.rv"
"$reeve" model card "$out/behaviour.rv" --html "$out/behaviour.html"
echo "the package: $out/behaviour.rv, its card: $out/behaviour.html"
