#include "tests/lib/job_keys.h"

#include "common/base/log.h"
#include "common/base/memory.h"

void job_keys_make(int n, bool encrypt, net_keys_t **out)
{
    net_card_t *cards = MEM_ARRAY(net_card_t, n);
    for (int r = 0; r < n; r++) {
        const status_t drawn = net_keys_create(r, encrypt, &out[r]);
        ASSERT(drawn == ST_OK);
        cards[r] = *net_keys_card(out[r]);
    }
    for (int r = 0; r < n; r++)
        net_keys_meet(out[r], cards, n);
    mem_free(cards);
}

void job_keys_drop(int n, net_keys_t **keys)
{
    for (int r = 0; r < n; r++)
        net_keys_destroy(&keys[r]);
}
