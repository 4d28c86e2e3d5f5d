/* The state of progressive metrics that a checkpoint holds, and the messages of workers that follow it (progressive.h).
 *
 *     u8 batch, u8 lanes (as an exponent), u8 workers, u8 total, u8 interval, u8 first visits,
 *     u8 {bit 0: keeps them, bit 1: from a state, bit 2: weights, bit 3: windows}, u16 bytes of the state, the state,
 *     messages: u8 worker, u8 step, u8 count, of predictions, labels and queries: i8 bytes more than fit, in sixteenths,
 *     u8 what they are made of                                                                                              */
#include <string.h>

#include "common/base/memory.h"
#include "common/net/message.h"
#include "launcher/metrics/progressive.h"
#include "tests/fuzz/harness.h"

#define STATE_MOST 2048
#define MESSAGES_MOST 12

/* ---- a net that has no wire -------------------------------------------------------------------------------------------- */

static int64_t held; /* messages that are not released */

static void release(net_t *net, net_message_t *message)
{
    (void)net;
    if (!message->own)
        return;
    for (int i = 0; i < message->frames; i++)
        mem_free((void *)message->frame[i].data);
    message->own = NULL;
    held--;
}

static int64_t now_ns(net_t *net)
{
    (void)net;
    return 1000;
}

static net_t *quiet_net(void)
{
    static const net_ops_t ops = {.release = release, .now_ns = now_ns};
    static net_t net = {.ops = &ops};
    return &net;
}

/* ---- the target -------------------------------------------------------------------------------------------------------- */

static wire_frame_t frame(fuzz_input_t *in, int64_t fits)
{
    const int64_t more = (int8_t)fuzz_byte(in) / 16;
    const size_t bytes = (size_t)(fits + more > 0 ? fits + more : 0);
    const unsigned filled = fuzz_byte(in);
    char *data = mem_alloc(bytes + 1, 1); /* numbers aligned, as every transport hands them out */
    for (size_t i = 0; i < bytes; i++)
        data[i] = (char)(filled & 1 ? i * filled : filled / 2);
    return (wire_frame_t){data, (int64_t)bytes};
}

static void put_message(progressive_t *p, const progressive_options_t *o, fuzz_input_t *in)
{
    const int worker = fuzz_byte(in) % o->workers;
    const int64_t step = (int8_t)fuzz_byte(in), count = fuzz_byte(in);
    net_message_t message = {.peer = worker, .frames = 3, .own = p};
    message.header = wire_header(WIRE_PROGRESS, 1, 1, (uint32_t)worker, step, count);
    message.frame[0] = frame(in, 4 * count);
    message.frame[1] = frame(in, count);
    message.frame[2] = frame(in, 8 * count * message_about(o->window > 0, o->has_weight).words);
    held++;
    const status_t status = progressive_put(p, worker, &message, 2000);
    ASSERT(status == ST_OK || status == ST_MESSAGE);
    net_release(o->net, &message); /* where it was refused */
    ASSERT(progressive_steps(p) <= lanes_steps(&o->lanes));
}

static progressive_options_t read_options(fuzz_input_t *in)
{
    progressive_options_t o = {.net = quiet_net()};
    o.lanes.batch = 1 + fuzz_byte(in) % 16;
    o.lanes.lanes = 1 << fuzz_byte(in) % 4;
    o.lanes.batch = (o.lanes.batch + o.lanes.lanes - 1) / o.lanes.lanes * o.lanes.lanes;
    o.workers = 1 + fuzz_byte(in) % (o.lanes.lanes < 4 ? o.lanes.lanes : 4);
    o.lanes.total = fuzz_byte(in);
    o.interval = 1 + fuzz_byte(in) % 8;
    o.first_visits = fuzz_byte(in);
    if (o.first_visits > o.lanes.total)
        o.first_visits = o.lanes.total;
    return o;
}

static void read_flags(progressive_options_t *o, unsigned flags)
{
    o->keeps = flags & 1;
    o->has_weight = flags >> 2 & 1;
    o->window = flags >> 3 & 1 ? 1000 : 0;
    o->ticks = 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input_t in = {data, size}, state;
    progressive_options_t o = read_options(&in);
    const unsigned flags = fuzz_byte(&in);
    const size_t wanted = fuzz_number(&in, 2);
    read_flags(&o, flags);
    size_t bytes;
    state = (fuzz_input_t){in.at, wanted < in.left ? wanted : in.left};
    in.at += state.left;
    in.left -= state.left;
    uint8_t *saved = fuzz_rest(&state, STATE_MOST, &bytes);
    progressive_t *p = NULL, *again = NULL;
    held = 0;
    if (!(flags & 2)) {
        p = progressive_create(&o);
    } else if (progressive_resume(&o, saved, (int64_t)bytes, "saved", &p) != ST_OK) {
        p = NULL;
    }
    for (int i = 0; p && i < MESSAGES_MOST && in.left > 0; i++)
        put_message(p, &o, &in);
    if (p) {
        int64_t length;
        void *copy = progressive_save(p, 3000, &length);
        const status_t status = progressive_resume(&o, copy, length, "again", &again);
        ASSERT(status == ST_OK && progressive_steps(again) == progressive_steps(p));
        ASSERT(progressive_examples(again) == progressive_examples(p));
        mem_free(copy);
    }
    progressive_destroy(&again);
    progressive_destroy(&p);
    ASSERT(held == 0);
    mem_free(saved);
    return 0;
}

/* Two workers, 8 examples a step, 20 in all, in the given steps' messages; then the state, and the last step. */
static void seed(const char *name, uint8_t flags)
{
    const uint8_t options[] = {7, 1, 1, 20, 2, 12, flags}, steps[] = {0, 0, 4, 0, 0, 0, 0, 0, 0, 1, 0, 4, 0, 120, 0, 2, 0, 0};
    uint8_t head[sizeof options + 2];
    memcpy(head, options, sizeof options);
    head[7] = head[8] = 0;
    fuzz_seed_with(name, head, sizeof head, steps, sizeof steps);
    fuzz_input_t in = {options, sizeof options}, messages = {steps, sizeof steps};
    progressive_options_t o = read_options(&in);
    read_flags(&o, flags);
    progressive_t *p = progressive_create(&o);
    put_message(p, &o, &messages);
    put_message(p, &o, &messages);
    int64_t bytes;
    char *saved = progressive_save(p, 0, &bytes), *resumed = mem_printf("%s-resumed", name);
    head[6] |= 2;
    head[7] = (uint8_t)bytes;
    head[8] = (uint8_t)(bytes >> 8);
    fuzz_seed_with(resumed, head, sizeof head, saved, (size_t)bytes);
    progressive_destroy(&p);
    mem_free(saved);
    mem_free(resumed);
}

void fuzz_seeds(void)
{
    seed("usual", 0);
    seed("keeps", 1);
    seed("weights", 4);
    seed("windows", 8);
    seed("all", 13);
}
