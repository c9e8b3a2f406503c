#!/bin/sh
# SPDX-License-Identifier: MIT
#
# build.sh STORE SOURCE... -- a store, built by a Slurm job array.
#
# Each task of the array builds the shard that its number says into a store of
# its own, STORE.K; a last job, which waits for them all, merges these.  A task
# that was killed (a node that fails, preemption, the end of its time) goes
# back into the queue, at most RESTARTS times, and goes on where it stopped.
#
# From the environment: CWM is the program (cwm unless set), CWM_TASKS how many
# tasks there are (8), CWM_OPTIONS further options of `cwm dataset build`,
# CWM_SBATCH options of sbatch (--time=4:00:00 --cpus-per-task=16).
set -eu
cwm=${CWM:-cwm}
tasks=${CWM_TASKS:-8}
readonly restarts=20

if [ $# -lt 2 ]; then
    echo "usage: build.sh STORE SOURCE..." >&2
    exit 2
fi
store=$1
shift

if [ -n "${SLURM_ARRAY_TASK_ID:-}" ]; then
    status=0
    # shellcheck disable=SC2086 # a list of options
    "$cwm" dataset build --store "$store.$SLURM_ARRAY_TASK_ID" \
        --workers "${SLURM_CPUS_PER_TASK:-1}" ${CWM_OPTIONS:-} "$@" &
    build=$!
    trap 'kill -TERM "$build"' TERM # its time is nearly up
    wait "$build" || status=$?
    if kill -0 "$build" 2>/dev/null; then # the trap ended the first wait
        status=0
        wait "$build" || status=$?
    fi
    # Stopped by a signal, not by what it was asked: that can be gone on with.
    if [ "$status" -gt 128 ] &&
        [ "${SLURM_RESTART_COUNT:-0}" -lt "$restarts" ]; then
        echo "build.sh: stopped by signal $((status - 128)), once more" >&2
        scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
        sleep 60 # Slurm ends this task
    fi
    exit "$status"
fi

# shellcheck disable=SC2086 # a list of options
array=$(sbatch --parsable --requeue --array="1-$tasks" --job-name=cwm-build \
    --signal=B:TERM@60 --output="$store.%a.log" --open-mode=append \
    ${CWM_SBATCH:-} "$0" "$store" "$@")
parts=""
k=1
while [ "$k" -le "$tasks" ]; do
    parts="$parts '$store.$k'"
    k=$((k + 1))
done
sbatch --parsable --dependency="afterok:${array%%;*}" --job-name=cwm-merge \
    --output="$store.merge.log" \
    --wrap="'$cwm' dataset merge --store '$store' $parts"
