#include "launcher/coordinator/roll_call.h"

#include "common/base/memory.h"

void roll_call_init(roll_call_t *call, int most)
{
    *call = (roll_call_t){.awaits = MEM_ARRAY(bool, most), .most = most};
}

void roll_call_fini(roll_call_t *call)
{
    mem_free(call->awaits);
    *call = (roll_call_t){0};
}

void roll_call_begin(roll_call_t *call, int n)
{
    ASSERT(n >= 0 && n <= call->most);
    for (int i = 0; i < call->most; i++)
        call->awaits[i] = i < n;
    call->answered = 0;
}

bool roll_call_awaits(const roll_call_t *call, int number)
{
    return number >= 0 && number < call->most && call->awaits[number];
}

void roll_call_take(roll_call_t *call, int number)
{
    ASSERT(roll_call_awaits(call, number));
    call->awaits[number] = false;
    call->answered++;
}
