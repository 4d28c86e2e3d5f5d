/* noise.h - messages that nobody honest sends: any type, with fields beyond every run and frames of any size, but as a
 * transport lets them through. Drawn from a seed. No step in them is one that a run of the stage (stage.h) has. */
#ifndef SMELTER_NOISE_H
#define SMELTER_NOISE_H

#include <stdbool.h>

#include "common/net/wire.h"

#define NOISE_BYTES 4096

typedef struct noise {
    wire_header_t header;
    wire_frame_t frame[WIRE_FRAMES];
    int frames;
    char bytes[WIRE_FRAMES][NOISE_BYTES];
} noise_t;

/* noise_draw - message `number` of this type, of this run or, now and then, of another. The header says what its frames have.
 * */
void noise_draw(noise_t *noise, wire_type_t type, uint64_t seed, uint64_t number, uint64_t run_id, uint32_t incarnation);

#endif
