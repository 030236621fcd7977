#!/bin/sh
# Scores a model on many machines with a Slurm array: every task scores one part of the calibration windows, exactly as one run would; the parts are added afterwards.
#
#   export MODEL=/shared/model CALIBRATION=/shared/calibration.txt RESULTS=/shared/results
#   job=$(sbatch --parsable --array=0-7 deploy/slurm-array.sh)
#   sbatch --dependency=afterok:"$job" deploy/slurm-array.sh merge
#
# WINDOWS, LENGTH, SEED and METRICS are those of "espalier score". The metrics element-first and element-mixed make files as large as the model's blocks; the default
# recipe needs element-second and fisher only. A task that is run again, because a machine failed, does nothing where its file is there: files appear only when they are whole.
#SBATCH --job-name=espalier
#SBATCH --cpus-per-task=8
#SBATCH --mem=16G
#SBATCH --time=04:00:00
set -eu

: "${MODEL:?the model: a folder that all machines see}"
: "${RESULTS:?a folder that all machines see}"
espalier=${ESPALIER:-espalier}

if [ "${1:-score}" = merge ]; then
  exec $espalier merge-scores "$RESULTS"/shard-*.safetensors --output "$RESULTS/scores.safetensors"
fi

: "${CALIBRATION:?the calibration text: a file that all machines see}"
part="$RESULTS/shard-$SLURM_ARRAY_TASK_ID.safetensors"
if [ -e "$part" ]; then exit 0; fi
exec $espalier score "$MODEL" --calibration "$CALIBRATION" \
  --windows "${WINDOWS:-1024}" --length "${LENGTH:-128}" --seed "${SEED:-0}" --metrics "${METRICS:-element-second,fisher,stability}" \
  --threads "${SLURM_CPUS_PER_TASK:-8}" --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" --output "$part"
