/* parcels.h - messages between their frames and what ZeroMQ carries: the pieces of those that leave, and the storage behind
 * those that have come, which is kept, so that steady traffic does not allocate. Belongs to the thread of its net_t.
 *
 * Where a connection encrypts, a frame travels in pieces of PARCEL_PIECE bytes, the last of which is shorter and may be
 * empty. ZeroMQ encrypts a piece as a whole before it sends the first byte of it, and decrypts it when it has the last: with
 * pieces, both ends and the wire work at the same time, and in their caches. And nothing that is longer than a piece need be
 * let in. */
#ifndef SMELTER_PARCELS_H
#define SMELTER_PARCELS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/net/wire.h"
#include "common/net/zeromq.h"

#define PARCEL_PIECE 131072
#define PARCEL_PIECE_MOST (PARCEL_PIECE + 64) /* as it travels: CURVE adds 33 bytes to each */

typedef struct parcel {
    zmq_msg_t part[1 + WIRE_FRAMES];
    int parts;
    uint8_t *copy[WIRE_FRAMES]; /* of body frames that came in pieces, or at odd addresses */
    int64_t copy_bytes[WIRE_FRAMES], copy_capacity[WIRE_FRAMES];
    struct parcel *next;
} parcel_t;

/* Zeroed is empty. */
typedef struct parcels {
    parcel_t *unused;
    int64_t out; /* taken and not given back */
    zmq_msg_t *pieces;
    size_t pieces_capacity;
} parcels_t;

/* parcels_take - room for a message.  parcels_give_back - with its frames, which are gone then. */
parcel_t *parcels_take(parcels_t *parcels);
void parcels_give_back(parcels_t *parcels, parcel_t *parcel);
void parcels_fini(parcels_t *parcels); /* nothing is out */

/* parcels_receive - the message whose first part has come is put into the parcel (ZeroMQ delivers whole messages, so this
 * never waits). in_pieces: body frames come so. Returns how many frames there were, header included; more than fit are read
 * and dropped.  frames [1 + WIRE_FRAMES] out: those that fit; body frames are aligned to 8 bytes. Takes over what is in
 * `first`. */
int parcels_receive(parcels_t *parcels, void *socket, zmq_msg_t *first, bool in_pieces, parcel_t *parcel, wire_frame_t *frames);

/* parcels_send - n body frames, after whose header nothing waits any more. With release, ZeroMQ takes the frames' memory, and
 * calls it once, with the context, from any thread, when all have left; without, they are copied. error: that of the header;
 * where it is not 0, or a part fails, nothing is sent, and what would have been is released. Returns it, or 0. */
int parcels_send(void *socket, const wire_frame_t *frames, int n, bool in_pieces, void (*release)(void *), void *context,
                 int error);

#endif
