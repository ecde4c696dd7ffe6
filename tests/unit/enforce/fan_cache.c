/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "cache.h"

static struct fan_cache *cache;

static struct fan_key key_of(uint64_t inode)
{
    return (struct fan_key){ .inode = inode, .program_inode = 5, .action = 1, .epoch = 2 };
}

static void every_part_of_the_key_counts(void **state)
{
    const struct fan_cached value = { .rules = 3, .allow = 1 };
    struct fan_key key = key_of(1);

    assert_null(rv_fan_cache_get(cache, &key));
    assert_false(rv_fan_cache_put(cache, &key, &value));
    assert_int_equal(rv_fan_cache_get(cache, &key)->rules, 3);
    for (size_t at = 0; at < sizeof(key); at++) {
        struct fan_key other = key;

        ((uint8_t *)&other)[at] ^= 1;
        assert_null(rv_fan_cache_get(cache, &other));
    }
}

static void a_verdict_put_again_takes_its_own_place(void **state)
{
    struct fan_cached value = { .rules = 1 };
    struct fan_key key = key_of(2);

    for (uint64_t i = 0; i < 100; i++) {
        value.rules = i;
        assert_false(rv_fan_cache_put(cache, &key, &value));
    }
    assert_int_equal(rv_fan_cache_get(cache, &key)->rules, 99);
}

static void what_can_never_be_asked_again_goes_first(void **state)
{
    const struct fan_cached value = { .allow = 1 };
    size_t evicted = 0;

    for (uint64_t epoch = 3; epoch < 40; epoch++) { /* full of an older set's, each time */
        for (uint64_t inode = 0; inode < 4096; inode++) {
            struct fan_key key = key_of(inode);

            key.epoch = epoch;
            evicted += rv_fan_cache_put(cache, &key, &value);
        }
        /* Only where more than four of the new ones meet. */
        assert_true(evicted < 4096 * (epoch - 2) / 50);
    }
    evicted = 0;
    for (int64_t change = 1; change < 1000; change++) { /* one file that changes all the time */
        struct fan_key key = key_of(7);

        key.epoch = 40;
        key.ctime_ns = change;
        evicted += rv_fan_cache_put(cache, &key, &value);
    }
    assert_int_equal(evicted, 0);
}

static void memory_is_bounded_and_the_least_used_goes(void **state)
{
    const struct fan_cached value = { .allow = 1 };
    struct fan_key kept = key_of(1);
    size_t evicted = 0;

    kept.epoch = 50;
    (void)rv_fan_cache_put(cache, &kept, &value);
    for (uint64_t inode = 2; inode < 100000; inode++) {
        struct fan_key key = key_of(inode);

        key.epoch = 50;
        evicted += rv_fan_cache_put(cache, &key, &value);
        assert_non_null(rv_fan_cache_get(cache, &kept)); /* in use all the time */
    }
    assert_true(evicted > 80000 && evicted < 100000 - 4096);
}

static int set_up(void **state)
{
    rv_assert_ok(rv_fan_cache_new(&cache, 12345));
    return 0;
}

static int tear_down(void **state)
{
    rv_fan_cache_free(&cache);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_of_the_key_counts),
        cmocka_unit_test(a_verdict_put_again_takes_its_own_place),
        cmocka_unit_test(what_can_never_be_asked_again_goes_first),
        cmocka_unit_test(memory_is_bounded_and_the_least_used_goes),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
