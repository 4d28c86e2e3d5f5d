/* net_keys.h - what a rank proves to the others that it belongs to this start of this job, and is the rank that it says.
 *
 * Every rank draws a certificate (a CURVE key pair) and a token when it starts. Its card, the public key and, where the job
 * does not encrypt, the token, goes to all ranks over MPI; the secret key goes nowhere. Who shows a key or a token that is on
 * no card is a stranger: another job, an earlier start of this one, another user. A net_keys_t belongs to the process, is not
 * changed after net_keys_meet, and may then be read by any thread. */
#ifndef SMELTER_NET_KEYS_H
#define SMELTER_NET_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"

#define NET_KEY_TEXT 41  /* Z85 of 32 bytes, and a zero */
#define NET_KEY_BYTES 32 /* a public key as it is on the wire */
#define NET_TOKEN_TEXT 65

/* What others must know of a rank; plain bytes, to be sent as they are. */
typedef struct net_card {
    char public_key[NET_KEY_TEXT]; /* empty: the job does not encrypt */
    char token[NET_TOKEN_TEXT];    /* empty: the job encrypts, and nothing secret need travel over MPI */
} net_card_t;

typedef struct net_keys net_keys_t;

/* net_keys_create - draw those of rank `self`; encrypt: a key pair, else a token. ST_INPUT: this machine's libzmq has no
 * CURVE; ST_SYSTEM: no random numbers.  **owned** net_keys_destroy, which leaves no copy in memory. */
WARN_UNUSED status_t net_keys_create(int self, bool encrypt, net_keys_t **out);
void net_keys_destroy(net_keys_t **keys);

/* net_keys_card - one's own. net_keys_meet - the cards of ranks 0 .. n - 1, copied; once, before anybody is let in. */
const net_card_t *net_keys_card(const net_keys_t *keys);
void net_keys_meet(net_keys_t *keys, const net_card_t *cards, int n);

/* Of oneself, and of another rank, after net_keys_meet. */
int net_keys_self(const net_keys_t *keys);
bool net_keys_encrypt(const net_keys_t *keys);
const char *net_keys_secret(const net_keys_t *keys); /* Z85, for libzmq alone */
const char *net_keys_public(const net_keys_t *keys, int rank);

/* net_keys_rank_of_key - whose certificate this is, of those that were met; -1: nobody's. net_keys_rank_of_token - likewise,
 * where the token is that of the rank that `name` (net_keys_name) says. */
int net_keys_rank_of_key(const net_keys_t *keys, const uint8_t key[NET_KEY_BYTES]);
int net_keys_rank_of_token(const net_keys_t *keys, const char *name, size_t name_bytes, const char *token, size_t token_bytes);

/* net_keys_name - how a rank is called where it shows its token, and by ZeroMQ after that: "r0000000a". net_keys_rank - the
 * rank of such a name, or -1. */
#define NET_NAME_TEXT 10
const char *net_keys_name(int rank, char text[NET_NAME_TEXT]);
int net_keys_rank(const char *name, size_t bytes);

#endif
