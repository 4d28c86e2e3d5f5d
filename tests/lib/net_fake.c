#include "tests/lib/net_fake.h"

#include <string.h>

#include "common/base/memory.h"
#include "common/base/rng.h"

#define START_NS 1000000000

/* A message and its frames, each in a block of its own size, so that a reader who goes beyond it is found out. */
typedef struct fake_letter {
    net_message_t message;
    void *copy[WIRE_FRAMES];
    struct fake_letter *next;
} fake_letter_t;

typedef struct net_fake {
    net_t base;
    int self;
    net_fake_sent_fn *sent;
    void *context;
    int64_t now_ns, held;
    uint64_t drawn;
    fake_letter_t *inbox, **inbox_end;
} net_fake_t;

static void drop_letter(fake_letter_t *letter)
{
    for (int i = 0; i < WIRE_FRAMES; i++)
        mem_free(letter->copy[i]);
    mem_free(letter);
}

static status_t op_send(net_t *base, int peer, const wire_header_t *header, const wire_frame_t *frames, int n,
                        void (*release)(void *context), void *context)
{
    net_fake_t *net = (net_fake_t *)base;
    wire_header_t full = *header, back;
    uint8_t head[64];
    const char *wrong;
    ASSERT(n >= 0 && n <= WIRE_FRAMES);
    full.sender = (uint32_t)net->self;
    full.payload_bytes = 0;
    wire_frame_t all[1 + WIRE_FRAMES] = {{head, sizeof head}};
    for (int i = 0; i < n; i++) {
        full.payload_bytes += frames[i].bytes;
        all[1 + i] = frames[i];
    }
    wire_encode(&full, head);
    ASSERT(wire_decode(all, 1 + n, &back, &wrong) == ST_OK); /* as a transport does: what the peer would refuse is a bug */
    base->messages_sent++;
    base->bytes_sent += 64 + full.payload_bytes;
    if (net->sent)
        net->sent(net->context, peer, &full, frames, n);
    if (release)
        release(context);
    return ST_OK;
}

static void op_offer(net_t *base, int peer, const wire_header_t *header, const wire_frame_t *frames, int n)
{
    ASSERT(op_send(base, peer, header, frames, n, NULL, NULL) == ST_OK);
}

static status_t op_receive(net_t *base, net_message_t *message, int64_t timeout_ms)
{
    net_fake_t *net = (net_fake_t *)base;
    fake_letter_t *letter = net->inbox;
    if (!letter) {
        net->now_ns += timeout_ms * 1000000;
        return ST_TIMEOUT;
    }
    net->inbox = letter->next;
    if (!net->inbox)
        net->inbox_end = &net->inbox;
    *message = letter->message;
    net->held++;
    return ST_OK;
}

static void op_release(net_t *base, net_message_t *message)
{
    net_fake_t *net = (net_fake_t *)base;
    if (!message->own)
        return;
    drop_letter(message->own);
    message->own = NULL;
    net->held--;
}

static int64_t op_now_ns(net_t *base)
{
    return ((net_fake_t *)base)->now_ns;
}

static uint64_t op_random(net_t *base)
{
    return rng_u64(1, 2, ((net_fake_t *)base)->drawn++);
}

static void op_close(net_t **base)
{
    net_fake_t *net = (net_fake_t *)*base;
    while (net->inbox) {
        fake_letter_t *next = net->inbox->next;
        drop_letter(net->inbox);
        net->inbox = next;
    }
    mem_free(net);
    *base = NULL;
}

net_t *net_fake_create(int self, net_fake_sent_fn *sent, void *context)
{
    static const net_ops_t ops = {.send = op_send,
                                  .offer = op_offer,
                                  .receive = op_receive,
                                  .release = op_release,
                                  .now_ns = op_now_ns,
                                  .random = op_random,
                                  .close = op_close};
    net_fake_t *net = MEM_NEW(net_fake_t);
    net->base.ops = &ops;
    net->self = self;
    net->sent = sent;
    net->context = context;
    net->now_ns = START_NS;
    net->inbox_end = &net->inbox;
    return &net->base;
}

/* NULL where a transport would refuse the frames. */
static fake_letter_t *letter_of(net_t *base, int peer, const wire_frame_t *frames, int n, const char **reason)
{
    wire_header_t header;
    if (wire_decode(frames, n, &header, reason) != ST_OK) {
        base->bad_messages++;
        return NULL;
    }
    fake_letter_t *letter = MEM_NEW(fake_letter_t);
    letter->message = (net_message_t){.peer = peer, .header = header, .frames = n - 1, .own = letter};
    for (int i = 0; i < n - 1; i++) {
        const wire_frame_t *from = &frames[1 + i];
        letter->copy[i] = MEM_ARRAY(char, from->bytes);
        if (from->bytes)
            memcpy(letter->copy[i], from->data, (size_t)from->bytes);
        letter->message.frame[i] = (wire_frame_t){letter->copy[i], from->bytes};
    }
    base->messages_received++;
    base->bytes_received += 64 + header.payload_bytes;
    return letter;
}

bool net_fake_message(net_t *base, int peer, const wire_frame_t *frames, int n, net_message_t *out, const char **reason)
{
    fake_letter_t *letter = letter_of(base, peer, frames, n, reason);
    if (!letter)
        return false;
    *out = letter->message;
    ((net_fake_t *)base)->held++;
    return true;
}

bool net_fake_put(net_t *base, int peer, const wire_frame_t *frames, int n, const char **reason)
{
    net_fake_t *net = (net_fake_t *)base;
    fake_letter_t *letter = letter_of(base, peer, frames, n, reason);
    if (!letter)
        return false;
    *net->inbox_end = letter;
    net->inbox_end = &letter->next;
    return true;
}

int64_t net_fake_held(const net_t *net)
{
    return ((const net_fake_t *)net)->held;
}

void net_fake_advance(net_t *net, int64_t ns)
{
    ((net_fake_t *)net)->now_ns += ns;
}

void net_fake_put_bodies(net_t *net, int peer, const wire_header_t *header, const wire_frame_t *bodies, int n)
{
    wire_frame_t frames[1 + WIRE_FRAMES];
    wire_header_t full = *header;
    uint8_t head[64];
    const char *reason;
    full.payload_bytes = 0;
    for (int i = 0; i < n; i++) {
        frames[1 + i] = bodies[i];
        full.payload_bytes += bodies[i].bytes;
    }
    wire_encode(&full, head);
    frames[0] = (wire_frame_t){head, sizeof head};
    const bool good = net_fake_put(net, peer, frames, 1 + n, &reason);
    (void)good;
}
