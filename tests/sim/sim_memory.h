/* sim_memory.h - what happens at an allocation (common/base/memory.h) in a simulated job. Programs that link sim_memory.c with
 * the linker's --wrap have mem_alloc, mem_grow and mem_strdup counted. */
#ifndef SMELTER_SIM_MEMORY_H
#define SMELTER_SIM_MEMORY_H

/* sim_memory_watch - see(context) before every allocation; NULL: none any more. */
void sim_memory_watch(void (*see)(void *context), void *context);

#endif
