/* SPDX-License-Identifier: Apache-2.0 */
#include "models/remote.h"

struct rv_breaker rv_breaker(uint32_t failures_max, uint32_t open_ms)
{
    return (struct rv_breaker){
        .state = RV_BREAKER_CLOSED,
        .failures_max = failures_max ? failures_max : 1,
        .open_ns = open_ms * RV_NS_PER_MS,
    };
}

bool rv_breaker_allows(struct rv_breaker *breaker, uint64_t now_ns)
{
    if (breaker->state == RV_BREAKER_CLOSED)
        return true;
    if (now_ns < breaker->retry_ns)
        return false;
    /* The trial's own failure, or nobody answering for it, opens for as long again. */
    breaker->state = RV_BREAKER_TRIAL;
    breaker->retry_ns = now_ns + breaker->open_ns;
    return true;
}

void rv_breaker_succeeded(struct rv_breaker *breaker)
{
    breaker->state = RV_BREAKER_CLOSED;
    breaker->failures = 0;
}

void rv_breaker_failed(struct rv_breaker *breaker, uint64_t now_ns)
{
    if (breaker->failures < breaker->failures_max)
        breaker->failures++;
    if (breaker->state == RV_BREAKER_TRIAL || breaker->failures == breaker->failures_max) {
        breaker->state = RV_BREAKER_OPEN;
        breaker->retry_ns = now_ns + breaker->open_ns;
    }
}
