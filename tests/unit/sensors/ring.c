/* SPDX-License-Identifier: Apache-2.0 */
/* sensors/ring.c: a ring in memory, written as the kernel writes it. */
#include "fake_ring.h"

static int count_record(void *context, struct rv_span record)
{
    struct seen *seen = context;

    if (seen->count < RV_COUNT(seen->first)) {
        seen->len[seen->count] = record.len;
        seen->first[seen->count] = record.len ? record.data[0] : 0;
    }
    if (seen->check_pattern) {
        for (size_t i = 0; i < record.len; i++) {
            if (record.data[i] != (uint8_t)(record.data[0] + i))
                seen->broken++;
        }
    }
    seen->count++;
    return seen->answer;
}

static void reads_records_in_order_and_tells_the_kernel(void **state)
{
    struct fake fake;
    struct seen seen = { .check_pattern = true };
    struct rv_ring *ring = NULL;

    (void)state;
    fake_open(&fake, 256);
    rv_assert_ok(rv_ring_wrap(&ring, &fake.consumer, &fake.producer, fake.data, 256));
    assert_int_equal(rv_ring_read(ring, 10, count_record, &seen), 0);
    fake_put(&fake, 'a', 5, 0);
    fake_put(&fake, 'b', 16, 0);
    assert_int_equal(rv_ring_pending(ring), 16 + 24);
    assert_int_equal(rv_ring_read(ring, 10, count_record, &seen), 2);
    assert_int_equal(seen.first[0], 'a');
    assert_int_equal(seen.len[0], 5);
    assert_int_equal(seen.first[1], 'b');
    assert_int_equal(seen.len[1], 16);
    assert_int_equal(seen.broken, 0);
    assert_int_equal(fake.consumer, 16 + 24);
    rv_ring_free(&ring);
    assert_null(ring);
}

static void wraps_around_many_times(void **state)
{
    struct fake fake;
    struct seen seen = { .check_pattern = true };
    struct rv_ring *ring = NULL;
    size_t put = 0;

    (void)state;
    fake_open(&fake, 256);
    rv_assert_ok(rv_ring_wrap(&ring, &fake.consumer, &fake.producer, fake.data, 256));
    for (size_t i = 0; i < 5000; i++) {
        size_t len = i * 7 % 97; /* 0..96, so that every alignment crosses the end */

        fake_put(&fake, (uint8_t)i, len, 0);
        put++;
        if (i % 2)
            assert_int_equal(rv_ring_read(ring, SIZE_MAX, count_record, &seen), 2);
    }
    assert_int_equal(seen.count, put);
    assert_int_equal(seen.broken, 0);
    rv_ring_free(&ring);
}

static void waits_for_a_record_that_is_being_written(void **state)
{
    struct fake fake;
    struct seen seen = { 0 };
    struct rv_ring *ring = NULL;
    uint64_t at;

    (void)state;
    fake_open(&fake, 256);
    rv_assert_ok(rv_ring_wrap(&ring, &fake.consumer, &fake.producer, fake.data, 256));
    at = fake.producer;
    fake_put(&fake, 'a', 8, FAKE_BUSY);
    fake_put(&fake, 'b', 8, 0);
    assert_int_equal(rv_ring_read(ring, 10, count_record, &seen), 0);
    fake_head(&fake, at, 8);
    assert_int_equal(rv_ring_read(ring, 10, count_record, &seen), 2);
    rv_ring_free(&ring);
}

static void leaves_out_what_the_writer_gave_up(void **state)
{
    struct fake fake;
    struct seen seen = { 0 };
    struct rv_ring *ring = NULL;

    (void)state;
    fake_open(&fake, 256);
    rv_assert_ok(rv_ring_wrap(&ring, &fake.consumer, &fake.producer, fake.data, 256));
    fake_put(&fake, 'a', 8, FAKE_DISCARD);
    fake_put(&fake, 'b', 8, 0);
    fake_put(&fake, 'c', 8, FAKE_DISCARD);
    assert_int_equal(rv_ring_read(ring, 10, count_record, &seen), 1);
    assert_int_equal(seen.first[0], 'b');
    assert_int_equal(fake.consumer, fake.producer);
    rv_ring_free(&ring);
}

static void stops_at_the_limit_and_when_told(void **state)
{
    struct fake fake;
    struct seen seen = { 0 };
    struct rv_ring *ring = NULL;

    (void)state;
    fake_open(&fake, 256);
    rv_assert_ok(rv_ring_wrap(&ring, &fake.consumer, &fake.producer, fake.data, 256));
    for (int i = 0; i < 5; i++)
        fake_put(&fake, (uint8_t)i, 8, 0);
    assert_int_equal(rv_ring_read(ring, 2, count_record, &seen), 2);
    seen.answer = -EIO;
    assert_int_equal(rv_ring_read(ring, 10, count_record, &seen), -EIO);
    assert_int_equal(seen.count, 3);
    seen.answer = 0;
    assert_int_equal(rv_ring_read(ring, 10, count_record, &seen), 2); /* the rest, none twice */
    rv_ring_free(&ring);
}

static void refuses_impossible_bookkeeping_for_good(void **state)
{
    static const struct {
        const char *name;
        uint64_t producer;
        uint32_t head;
    } cases[] = {
        { "producer more than a ring ahead", 264, 8 },
        { "producer behind", UINT64_MAX - 7, 8 },
        { "record longer than what was produced", 16, 4096 },
        { "record as long as can be said", 256, 0x3fffffff },
        { "half a head", 4, 8 },
    };

    (void)state;
    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        struct fake fake;
        struct seen seen = { 0 };
        struct rv_ring *ring = NULL;
        int r;

        fake_open(&fake, 256);
        rv_assert_ok(rv_ring_wrap(&ring, &fake.consumer, &fake.producer, fake.data, 256));
        fake_head(&fake, 0, cases[i].head);
        fake.producer = cases[i].producer;
        r = rv_ring_read(ring, 10, count_record, &seen);
        if (r != -EBADMSG || seen.count != 0)
            fail_msg("%s: got %d after %zu records", cases[i].name, r, seen.count);
        fake.producer = 0;
        assert_int_equal(rv_ring_read(ring, 10, count_record, &seen), -EBADMSG);
        rv_ring_free(&ring);
    }
}

static void refuses_sizes_that_are_no_ring(void **state)
{
    static const uint64_t sizes[] = { 0, 1, 63, 100, 4095, UINT64_C(1) << 31 };
    struct fake fake;
    struct rv_ring *ring = NULL;

    (void)state;
    fake_open(&fake, 256);
    for (size_t i = 0; i < RV_COUNT(sizes); i++)
        assert_int_equal(rv_ring_wrap(&ring, &fake.consumer, &fake.producer, fake.data, sizes[i]),
                         -EINVAL);
    assert_true(rv_ring_open(&ring, -1, 4096) < 0);
    assert_null(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_records_in_order_and_tells_the_kernel),
        cmocka_unit_test(wraps_around_many_times),
        cmocka_unit_test(waits_for_a_record_that_is_being_written),
        cmocka_unit_test(leaves_out_what_the_writer_gave_up),
        cmocka_unit_test(stops_at_the_limit_and_when_told),
        cmocka_unit_test(refuses_impossible_bookkeeping_for_good),
        cmocka_unit_test(refuses_sizes_that_are_no_ring),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
