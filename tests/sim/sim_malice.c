#include "tests/sim/sim_malice.h"

#include <string.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/net/message.h"

#define EARS 6           /* messages of a type that are remembered, of this start and of earlier ones */
#define HEARD_MOST 16384 /* bytes of a message; longer ones are not remembered */
#define TRIES 20         /* for a letter of a kind */
#define STREAM 300

typedef struct heard {
    uint8_t head[64];
    int peer, frames;
    wire_frame_t frame[WIRE_FRAMES];
    void *bytes;      /* of the frames */
    wire_role_t role; /* of the receiver, */
    int rank;         /* and its rank */
} heard_t;

struct malice {
    uint64_t seed, draws;
    net_sim_world_t *world;
    const malice_target_t *targets;
    int n_targets, shards;
    bool tames;
    heard_t now[WIRE_TYPE_END][EARS], before[WIRE_TYPE_END][EARS];
};

/* A letter under way; its frames point into `body` or into what was heard. */
typedef struct draft {
    const malice_target_t *to;
    int peer;
    wire_header_t header;
    uint8_t head[64];
    int frames;
    wire_frame_t frame[WIRE_FRAMES];
    uint64_t body[64];
} draft_t;

static double uniform(malice_t *m)
{
    return rng_uniform(m->seed, STREAM, m->draws++);
}

static int pick(malice_t *m, int n)
{
    return (int)(uniform(m) * n);
}

static uint64_t bits(malice_t *m)
{
    return rng_u64(m->seed, STREAM, m->draws++);
}

/* ---- listening ---- */

static void forget(heard_t *heard)
{
    mem_free(heard->bytes);
    *heard = (heard_t){0};
}

static void hear(void *context, net_t *to, const net_sim_letter_t *message)
{
    malice_t *m = context;
    int64_t bytes = 0;
    int t = 0;
    for (int i = 0; i < message->frames; i++)
        bytes += (message->frame[i].bytes + 7) / 8 * 8;
    while (t < m->n_targets && m->targets[t].net != to)
        t++;
    if (t == m->n_targets || bytes > HEARD_MOST)
        return;
    heard_t *heard = &m->now[message->head[6]][pick(m, EARS)];
    forget(heard);
    *heard = (heard_t){.peer = message->peer,
                       .frames = message->frames,
                       .bytes = mem_alloc((size_t)bytes, 1),
                       .role = m->targets[t].role,
                       .rank = m->targets[t].rank};
    memcpy(heard->head, message->head, sizeof heard->head);
    uint8_t *at = heard->bytes;
    for (int i = 0; i < message->frames; i++) {
        if (message->frame[i].bytes > 0)
            memcpy(at, message->frame[i].data, (size_t)message->frame[i].bytes);
        heard->frame[i] = (wire_frame_t){at, message->frame[i].bytes};
        at += (message->frame[i].bytes + 7) / 8 * 8;
    }
}

malice_t *malice_create(uint64_t seed)
{
    malice_t *m = MEM_NEW(malice_t);
    m->seed = seed;
    return m;
}

void malice_destroy(malice_t **malice)
{
    malice_t *m = *malice;
    if (!m)
        return;
    for (int type = 0; type < WIRE_TYPE_END; type++)
        for (int i = 0; i < EARS; i++) {
            forget(&m->now[type][i]);
            forget(&m->before[type][i]);
        }
    mem_free(m);
    *malice = NULL;
}

void malice_enter(malice_t *m, net_sim_world_t *world, const malice_target_t *targets, int n, int shards, bool tames)
{
    m->world = world;
    m->targets = targets;
    m->n_targets = n;
    m->shards = shards;
    m->tames = tames;
    for (int type = 0; type < WIRE_TYPE_END; type++)
        for (int i = 0; i < EARS; i++) {
            if (!m->now[type][i].bytes)
                continue;
            forget(&m->before[type][i]);
            m->before[type][i] = m->now[type][i];
            m->now[type][i] = (heard_t){0};
        }
    net_sim_overhear(world, hear, m);
}

