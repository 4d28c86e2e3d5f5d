/* float_mode.h - how this process rounds: to nearest, with denormal numbers computed as they are (neither flushed to zero nor
 * read as zero), on every processor. It is what a process begins with, but a shared library that was built with -ffast-math
 * changes it when it is loaded, unasked, and some MPI plug-ins are loaded late.
 *
 * Denormals stay, rather than being flushed everywhere, because processors differ in what they flush (before or after rounding,
 * inputs or not), and because IEEE's arithmetic needs no agreement. */
#ifndef SMELTER_FLOAT_MODE_H
#define SMELTER_FLOAT_MODE_H

/* float_mode_set - on the calling thread, and so on those that it starts. */
void float_mode_set(void);

#endif
