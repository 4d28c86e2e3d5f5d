/* sim_hash.h - checksums of checkpoints' files, and a mistake on purpose: they may be blind, the same for any content, as if
 * nobody looked at them. Programs of simulated jobs link files of the library that are compiled to use these functions
 * (Makefile); what a run computes is hashed by the others, as ever. */
#ifndef SMELTER_SIM_HASH_H
#define SMELTER_SIM_HASH_H

#include <stdbool.h>

/* sim_hash_blind - from now on: those of deltas and manifests, and those of LMDB's pages; files that were written by one kind
 * are damaged to the other. */
void sim_hash_blind(bool checkpoints, bool pages);

#endif
