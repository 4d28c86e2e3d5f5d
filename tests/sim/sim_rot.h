/* sim_rot.h - bits that flip in the real files of a simulated run, those that are not on its simulated disk: lines of metrics
 * and steps, what is written at the end, and LMDB's. Between two starts of the job only, when nobody has them open. */
#ifndef SMELTER_SIM_ROT_H
#define SMELTER_SIM_ROT_H

#include <stdbool.h>

/* sim_rot_flip - a bit of a file below the folder; draw: between 0 and 1. */
void sim_rot_flip(const char *folder, double (*draw)(void *context), void *context);

/* sim_rot_is_named - does the text name a file with such a bit, or its folder? sim_rot_heal - flip all of them back, where they
 * were not written over. sim_rot_forget - leave them as they are. */
bool sim_rot_is_named(const char *text);
void sim_rot_heal(void);
void sim_rot_forget(void);

#endif
