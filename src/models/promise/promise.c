/* SPDX-License-Identifier: Apache-2.0 */
#include "models/promise.h"

#include "base/clock.h"
#include "features/core.h"

#include <math.h>

#define START_BITS       40
#define START            ((uint64_t)1 << START_BITS)
#define JUMP_SHIFT       7          /* one in 128 of all capital is spread anew at each step */
#define AMBER_LOG2_Q8    (14 * 256) /* one false amber in 16,384 verdicts at most, on average */
#define RED_LOG2_Q8      (24 * 256) /* one false red in 16,777,216 */
#define QUIET_NS         (24 * 3600 * RV_NS_PER_S)
#define HOUR_NS          (3600 * RV_NS_PER_S)
#define CONFIDENCE       0.99
#define AMBER_CONFIDENCE 0.9

const char *rv_light_name(enum rv_light light)
{
    static const char *const names[] = {
        [RV_LIGHT_RED] = "red",
        [RV_LIGHT_AMBER] = "amber",
        [RV_LIGHT_GREEN] = "green",
    };

    return names[light];
}

/* ---- The martingale ---- */

void rv_martingale_init(struct rv_martingale *martingale)
{
    *martingale = (struct rv_martingale){ .capital = { START, START, START } };
}

static uint64_t total_of(const struct rv_martingale *martingale)
{
    return martingale->capital[0] + martingale->capital[1] + martingale->capital[2];
}

int32_t rv_martingale_log2_q8(const struct rv_martingale *martingale)
{
    int32_t start_q8 = (int32_t)rv_core_log2_q8(3 * START);

    return (int32_t)rv_core_log2_q8(total_of(martingale)) - start_q8 + martingale->exponent * 256;
}

/* Keep the capital within the range where neither a product overflows nor a share vanishes. */
static void rescale(struct rv_martingale *martingale)
{
    uint64_t total = total_of(martingale);

    if (total >> (START_BITS + 6)) {
        for (size_t i = 0; i < 3; i++)
            martingale->capital[i] >>= 8;
        martingale->exponent += 8;
    } else if (martingale->exponent > 0 && !(total >> (START_BITS - 6))) {
        for (size_t i = 0; i < 3; i++)
            martingale->capital[i] <<= 8;
        martingale->exponent -= 8;
    }
}

void rv_martingale_step(struct rv_martingale *martingale, uint64_t p_q32)
{
    uint64_t p_q16 = rv_min_u64(p_q32 >> 16, 65535);
    uint64_t factor[3] = { 65536 + 32768 - p_q16, 65536, 65536 + p_q16 - 32768 };
    uint64_t spread = total_of(martingale) / 3;
    int32_t log2_q8;

    for (size_t i = 0; i < 3; i++) {
        uint64_t capital = martingale->capital[i];

        /* Rounded down each time: it remains a supermartingale. */
        capital = capital - (capital >> JUMP_SHIFT) + (spread >> JUMP_SHIFT);
        martingale->capital[i] = capital * factor[i] >> 16;
    }
    martingale->steps++;
    rescale(martingale);
    log2_q8 = rv_martingale_log2_q8(martingale);
    if (log2_q8 > martingale->log2_max_q8)
        martingale->log2_max_q8 = log2_q8;
    if (log2_q8 < 0) {
        for (size_t i = 0; i < 3; i++)
            martingale->capital[i] = START;
        martingale->exponent = 0;
        martingale->restarts++;
    }
}

/* ---- The promise ---- */

void rv_promise_init(struct rv_promise *promise, const struct rv_promise_options *options)
{
    *promise = (struct rv_promise){ .options = *options, .light = RV_LIGHT_GREEN };
    if (promise->options.alarms_per_day_milli == 0)
        promise->options.alarms_per_day_milli = 1000;
    if (promise->options.verdicts_per_day == 0)
        promise->options.verdicts_per_day = 100000;
    promise->options.detectors =
        (uint32_t)rv_min_u64(rv_max_u64(promise->options.detectors, 1), RV_DETECTORS_MAX);
    rv_martingale_init(&promise->martingale);
}