/* Something that was heard of the type; NULL where there was nothing. */
static const heard_t *recall(malice_t *m, heard_t all[WIRE_TYPE_END][EARS], int type)
{
    const int first = pick(m, EARS);
    for (int i = 0; i < EARS; i++)
        if (all[type][(first + i) % EARS].bytes)
            return &all[type][(first + i) % EARS];
    return NULL;
}

/* ---- making letters; false: nothing came of it ---- */

static wire_role_t role_of(const malice_t *m, const net_sim_peer_t *peer)
{
    return PEER_IS_SHARD(peer->peer)  ? WIRE_ROLE_SHARD
           : peer->peer == PEER_PULSE ? WIRE_ROLE_PULSE
           : peer->rank == 0          ? WIRE_ROLE_COORDINATOR
           : peer->rank <= m->shards  ? WIRE_ROLE_SERVER
                                      : WIRE_ROLE_WORKER;
}

static bool pick_peer(malice_t *m, const malice_target_t *to, net_sim_peer_t *out)
{
    int n = 0;
    while (net_sim_peer(to->net, n, out))
        n++;
    return n > 0 && net_sim_peer(to->net, pick(m, n), out);
}

/* The message as it was heard, to the same node of this start, if there is one. */
static bool repeat(const malice_t *m, const heard_t *heard, draft_t *d)
{
    const char *wrong;
    int t = 0;
    while (heard && t < m->n_targets && (m->targets[t].role != heard->role || m->targets[t].rank != heard->rank))
        t++;
    if (!heard || t == m->n_targets)
        return false;
    d->to = &m->targets[t];
    d->peer = heard->peer;
    d->frames = heard->frames;
    memcpy(d->frame, heard->frame, sizeof d->frame);
    wire_frame_t all[1 + WIRE_FRAMES] = {{heard->head, sizeof heard->head}};
    memcpy(all + 1, heard->frame, sizeof heard->frame);
    return wire_decode(all, 1 + d->frames, &d->header, &wrong) == ST_OK;
}

/* Fields that mean nothing in the type are 0 in a letter that a transport takes. */
static void blank_fields(draft_t *d)
{
    const wire_header_t drawn = d->header;
    uint8_t head[64];
    wire_header_t back;
    const char *wrong;
    wire_frame_t all[1 + WIRE_FRAMES] = {{head, sizeof head}};
    if (d->frames > 0)
        memcpy(all + 1, d->frame, sizeof d->frame);
    for (int blank = 0; blank < 4; blank++) {
        d->header.step = blank & 1 ? 0 : drawn.step;
        d->header.sequence = blank & 2 ? 0 : drawn.sequence;
        wire_encode(&d->header, head);
        if (wire_decode(all, 1 + d->frames, &back, &wrong) == ST_OK)
            return;
    }
    d->header = drawn;
}

/* A message of the type with as little in it as there may be, or what somebody sent once, under a peer's name. */
static bool invent(malice_t *m, int type, const malice_target_t *to, const net_sim_peer_t *peer, draft_t *d)
{
    const heard_t *heard = uniform(m) < 0.5 ? recall(m, m->now, type) : NULL, *any = recall(m, m->now, WIRE_HEARTBEAT);
    *d = (draft_t){.to = to, .peer = peer->peer, .frames = wire_type_frames(type)};
    const int64_t step = pick(m, 40) - 2;
    d->header = wire_header((wire_type_t)type, bits(m), 1, (uint32_t)peer->rank, step, 0);
    d->header.sequence = bits(m) >> pick(m, 64);
    if (any) {
        memcpy(&d->header.run_id, any->head + 8, 8);
        memcpy(&d->header.incarnation, any->head + 16, 4);
    }
    for (int i = 0; heard && i < d->frames; i++) {
        d->frame[i] = heard->frame[i];
        d->header.payload_bytes += heard->frame[i].bytes;
        memcpy(&d->header.count, heard->head + 48, sizeof d->header.count);
    }
    if (d->frames >= 0)
        blank_fields(d);
    return d->frames >= 0;
}

