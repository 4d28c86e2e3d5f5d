/* Secrets lie in a page of their own, which is not swapped out and is left out of core dumps where the system allows it.
 * ZeroMQ copies a secret key into every socket that has it, out of our reach; so does MPI with tokens.
 *
 * Rejected: one key for the whole job. A rank would prove that it belongs to the job, and not which rank it is. */
#include "common/net/net_keys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/net/message.h"
#include "common/net/zeromq.h"

#define RANK_DIGITS 8

typedef struct net_secrets {
    char secret_key[NET_KEY_TEXT];
    net_card_t own;
} net_secrets_t;

struct net_keys {
    int self, n;
    bool encrypt;
    net_secrets_t *secrets;                /* a mapping of its own */
    net_card_t *cards;                     /* [n] */
    uint8_t (*public_keys)[NET_KEY_BYTES]; /* [n] of the cards, as they are on the wire */
};

const char *net_keys_name(int rank, char text[NET_NAME_TEXT])
{
    snprintf(text, NET_NAME_TEXT, "r%08x", (unsigned)rank);
    return text;
}

int net_keys_rank(const char *name, size_t bytes)
{
    if (bytes != NET_NAME_TEXT - 1 || name[0] != 'r')
        return -1;
    int rank = 0;
    for (int i = 1; i <= RANK_DIGITS; i++) {
        static const char digits[] = "0123456789abcdef";
        const char *digit = memchr(digits, name[i], 16);
        if (!digit || rank >= PEER_SHARD(0))
            return -1;
        rank = rank * 16 + (int)(digit - digits);
    }
    return rank < PEER_SHARD(0) ? rank : -1;
}

static status_t draw_token(char token[NET_TOKEN_TEXT])
{
    uint8_t bytes[(NET_TOKEN_TEXT - 1) / 2];
    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
        return FAIL(ST_SYSTEM, "no random numbers from the kernel: %s", strerror(errno));
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(token + 2 * i, 3, "%02x", bytes[i]);
    explicit_bzero(bytes, sizeof bytes);
    return ST_OK;
}

static status_t draw(net_secrets_t *secrets, bool encrypt)
{
    if (!encrypt)
        return draw_token(secrets->own.token);
    if (!zmq_has("curve"))
        return FAIL(
            ST_INPUT,
            "the job is to be encrypted, but this machine's libzmq has no CURVE (it was built without libsodium); "
            "install Debian's libzmq5 or another libzmq that has it, or, where nobody else can reach the job's network, "
            "set cluster.encryption: off");
    if (zmq_curve_keypair(secrets->own.public_key, secrets->secret_key) != 0)
        return FAIL(ST_SYSTEM, "no key pair: %s", zmq_strerror(errno));
    return ST_OK;
}

status_t net_keys_create(int self, bool encrypt, net_keys_t **out)
{
    net_secrets_t *secrets = mmap(NULL, sizeof *secrets, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (secrets == MAP_FAILED)
        return FAIL(ST_SYSTEM, "no page for the keys of the job: %s", strerror(errno));
    if (mlock(secrets, sizeof *secrets) != 0 || madvise(secrets, sizeof *secrets, MADV_DONTDUMP) != 0)
        log_debug("the page of the keys may be swapped out or dumped: %s", strerror(errno));
    const status_t status = draw(secrets, encrypt);
    if (status != ST_OK) {
        munmap(secrets, sizeof *secrets);
        return status;
    }
    net_keys_t *keys = MEM_NEW(net_keys_t);
    keys->self = self;
    keys->encrypt = encrypt;
    keys->secrets = secrets;
    *out = keys;
    return ST_OK;
}

void net_keys_destroy(net_keys_t **keys)
{
    if (!*keys)
        return;
    explicit_bzero((*keys)->secrets, sizeof *(*keys)->secrets);
    munmap((*keys)->secrets, sizeof *(*keys)->secrets);
    if ((*keys)->cards)
        explicit_bzero((*keys)->cards, (size_t)(*keys)->n * sizeof *(*keys)->cards);
    mem_free((*keys)->cards);
    mem_free((*keys)->public_keys);
    mem_free(*keys);
    *keys = NULL;
}

const net_card_t *net_keys_card(const net_keys_t *keys)
{
    return &keys->secrets->own;
}

void net_keys_meet(net_keys_t *keys, const net_card_t *cards, int n)
{
    ASSERT(!keys->cards && n > keys->self);
    keys->n = n;
    keys->cards = MEM_ARRAY(net_card_t, n);
    keys->public_keys = mem_alloc((size_t)n, sizeof *keys->public_keys);
    memcpy(keys->cards, cards, (size_t)n * sizeof *cards);
    for (int r = 0; r < n; r++) {
        net_card_t *card = &keys->cards[r];
        card->public_key[NET_KEY_TEXT - 1] = card->token[NET_TOKEN_TEXT - 1] = 0;
        if (keys->encrypt && !zmq_z85_decode(keys->public_keys[r], card->public_key))
            memset(keys->public_keys[r], 0, NET_KEY_BYTES); /* a key that nobody can show */
    }
}

int net_keys_self(const net_keys_t *keys)
{
    return keys->self;
}

bool net_keys_encrypt(const net_keys_t *keys)
{
    return keys->encrypt;
}

const char *net_keys_secret(const net_keys_t *keys)
{
    return keys->secrets->secret_key;
}

const char *net_keys_public(const net_keys_t *keys, int rank)
{
    ASSERT(rank >= 0 && rank < keys->n);
    return keys->cards[rank].public_key;
}

/* In a time that says nothing of where two texts begin to differ. */
static bool is_same(const void *left, const void *right, size_t bytes)
{
    const volatile uint8_t *a = left, *b = right;
    uint8_t differs = 0;
    for (size_t i = 0; i < bytes; i++)
        differs |= a[i] ^ b[i];
    return !differs;
}

int net_keys_rank_of_key(const net_keys_t *keys, const uint8_t key[NET_KEY_BYTES])
{
    static const uint8_t none[NET_KEY_BYTES];
    if (!keys->encrypt || is_same(key, none, sizeof none))
        return -1;
    for (int r = 0; r < keys->n; r++)
        if (is_same(key, keys->public_keys[r], NET_KEY_BYTES))
            return r;
    return -1;
}

int net_keys_rank_of_token(const net_keys_t *keys, const char *name, size_t name_bytes, const char *token, size_t token_bytes)
{
    const int rank = net_keys_rank(name, name_bytes);
    if (keys->encrypt || rank < 0 || rank >= keys->n || token_bytes != NET_TOKEN_TEXT - 1 || !keys->cards[rank].token[0])
        return -1;
    return is_same(token, keys->cards[rank].token, token_bytes) ? rank : -1;
}
