/* net_fake.h - a net_t without others: what arrives is put there by hand, what is sent is handed to the test and forgotten.
 * Nothing waits: a receive that finds nothing moves the clock by its timeout and says ST_TIMEOUT.
 *
 * It is as strict as a transport: what arrives is decoded and checked as from a wire, into blocks of its exact size; what is
 * about to be sent passes the same check. For tests and fuzz targets of one receiver; a cluster is net_sim's matter. */
#ifndef SMELTER_NET_FAKE_H
#define SMELTER_NET_FAKE_H

#include <stdbool.h>

#include "common/net/net.h"

/* A message leaves; the frames are borrowed until it returns. */
typedef void net_fake_sent_fn(void *context, int peer, const wire_header_t *header, const wire_frame_t *frames, int n);

/* net_fake_create - of rank `self`; sent may be NULL. **owned**; net_close. */
net_t *net_fake_create(int self, net_fake_sent_fn *sent, void *context);

/* net_fake_message - what a transport makes of these frames, the header's first, from `peer`: *out, which the receiver
 * releases, or false, and *reason, where it would refuse them. net_fake_put - the same, and the message waits for
 * net_receive. */
bool net_fake_message(net_t *net, int peer, const wire_frame_t *frames, int n, net_message_t *out, const char **reason);
bool net_fake_put(net_t *net, int peer, const wire_frame_t *frames, int n, const char **reason);

/* net_fake_held - messages that were received and are not released yet. net_fake_advance - let time pass. */
int64_t net_fake_held(const net_t *net);
void net_fake_advance(net_t *net, int64_t ns);

/* net_fake_put_bodies - net_fake_put of a header, whose payload_bytes it fills in, and n body frames; a refused one is gone. */
void net_fake_put_bodies(net_t *net, int peer, const wire_header_t *header, const wire_frame_t *bodies, int n);

#endif
