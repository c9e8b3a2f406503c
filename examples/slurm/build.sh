#!/bin/sh
# SPDX-License-Identifier: MIT
#
# build.sh STORE SOURCE... -- a store, built by a Slurm job array.
#
# Each task of the array builds the shard that its number says into a store of
# its own, STORE.K; a last job, which waits for them all, merges these.  A task
# that was killed is requeued and goes on where it stopped.  CWM is the program
# (cwm unless set), CWM_TASKS how many there are (8), CWM_OPTIONS further
# options of `cwm dataset build`.
set -eu
cwm=${CWM:-cwm}
tasks=${CWM_TASKS:-8}

if [ $# -lt 2 ]; then
    echo "usage: build.sh STORE SOURCE..." >&2
    exit 2
fi
store=$1
shift

if [ -n "${SLURM_ARRAY_TASK_ID:-}" ]; then
    # shellcheck disable=SC2086 # a list of options
    exec "$cwm" dataset build --store "$store.$SLURM_ARRAY_TASK_ID" \
        ${CWM_OPTIONS:-} "$@"
fi

array=$(sbatch --parsable --requeue --array="1-$tasks" --job-name=cwm-build \
    --output="$store.%a.log" --open-mode=append "$0" "$store" "$@")
parts=""
k=1
while [ "$k" -le "$tasks" ]; do
    parts="$parts '$store.$k'"
    k=$((k + 1))
done
sbatch --parsable --dependency="afterok:${array%%;*}" --job-name=cwm-merge \
    --output="$store.merge.log" \
    --wrap="'$cwm' dataset merge --store '$store' $parts"