static uint64_t alpha_total_ppb(const struct rv_promise *promise)
{
    uint64_t ppb = (uint64_t)promise->options.alarms_per_day_milli * 1000000 /
                   promise->options.verdicts_per_day;

    return rv_min_u64(ppb, 1000000000);
}

uint32_t rv_promise_alpha_ppb(const struct rv_promise *promise, uint32_t detector)
{
    const struct rv_promise_options *options = &promise->options;
    uint64_t shares = 0;

    if (detector >= options->detectors)
        return 0;
    for (uint32_t i = 0; i < options->detectors; i++)
        shares += options->share[i];
    if (shares == 0)
        return (uint32_t)(alpha_total_ppb(promise) / options->detectors);
    return (uint32_t)(alpha_total_ppb(promise) * options->share[detector] / shares);
}

static uint32_t sum(const uint32_t *counts)
{
    uint64_t total = 0;

    for (size_t i = 0; i < RV_PROMISE_HOURS; i++)
        total += counts[i];
    return (uint32_t)rv_min_u64(total, UINT32_MAX);
}

uint32_t rv_promise_alarms(const struct rv_promise *promise)
{
    return sum(promise->alarms);
}

uint32_t rv_promise_false_alarms(const struct rv_promise *promise)
{
    return sum(promise->false_alarms);
}

static uint32_t allowed(const struct rv_promise *promise, double confidence)
{
    /* The verdicts that there were, not those expected: a busy day earns no more than it should. */
    uint64_t mean_milli = (uint64_t)sum(promise->verdicts) * alpha_total_ppb(promise) / 1000000;

    return rv_poisson_bound(rv_max_u64(mean_milli, promise->options.alarms_per_day_milli),
                            confidence);
}

uint32_t rv_promise_alarms_allowed(const struct rv_promise *promise)
{
    return allowed(promise, CONFIDENCE);
}

static void turn_hours(struct rv_promise *promise, uint64_t time_ns)
{
    uint64_t hour = time_ns / HOUR_NS;

    if (!promise->begun) {
        promise->begun = true;
        promise->hour = hour;
        promise->quiet_since_ns = time_ns; /* if it was red when it was saved */
    }
    for (unsigned i = 0; promise->hour < hour && i < RV_PROMISE_HOURS; i++) {
        promise->hour++;
        promise->alarms[promise->hour % RV_PROMISE_HOURS] = 0;
        promise->false_alarms[promise->hour % RV_PROMISE_HOURS] = 0;
        promise->verdicts[promise->hour % RV_PROMISE_HOURS] = 0;
    }
    if (promise->hour < hour) { /* away for longer than a day */
        promise->hour = hour;
        memset(promise->alarms, 0, sizeof(promise->alarms));
        memset(promise->false_alarms, 0, sizeof(promise->false_alarms));
        memset(promise->verdicts, 0, sizeof(promise->verdicts));
    }
}

static enum rv_light look(const struct rv_promise *promise)
{
    int32_t log2_q8 = rv_martingale_log2_q8(&promise->martingale);
    uint32_t alarms = rv_promise_false_alarms(promise);

    if (log2_q8 >= RED_LOG2_Q8 || alarms > allowed(promise, CONFIDENCE))
        return RV_LIGHT_RED;
    if (log2_q8 >= AMBER_LOG2_Q8 || alarms > allowed(promise, AMBER_CONFIDENCE))
        return RV_LIGHT_AMBER;
    return RV_LIGHT_GREEN;
}

