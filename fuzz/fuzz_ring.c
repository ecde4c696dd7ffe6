/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sensors/ring.c over hostile memory, and event checking on what comes out of it. Input: u16 how
 * far the producer is ahead, u16 where the consumer stands (both times 8), then the ring's bytes.
 */
#include "event/event.h"
#include "ring.h"

#define SIZE 4096U

static int put(void *context, struct rv_span record)
{
    static struct rv_buf json = { .len_max = (size_t)1 << 20 };
    const struct rv_event *event = NULL;
    const uint8_t *ring = context;

    if (record.data < ring || record.data + record.len > ring + (size_t)2 * SIZE)
        abort(); /* never outside the mapping */
    if (rv_event_check(record, &event, NULL) == 0) {
        rv_buf_clear(&json);
        rv_event_json(&json, event);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rv_reader reader = rv_reader(rv_span(data, len));
    uint64_t ahead = rv_read_le16(&reader) * UINT64_C(8);
    uint64_t consumer = rv_read_le16(&reader) * UINT64_C(8), producer = consumer + ahead;
    struct rv_ring *ring = NULL;
    uint8_t *memory = aligned_alloc(8, (size_t)2 * SIZE);

    if (!memory)
        return 0;
    for (size_t i = 0; i < SIZE; i++) {
        size_t at = (i + consumer) % SIZE;

        memory[at] = memory[at + SIZE] = i < reader.rest.len ? reader.rest.data[i] : 0;
    }
    if (rv_ring_wrap(&ring, &consumer, &producer, memory, SIZE) == 0) {
        while (rv_ring_read(ring, 7, put, memory) == 7)
            ;
    }
    rv_ring_free(&ring);
    free(memory);
    return 0;
}
