#include "common/net/parcels.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "common/base/memory.h"

/* ---- out --------------------------------------------------------------------------------------------------------------- */

typedef struct shipment {
    atomic_int left;
    void (*release)(void *context);
    void *context;
} shipment_t;

static void shipment_part_left(void *data, void *hint)
{
    (void)data;
    shipment_t *shipment = hint;
    if (atomic_fetch_sub_explicit(&shipment->left, 1, memory_order_acq_rel) > 1)
        return;
    shipment->release(shipment->context);
    mem_free(shipment);
}

static int pieces_of(int64_t bytes, bool in_pieces)
{
    return in_pieces ? (int)(bytes / PARCEL_PIECE) + 1 : 1;
}

static shipment_t *shipment_make(const wire_frame_t *frames, int n, bool in_pieces, void (*release)(void *), void *context)
{
    int left = 0;
    for (int i = 0; i < n; i++)
        left += pieces_of(frames[i].bytes, in_pieces);
    if (left == 0) {
        release(context);
        return NULL;
    }
    shipment_t *shipment = MEM_NEW(shipment_t);
    atomic_init(&shipment->left, left);
    shipment->release = release;
    shipment->context = context;
    return shipment;
}

static void piece_init(zmq_msg_t *piece, const uint8_t *data, size_t bytes, shipment_t *shipment)
{
    int rc = shipment ? zmq_msg_init_data(piece, (void *)data, bytes, shipment_part_left, shipment)
                      : zmq_msg_init_size(piece, bytes);
    ASSERT(rc == 0); /* only memory can be missing here */
    if (!shipment && bytes > 0)
        memcpy(zmq_msg_data(piece), data, bytes);
}

int parcels_send(void *socket, const wire_frame_t *frames, int n, bool in_pieces, void (*release)(void *), void *context,
                 int error)
{
    shipment_t *shipment = release ? shipment_make(frames, n, in_pieces, release, context) : NULL;
    for (int i = 0; i < n; i++) {
        const int pieces = pieces_of(frames[i].bytes, in_pieces);
        for (int p = 0; p < pieces; p++) {
            const int64_t first = (int64_t)p * PARCEL_PIECE, left = frames[i].bytes - first;
            zmq_msg_t piece;
            piece_init(&piece, (const uint8_t *)frames[i].data + first, (size_t)(p + 1 < pieces ? PARCEL_PIECE : left),
                       shipment);
            while (error == 0 && zmq_msg_send(&piece, socket, i + 1 < n || p + 1 < pieces ? ZMQ_SNDMORE : 0) < 0)
                error = errno == EINTR ? 0 : errno;
            if (error != 0)
                zmq_msg_close(&piece);
        }
    }
    return error;
}

/* ---- in ---------------------------------------------------------------------------------------------------------------- */

parcel_t *parcels_take(parcels_t *parcels)
{
    parcel_t *parcel = parcels->unused;
    if (parcel)
        parcels->unused = parcel->next;
    else
        parcel = MEM_NEW(parcel_t);
    parcel->parts = 0;
    memset(parcel->copy_bytes, 0, sizeof parcel->copy_bytes);
    parcels->out++;
    return parcel;
}

void parcels_give_back(parcels_t *parcels, parcel_t *parcel)
{
    for (int i = 0; i < parcel->parts; i++)
        zmq_msg_close(&parcel->part[i]);
    parcel->next = parcels->unused;
    parcels->unused = parcel;
    parcels->out--;
}

void parcels_fini(parcels_t *parcels)
{
    ASSERT(parcels->out == 0); /* a message outlives its transport */
    for (parcel_t *parcel; (parcel = parcels->unused);) {
        parcels->unused = parcel->next;
        for (int i = 0; i < WIRE_FRAMES; i++)
            mem_free(parcel->copy[i]);
        mem_free(parcel);
    }
    mem_free(parcels->pieces);
    *parcels = (parcels_t){.out = 0};
}

/* Room for a copy of body frame i. */
static uint8_t *copy_reserve(parcel_t *parcel, int i, int64_t bytes)
{
    if (parcel->copy_capacity[i] < bytes) {
        mem_free(parcel->copy[i]);
        parcel->copy[i] = MEM_ARRAY(uint8_t, bytes);
        parcel->copy_capacity[i] = bytes;
    }
    parcel->copy_bytes[i] = bytes;
    return parcel->copy[i];
}

static bool receive_next(void *socket, zmq_msg_t *part)
{
    while (zmq_msg_recv(part, socket, 0) < 0)
        ASSERT(errno == EINTR);
    return zmq_msg_more(part);
}

/* The pieces of a body frame, of which `first` has come and is not the last, into one; parcel NULL: they are dropped. Returns
 * whether a frame follows. */
static bool join(parcels_t *parcels, void *socket, zmq_msg_t *first, parcel_t *parcel, int i)
{
    size_t n = 0;
    int64_t bytes = 0;
    for (bool last = false; !last;) {
        MEM_GROW(parcels->pieces, parcels->pieces_capacity, n + 1);
        zmq_msg_t *piece = &parcels->pieces[n++];
        zmq_msg_init(piece);
        zmq_msg_move(piece, first);
        bytes += (int64_t)zmq_msg_size(piece);
        last = zmq_msg_size(piece) != PARCEL_PIECE || !zmq_msg_more(piece);
        if (!last)
            receive_next(socket, first);
    }
    const bool more = zmq_msg_more(&parcels->pieces[n - 1]);
    uint8_t *to = parcel ? copy_reserve(parcel, i, bytes) : NULL;
    for (size_t p = 0; p < n; p++) {
        const size_t size = zmq_msg_size(&parcels->pieces[p]);
        if (to && size > 0)
            memcpy(to, zmq_msg_data(&parcels->pieces[p]), size);
        to += to ? size : 0;
        zmq_msg_close(&parcels->pieces[p]);
    }
    return more;
}

/* Frame i, 0 the header. ZeroMQ points small ones into its receive buffer, at any address; arrays of u64 want better. */
static wire_frame_t frame_of(parcel_t *parcel, int i)
{
    if (i > 0 && parcel->copy_bytes[i - 1] > 0)
        return (wire_frame_t){parcel->copy[i - 1], parcel->copy_bytes[i - 1]};
    const wire_frame_t frame = {zmq_msg_data(&parcel->part[i]), (int64_t)zmq_msg_size(&parcel->part[i])};
    if (i == 0 || (uintptr_t)frame.data % 8 == 0)
        return frame;
    if (frame.bytes == 0)
        return (wire_frame_t){parcel, 0}; /* any address will do */
    uint8_t *to = copy_reserve(parcel, i - 1, frame.bytes);
    memcpy(to, frame.data, (size_t)frame.bytes);
    return (wire_frame_t){to, frame.bytes};
}

int parcels_receive(parcels_t *parcels, void *socket, zmq_msg_t *first, bool in_pieces, parcel_t *parcel, wire_frame_t *frames)
{
    int n = 0;
    for (bool more = true; more; n++) {
        const bool fits = n < 1 + WIRE_FRAMES;
        more = n ? receive_next(socket, first) : zmq_msg_more(first);
        if (fits)
            zmq_msg_init(&parcel->part[parcel->parts++]);
        if (in_pieces && n && more && zmq_msg_size(first) == PARCEL_PIECE)
            more = join(parcels, socket, first, fits ? parcel : NULL, n - 1);
        else if (fits)
            zmq_msg_move(&parcel->part[n], first);
    }
    zmq_msg_close(first);
    for (int i = 0; i < parcel->parts; i++)
        frames[i] = frame_of(parcel, i);
    return n;
}