static bool make_stranger(malice_t *m, draft_t *d)
{
    static const int loud[] = {WIRE_STOP, WIRE_STOP, WIRE_BEGIN, WIRE_ERROR, WIRE_BYE, WIRE_FLUSH, WIRE_LOAD, WIRE_HEARTBEAT};
    const malice_target_t *to = &m->targets[pick(m, m->n_targets)];
    net_sim_peer_t peer;
    const double what = uniform(m);
    if (what < 0.3)
        return repeat(m, recall(m, uniform(m) < 0.5 ? m->now : m->before, 1 + pick(m, WIRE_TYPE_END - 1)), d);
    const int type = what < 0.7 ? loud[pick(m, (int)(sizeof loud / sizeof *loud))] : 1 + pick(m, WIRE_TYPE_END - 1);
    return pick_peer(m, to, &peer) && invent(m, type, to, &peer, d);
}

/* Of another run whoever sends it: what belongs to no run is as good as new. */
static bool make_replay(malice_t *m, draft_t *d)
{
    const int type = 1 + pick(m, WIRE_TYPE_END - 1);
    net_sim_peer_t peer;
    if (!wire_is_of_run(type) || !repeat(m, recall(m, m->before, type), d))
        return false;
    for (int i = 0; net_sim_peer(d->to->net, i, &peer); i++)
        if (peer.peer == d->peer)
            return true;
    return false;
}

/* Something of it does not fit the rest. */
static void break_shape(malice_t *m, draft_t *d)
{
    wire_header_t *h = &d->header;
    uint64_t both;
    switch (pick(m, 9)) {
    case 0:
        h->magic ^= 1u << pick(m, 32);
        break;
    case 1:
        h->version = (uint16_t)bits(m);
        break;
    case 2:
        h->type = uniform(m) < 0.5 ? (uint16_t)(WIRE_TYPE_END + pick(m, 9)) : (uint16_t)bits(m);
        break;
    case 3:
        h->dtype = (uint16_t)(both = bits(m));
        h->piece = (uint16_t)(both >> 16);
        break;
    case 4:
        d->frames = pick(m, WIRE_FRAMES + 1);
        break;
    case 5:
        h->payload_bytes = (int64_t)bits(m) >> pick(m, 60);
        break;
    case 6:
        h->count = (int64_t)bits(m);
        break;
    case 7:
        h->sender = (uint32_t)bits(m) >> pick(m, 32);
        break;
    case 8:
        for (size_t i = 0; i < sizeof *h; i += 8) {
            const uint64_t noise = bits(m);
            memcpy((uint8_t *)h + i, &noise, sizeof noise);
        }
        break;
    }
}

/* Would the transport take it? */
static bool is_sound(const draft_t *d, const net_sim_peer_t *peer)
{
    uint8_t head[64];
    wire_header_t header;
    const char *wrong;
    wire_encode(&d->header, head);
    wire_frame_t all[1 + WIRE_FRAMES] = {{head, sizeof head}};
    memcpy(all + 1, d->frame, sizeof d->frame);
    return wire_decode(all, 1 + d->frames, &header, &wrong) == ST_OK && (!peer->dials || header.sender == (uint32_t)peer->rank);
}

static bool make_role(malice_t *m, draft_t *d)
{
    const malice_target_t *to = &m->targets[pick(m, m->n_targets)];
    net_sim_peer_t peer, other;
    const int type = uniform(m) < 0.2 ? WIRE_STOP : 1 + pick(m, WIRE_TYPE_END - 1);
    if (!pick_peer(m, to, &peer) || !pick_peer(m, to, &other) || !invent(m, type, to, &peer, d))
        return false;
    const double what = uniform(m);
    if (what < 0.5)
        return !wire_may_send(type, role_of(m, &peer), to->role);
    if (what < 0.8)
        d->header.sender = (uint32_t)other.rank;
    else
        break_shape(m, d);
    return !is_sound(d, &peer);
}

