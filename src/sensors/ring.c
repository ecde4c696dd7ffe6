/* SPDX-License-Identifier: Apache-2.0 */
/**
 * BPF ring buffers read by mmap alone. Layout (kernel/bpf/ringbuf.c, stable): a page with the
 * consumer's position, writable; a page with the producer's position; the data, mapped twice in a
 * row so that a record never wraps. A record is u32 length and flags, u32, then the bytes, padded
 * to 8. Positions only grow; they are taken modulo the size.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "ring.h"

#define RECORD_BUSY    0x80000000U /* being written */
#define RECORD_DISCARD 0x40000000U /* given up by the writer */
#define RECORD_HEAD    8U
#define RELEASE_EVERY  64U /* records: how often the kernel learns of room */

struct rv_ring {
    uint64_t *consumer;       /* shared with the kernel: ours to write */
    const uint64_t *producer; /* the kernel's to write */
    const uint8_t *data;
    uint64_t size;
    uint64_t position; /* own copy: what memory says is not believed */
    uint8_t *mapping_consumer, *mapping_data;
    size_t mapping_consumer_len, mapping_data_len;
    bool dead;
};

int rv_ring_wrap(struct rv_ring **ret_ring, uint64_t *consumer, const uint64_t *producer,
                 const uint8_t *data, uint64_t bytes)
{
    struct rv_ring *ring;

    if (bytes < 64 || (bytes & (bytes - 1)) != 0 || bytes > RECORD_DISCARD)
        return -EINVAL;
    ring = calloc(1, sizeof(*ring));
    if (!ring)
        return -ENOMEM;
    ring->consumer = consumer;
    ring->producer = producer;
    ring->data = data;
    ring->size = bytes;
    ring->position = __atomic_load_n(consumer, __ATOMIC_RELAXED);
    *ret_ring = ring;
    return 0;
}

int rv_ring_open(struct rv_ring **ret_ring, int map_fd, uint64_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t data_len = page + 2 * (size_t)bytes;
    uint8_t *consumer, *data;
    int r;

    if (bytes < page || (bytes & (bytes - 1)) != 0 || bytes > RECORD_DISCARD)
        return -EINVAL;
    consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
    if (consumer == MAP_FAILED)
        return -errno;
    data = mmap(NULL, data_len, PROT_READ, MAP_SHARED, map_fd, (off_t)page);
    if (data == MAP_FAILED) {
        r = -errno;
        munmap(consumer, page);
        return r;
    }
    r = rv_ring_wrap(ret_ring, (uint64_t *)(void *)consumer, (const uint64_t *)(const void *)data,
                     data + page, bytes);
    if (r < 0) {
        munmap(consumer, page);
        munmap(data, data_len);
        return r;
    }
    (*ret_ring)->mapping_consumer = consumer;
    (*ret_ring)->mapping_consumer_len = page;
    (*ret_ring)->mapping_data = data;
    (*ret_ring)->mapping_data_len = data_len;
    return 0;
}

void rv_ring_free(struct rv_ring **ring)
{
    if (!ring || !*ring)
        return;
    if ((*ring)->mapping_consumer)
        munmap((*ring)->mapping_consumer, (*ring)->mapping_consumer_len);
    if ((*ring)->mapping_data)
        munmap((*ring)->mapping_data, (*ring)->mapping_data_len);
    free(*ring);
    *ring = NULL;
}

static void release(struct rv_ring *ring)
{
    /* Release: our reads of the records come before the kernel may overwrite them. */
    __atomic_store_n(ring->consumer, ring->position, __ATOMIC_RELEASE);
}

enum next { NEXT_NONE, NEXT_RECORD, NEXT_SKIP, NEXT_BROKEN };

/** Look at the record at the position. `ret_step`: its size with head and padding. */
static enum next next_record(const struct rv_ring *ring, uint64_t produced,
                             struct rv_span *ret_record, uint64_t *ret_step)
{
    const uint8_t *at = ring->data + (ring->position & (ring->size - 1));
    uint64_t ahead = produced - ring->position, step;
    uint32_t head, len;

    if (ahead == 0)
        return NEXT_NONE;
    if (ahead > ring->size || ahead < RECORD_HEAD || (ring->position & 7) != 0)
        return NEXT_BROKEN;
    /* Acquire: the writer's clearing of BUSY comes before our reading of the bytes. */
    head = __atomic_load_n((const uint32_t *)(const void *)at, __ATOMIC_ACQUIRE);
    if (head & RECORD_BUSY)
        return NEXT_NONE;
    len = head & ~RECORD_DISCARD;
    step = ((uint64_t)len + RECORD_HEAD + 7) & ~(uint64_t)7;
    if (step > ahead)
        return NEXT_BROKEN;
    *ret_record = rv_span(at + RECORD_HEAD, len);
    *ret_step = step;
    return head & RECORD_DISCARD ? NEXT_SKIP : NEXT_RECORD;
}

int rv_ring_read(struct rv_ring *ring, size_t max, int (*put)(void *context, struct rv_span record),
                 void *context)
{
    uint64_t produced;
    size_t read = 0;
    int r = 0;

    if (ring->dead)
        return -EBADMSG;
    produced = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
    while (read < max && r >= 0) {
        struct rv_span record = { 0 };
        uint64_t step = 0;
        enum next next = next_record(ring, produced, &record, &step);

        if (next == NEXT_BROKEN) {
            ring->dead = true;
            r = -EBADMSG;
        }
        if (next == NEXT_BROKEN || next == NEXT_NONE)
            break;
        if (next == NEXT_RECORD) {
            r = put(context, record);
            read++;
        }
        ring->position += step;
        if (read % RELEASE_EVERY == 0)
            release(ring);
    }
    release(ring);
    return r < 0 ? r : (int)rv_min_u64(read, INT32_MAX);
}

uint64_t rv_ring_pending(const struct rv_ring *ring)
{
    return __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE) - ring->position;
}
