#!/bin/bash
# Trains on several machines under Slurm, from this project's folder:
#     sbatch examples/cluster/slurm.sh impl_keras --dataset large --epochs 20
# impl_lowlevel needs a parameter server, which is one of the tasks: PARAMETER_SERVERS=1 sbatch examples/cluster/slurm.sh impl_lowlevel
# Submitted again with the same MODEL_DIR, a training goes on from its last checkpoint.
#SBATCH --job-name=port
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --time=01:00:00
set -euo pipefail

implementation=$1
shift
export MODEL_DIR=${MODEL_DIR:-$PWD/model-$SLURM_JOB_ID}  # on a file system that all machines see
export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1}  # which srun does not take from sbatch
port=$((20000 + SLURM_JOB_ID % 12000))
place=0
addresses=()
for host in $(scontrol show hostnames "$SLURM_JOB_NODELIST"); do
    addresses+=("$host:$((port + place++))")
done

# A task that fails ends the others.
srun --kill-on-bad-exit=1 bash -c '
    TF_CONFIG=$(python examples/cluster/tf_config.py "$SLURM_PROCID" '"${addresses[*]}"')
    export TF_CONFIG
    exec python -m "$0" --model-dir "$MODEL_DIR" "$@"' "$implementation" "$@"