/* As a mistaken receiver would understand it: the gradients of a step for the next one. */
static bool tame(draft_t *d)
{
    d->header.step++;
    d->header.sequence++;
    return d->header.type == WIRE_PUSH;
}

/* A report to the coordinator comes once: again it is refused, whatever it says now. */
static bool make_report(malice_t *m, draft_t *d)
{
    static const int types[] = {WIRE_READY,   WIRE_PROGRESS, WIRE_TRAINED,   WIRE_PREDICTIONS, WIRE_EVALUATED,
                                WIRE_DENSE,   WIRE_FLUSHED,  WIRE_LOADED,    WIRE_CLIPPED,     WIRE_CUT,
                                WIRE_DIGESTS, WIRE_PROBED,   WIRE_CUT_DENSE, WIRE_PREPARED,    WIRE_FOLDED};
    if (!repeat(m, recall(m, m->now, types[pick(m, (int)(sizeof types / sizeof *types))]), d) ||
        d->to->role != WIRE_ROLE_COORDINATOR)
        return false;
    const double what = uniform(m);
    if (what < 0.3)
        d->header.step = uniform(m) < 0.5 ? -1 - (int64_t)(bits(m) >> (1 + pick(m, 60))) : INT64_MAX >> pick(m, 40);
    else if (what < 0.5)
        d->header.table = 1000 + (uint32_t)(bits(m) >> (32 + pick(m, 20)));
    return true;
}

static bool make_wild(malice_t *m, draft_t *d)
{
    static const int types[] = {WIRE_PULL, WIRE_PEEK, WIRE_PUSH};
    const int type = types[pick(m, 3)];
    if (!m->tames && uniform(m) < 0.5)
        return make_report(m, d);
    if (!repeat(m, recall(m, m->now, type), d))
        return false;
    if (m->tames)
        return tame(d);
    wire_segment_t *segments = (wire_segment_t *)(void *)d->body;
    const int64_t bytes = d->frame[0].bytes, n = bytes / (int64_t)sizeof *segments;
    const double what = uniform(m);
    if (what < 0.4) {
        if (n == 0 || bytes > (int64_t)sizeof d->body)
            return false;
        memcpy(segments, d->frame[0].data, (size_t)bytes);
        d->frame[0].data = segments;
        wire_segment_t *one = &segments[pick(m, (int)n)];
        if (uniform(m) < 0.5)
            one->table = 1000 + (uint32_t)(bits(m) >> (32 + pick(m, 20)));
        else
            one->count ^= 1u << pick(m, 32);
    } else if (what < 0.8 && type != WIRE_PEEK) {
        d->header.step = uniform(m) < 0.5 ? -1 - (int64_t)(bits(m) >> (1 + pick(m, 60))) : INT64_MAX >> pick(m, 40);
    } else if (type == WIRE_PUSH) {
        d->header.sequence += UINT64_C(1000) << pick(m, 50);
    } else {
        return false;
    }
    return true;
}

void malice_speak(malice_t *m, malice_kind_t kind, int64_t n, int64_t within_ns)
{
    for (int64_t i = 0, tries = 0; i < n && tries < n * TRIES; tries++) {
        draft_t d = {0};
        const bool is_made = kind == MALICE_STRANGER ? make_stranger(m, &d)
                             : kind == MALICE_REPLAY ? make_replay(m, &d)
                             : kind == MALICE_ROLE   ? make_role(m, &d)
                                                     : make_wild(m, &d);
        if (!is_made)
            continue;
        wire_encode(&d.header, d.head);
        net_sim_letter_t letter = {.peer = d.peer, .has_key = kind != MALICE_STRANGER, .head = d.head, .frames = d.frames};
        memcpy(letter.frame, d.frame, sizeof letter.frame);
        net_sim_post(d.to->net, &letter, (int64_t)(uniform(m) * (double)within_ns));
        i++;
    }
}
