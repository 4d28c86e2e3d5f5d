#include "common/net/step_batch.h"

#include <string.h>

#include "common/base/memory.h"

void step_batch_begin(step_batch_t *batch, int64_t of_step)
{
    step_batch_end(batch);
    if (of_step > 0)
        *batch = (step_batch_t){.words = MEM_ARRAY(uint64_t, STEP_BATCH_STEPS * of_step), .of_step = of_step};
}

void step_batch_end(step_batch_t *batch)
{
    mem_free(batch->words);
    *batch = (step_batch_t){0};
}

uint64_t *step_batch_add(step_batch_t *batch, int64_t step)
{
    ASSERT(batch->words && !step_batch_is_full(batch));
    ASSERT(batch->steps == 0 || step == batch->first_step + batch->steps);
    if (batch->steps == 0)
        batch->first_step = step;
    uint64_t *record = batch->words + batch->steps++ * batch->of_step;
    memset(record, 0, sizeof *record * (size_t)batch->of_step);
    return record;
}

status_t step_batch_send(step_batch_t *batch, net_t *net, int peer, const wire_header_t *header)
{
    if (batch->steps == 0)
        return ST_OK;
    wire_header_t own = *header;
    own.type = WIRE_DIGESTS;
    own.step = batch->first_step;
    own.count = batch->steps;
    const wire_frame_t frame = {batch->words, batch->steps * batch->of_step * (int64_t)sizeof *batch->words};
    batch->steps = 0;
    return net_send(net, peer, &own, &frame, 1);
}