/* Worse at once; better than red only after a quiet day, and then through amber. */
static void turn_light(struct rv_promise *promise, enum rv_light now, uint64_t time_ns)
{
    if (now == RV_LIGHT_RED) {
        promise->quiet_since_ns = time_ns;
        promise->steps_down += promise->light != RV_LIGHT_RED;
        promise->light = RV_LIGHT_RED;
    } else if (promise->light == RV_LIGHT_RED) {
        if (time_ns - promise->quiet_since_ns >= QUIET_NS)
            promise->light = RV_LIGHT_AMBER;
    } else {
        promise->light = now;
    }
}

static void increment(uint32_t *count)
{
    *count += *count < UINT32_MAX;
}

enum rv_light rv_promise_verdict(struct rv_promise *promise, uint64_t time_ns, uint64_t p_q32,
                                 bool alarmed)
{
    bool hour_over = !promise->begun || time_ns / HOUR_NS > promise->hour;

    turn_hours(promise, time_ns);
    increment(&promise->verdicts[promise->hour % RV_PROMISE_HOURS]);
    if (alarmed)
        increment(&promise->alarms[promise->hour % RV_PROMISE_HOURS]);
    if (p_q32 != 0)
        rv_martingale_step(&promise->martingale, p_q32);
    /* The light can only have changed when something below changed. */
    if (p_q32 != 0 || hour_over)
        turn_light(promise, look(promise), time_ns);
    return promise->light;
}

enum rv_light rv_promise_false_alarm(struct rv_promise *promise, uint64_t time_ns)
{
    turn_hours(promise, time_ns);
    increment(&promise->false_alarms[promise->hour % RV_PROMISE_HOURS]);
    turn_light(promise, look(promise), time_ns);
    return promise->light;
}

void rv_promise_reset(struct rv_promise *promise)
{
    rv_martingale_init(&promise->martingale);
    memset(promise->alarms, 0, sizeof(promise->alarms));
    memset(promise->false_alarms, 0, sizeof(promise->false_alarms));
    memset(promise->verdicts, 0, sizeof(promise->verdicts));
    promise->light = RV_LIGHT_GREEN;
}

bool rv_promise_kept(const struct rv_promise *promise)
{
    return promise->light != RV_LIGHT_RED;
}

void rv_promise_sentence(const struct rv_promise *promise, struct rv_buf *buf)
{
    uint32_t milli = promise->options.alarms_per_day_milli;
    int32_t log2_q8 = rv_martingale_log2_q8(&promise->martingale);

    rv_buf_addf(buf,
                "At most %u.%03u alarms per host-day with 95 %% confidence while the monitor is "
                "green. ",
                milli / 1000, milli % 1000);
    rv_buf_addf(buf,
                "The monitor is %s: the martingale stands at 2^%d (red at 2^%d), %u alarms in "
                "the last day, %u of them judged false (red above %u).",
                rv_light_name(promise->light), log2_q8 / 256, RED_LOG2_Q8 / 256,
                rv_promise_alarms(promise), rv_promise_false_alarms(promise),
                rv_promise_alarms_allowed(promise));
    if (!rv_promise_kept(promise))
        rv_buf_add_str(
            buf,
            " The promise is broken: on this model's word Reeve observes and does not enforce.");
}

uint32_t rv_poisson_bound(uint64_t mean_milli, double confidence)
{
    double mean = (double)rv_min_u64(mean_milli, 1000000000) / 1000.0;
    double log_term = -mean, tail = 0.0;

    for (uint32_t k = 0; k < 10000000; k++) {
        tail += exp(log_term);
        if (tail >= confidence)
            return k;
        log_term += log(mean) - log((double)k + 1.0);
    }
    return UINT32_MAX;
}

uint32_t rv_precision_estimate_ppm(uint64_t verdicts, uint64_t alarms, uint32_t alpha_ppb)
{
    unsigned __int128 expected_ppm = (unsigned __int128)verdicts * alpha_ppb / 1000;

    if (alarms == 0 || expected_ppm >= (unsigned __int128)alarms * 1000000)
        return 0;
    return (uint32_t)(1000000 - expected_ppm / alarms);
}
